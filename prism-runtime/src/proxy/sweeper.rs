//! Removes what has expired, now and then, beside the event loops.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

use super::stores::Opened;
use crate::clock::Clock;
use crate::entity::Stores;
use crate::keyvalue;
use crate::server::StartError;
use crate::store::keyvalue::KeyValueStore;

/// Time between two sweeps, unless a test asks for another. What has expired is hidden at once;
/// this only bounds the space that it takes.
pub(super) const INTERVAL: Duration = Duration::from_secs(60);
/// Rows that one transaction removes at most: writes of callers wait for it.
const BATCH: u32 = 500;
/// Pause between two batches, for the writes of callers.
const PAUSE: Duration = Duration::from_millis(20);

/// The sweeping thread. Dropping it ends the thread after the batch that it is at.
pub(super) struct Sweeper {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeper {
    pub(super) fn start(opened: &Opened, interval: Duration) -> Result<Self, StartError> {
        let cannot = |error| StartError::new(format!("cannot start the sweeper: {error}"));
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(cannot)?;
        let (stop, stopped) = oneshot::channel();
        let sweep = Sweep {
            stores: Arc::clone(&opened.stores),
            keyvalue: opened.keyvalue.all.clone(),
            clock: opened.clock.clone(),
            interval,
        };
        let thread = thread::Builder::new()
            .name("prism-sweep".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = sweep.forever() => {}
                        _ = stopped => {}
                    }
                });
            })
            .map_err(cannot)?;
        Ok(Sweeper { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the sweeper panicked");
        }
    }
}

struct Sweep {
    stores: Arc<Stores>,
    keyvalue: Vec<Arc<dyn KeyValueStore>>,
    clock: Clock,
    interval: Duration,
}

impl Sweep {
    async fn forever(&self) {
        loop {
            tokio::time::sleep(self.interval).await;
            let removed = self.once().await;
            tracing::debug!(removed, "swept");
        }
    }

    /// What cannot be swept, most likely because its backend is away, keeps nothing else from it.
    async fn once(&self) -> u64 {
        let mut removed = 0;
        for store in &self.keyvalue {
            let items = async || {
                let now = self.clock.now_micros();
                keyvalue::sweep(&**store, now, BATCH).await
            };
            removed += swept("key-values", in_batches(items).await);
        }
        for collection in self.stores.collections() {
            let records = async || Ok(collection.sweep(BATCH as usize).await? as u64);
            removed += swept(&collection.entity().namespace, in_batches(records).await);
        }
        removed
    }
}

fn swept(what: &str, outcome: crate::Result<u64>) -> u64 {
    outcome.unwrap_or_else(|error| {
        tracing::warn!(what, %error, "a sweep of expired records failed; the next one goes on");
        0
    })
}

/// Removes batch after batch, with pauses, until one is not full. Answers with the number of rows.
async fn in_batches(remove: impl AsyncFn() -> crate::Result<u64>) -> crate::Result<u64> {
    let mut removed = 0;
    loop {
        let swept = remove().await?;
        removed += swept;
        if swept < u64::from(BATCH) {
            return Ok(removed);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
