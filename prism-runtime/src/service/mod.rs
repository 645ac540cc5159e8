//! The service layer: what a call is between the transport and a store.
//!
//! It knows protobuf bytes and [`Error`], but neither HTTP nor tonic, so that
//! another front end can be put before it.

mod context;
mod encoded;
mod metadata;
mod reply;
mod requests;

use bytes::Bytes;
use prism_schema::Permission;

pub use context::{Caller, Context};
pub use encoded::Encoded;
pub use metadata::{MAX_HEADER_BYTES, MAX_TRAILER_BYTES};
pub(crate) use metadata::{ResponseMetadata, list_bytes};
pub use reply::{MessageStream, Reply, Responses};
pub(crate) use requests::decode;
pub use requests::{RequestStream, Requests};

use crate::{Error, Reason};

/// A gRPC service: a descriptor, and one function that answers every method of it.
///
/// Generated code implements this for each service of the schema. The server has decoded nothing
/// but the framing; it has already checked the deadline, the caller and, unless
/// `server.unknown_fields` is `drop`, that the request has no field that the schema does not know.
pub trait Service: Send + Sync + 'static {
    /// The service's name and methods. `call` is given positions in its `methods`.
    fn descriptor(&self) -> &prism_schema::Service;

    /// Whether a method changes nothing, so that a call of it can be ended at any time. One that is
    /// bound to no operation may change anything.
    fn only_reads(&self, method: usize) -> bool {
        let binding = self.descriptor().methods.get(method).and_then(|it| it.binding.as_ref());
        binding.is_some_and(|binding| binding.operation.permissions() == [Permission::Read])
    }

    /// Answers a call. `request` is one encoded message.
    ///
    /// Runs on an event loop: what can take longer than a point read is returned as
    /// [`Reply::Future`] or [`Reply::Stream`].
    fn call(&self, method: usize, context: Context, request: Bytes) -> Reply;

    /// Answers a call of a method whose descriptor says that it streams requests. They are read
    /// as the answer asks for them.
    fn call_streaming(&self, method: usize, context: Context, requests: RequestStream) -> Reply {
        let _ = (context, requests);
        unimplemented(self.descriptor(), method)
    }
}

/// The answer of a method that nobody has written.
pub(crate) fn unimplemented(service: &prism_schema::Service, method: usize) -> Reply {
    let name = service.methods.get(method).map_or("the method", |method| method.name.as_str());
    let message = format!("{}/{name} is not implemented by this server", service.name);
    Reply::Ready(Err(Error::new(Reason::MethodUnimplemented, message)))
}
