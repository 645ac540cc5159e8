//! What a call carries beside its message.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::Result;
use crate::entity::{Entity, Store, Stores};

/// What is known of a call. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    request_id: String,
    caller: Caller,
    deadline: Option<Instant>,
    metadata: http::HeaderMap,
    peer: Option<SocketAddr>,
    stores: Arc<Stores>,
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
            stores: Arc::default(),
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
        self.with(|inner| inner.stores = stores)
    }

    fn with(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = match Arc::try_unwrap(self.0) {
            Ok(inner) => inner,
            Err(shared) => Inner {
                request_id: shared.request_id.clone(),
                caller: shared.caller.clone(),
                deadline: shared.deadline,
                metadata: shared.metadata.clone(),
                peer: shared.peer,
                stores: Arc::clone(&shared.stores),
            },
        };
        change(&mut inner);
        Context(Arc::new(inner))
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

    /// The records of an entity that the proxy serves.
    ///
    /// # Errors
    ///
    /// INTERNAL where it does not serve the entity.
    pub fn store<E: Entity>(&self) -> Result<Store<E>> {
        self.0.stores.store(self.caller().identity())
    }
}
