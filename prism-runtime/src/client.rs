//! What generated clients call: a tonic channel, and one method for each shape of call.

use http::uri::PathAndQuery;
use prost::Message;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{IntoRequest, IntoStreamingRequest, Response, Status, Streaming};
use tonic_prost::ProstCodec;

/// Largest answer that a client accepts, in bytes: above the server's pages, which end at 1 MiB,
/// and above the largest request that it takes by default.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// A connection to a proxy. Clones share it; each call may be made at the same time as others.
#[derive(Clone, Debug)]
pub struct Client(Grpc<Channel>);

impl Client {
    /// Connects to a proxy: `http://127.0.0.1:8980`.
    ///
    /// # Errors
    ///
    /// Where the address is not a URI, or nothing answers there.
    pub async fn connect(address: impl Into<String>) -> Result<Self, tonic::transport::Error> {
        let endpoint = Endpoint::from_shared(address.into())?.tcp_nodelay(true);
        Ok(Client::new(endpoint.connect().await?))
    }

    /// Uses a channel that was set up elsewhere.
    pub fn new(channel: Channel) -> Self {
        Client(Grpc::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES))
    }

    /// The methods of a service, by its full name.
    pub fn service(self, name: &'static str) -> ServiceClient {
        ServiceClient { client: self, service: name }
    }

    /// Calls a method that answers with one message. `path` is `/package.Service/Method`.
    ///
    /// # Errors
    ///
    /// The call's status; its details are read with `tonic_types::StatusExt`.
    pub async fn unary<Request, Answer>(
        &self,
        path: &str,
        request: impl IntoRequest<Request>,
    ) -> Result<Response<Answer>, Status>
    where
        Request: Message + 'static,
        Answer: Message + Default + 'static,
    {
        let mut grpc = self.ready().await?;
        let codec = ProstCodec::<Request, Answer>::default();
        grpc.unary(request.into_request(), parsed(path)?, codec).await
    }

    /// Calls a method that answers with a stream.
    ///
    /// # Errors
    ///
    /// The call's status, where it failed before the first message.
    pub async fn server_streaming<Request, Answer>(
        &self,
        path: &str,
        request: impl IntoRequest<Request>,
    ) -> Result<Response<Streaming<Answer>>, Status>
    where
        Request: Message + 'static,
        Answer: Message + Default + 'static,
    {
        let mut grpc = self.ready().await?;
        let codec = ProstCodec::<Request, Answer>::default();
        grpc.server_streaming(request.into_request(), parsed(path)?, codec).await
    }

    /// Calls a method that takes a stream of requests and answers with one message.
    ///
    /// # Errors
    ///
    /// The call's status; its details are read with `tonic_types::StatusExt`.
    pub async fn client_streaming<Request, Answer>(
        &self,
        path: &str,
        requests: impl IntoStreamingRequest<Message = Request>,
    ) -> Result<Response<Answer>, Status>
    where
        Request: Message + 'static,
        Answer: Message + Default + 'static,
    {
        let mut grpc = self.ready().await?;
        let codec = ProstCodec::<Request, Answer>::default();
        grpc.client_streaming(requests.into_streaming_request(), parsed(path)?, codec).await
    }

    /// Calls a method that takes a stream of requests and answers with a stream, each at its own
    /// pace.
    ///
    /// # Errors
    ///
    /// The call's status, where it failed before the first message.
    pub async fn bidirectional<Request, Answer>(
        &self,
        path: &str,
        requests: impl IntoStreamingRequest<Message = Request>,
    ) -> Result<Response<Streaming<Answer>>, Status>
    where
        Request: Message + 'static,
        Answer: Message + Default + 'static,
    {
        let mut grpc = self.ready().await?;
        let codec = ProstCodec::<Request, Answer>::default();
        grpc.streaming(requests.into_streaming_request(), parsed(path)?, codec).await
    }

    async fn ready(&self) -> Result<Grpc<Channel>, Status> {
        let mut grpc = self.0.clone();
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(grpc)
    }
}

fn parsed(path: &str) -> Result<PathAndQuery, Status> {
    PathAndQuery::try_from(path).map_err(|error| Status::internal(error.to_string()))
}

/// A connection to one service: what generated clients are made of.
#[derive(Clone, Debug)]
pub struct ServiceClient {
    client: Client,
    /// Full name.
    service: &'static str,
}

impl ServiceClient {
    /// Calls a method, by its name in the service, that answers with one message.
    ///
    /// # Errors
    ///
    /// The call's status; its details are read with `tonic_types::StatusExt`.
    pub async fn unary<Request, Answer>(
        &self,
        method: &'static str,
        request: impl IntoRequest<Request>,
    ) -> Result<Response<Answer>, Status>
    where
        Request: Message + 'static,
        Answer: Message + Default + 'static,
    {
        self.client.unary(&self.path(method), request).await
    }

    /// Calls a method that answers with a stream.
    ///
    /// # Errors
    ///
    /// The call's status, where it failed before the first message.
    pub async fn server_streaming<Request, Answer>(
        &self,
        method: &'static str,
        request: impl IntoRequest<Request>,
    ) -> Result<Response<Streaming<Answer>>, Status>
    where
        Request: Message + 'static,
        Answer: Message + Default + 'static,
    {
        self.client.server_streaming(&self.path(method), request).await
    }

    /// Calls a method that takes a stream of requests and answers with one message.
    ///
    /// # Errors
    ///
    /// The call's status; its details are read with `tonic_types::StatusExt`.
    pub async fn client_streaming<Request, Answer>(
        &self,
        method: &'static str,
        requests: impl IntoStreamingRequest<Message = Request>,
    ) -> Result<Response<Answer>, Status>
    where
        Request: Message + 'static,
        Answer: Message + Default + 'static,
    {
        self.client.client_streaming(&self.path(method), requests).await
    }

    /// Calls a method that takes a stream of requests and answers with a stream.
    ///
    /// # Errors
    ///
    /// The call's status, where it failed before the first message.
    pub async fn bidirectional<Request, Answer>(
        &self,
        method: &'static str,
        requests: impl IntoStreamingRequest<Message = Request>,
    ) -> Result<Response<Streaming<Answer>>, Status>
    where
        Request: Message + 'static,
        Answer: Message + Default + 'static,
    {
        self.client.bidirectional(&self.path(method), requests).await
    }

    fn path(&self, method: &str) -> String {
        format!("/{}/{method}", self.service)
    }
}
