//! `connectrpc.conformance.v1.ConformanceService`, written by hand over the trait that Prism
//! generates, and served by Prism's server. Each request says how it is to be answered; what the
//! handlers must do stands in `proto/connectrpc/conformance/v1/service.proto`.

prism_runtime::include_schema!();

mod conversation;
mod response;
pub mod runner;

use prism_runtime::service::{Context, Requests, Responses};
use prism_runtime::{Error, Reason, Result, Schema};

use connectrpc::conformance::v1::conformance_service::{
    ConformanceService, ConformanceServiceServer,
};
use connectrpc::conformance::v1::{
    BidiStreamRequest, BidiStreamResponse, ClientStreamRequest, ClientStreamResponse,
    ConformancePayload, IdempotentUnaryRequest, IdempotentUnaryResponse, ServerStreamRequest,
    ServerStreamResponse, UnaryRequest, UnaryResponse, UnimplementedRequest, UnimplementedResponse,
};
use conversation::Conversation;
use response::{any, one};

/// The schema with the service: what the proxy serves.
pub fn service() -> Schema {
    schema().service(ConformanceServiceServer::new(Conformance))
}

/// The service.
pub struct Conformance;

impl ConformanceService for Conformance {
    async fn unary(&self, context: Context, request: UnaryRequest) -> Result<UnaryResponse> {
        let received = vec![any("UnaryRequest", &request)];
        let payload = one(&context, request.response_definition, received).await?;
        Ok(UnaryResponse { payload: Some(payload) })
    }

    async fn idempotent_unary(
        &self,
        context: Context,
        request: IdempotentUnaryRequest,
    ) -> Result<IdempotentUnaryResponse> {
        let received = vec![any("IdempotentUnaryRequest", &request)];
        let payload = one(&context, request.response_definition, received).await?;
        Ok(IdempotentUnaryResponse { payload: Some(payload) })
    }

    async fn client_stream(
        &self,
        context: Context,
        mut requests: Requests<ClientStreamRequest>,
    ) -> Result<ClientStreamResponse> {
        let mut received = Vec::new();
        let mut definition = None;
        while let Some(request) = requests.message().await? {
            received.push(any("ClientStreamRequest", &request));
            if received.len() == 1 {
                definition = request.response_definition;
            }
        }
        let payload = one(&context, definition, received).await?;
        Ok(ClientStreamResponse { payload: Some(payload) })
    }

    async fn server_stream(
        &self,
        context: Context,
        request: ServerStreamRequest,
    ) -> Result<Responses<ServerStreamResponse>> {
        let received = vec![any("ServerStreamRequest", &request)];
        let definition = request.response_definition.unwrap_or_default();
        let answers = Conversation::after(context, definition, received)?;
        Ok(answers.responses(|payload| ServerStreamResponse { payload: Some(payload) }))
    }

    async fn bidi_stream(
        &self,
        context: Context,
        mut requests: Requests<BidiStreamRequest>,
    ) -> Result<Responses<BidiStreamResponse>> {
        let wrap = |payload: ConformancePayload| BidiStreamResponse { payload: Some(payload) };
        let Some(first) = requests.message().await? else {
            return Ok(
                Conversation::after(context, Default::default(), Vec::new())?.responses(wrap)
            );
        };
        let mut received = vec![any("BidiStreamRequest", &first)];
        let definition = first.response_definition.unwrap_or_default();
        if first.full_duplex {
            let answers = Conversation::during(context, definition, received, requests)?;
            return Ok(answers.responses(wrap));
        }
        while let Some(request) = requests.message().await? {
            received.push(any("BidiStreamRequest", &request));
        }
        Ok(Conversation::after(context, definition, received)?.responses(wrap))
    }

    async fn unimplemented(
        &self,
        _: Context,
        _: UnimplementedRequest,
    ) -> Result<UnimplementedResponse> {
        Err(Error::new(Reason::MethodUnimplemented, "the method is not implemented, on purpose"))
    }
}
