//! Services of tonic's, mounted beside ours: reflection.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;

use http::{Request, Response};
use hyper::body::Incoming;
use tonic::body::Body;
use tower_service::Service;

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// A service that does its own framing.
pub(super) struct Foreign(Box<dyn Fn(Request<Incoming>) -> Answer + Send + Sync>);

impl Foreign {
    pub(super) fn new<S>(service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        // A tonic server is always ready: it has no poll_ready of its own.
        Foreign(Box::new(move |request| Box::pin(service.clone().call(request))))
    }

    pub(super) async fn call(&self, request: Request<Incoming>) -> Response<Body> {
        match (self.0)(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}
