//! The service: requests in, commands to the store, responses out.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use prism_schema::Permission;
use prost::Message;

use super::Options;
use super::batch::Batch;
use super::decide::{Content, Stamp, Token};
use super::descriptor;
use super::options::micros;
use super::read::Reader;
use super::validate::{Checker, Field, served};
use crate::proto::keyvalue::v1::{
    CompareAndSwapRequest, CompareAndSwapResponse, DeleteRequest, DeleteResponse, PutBatchRequest,
    PutRequest, PutResponse,
};
use crate::service::{Context, Encoded, Reply, Service};
use crate::store::StoreFuture;
use crate::store::keyvalue::{
    ItemSwap, KeyValueStore, RecordDelete, RecordPut, SwapOutcome, Target,
};
use crate::{Error, Reason, Result};

/// `prism.keyvalue.v1.KeyValueService` on a store.
pub struct KeyValue {
    descriptor: prism_schema::Service,
    reader: Reader,
}

impl KeyValue {
    /// The service on a store.
    pub fn new(store: Arc<dyn KeyValueStore>, options: Options) -> Self {
        KeyValue {
            descriptor: descriptor::service(),
            reader: Reader { store, options: Arc::new(options) },
        }
    }

    fn store(&self) -> &dyn KeyValueStore {
        &*self.reader.store
    }

    fn options(&self) -> &Options {
        &self.reader.options
    }

    fn now(&self) -> i64 {
        self.options().clock.now_micros()
    }

    fn put(&self, request: PutRequest) -> Result<StoreFuture<()>> {
        let mut check = Checker::new(self.options(), self.now());
        check.namespace(&request.namespace);
        check.id(Field(2, "id"), &request.id);
        check.items(Field(3, "items"), &request.items);
        let stamp = check.stamp(Field(4, "item_priority_token"), request.item_priority_token);
        check.finish()?;
        let target = self.target(&request.namespace, request.id)?;
        Ok(self.store().put(RecordPut { target, items: request.items, stamp }))
    }

    fn put_batch(&self, context: Context, request: PutBatchRequest) -> Result<Reply> {
        let now = self.now();
        let mut check = Checker::new(self.options(), now);
        check.namespace(&request.namespace);
        let ids = request.writes.iter().map(|write| write.id.as_str());
        check.writes(Field(2, "writes"), ids);
        check.finish()?;
        let max_namespaces = served(self.options(), &request.namespace)?;
        let batch = Batch {
            options: Arc::clone(&self.reader.options),
            store: Arc::clone(&self.reader.store),
            namespace: request.namespace.into(),
            max_namespaces,
            now,
        };
        let writing = batch.write(context, request.writes);
        Ok(Reply::future(async move { Ok(Encoded::new(&writing.await?)) }))
    }

    fn delete(&self, request: DeleteRequest) -> Result<StoreFuture<Option<u64>>> {
        let mut check = Checker::new(self.options(), self.now());
        check.namespace(&request.namespace);
        check.id(Field(2, "id"), &request.id);
        let keys = (Field(3, "keys"), request.keys);
        let selection = check.deleted(keys, (Field(4, "predicate"), request.predicate));
        let stamp = check.stamp(Field(5, "item_priority_token"), request.item_priority_token);
        check.finish()?;
        let target = self.target(&request.namespace, request.id)?;
        Ok(self.store().delete(RecordDelete { target, selection, stamp }))
    }

    fn swap(&self, request: CompareAndSwapRequest) -> Result<StoreFuture<SwapOutcome>> {
        let now = self.now();
        let mut check = Checker::new(self.options(), now);
        check.namespace(&request.namespace);
        check.id(Field(2, "id"), &request.id);
        check.key(Field(3, "key"), &request.key);
        check.value(Field(4, "old_value"), request.old_value.as_deref());
        check.value(Field(5, "new_value"), request.new_value.as_deref());
        check.metadata(Field(6, "metadata"), request.metadata.as_ref());
        check.finish()?;
        let metadata = request.metadata.unwrap_or_default();
        let remembered = micros(self.options().tombstones);
        Ok(self.store().swap(ItemSwap {
            target: self.target(&request.namespace, request.id)?,
            key: request.key,
            expected: request.old_value,
            new: request.new_value,
            content: Content {
                compression: metadata.compression,
                ttl_seconds: metadata.ttl_seconds,
            },
            stamp: Stamp { token: Token::Server, now, remembered },
        }))
    }

    fn target(&self, namespace: &str, id: String) -> Result<Target> {
        let max_namespaces = served(self.options(), namespace)?;
        Ok(Target { namespace: namespace.into(), id, max_namespaces })
    }

    fn dispatch(&self, method: usize, context: Context, request: &Bytes) -> Result<Reply> {
        Ok(match method {
            descriptor::PUT => {
                respond(self.put(decode(request)?)?, |()| PutResponse { success: true })
            }
            descriptor::PUT_BATCH => self.put_batch(context, decode(request)?)?,
            descriptor::GET => self.reader.get(context, decode(request)?),
            descriptor::DELETE => respond(self.delete(decode(request)?)?, |gone| DeleteResponse {
                success: true,
                deleted_count: gone.map(|gone| i64::try_from(gone).unwrap_or(i64::MAX)),
            }),
            descriptor::SCAN => self.reader.scan(context, decode(request)?),
            descriptor::COMPARE_AND_SWAP => respond(self.swap(decode(request)?)?, swapped),
            _ => return Err(Error::new(Reason::MethodUnimplemented, "no such method")),
        })
    }
}

impl Service for KeyValue {
    fn descriptor(&self) -> &prism_schema::Service {
        &self.descriptor
    }

    fn only_reads(&self, method: usize) -> bool {
        let method = self.descriptor.methods.get(method);
        method.is_some_and(|method| method.permissions == [Permission::Read])
    }

    fn call(&self, method: usize, context: Context, request: Bytes) -> Reply {
        self.dispatch(method, context, &request).unwrap_or_else(|error| Reply::Ready(Err(error)))
    }
}

impl fmt::Debug for KeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyValue").field("options", self.options()).finish_non_exhaustive()
    }
}

/// Logs what the caller of a batch is not told of the failure of a part.
pub(super) fn log_part(context: &Context, error: &Error) {
    let source = error.source().map(ToString::to_string).unwrap_or_default();
    tracing::error!(request_id = context.request_id(), %error, source, "a write of a batch failed");
}

fn swapped(outcome: SwapOutcome) -> CompareAndSwapResponse {
    match outcome {
        SwapOutcome::Swapped => CompareAndSwapResponse { success: true, actual_value: None },
        SwapOutcome::Differs(actual_value) => {
            CompareAndSwapResponse { success: false, actual_value }
        }
    }
}

fn decode<M: Message + Default>(request: &Bytes) -> Result<M> {
    M::decode(&**request).map_err(|error| {
        Error::new(Reason::InvalidRequest, "the request cannot be decoded").with_source(error)
    })
}

fn respond<T, M>(outcome: StoreFuture<T>, response: fn(T) -> M) -> Reply
where
    T: Send + Unpin + 'static,
    M: Message + 'static,
{
    match outcome {
        StoreFuture::Ready(Some(result)) => {
            Reply::Ready(result.map(|value| Encoded::new(&response(value))))
        }
        pending => Reply::future(async move { Ok(Encoded::new(&response(pending.await?))) }),
    }
}
