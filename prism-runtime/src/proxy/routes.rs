//! Key-value namespaces that live on several backends.

use std::collections::HashMap;
use std::sync::Arc;

use crate::keyvalue::page::PageRead;
use crate::store::StoreFuture;
use crate::store::keyvalue::{ItemSwap, KeyValueStore, RecordDelete, RecordPut, SwapOutcome};
use crate::{Error, Reason};

/// A store that hands every call to the one that serves its namespace.
pub(super) struct Routes {
    /// The namespaces that have a backend of their own.
    pub(super) bound: HashMap<String, Arc<dyn KeyValueStore>>,
    /// Serves all others.
    pub(super) other: Option<Arc<dyn KeyValueStore>>,
    /// Each store once.
    pub(super) stores: Vec<Arc<dyn KeyValueStore>>,
}

impl Routes {
    fn store(&self, namespace: &str) -> Result<Arc<dyn KeyValueStore>, Error> {
        let store = self.bound.get(namespace).or(self.other.as_ref());
        // The service refuses a namespace that is not served before it comes here.
        store
            .cloned()
            .ok_or_else(|| Error::new(Reason::NamespaceNotFound, "no backend serves the namespace"))
    }
}

impl KeyValueStore for Routes {
    fn read(&self, read: PageRead) -> StoreFuture<PageRead> {
        match self.store(&read.query.namespace) {
            Ok(store) => store.read(read),
            Err(error) => StoreFuture::ready(Err(error)),
        }
    }

    fn put(&self, put: RecordPut) -> StoreFuture<()> {
        match self.store(&put.target.namespace) {
            Ok(store) => store.put(put),
            Err(error) => StoreFuture::ready(Err(error)),
        }
    }

    fn delete(&self, delete: RecordDelete) -> StoreFuture<Option<u64>> {
        match self.store(&delete.target.namespace) {
            Ok(store) => store.delete(delete),
            Err(error) => StoreFuture::ready(Err(error)),
        }
    }

    fn swap(&self, swap: ItemSwap) -> StoreFuture<SwapOutcome> {
        match self.store(&swap.target.namespace) {
            Ok(store) => store.swap(swap),
            Err(error) => StoreFuture::ready(Err(error)),
        }
    }

    fn sweep(&self, before: i64, limit: u32) -> StoreFuture<u64> {
        let stores = self.stores.clone();
        StoreFuture::pending(async move {
            let mut removed = 0;
            for store in stores {
                let left = limit.saturating_sub(u32::try_from(removed).unwrap_or(u32::MAX));
                if left == 0 {
                    break;
                }
                removed += store.sweep(before, left).await?;
            }
            Ok(removed)
        })
    }
}
