//! One log line for each call: at debug where it succeeded, at info where the caller was told of
//! an error, at error where the server is at fault. Nothing of a request's content is in it.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Instant;

use tracing::{Level, debug, enabled, error, info};

use crate::error::{Error, Origin};
use crate::service::Context;
use crate::status::Status;

/// What is logged of a call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Path of the method: `/package.Service/Method`.
    method: Arc<str>,
    context: Context,
    started: Instant,
    /// Whether Prism's own errors have no details.
    bare: bool,
}

impl Call {
    pub(crate) fn new(method: Arc<str>, context: Context, started: Instant) -> Self {
        Call { method, context, started, bare: false }
    }

    /// Leaves the details out of Prism's own errors, where that was asked for.
    pub(crate) fn with_bare_statuses(self, bare: bool) -> Self {
        Call { bare, ..self }
    }

    /// Logs a call that was answered.
    pub(crate) fn succeeded(&self) {
        if enabled!(target: "prism::access", Level::DEBUG) {
            debug!(
                target: "prism::access",
                method = &*self.method, request_id = self.context.request_id(), code = "Ok",
                duration_us = self.micros(), "call"
            );
        }
    }

    /// Logs a call that failed, and makes the status that the caller sees.
    pub(crate) fn failed(&self, cause: &Error) -> Status {
        let mut status = Status::of(cause, self.package(), self.context.trailer_bytes());
        if self.bare && matches!(cause.origin(), Origin::Prism(_)) {
            status.details.clear();
        }
        let reason = cause.reason_name();
        if let Some(error_id) = &status.error_id {
            error!(
                target: "prism::access",
                method = &*self.method, request_id = self.context.request_id(), code = ?status.code,
                reason, error_id = &**error_id, duration_us = self.micros(),
                cause = causes(cause), "call failed by a fault of the server"
            );
        } else {
            info!(
                target: "prism::access",
                method = &*self.method, request_id = self.context.request_id(), code = ?status.code,
                reason, duration_us = self.micros(), "call failed"
            );
            if let Some(source) = cause.source() {
                debug!(
                    target: "prism::access",
                    request_id = self.context.request_id(), cause = %source, "cause of a failed call"
                );
            }
        }
        status
    }

    /// Logs a stream that the caller left before its end.
    pub(crate) fn abandoned(&self) {
        debug!(
            target: "prism::access",
            method = &*self.method, request_id = self.context.request_id(), code = "Cancelled",
            duration_us = self.micros(), "call abandoned by its caller"
        );
    }

    /// Package of the service: that of `/acme.v1.Things/Get` is `acme.v1`.
    fn package(&self) -> &str {
        let service = self.method.trim_start_matches('/').split('/').next().unwrap_or_default();
        service.rsplit_once('.').map_or("", |(package, _)| package)
    }

    /// Takes the trailers that the handler added to the response.
    pub(crate) fn take_trailers(&self) -> Option<http::HeaderMap> {
        self.context.take_response().map(|response| response.trailers)
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// An error and all that caused it.
fn causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}
