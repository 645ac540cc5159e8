//! What `buf breaking` does not see of the contract in `proto/`: the numbers of the extensions,
//! what the built-in services' options say, and which number a reason has on the wire.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, MethodDescriptor, ReflectMessage as _,
    Value,
};

fn proto() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto")
}

/// Every file below `proto/`, as imports spell it.
fn files() -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![proto()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(proto()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn pool() -> DescriptorPool {
    protox::Compiler::new([proto()])
        .unwrap()
        .include_imports(true)
        .open_files(files())
        .unwrap()
        .descriptor_pool()
}

fn extension(pool: &DescriptorPool, name: &str) -> ExtensionDescriptor {
    pool.get_extension_by_name(name).unwrap()
}

/// The message that an option holds. Absent options are empty messages.
fn option(options: &DynamicMessage, extension: &ExtensionDescriptor) -> DynamicMessage {
    options.get_extension(extension).as_message().unwrap().clone()
}

fn field(message: &DynamicMessage, name: &str) -> Value {
    message.get_field_by_name(name).unwrap().into_owned()
}

/// Names of the values of a repeated enum field.
fn names(message: &DynamicMessage, name: &str) -> Vec<String> {
    let descriptor = message.descriptor().get_field_by_name(name).unwrap();
    let kind = descriptor.kind();
    let enumeration = kind.as_enum().unwrap().clone();
    let values = field(message, name);
    let numbers = values.as_list().unwrap().iter().map(|value| value.as_enum_number().unwrap());
    numbers.map(|number| enumeration.get_value(number).unwrap().name().to_owned()).collect()
}

#[test]
fn extensions_keep_their_numbers() {
    let pool = pool();
    let mut extensions: Vec<(String, String, u32)> = pool
        .all_extensions()
        .map(|extension| {
            let extendee = extension.containing_message().full_name().to_owned();
            (extension.full_name().to_owned(), extendee, extension.number())
        })
        .collect();
    extensions.sort();
    let expected = [
        ("prism.field", "google.protobuf.FieldOptions"),
        ("prism.message", "google.protobuf.MessageOptions"),
        ("prism.method", "google.protobuf.MethodOptions"),
        ("prism.service", "google.protobuf.ServiceOptions"),
    ];
    assert_eq!(
        extensions,
        expected.map(|(name, extendee)| (name.to_owned(), extendee.to_owned(), 77476))
    );
}

/// Whoever uses Prism has the whole contract at hand, and needs no include folder for it.
#[test]
fn every_file_of_the_contract_is_built_in() {
    let built_in: BTreeSet<String> =
        prism_codegen::descriptors::builtin_files().map(str::to_owned).collect();
    assert_eq!(files(), built_in.into_iter().collect::<Vec<_>>());
}

#[test]
fn built_in_services_require_authentication_and_name_no_entity() {
    let pool = pool();
    let services: Vec<_> = pool.services().collect();
    assert_eq!(services.len(), 2);
    for service in services {
        let spec = option(&service.options(), &extension(&pool, "prism.service"));
        let set: Vec<String> =
            spec.fields().map(|(field, value)| format!("{}: {value:?}", field.name())).collect();
        assert_eq!(set, ["require_auth: Bool(true)"], "{}", service.full_name());
    }
}

/// What this version does not serve is not in the descriptors of its server: reflection cannot
/// list it, and no client finds it there.
#[test]
fn time_series_are_in_the_contract_and_not_in_the_server() {
    let name = "prism.timeseries.v1.TimeSeriesService";
    assert!(pool().get_service_by_name(name).is_some());
    let served = DescriptorPool::decode(prism_runtime::proto::FILE_DESCRIPTOR_SET).unwrap();
    let services: Vec<String> = served.services().map(|it| it.full_name().to_owned()).collect();
    assert_eq!(services, ["prism.keyvalue.v1.KeyValueService"]);
    assert!(served.all_messages().all(|it| it.package_name() != "prism.timeseries.v1"));
}

/// A method's whole behaviour, as one line.
fn behaviour(pool: &DescriptorPool, method: &MethodDescriptor) -> String {
    let options = method.options();
    let spec = option(&options, &extension(pool, "prism.method"));
    let known = ["timeout_ms", "required_permissions", "idempotent"];
    let others: Vec<String> = spec
        .fields()
        .map(|(field, _)| field.name().to_owned())
        .filter(|name| !known.contains(&name.as_str()))
        .collect();
    format!(
        "{} {}ms {:?} idempotent={} idempotency_level={} server_streaming={} client_streaming={} \
         others={others:?}",
        method.name(),
        field(&spec, "timeout_ms").as_i32().unwrap(),
        names(&spec, "required_permissions"),
        field(&spec, "idempotent").as_bool().unwrap(),
        field(&options, "idempotency_level").as_enum_number().unwrap(),
        method.is_server_streaming(),
        method.is_client_streaming(),
    )
}

/// idempotency_level: 0 is IDEMPOTENCY_UNKNOWN, 1 is NO_SIDE_EFFECTS.
const WRITE: &str =
    r#"["PERMISSION_WRITE"] idempotent=false idempotency_level=0 server_streaming=false"#;
const READ: &str =
    r#"["PERMISSION_READ"] idempotent=false idempotency_level=1 server_streaming=false"#;
const STREAM: &str =
    r#"["PERMISSION_READ"] idempotent=false idempotency_level=1 server_streaming=true"#;

#[track_caller]
fn assert_behaves(service: &str, expected: &[(&str, &str)]) {
    let pool = pool();
    let service = pool.get_service_by_name(service).unwrap();
    let found: Vec<String> = service.methods().map(|method| behaviour(&pool, &method)).collect();
    let expected: Vec<String> = expected
        .iter()
        .map(|(method, rest)| format!("{method} {rest} client_streaming=false others=[]"))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn key_value_methods_keep_their_behaviour() {
    let swap = r#"["PERMISSION_READ", "PERMISSION_WRITE"] idempotent=false idempotency_level=0 server_streaming=false"#;
    assert_behaves(
        "prism.keyvalue.v1.KeyValueService",
        &[
            ("Put 5000ms", WRITE),
            ("PutBatch 10000ms", WRITE),
            ("Get 5000ms", READ),
            ("Delete 5000ms", WRITE),
            ("Scan 30000ms", STREAM),
            ("CompareAndSwap 5000ms", swap),
        ],
    );
}

#[test]
fn time_series_methods_keep_their_behaviour() {
    let erase =
        r#"["PERMISSION_ADMIN"] idempotent=true idempotency_level=0 server_streaming=false"#;
    assert_behaves(
        "prism.timeseries.v1.TimeSeriesService",
        &[
            ("Append 5000ms", WRITE),
            ("AppendBatch 10000ms", WRITE),
            ("Query 5000ms", READ),
            ("Tail 3600000ms", STREAM),
            ("Aggregate 10000ms", READ),
            ("Erase 30000ms", erase),
        ],
    );
}

#[test]
fn reasons_keep_their_numbers() {
    let expected = [
        ("ERROR_REASON_UNSPECIFIED", 0),
        ("ERROR_REASON_INVALID_REQUEST", 1),
        ("ERROR_REASON_UNKNOWN_FIELD", 2),
        ("ERROR_REASON_PAGE_TOKEN_INVALID", 3),
        ("ERROR_REASON_NAMESPACE_NOT_FOUND", 4),
        ("ERROR_REASON_RECORD_NOT_FOUND", 5),
        ("ERROR_REASON_RECORD_EXISTS", 6),
        ("ERROR_REASON_UNIQUE_VIOLATION", 7),
        ("ERROR_REASON_ETAG_MISMATCH", 8),
        ("ERROR_REASON_CONFLICT", 9),
        ("ERROR_REASON_CREDENTIALS_MISSING", 10),
        ("ERROR_REASON_CREDENTIALS_INVALID", 11),
        ("ERROR_REASON_PERMISSION_MISSING", 12),
        ("ERROR_REASON_RATE_LIMITED", 13),
        ("ERROR_REASON_OVERLOADED", 14),
        ("ERROR_REASON_VALUE_TOO_LARGE", 15),
        ("ERROR_REASON_DEADLINE_EXCEEDED", 16),
        ("ERROR_REASON_BACKEND_UNAVAILABLE", 17),
        ("ERROR_REASON_SHUTTING_DOWN", 18),
        ("ERROR_REASON_INTERNAL", 19),
        ("ERROR_REASON_CORRUPT_RECORD", 20),
        ("ERROR_REASON_PRIORITY_TOKEN_OUT_OF_RANGE", 21),
        ("ERROR_REASON_REQUEST_ID_REUSED", 22),
        ("ERROR_REASON_STORAGE_FULL", 23),
        ("ERROR_REASON_OUTCOME_UNKNOWN", 24),
        ("ERROR_REASON_METHOD_UNIMPLEMENTED", 25),
        ("ERROR_REASON_EVENT_TIME_OUT_OF_RANGE", 26),
        ("ERROR_REASON_CURSOR_EXPIRED", 27),
        ("ERROR_REASON_REFERENCE_MISSING", 40),
        ("ERROR_REASON_RECORD_REFERENCED", 41),
        ("ERROR_REASON_BUDGET_EXCEEDED", 42),
        ("ERROR_REASON_RECORD_NOT_DELETED", 50),
    ];
    let pool = pool();
    let reasons = pool.get_enum_by_name("prism.common.ErrorReason").unwrap();
    let mut found: Vec<(String, i32)> =
        reasons.values().map(|value| (value.name().to_owned(), value.number())).collect();
    found.sort_by_key(|(_, number)| *number);
    assert_eq!(found, expected.map(|(name, number)| (name.to_owned(), number)));
}
