//! The requests of a call that streams them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use hyper::body::Incoming;

use super::budget::Share;
use super::call::Front;
use super::framing::MessageReader;
use super::unknown::MessageId;
use crate::error::Result;
use crate::service::RequestStream;

/// Reads a request when it is asked for, and checks it as that of a unary method. What the caller
/// sends before that waits in HTTP/2's window. `patience` is how long a request may take from its
/// first byte to its last.
pub(super) fn stream(
    front: Arc<Front>,
    message: Option<MessageId>,
    patience: Option<Duration>,
    body: Incoming,
) -> RequestStream {
    let (limit, budget) = (front.max_message_bytes, front.budget.clone());
    let messages = MessageReader::new(body, limit, patience, budget);
    let receiver = Receiver { front, message, messages, share: None };
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
    share: Option<Share>,
}

impl Receiver {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        self.share = None;
        let Some((request, share)) = self.messages.next().await? else { return Ok(None) };
        self.share = share;
        self.front.check(self.message, &request)?;
        Ok(Some(request))
    }
}
