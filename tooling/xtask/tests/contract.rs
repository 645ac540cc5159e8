//! What `buf breaking` does not see of the contract in `proto/`: the numbers of the extensions,
//! what the built-in services' options say, and which number a reason has on the wire.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, MethodDescriptor, ReflectMessage as _,
    Value,
};

fn pool() -> DescriptorPool {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    protox::Compiler::new([proto])
        .unwrap()
        .include_imports(true)
        .open_files(["prism/keyvalue/v1/keyvalue.proto", "prism/options.proto"])
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

#[test]
fn key_value_requires_authentication_and_names_no_entity() {
    let pool = pool();
    let service = pool.get_service_by_name("prism.keyvalue.v1.KeyValueService").unwrap();
    let spec = option(&service.options(), &extension(&pool, "prism.service"));
    let set: Vec<String> =
        spec.fields().map(|(field, value)| format!("{}: {value:?}", field.name())).collect();
    assert_eq!(set, ["require_auth: Bool(true)"]);
}

/// A method's whole behaviour, as one line.
fn behaviour(pool: &DescriptorPool, method: &MethodDescriptor) -> String {
    let options = method.options();
    let spec = option(&options, &extension(pool, "prism.method"));
    let known = ["timeout_ms", "required_permissions"];
    let others: Vec<String> = spec
        .fields()
        .map(|(field, _)| field.name().to_owned())
        .filter(|name| !known.contains(&name.as_str()))
        .collect();
    format!(
        "{} {}ms {:?} idempotency_level={} server_streaming={} client_streaming={} others={others:?}",
        method.name(),
        field(&spec, "timeout_ms").as_i32().unwrap(),
        names(&spec, "required_permissions"),
        field(&options, "idempotency_level").as_enum_number().unwrap(),
        method.is_server_streaming(),
        method.is_client_streaming(),
    )
}

#[test]
fn key_value_methods_keep_their_behaviour() {
    let pool = pool();
    let service = pool.get_service_by_name("prism.keyvalue.v1.KeyValueService").unwrap();
    let found: Vec<String> = service.methods().map(|method| behaviour(&pool, &method)).collect();
    // idempotency_level: 0 is IDEMPOTENCY_UNKNOWN, 1 is NO_SIDE_EFFECTS.
    let write = r#"["PERMISSION_WRITE"] idempotency_level=0 server_streaming=false"#;
    let read = r#"["PERMISSION_READ"] idempotency_level=1 server_streaming=false"#;
    let scan = r#"["PERMISSION_READ"] idempotency_level=1 server_streaming=true"#;
    let swap =
        r#"["PERMISSION_READ", "PERMISSION_WRITE"] idempotency_level=0 server_streaming=false"#;
    let expected = [
        ("Put 5000ms", write),
        ("PutBatch 10000ms", write),
        ("Get 5000ms", read),
        ("Delete 5000ms", write),
        ("Scan 30000ms", scan),
        ("CompareAndSwap 5000ms", swap),
    ];
    assert_eq!(
        found,
        expected.map(|(method, rest)| format!("{method} {rest} client_streaming=false others=[]"))
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
    ];
    let pool = pool();
    let reasons = pool.get_enum_by_name("prism.common.ErrorReason").unwrap();
    let mut found: Vec<(String, i32)> =
        reasons.values().map(|value| (value.name().to_owned(), value.number())).collect();
    found.sort_by_key(|(_, number)| *number);
    assert_eq!(found, expected.map(|(name, number)| (name.to_owned(), number)));
}
