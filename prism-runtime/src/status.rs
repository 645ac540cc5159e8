//! The one place that turns an [`Error`](crate::Error) into a gRPC status.
