//! The requests of a call that streams them.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;

use super::call::Front;
use super::framing::MessageReader;
use super::link::StreamsRequests;
use super::unknown::MessageId;
use crate::error::Result;
use crate::memory::Share;
use crate::service::RequestStream;

/// Reads a request when it is asked for, and checks it as that of a unary method. What the caller
/// sends before that waits in HTTP/2's window, which `open` counts.
pub(super) fn stream(
    front: Arc<Front>,
    message: Option<MessageId>,
    messages: MessageReader,
    share: Share,
    open: StreamsRequests,
) -> RequestStream {
    let receiver = Receiver { front, message, messages, share, _open: open };
    Box::pin(stream::unfold(Some(receiver), |receiver| async {
        let mut receiver = receiver?;
        match receiver.next().await {
            Ok(Some(request)) => Some((Ok(request), Some(receiver))),
            Ok(None) => None,
            // With the receiver goes the body: nothing more of it is read.
            Err(error) => Some((Err(error), None)),
        }
    }))
}

struct Receiver {
    front: Arc<Front>,
    message: Option<MessageId>,
    messages: MessageReader,
    /// Of the request that was read last: held until the next one is asked for.
    share: Share,
    _open: StreamsRequests,
}

impl Receiver {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        self.share.set(0)?;
        let Some(request) = self.messages.next(&mut self.share).await? else { return Ok(None) };
        let decoded = self.front.check(self.message, &request)?;
        self.share.set(request.len() + decoded)?;
        Ok(Some(request))
    }
}
