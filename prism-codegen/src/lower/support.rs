//! Which options of the contract this version honours.
//!
//! The lists below name every option and every enum value of `prism/options.proto`. One that they
//! do not name is refused, so that an option that is new in the contract is never ignored; a test
//! walks the contract and demands that the decision is made here.

use prism_options::{OptionSet, Set, Setting};

/// What this version does with an option or with a value of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It has the meaning that the contract gives it.
    Honoured,
    /// It is accepted and has no effect yet: each file that sets it gets a warning.
    Warned,
    /// It is an error.
    Refused,
}

/// Options and values that have their meaning.
const HONOURED: &[&str] = &[
    "EntitySpec.namespace",
    "EntitySpec.backend",
    // Where no backend is named beside it, `ineffective` reports it.
    "EntitySpec.access_pattern",
    "EntitySpec.consistency",
    "EntitySpec.retention_days",
    "EntitySpec.table",
    "EntitySpec.indexes",
    "EntitySpec.plural",
    "Index.fields",
    "Index.unique",
    "Index.name",
    "FieldSpec.index",
    "FieldSpec.pii",
    "FieldSpec.mask_in_logs",
    "FieldSpec.column",
    "FieldSpec.managed",
    "FieldSpec.role",
    "FieldSpec.entity_field",
    "FieldSpec.access",
    "FieldSpec.storage",
    "ServiceSpec.entity",
    "ServiceSpec.require_auth",
    "ServiceSpec.timeout_ms",
    "MethodSpec.timeout_ms",
    "MethodSpec.idempotent",
    "MethodSpec.require_auth",
    "MethodSpec.operation",
    "MethodSpec.entity",
    "BACKEND_MEMORY",
    "BACKEND_SQLITE",
    "BACKEND_POSTGRES",
    "ACCESS_PATTERN_READ_HEAVY",
    "ACCESS_PATTERN_WRITE_HEAVY",
    "ACCESS_PATTERN_APPEND_HEAVY",
    "ACCESS_PATTERN_BALANCED",
    // A store that runs in one place meets every consistency.
    "CONSISTENCY_EVENTUAL",
    "CONSISTENCY_CAUSAL",
    "CONSISTENCY_STRONG",
    "INDEX_KIND_PRIMARY",
    "INDEX_KIND_PARTITION_KEY",
    "INDEX_KIND_CLUSTERING_KEY",
    "INDEX_KIND_SECONDARY",
    "INDEX_KIND_UNIQUE",
    "PII_EMAIL",
    "PII_NAME",
    "PII_PHONE",
    "PII_SSN",
    "PII_ADDRESS",
    "PII_IP_ADDRESS",
    "PII_CREDIT_CARD",
    "PII_DATE_OF_BIRTH",
    "PII_HEALTH",
    "PII_OTHER",
    "MANAGED_CREATE_TIME",
    "MANAGED_UPDATE_TIME",
    "MANAGED_DELETE_TIME",
    "MANAGED_EXPIRE_TIME",
    "MANAGED_ETAG",
    "MANAGED_ID",
    "ACCESS_IMMUTABLE",
    "ACCESS_OUTPUT_ONLY",
    "ACCESS_INPUT_ONLY",
    "STORAGE_JSON",
    "ROLE_ENTITY",
    "ROLE_UPDATE_MASK",
    "ROLE_PAGE_SIZE",
    "ROLE_PAGE_TOKEN",
    "ROLE_NEXT_PAGE_TOKEN",
    "ROLE_ORDER_BY",
    "ROLE_ETAG",
    "ROLE_REQUEST_ID",
    "ROLE_ALLOW_MISSING",
    "ROLE_SHOW_DELETED",
    "ROLE_EQUALS",
    "ROLE_AT_LEAST",
    "ROLE_LESS_THAN",
    "ROLE_ANY_OF",
    "ROLE_PREFIX",
    "ROLE_KEYS",
    "ROLE_CUSTOM",
    "PERMISSION_READ",
    "PERMISSION_WRITE",
    "PERMISSION_ADMIN",
    "OPERATION_CUSTOM",
    "OPERATION_GET",
    "OPERATION_BATCH_GET",
    "OPERATION_LIST",
    "OPERATION_CREATE",
    "OPERATION_PUT",
    "OPERATION_UPDATE",
    "OPERATION_DELETE",
    "OPERATION_UNDELETE",
];

/// Options that say something about the data or its callers that nothing enforces or shows yet.
const WARNED: &[&str] = &[
    "EntitySpec.estimated_read_rps",
    "EntitySpec.estimated_write_rps",
    "EntitySpec.estimated_data_size_gb",
    "EntitySpec.owner",
    "MethodSpec.required_permissions",
];

/// Options and values that would change what is stored or answered, and do not yet.
const REFUSED: &[&str] = &[
    "EntitySpec.cache",
    "EntitySpec.event",
    "EntitySpec.rows",
    "EntitySpec.singular",
    "EntitySpec.purge_after_days",
    "EntitySpec.parent",
    "EntitySpec.changes",
    "EntitySpec.hook",
    "Index.parent",
    "FieldSpec.encrypt_at_rest",
    "FieldSpec.access_audit",
    "FieldSpec.validation",
    "FieldSpec.reference",
    "ServiceSpec.rate_limit_rps",
    "MethodSpec.cache_ttl_seconds",
    "MethodSpec.unset",
    "MethodSpec.max_results",
    "MethodSpec.count_limit",
    "MethodSpec.scan_limit",
    "MethodSpec.transaction",
    "BACKEND_KAFKA",
    "BACKEND_NATS",
    "BACKEND_NEPTUNE",
    "BACKEND_REDIS",
    "BACKEND_CASSANDRA",
    "INDEX_KIND_EVENT_TIME",
    "INDEX_KIND_EVENT_ID",
    "INDEX_KIND_TAG",
    "INDEX_KIND_MEMBER",
    "MANAGED_TENANT",
    "ROLE_CURSOR",
    "ROLE_STOP_AT_END",
    "ROLE_CAUGHT_UP",
    "ROLE_RESULTS",
    "ROLE_BUCKET",
    "ROLE_BUCKETS",
    "ROLE_BUCKET_START",
    "ROLE_COUNT",
    "ROLE_SUM",
    "ROLE_MIN",
    "ROLE_MAX",
    "ROLE_AVG",
    "ROLE_VALUE",
    "ROLE_PARENT",
    "ROLE_ID",
    "ROLE_PAGE",
    "ROLE_OFFSET",
    "ROLE_FILTER",
    "ROLE_CONTAINS",
    "ROLE_REQUESTS",
    "ROLE_SUCCESS",
    "ROLE_DELETED",
    "ROLE_TOTAL",
    "ROLE_EXACT",
    "ROLE_MORE",
    "ROLE_UNSUPPORTED",
    "OPERATION_APPEND",
    "OPERATION_BATCH_APPEND",
    "OPERATION_TAIL",
    "OPERATION_AGGREGATE",
    "OPERATION_ERASE",
    "OPERATION_COUNT",
    "OPERATION_BATCH_CREATE",
    "OPERATION_BATCH_UPDATE",
    "OPERATION_BATCH_DELETE",
    "OPERATION_PURGE",
    "OPERATION_WATCH",
];

/// The decision about an option (`EntitySpec.cache`) or an enum value (`ROLE_CURSOR`); `None` if
/// the lists do not name it, which counts as refused.
pub fn decision(name: &str) -> Option<Support> {
    let lists =
        [(HONOURED, Support::Honoured), (WARNED, Support::Warned), (REFUSED, Support::Refused)];
    let mut found = lists.iter().filter(|(list, _)| list.contains(&name));
    found.next().map(|(_, support)| *support)
}

/// Every name of the lists.
pub fn names() -> impl Iterator<Item = &'static str> {
    HONOURED.iter().chain(WARNED).chain(REFUSED).copied()
}

/// Whether an option, or a value by its name, is refused or has no entry. A value that says nothing
/// is an error of its own.
pub(super) fn is_refused(name: &str) -> bool {
    let known = matches!(decision(name), Some(Support::Honoured | Support::Warned));
    !known && !name.ends_with("_UNSPECIFIED")
}

/// What of an annotation is refused, by path and the name to show. Options within one that is
/// refused are left out.
pub(super) fn refused<T>(options: &OptionSet<T>) -> Vec<(&str, &str)> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    for setting in &options.settings {
        let path = setting.path.as_str();
        let within = |(outer, _): &(&str, &str)| {
            path.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
        };
        if found.iter().any(within) {
            continue;
        }
        match &setting.value {
            _ if is_refused(&setting.option) => found.push((path, path)),
            Set::Value(value) if is_refused(value) => found.push((path, value)),
            _ => {}
        }
    }
    found
}

/// What of an annotation has no effect in this version, by path and the name to show.
pub(super) fn ineffective<T>(options: &OptionSet<T>) -> Vec<(&str, &'static str)> {
    let backend = options.settings.iter().any(|it| it.option == "EntitySpec.backend");
    let name = |setting: &Setting| match setting.option.as_str() {
        // Of the backends of this version, every one serves every pattern.
        "EntitySpec.access_pattern" if !backend => Some("access_pattern"),
        // Callers of this version are not authenticated, as `false` says.
        "ServiceSpec.require_auth" | "MethodSpec.require_auth"
            if setting.value == Set::Flag(true) =>
        {
            Some("require_auth")
        }
        option => {
            let known = WARNED.iter().find(|it| **it == option)?;
            known.split_once('.').map(|(_, name)| name)
        }
    };
    // A list counts once.
    let first = |it: &&Setting| !it.path.ends_with(']') || it.path.ends_with("[0]");
    let found = options.settings.iter().filter(first);
    found.filter_map(|setting| Some((setting.path.as_str(), name(setting)?))).collect()
}
