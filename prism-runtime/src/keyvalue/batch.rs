//! PutBatch: many records, each written whole or not at all.

use std::sync::Arc;

use futures_util::future::join_all;

use super::validate::{Checker, Field};
use super::{Options, service};
use crate::proto::common::BatchError;
use crate::proto::keyvalue::v1::{PutBatchResponse, RecordWrite, RecordWriteResult};
use crate::service::Context;
use crate::store::StoreFuture;
use crate::store::keyvalue::{KeyValueStore, RecordPut, Target};
use crate::{Code, Error, Result};

/// Items of the writes that are handed to the store together, unless one write alone has more: a
/// store makes writes in the order in which they are handed in, and other callers' are to come
/// between those of a long batch.
const ITEMS_AT_ONCE: usize = 2_000;

/// A batch whose namespace, number of writes and ids have been checked.
pub(super) struct Batch {
    pub(super) options: Arc<Options>,
    pub(super) store: Arc<dyn KeyValueStore>,
    pub(super) namespace: Arc<str>,
    pub(super) max_namespaces: Option<u64>,
    pub(super) now: i64,
}

impl Batch {
    /// Hands the writes to the store, many at once, so that they share a transaction where they can.
    /// Returns the results in the order of the writes; an error is one of the whole call.
    pub(super) async fn write(
        self,
        context: Context,
        writes: Vec<RecordWrite>,
    ) -> Result<PutBatchResponse> {
        let mut results = Vec::with_capacity(writes.len());
        let mut writes = writes.into_iter().peekable();
        while writes.peek().is_some() {
            let mut items = 0;
            let mut writing = Vec::new();
            while let Some(write) = writes.next_if(|next| {
                items += next.items.len();
                writing.is_empty() || items <= ITEMS_AT_ONCE
            }) {
                writing.push(self.write_one(write));
            }
            for result in join_all(writing).await {
                if is_of_call(&result) {
                    result?;
                } else {
                    results.push(part(&context, result));
                }
            }
        }
        Ok(PutBatchResponse { results })
    }

    fn write_one(&self, write: RecordWrite) -> StoreFuture<()> {
        let mut check = Checker::new(&self.options, self.now);
        check.id(Field(1, "id"), &write.id);
        check.items(Field(2, "items"), &write.items);
        let stamp = check.stamp(Field(3, "item_priority_token"), write.item_priority_token);
        if let Err(error) = check.finish() {
            return StoreFuture::ready(Err(error));
        }
        self.store.put(RecordPut {
            target: Target {
                namespace: Arc::clone(&self.namespace),
                id: write.id,
                max_namespaces: self.max_namespaces,
            },
            items: write.items,
            stamp,
        })
    }
}

/// A namespace that is not to be written to fails the call.
fn is_of_call(result: &Result<()>) -> bool {
    let violations = result.as_ref().err().map_or(&[][..], Error::violations);
    violations.iter().any(|violation| violation.field == "namespace")
}

fn part(context: &Context, result: Result<()>) -> RecordWriteResult {
    let Err(error) = result else { return RecordWriteResult { success: true, error: None } };
    if matches!(error.code(), Code::Internal | Code::DataLoss | Code::Unavailable) {
        service::log_part(context, &error);
    }
    RecordWriteResult {
        success: false,
        error: Some(BatchError {
            reason: error.reason().into(),
            message: error.message().to_owned(),
            retry_delay: error.retry_after().and_then(|delay| delay.try_into().ok()),
            field: error.violations().first().map(|first| first.field.clone()).unwrap_or_default(),
        }),
    }
}
