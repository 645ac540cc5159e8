//! The service as its `.proto` describes it.

use std::time::Duration;

use prism_schema::{Method, Permission, Service};

/// Positions in [`Service::methods`].
pub(super) const PUT: usize = 0;
pub(super) const PUT_BATCH: usize = 1;
pub(super) const GET: usize = 2;
pub(super) const DELETE: usize = 3;
pub(super) const SCAN: usize = 4;
pub(super) const COMPARE_AND_SWAP: usize = 5;

/// The service as `prism/keyvalue/v1/keyvalue.proto` describes it.
pub(super) fn service() -> Service {
    use Permission::{Read, Write};
    Service {
        name: "prism.keyvalue.v1.KeyValueService".into(),
        methods: vec![
            method("Put", 5_000, &[Write]),
            method("PutBatch", 10_000, &[Write]),
            Method { idempotent: true, ..method("Get", 5_000, &[Read]) },
            method("Delete", 5_000, &[Write]),
            Method { idempotent: true, server_streaming: true, ..method("Scan", 30_000, &[Read]) },
            method("CompareAndSwap", 5_000, &[Read, Write]),
        ],
    }
}

fn method(name: &str, timeout_millis: u64, permissions: &[Permission]) -> Method {
    Method {
        name: name.into(),
        input: format!("prism.keyvalue.v1.{name}Request"),
        output: format!("prism.keyvalue.v1.{name}Response"),
        server_streaming: false,
        binding: None,
        timeout: Some(Duration::from_millis(timeout_millis)),
        idempotent: false,
        require_auth: true,
        permissions: permissions.to_vec(),
    }
}
