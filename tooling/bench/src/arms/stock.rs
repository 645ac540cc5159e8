//! tonic as its examples use it: default settings, a multi-thread runtime of one worker a core.
//!
//! There is no router before the service, which favours this side. The allocator is the
//! binary's, so the same for every arm.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Request as HttpRequest;
use tonic::body::Body;
use tonic::server::{Grpc, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;

use super::{ECHO, EchoMessage};

type HttpResponse = http::Response<Body>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A service as tonic's generated code has it: one path after the other.
pub trait Methods: Clone + Send + Sync + 'static {
    /// Answers a call of the method with this path.
    fn call(self, request: HttpRequest<Body>) -> BoxFuture<HttpResponse>;
}

/// Serves on a free loopback port what `methods` makes.
pub fn serve<M: Methods>(
    methods: impl Future<Output = Result<M, Box<dyn Error>>>,
) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let methods = runtime.block_on(methods)?;
    let _entered = runtime.enter();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?.with_nodelay(Some(true));
    super::announce(incoming.local_addr()?)?;
    let service = Service(methods);
    runtime.spawn(Server::builder().serve_with_incoming(service, incoming));
    Ok(super::until_parent_leaves()?)
}

/// Runs a unary handler in tonic's framing.
pub fn unary<Q, A, F>(
    request: HttpRequest<Body>,
    handler: impl FnMut(Request<Q>) -> F + Send + 'static,
) -> BoxFuture<HttpResponse>
where
    Q: prost::Message + Default + Send + 'static,
    A: prost::Message + Default + Send + 'static,
    F: Future<Output = Result<Response<A>, Status>> + Send + 'static,
{
    Box::pin(async move {
        Grpc::new(ProstCodec::<A, Q>::default()).unary(Handler(handler), request).await
    })
}

/// The answer to a path that the service does not have.
pub fn unimplemented() -> BoxFuture<HttpResponse> {
    Box::pin(async { Status::new(Code::Unimplemented, "").into_http() })
}

struct Handler<H>(H);

impl<Q, A, H, F> UnaryService<Q> for Handler<H>
where
    H: FnMut(Request<Q>) -> F,
    F: Future<Output = Result<Response<A>, Status>>,
{
    type Response = A;
    type Future = F;

    fn call(&mut self, request: Request<Q>) -> F {
        (self.0)(request)
    }
}

#[derive(Clone)]
struct Service<M>(M);

impl<M: Methods> tower_service::Service<HttpRequest<Body>> for Service<M> {
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let answer = self.0.clone().call(request);
        Box::pin(async move { Ok(answer.await) })
    }
}

/// Answers with the request.
#[derive(Clone)]
pub struct Echo;

impl Methods for Echo {
    fn call(self, request: HttpRequest<Body>) -> BoxFuture<HttpResponse> {
        match request.uri().path() {
            ECHO => unary(request, |request: Request<EchoMessage>| async move {
                Ok(Response::new(request.into_inner()))
            }),
            _ => unimplemented(),
        }
    }
}
