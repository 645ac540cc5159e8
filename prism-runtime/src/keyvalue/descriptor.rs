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
        client_streaming: false,
        server_streaming: false,
        binding: None,
        timeout: Some(Duration::from_millis(timeout_millis)),
        idempotent: false,
        require_auth: true,
        permissions: permissions.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use prost_reflect::{DescriptorPool, MethodDescriptor};
    use prost_types::method_options::IdempotencyLevel;

    use super::*;
    use crate::proto::FILE_DESCRIPTOR_SET;

    #[test]
    fn it_is_the_service_of_the_proto() {
        let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
        let described = pool.get_service_by_name("prism.keyvalue.v1.KeyValueService").unwrap();
        let methods = described.methods().map(|method| described_method(&pool, &method)).collect();
        assert_eq!(service(), Service { name: described.full_name().into(), methods });
        let positions = [PUT, PUT_BATCH, GET, DELETE, SCAN, COMPARE_AND_SWAP];
        let names = ["Put", "PutBatch", "Get", "Delete", "Scan", "CompareAndSwap"];
        for (position, name) in positions.into_iter().zip(names) {
            assert_eq!(service().methods[position].name, name);
        }
    }

    fn described_method(pool: &DescriptorPool, method: &MethodDescriptor) -> Method {
        let options = method.options();
        let extension = pool.get_extension_by_name("prism.method").unwrap();
        let options = options.get_extension(&extension);
        let options = options.as_message().unwrap();
        let timeout = options.get_field_by_name("timeout_ms").unwrap();
        let permissions = options.get_field_by_name("required_permissions").unwrap();
        let permission = |value: &prost_reflect::Value| match value.as_enum_number().unwrap() {
            1 => Permission::Read,
            2 => Permission::Write,
            number => panic!("permission {number}"),
        };
        let standard = method.method_descriptor_proto().options.as_ref().unwrap();
        Method {
            name: method.name().into(),
            input: method.input().full_name().into(),
            output: method.output().full_name().into(),
            client_streaming: method.is_client_streaming(),
            server_streaming: method.is_server_streaming(),
            binding: None,
            timeout: Some(Duration::from_millis(u64::try_from(timeout.as_i32().unwrap()).unwrap())),
            idempotent: standard.idempotency_level() == IdempotencyLevel::NoSideEffects,
            require_auth: true,
            permissions: permissions.as_list().unwrap().iter().map(permission).collect(),
        }
    }
}
