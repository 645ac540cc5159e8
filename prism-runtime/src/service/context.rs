//! What a call carries beside its message.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use super::ResponseMetadata;
use crate::entity::{Entity, Store, Stores};
use crate::{Error, Result};

/// What is known of a call. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context(Arc<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    request_id: String,
    caller: Caller,
    deadline: Option<Instant>,
    metadata: http::HeaderMap,
    peer: Option<SocketAddr>,
    stores: Option<Arc<Stores>>,
    /// What the handler adds to the response: made when it adds the first entry.
    response: OnceLock<Arc<Mutex<ResponseMetadata>>>,
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Caller {
    /// No authentication is configured: whoever reaches the loopback address may do everything.
    Local,
}

impl Caller {
    /// What request ids and page tokens are bound to.
    pub fn identity(&self) -> &str {
        match self {
            Caller::Local => "local",
        }
    }
}

impl Context {
    /// A call with this id and no deadline, by the local caller.
    pub fn new(request_id: impl Into<String>) -> Self {
        Context(Arc::new(Inner {
            request_id: request_id.into(),
            caller: Caller::Local,
            deadline: None,
            metadata: http::HeaderMap::new(),
            peer: None,
            stores: None,
            response: OnceLock::new(),
        }))
    }

    /// Sets when the caller, or the method's `timeout_ms`, gives up.
    #[must_use]
    pub fn with_deadline(self, deadline: Instant) -> Self {
        self.with(|inner| inner.deadline = Some(deadline))
    }

    /// Sets the request's metadata.
    #[must_use]
    pub fn with_metadata(self, metadata: http::HeaderMap) -> Self {
        self.with(|inner| inner.metadata = metadata)
    }

    /// Sets the address that the call came from.
    #[must_use]
    pub fn with_peer(self, peer: SocketAddr) -> Self {
        self.with(|inner| inner.peer = Some(peer))
    }

    /// Sets the entities that the service's own code reaches with [`Context::store`].
    #[must_use]
    pub fn with_stores(self, stores: Arc<Stores>) -> Self {
        self.with(|inner| inner.stores = Some(stores))
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The id of the call in logs: the caller's `x-request-id`, or one that the server made.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// Who calls.
    pub fn caller(&self) -> &Caller {
        &self.0.caller
    }

    /// When the call is given up.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// The request's metadata, as HTTP headers.
    pub fn metadata(&self) -> &http::HeaderMap {
        &self.0.metadata
    }

    /// The address that the call came from; none where it did not come over a socket.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.0.peer
    }

    /// Adds an entry to the metadata that the response begins with. Several entries of a name
    /// are kept in order. The value of a name that ends in `-bin` may be any bytes; others are
    /// printable ASCII.
    ///
    /// The headers are sent when the handler returns: with its answer, or before the first message
    /// of a stream.
    ///
    /// # Errors
    ///
    /// INTERNAL where the name or the value is none of gRPC's metadata, the name is reserved
    /// (`grpc-…`, `content-type`, `x-request-id`, …), the entries are more than
    /// [`MAX_HEADER_BYTES`](super::MAX_HEADER_BYTES), or the headers were sent.
    pub fn add_header(&self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        self.response().add_header(name, value.as_ref())
    }

    /// Adds an entry to the metadata that the response ends with, also if the call fails.
    ///
    /// # Errors
    ///
    /// As [`Context::add_header`], with [`MAX_TRAILER_BYTES`](super::MAX_TRAILER_BYTES); an entry
    /// that is added after the end of the call has no effect.
    pub fn add_trailer(&self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        self.response().add_trailer(name, value.as_ref())
    }

    fn response(&self) -> MutexGuard<'_, ResponseMetadata> {
        self.0.response.get_or_init(Arc::default).lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the headers of a response that goes on: from now on, none can be added.
    pub(crate) fn begin_response(&self) -> http::HeaderMap {
        let mut response = self.response();
        response.begun = true;
        std::mem::take(&mut response.headers)
    }

    /// Takes what was added to the response, where something was.
    pub(crate) fn take_response(&self) -> Option<ResponseMetadata> {
        let response = self.0.response.get()?;
        let mut response = response.lock().unwrap_or_else(PoisonError::into_inner);
        response.begun = true;
        Some(ResponseMetadata {
            headers: std::mem::take(&mut response.headers),
            trailers: std::mem::take(&mut response.trailers),
            begun: true,
        })
    }

    /// Bytes that the handler's trailers take of the room for trailers.
    pub(crate) fn trailer_bytes(&self) -> usize {
        let Some(response) = self.0.response.get() else { return 0 };
        super::list_bytes(&response.lock().unwrap_or_else(PoisonError::into_inner).trailers)
    }

    /// The records of an entity that the proxy serves.
    ///
    /// # Errors
    ///
    /// INTERNAL where it does not serve the entity.
    pub fn store<E: Entity>(&self) -> Result<Store<E>> {
        match &self.0.stores {
            Some(stores) => stores.store(self.caller().identity()),
            None => Err(Error::internal("the call does not come from a proxy with entities")),
        }
    }
}
