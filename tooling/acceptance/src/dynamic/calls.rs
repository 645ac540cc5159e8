//! Calls by name, with messages that are known by their descriptors.

use std::net::SocketAddr;

use prism_runtime::Proxy;
use prost::Message as _;
use prost_reflect::SerializeOptions;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor};
use serde_json::Value;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// A proxy in this process, and a client of it. Dropping it stops it.
pub struct Serving {
    proxy: Proxy,
    pool: DescriptorPool,
    channel: Grpc<Channel>,
}

impl Serving {
    pub(super) async fn connect(proxy: Proxy, pool: DescriptorPool) -> Result<Self, String> {
        let endpoint = Endpoint::from_shared(format!("http://{}", proxy.local_addr()));
        let endpoint = endpoint.map_err(|error| error.to_string())?.tcp_nodelay(true);
        let channel = endpoint.connect().await.map_err(|error| error.to_string())?;
        Ok(Serving { proxy, pool, channel: Grpc::new(channel) })
    }

    /// Where the proxy listens.
    pub fn address(&self) -> SocketAddr {
        self.proxy.local_addr()
    }

    /// The running proxy.
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Calls a method, by its name in whichever service has it. The request is protobuf JSON; the
    /// answer too, by the names of the `.proto` file and without fields that are at their default.
    ///
    /// # Errors
    ///
    /// The call's status; INTERNAL where the schema has no such method or request.
    pub async fn call(&self, method: &str, request: Value) -> Result<Value, Status> {
        let descriptor = self.method(method).ok_or_else(|| local("no such method"))?;
        let request = DynamicMessage::deserialize(descriptor.input(), request).map_err(local)?;
        let answer = self.unary(&descriptor, request).await?;
        let options = SerializeOptions::new().use_proto_field_name(true);
        answer.serialize_with_options(serde_json::value::Serializer, &options).map_err(local)
    }

    /// A method, by its name in whichever service has it.
    pub fn method(&self, name: &str) -> Option<MethodDescriptor> {
        let mut services = self.pool.services();
        services.find_map(|service| service.methods().find(|method| method.name() == name))
    }

    /// Calls a method with one answer.
    ///
    /// # Errors
    ///
    /// The call's status.
    pub async fn unary(
        &self,
        method: &MethodDescriptor,
        request: DynamicMessage,
    ) -> Result<DynamicMessage, Status> {
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let path = PathAndQuery::try_from(path).map_err(local)?;
        let mut channel = self.channel.clone();
        channel.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let codec = Described(method.output());
        Ok(channel.unary(Request::new(request), path, codec).await?.into_inner())
    }

    /// Stops the proxy as a deployment does: calls in flight are answered.
    pub async fn stop(self) {
        self.proxy.shutdown().await;
    }
}

fn local(error: impl std::fmt::Display) -> Status {
    Status::internal(format!("the test's own call: {error}"))
}

/// Messages by their descriptor: this one is the answer's.
struct Described(MessageDescriptor);

impl Codec for Described {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Described;
    type Decoder = Described;

    fn encoder(&mut self) -> Described {
        Described(self.0.clone())
    }

    fn decoder(&mut self) -> Described {
        Described(self.0.clone())
    }
}

impl Encoder for Described {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, item: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buffer).map_err(local)
    }
}

impl Decoder for Described {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        DynamicMessage::decode(self.0.clone(), buffer).map(Some).map_err(local)
    }
}
