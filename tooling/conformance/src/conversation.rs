//! Answers that are a stream: after all requests, or in turn with them.

use futures_util::stream;
use prism_runtime::Result;
use prism_runtime::service::{Context, Requests, Responses};
use prost_types::Any;

use crate::connectrpc::conformance::v1::conformance_payload::RequestInfo;
use crate::connectrpc::conformance::v1::{
    BidiStreamRequest, ConformancePayload, StreamResponseDefinition,
};
use crate::response::{add_metadata, any, relayed, request_info, wait};

/// The answers of one call.
pub(crate) struct Conversation {
    context: Context,
    definition: StreamResponseDefinition,
    /// Requests that are still to come, each before its answer.
    requests: Option<Requests<BidiStreamRequest>>,
    /// Requests since the last answer.
    received: Vec<Any>,
    /// Answers so far.
    sent: usize,
}

impl Conversation {
    /// Answers after the last request.
    pub(crate) fn after(
        context: Context,
        definition: StreamResponseDefinition,
        received: Vec<Any>,
    ) -> Result<Self> {
        add_metadata(&context, &definition.response_headers, &definition.response_trailers)?;
        Ok(Conversation { context, definition, requests: None, received, sent: 0 })
    }

    /// Answers after each request.
    pub(crate) fn during(
        context: Context,
        definition: StreamResponseDefinition,
        received: Vec<Any>,
        requests: Requests<BidiStreamRequest>,
    ) -> Result<Self> {
        let conversation = Conversation::after(context, definition, received)?;
        Ok(Conversation { requests: Some(requests), ..conversation })
    }

    /// The answers as a method's stream.
    pub(crate) fn responses<Response: 'static>(
        self,
        wrap: impl Fn(ConformancePayload) -> Response + Send + Copy + 'static,
    ) -> Responses<Response> {
        Box::pin(stream::try_unfold(self, move |mut conversation| async move {
            let payload = conversation.next().await?;
            Ok(payload.map(|payload| (wrap(payload), conversation)))
        }))
    }

    async fn next(&mut self) -> Result<Option<ConformancePayload>> {
        self.receive().await?;
        let Some(data) = self.definition.response_data.get_mut(self.sent) else {
            return match self.definition.error.take() {
                Some(error) => Err(relayed(error, self.whole_info())),
                None => Ok(None),
            };
        };
        let data = std::mem::take(data);
        let request_info = self.whole_info().or_else(|| {
            let requests = std::mem::take(&mut self.received);
            let in_turn = !requests.is_empty();
            in_turn.then(|| RequestInfo { requests, ..RequestInfo::default() })
        });
        wait(self.definition.response_delay_ms).await;
        self.sent += 1;
        Ok(Some(ConformancePayload { data, request_info }))
    }

    /// Waits for the request that the next answer is for, where they take turns.
    async fn receive(&mut self) -> Result<()> {
        if let Some(requests) = &mut self.requests
            && self.received.is_empty()
        {
            match requests.message().await? {
                Some(request) => self.received.push(any("BidiStreamRequest", &request)),
                None => self.requests = None,
            }
        }
        Ok(())
    }

    /// All that was seen of the call, for the first answer.
    fn whole_info(&mut self) -> Option<RequestInfo> {
        let first = self.sent == 0;
        first.then(|| request_info(&self.context, std::mem::take(&mut self.received)))
    }
}
