//! The entities and methods of the suite, resolved by hand.

use prost_reflect::{
    Cardinality as Label, DescriptorPool, FieldDescriptor, Kind, MessageDescriptor,
};

use crate::schema::{
    Access, Backend, Binding, Cardinality, Column, Entity, FieldType, Index, IndexColumn, Managed,
    Operation, RequestField, Response, Role, Storage,
};

/// What the suite needs of the file of this name. <https://google.aip.dev/203>
const FIELD_BEHAVIOR: &str = r#"
    syntax = "proto3";
    package google.api;
    import "google/protobuf/descriptor.proto";
    extend google.protobuf.FieldOptions {
      repeated FieldBehavior field_behavior = 1052 [packed = false];
    }
    enum FieldBehavior {
      FIELD_BEHAVIOR_UNSPECIFIED = 0;
      REQUIRED = 2;
    }
"#;

/// The messages of `conformance.proto`.
///
/// # Panics
///
/// Where the file does not compile.
pub fn pool() -> DescriptorPool {
    struct Own;
    impl protox::file::FileResolver for Own {
        fn open_file(&self, name: &str) -> Result<protox::file::File, protox::Error> {
            use protox::file::{File, GoogleFileResolver};
            match name {
                "conformance.proto" => File::from_source(name, include_str!("conformance.proto")),
                "google/api/field_behavior.proto" => File::from_source(name, FIELD_BEHAVIOR),
                _ => GoogleFileResolver::new().open_file(name),
            }
        }
    }
    let mut compiler = protox::Compiler::with_file_resolver(Own);
    compiler.include_imports(true);
    compiler.open_file("conformance.proto").expect("the suite's proto file compiles");
    compiler.descriptor_pool()
}

/// `Order`: key (customer_id, order_id).
pub fn order(pool: &DescriptorPool) -> Entity {
    let mut entity = lower(pool, "Order", "orders", &["customer_id", "order_id"], 1);
    set(&mut entity, "order_id", |column| column.managed = Some(Managed::Id));
    set(&mut entity, "create_time", |column| column.managed = Some(Managed::CreateTime));
    set(&mut entity, "update_time", |column| column.managed = Some(Managed::UpdateTime));
    set(&mut entity, "delete_time", |column| column.managed = Some(Managed::DeleteTime));
    set(&mut entity, "expire_time", |column| column.managed = Some(Managed::ExpireTime));
    set(&mut entity, "etag", |column| column.managed = Some(Managed::Etag));
    set(&mut entity, "created_by", |column| column.access = Access::Immutable);
    set(&mut entity, "score", |column| column.access = Access::OutputOnly);
    set(&mut entity, "secret", |column| {
        column.access = Access::InputOnly;
        column.masked = true;
    });
    for field in ["settings_json", "lines_json"] {
        set(&mut entity, field, |column| column.storage = Storage::Json);
    }
    index(&mut entity, "by_status", &["customer_id", "status", "total desc"], false);
    index(&mut entity, "by_note", &["customer_id", "note"], false);
    index(&mut entity, "by_due", &["customer_id", "due_time"], false);
    index(&mut entity, "by_code", &["code"], true);
    entity
}

/// `Session`: key session_id, kept for a day after its last write.
pub fn session(pool: &DescriptorPool) -> Entity {
    let mut entity = lower(pool, "Session", "sessions", &["session_id"], 1);
    entity.retention_days = 1;
    index(&mut entity, "by_name", &["name"], true);
    index(&mut entity, "by_start", &["start_time"], true);
    entity
}

/// `Everything`: key id.
pub fn everything(pool: &DescriptorPool) -> Entity {
    let mut entity = lower(pool, "Everything", "everything", &["id"], 1);
    for field in ["settings_json", "repeated_json", "map_json", "value_json"] {
        set(&mut entity, field, |column| column.storage = Storage::Json);
    }
    entity
}

/// `Reading`: key (sensor, at, offset), two times among it; kept for longer than there are times.
pub fn reading(pool: &DescriptorPool) -> Entity {
    let mut entity = lower(pool, "Reading", "readings", &["sensor", "at", "offset"], 1);
    entity.retention_days = u32::MAX;
    set(&mut entity, "origin", |column| {
        column.storage = Storage::Json;
        column.access = Access::Immutable;
    });
    index(&mut entity, "by_value", &["value"], false);
    entity
}

/// `Holiday`: key day, a timestamp.
pub fn holiday(pool: &DescriptorPool) -> Entity {
    lower(pool, "Holiday", "holidays", &["day"], 1)
}

/// `Lap`: key time, a duration.
pub fn lap(pool: &DescriptorPool) -> Entity {
    lower(pool, "Lap", "laps", &["time"], 1)
}

/// `Shift`: key id, indexes by a timestamp and a duration.
pub fn shift(pool: &DescriptorPool) -> Entity {
    let mut entity = lower(pool, "Shift", "shifts", &["id"], 1);
    index(&mut entity, "by_start", &["start desc"], false);
    index(&mut entity, "by_length", &["length"], false);
    entity
}

/// `Review`: key id, and fields that have to be set.
pub fn review(pool: &DescriptorPool) -> Entity {
    let mut entity = lower(pool, "Review", "reviews", &["id"], 1);
    set(&mut entity, "id", |column| column.managed = Some(Managed::Id));
    set(&mut entity, "editor_json", |column| column.storage = Storage::Json);
    set(&mut entity, "moderator", |column| column.access = Access::OutputOnly);
    entity
}

/// `Document`: key (shop, number), everything else in JSON.
pub fn document(pool: &DescriptorPool) -> Entity {
    let mut entity = lower(pool, "Document", "documents", &["shop", "number"], 1);
    for field in ["wide", "wides", "wide_by_name", "origin"] {
        set(&mut entity, field, |column| column.storage = Storage::Json);
    }
    set(&mut entity, "origin", |column| column.access = Access::Immutable);
    entity
}

/// Every entity of the suite.
pub fn entities(pool: &DescriptorPool) -> Vec<Entity> {
    [order, session, everything, reading, holiday, lap, shift, review, document]
        .map(|entity| entity(pool))
        .into()
}

/// A method of the suite.
pub struct MethodSpec {
    /// Its name.
    pub name: &'static str,
    /// Its request.
    pub input: &'static str,
    /// Its response.
    pub output: &'static str,
    /// What it does.
    pub binding: Binding,
}

/// The methods on the entities.
pub fn methods(pool: &DescriptorPool) -> Vec<MethodSpec> {
    let specs = Specs { pool };
    let list = |items| Response::List { items, next_page_token: 2 };
    let batch = Response::List { items: 1, next_page_token: 0 };
    vec![
        specs.method("GetOrder", "Order", Operation::Get, "Order", Response::Entity),
        specs.method(
            "BatchGetOrders",
            "Order",
            Operation::BatchGet,
            "BatchGetOrdersResponse",
            batch,
        ),
        specs.method("ListOrders", "Order", Operation::List, "ListOrdersResponse", list(1)),
        specs.method("CreateOrder", "Order", Operation::Create, "Order", Response::Entity),
        specs.method("PutOrder", "Order", Operation::Put, "Order", Response::Entity),
        specs.method("UpdateOrder", "Order", Operation::Update, "Order", Response::Entity),
        specs.method(
            "DeleteOrder",
            "Order",
            Operation::Delete,
            "DeleteOrderResponse",
            Response::Field(1),
        ),
        specs.method("UndeleteOrder", "Order", Operation::Undelete, "Order", Response::Entity),
        specs.method("GetSession", "Session", Operation::Get, "Session", Response::Entity),
        specs.method(
            "BatchGetSessions",
            "Session",
            Operation::BatchGet,
            "ListSessionsResponse",
            batch,
        ),
        specs.method("ListSessions", "Session", Operation::List, "ListSessionsResponse", list(1)),
        specs.method("CreateSession", "Session", Operation::Create, "Session", Response::Entity),
        specs.method("PutSession", "Session", Operation::Put, "Session", Response::Entity),
        specs.method("DeleteSession", "Session", Operation::Delete, "Empty", Response::Empty),
        specs.method("GetEverything", "Everything", Operation::Get, "Everything", Response::Entity),
        specs.method("PutEverything", "Everything", Operation::Put, "Everything", Response::Entity),
        specs.method("GetReading", "Reading", Operation::Get, "Reading", Response::Entity),
        specs.method(
            "BatchGetReadings",
            "Reading",
            Operation::BatchGet,
            "ListReadingsResponse",
            batch,
        ),
        specs.method("ListReadings", "Reading", Operation::List, "ListReadingsResponse", list(1)),
        specs.method("CreateReading", "Reading", Operation::Create, "Reading", Response::Entity),
        specs.method("PutReading", "Reading", Operation::Put, "Reading", Response::Entity),
        specs.method("UpdateReading", "Reading", Operation::Update, "Reading", Response::Entity),
        specs.method("DeleteReading", "Reading", Operation::Delete, "Empty", Response::Empty),
        specs.method("GetHoliday", "Holiday", Operation::Get, "Holiday", Response::Entity),
        specs.method(
            "BatchGetHolidays",
            "Holiday",
            Operation::BatchGet,
            "ListHolidaysResponse",
            batch,
        ),
        specs.method("ListHolidays", "Holiday", Operation::List, "ListHolidaysResponse", list(1)),
        specs.method("PutHoliday", "Holiday", Operation::Put, "Holiday", Response::Entity),
        specs.method("GetLap", "Lap", Operation::Get, "Lap", Response::Entity),
        specs.method("BatchGetLaps", "Lap", Operation::BatchGet, "ListLapsResponse", batch),
        specs.method("ListLaps", "Lap", Operation::List, "ListLapsResponse", list(1)),
        specs.method("PutLap", "Lap", Operation::Put, "Lap", Response::Entity),
        specs.method("PutShift", "Shift", Operation::Put, "Shift", Response::Entity),
        specs.method("ListShifts", "Shift", Operation::List, "ListShiftsResponse", list(1)),
        specs.method(
            "ListShiftsOfSeveral",
            "Shift",
            Operation::List,
            "ListShiftsResponse",
            list(1),
        ),
        specs.method("GetReview", "Review", Operation::Get, "Review", Response::Entity),
        specs.method("CreateReview", "Review", Operation::Create, "Review", Response::Entity),
        specs.method("PutReview", "Review", Operation::Put, "Review", Response::Entity),
        specs.method("UpdateReview", "Review", Operation::Update, "Review", Response::Entity),
        specs.method("GetDocument", "Document", Operation::Get, "Document", Response::Entity),
        specs.method(
            "BatchGetDocuments",
            "Document",
            Operation::BatchGet,
            "ListDocumentsResponse",
            batch,
        ),
        specs.method(
            "ListDocuments",
            "Document",
            Operation::List,
            "ListDocumentsResponse",
            list(1),
        ),
        specs.method("PutDocument", "Document", Operation::Put, "Document", Response::Entity),
        specs.method("UpdateDocument", "Document", Operation::Update, "Document", Response::Entity),
        specs.method(
            "DeleteDocument",
            "Document",
            Operation::Delete,
            "DeleteDocumentResponse",
            Response::Field(1),
        ),
    ]
}

struct Specs<'a> {
    pool: &'a DescriptorPool,
}

impl Specs<'_> {
    fn method(
        &self,
        name: &'static str,
        entity: &str,
        operation: Operation,
        output: &'static str,
        response: Response,
    ) -> MethodSpec {
        let input = match name {
            "CreateSession" | "PutSession" => "SessionRequest",
            "GetReading" | "DeleteReading" => "ReadingKey",
            "CreateReading" | "PutReading" | "UpdateReading" => "ReadingRequest",
            "PutHoliday" => "HolidayRequest",
            "PutLap" => "LapRequest",
            _ => Box::leak(format!("{name}Request").into_boxed_str()),
        };
        let request = message(self.pool, input);
        let entity_message = message(self.pool, entity);
        let fields =
            request.fields().map(|field| request_field(&field, &entity_message, operation));
        let binding = Binding {
            operation,
            entity: entity_message.full_name().to_owned(),
            request: fields.collect(),
            response,
        };
        MethodSpec { name, input, output, binding }
    }
}

fn request_field(
    field: &FieldDescriptor,
    entity: &MessageDescriptor,
    operation: Operation,
) -> RequestField {
    let (role, stands_for) = match (field.name(), operation) {
        ("page_size", _) => (Role::PageSize, ""),
        ("page_token", _) => (Role::PageToken, ""),
        ("order_by", _) => (Role::OrderBy, ""),
        ("etag", _) => (Role::Etag, ""),
        ("request_id", _) => (Role::RequestId, ""),
        ("allow_missing", _) => (Role::AllowMissing, ""),
        ("show_deleted", _) => (Role::ShowDeleted, ""),
        ("update_mask", _) => (Role::UpdateMask, ""),
        ("order" | "session" | "everything" | "review" | "document", _)
        | ("reading" | "holiday" | "lap" | "shift", _) => (Role::Entity, ""),
        ("keys", _) => (Role::Keys, ""),
        ("session_ids", _) => (Role::Keys, "session_id"),
        ("note_prefix", _) => (Role::Prefix, "note"),
        ("due_from", _) => (Role::AtLeast, "due_time"),
        ("due_before", _) => (Role::LessThan, "due_time"),
        ("from_id", _) => (Role::AtLeast, "session_id"),
        ("names", _) => (Role::AnyOf, "name"),
        ("at_from", _) => (Role::AtLeast, "at"),
        ("at_before", _) => (Role::LessThan, "at"),
        ("days", _) => (Role::Keys, "day"),
        ("any_day", _) => (Role::AnyOf, "day"),
        ("times", _) => (Role::Keys, "time"),
        ("from_time", _) => (Role::AtLeast, "time"),
        ("start_from", _) => (Role::AtLeast, "start"),
        ("start_before", _) => (Role::LessThan, "start"),
        ("length_from", _) => (Role::AtLeast, "length"),
        ("length_before", _) => (Role::LessThan, "length"),
        ("starts", _) => (Role::AnyOf, "start"),
        (own, Operation::List) => (Role::Equals, own),
        (own, _) => (Role::Key, own),
    };
    let parts = match (role, field.kind()) {
        (Role::Keys, Kind::Message(key))
            if key.parent_file().package_name() == "conformance.v1" =>
        {
            let own = |field: FieldDescriptor| {
                let stands_for = entity.get_field_by_name(field.name()).map(|f| f.number());
                (field.number(), stands_for.unwrap_or_default())
            };
            key.fields().map(own).collect()
        }
        _ => Vec::new(),
    };
    RequestField {
        number: field.number(),
        name: field.name().to_owned(),
        role,
        field: entity.get_field_by_name(stands_for).map_or(0, |field| field.number()),
        presence: field.supports_presence(),
        parts,
    }
}

/// An entity as the generator makes it of a message without annotations.
fn lower(
    pool: &DescriptorPool,
    name: &str,
    namespace: &str,
    key: &[&str],
    partition: usize,
) -> Entity {
    let descriptor = message(pool, name);
    let mut columns: Vec<Column> = descriptor.fields().map(|field| column(&field)).collect();
    columns.sort_by_key(|column| column.number);
    for column in columns.iter_mut().filter(|column| key.contains(&column.field.as_str())) {
        // A time in the key is always there.
        if column.cardinality == Cardinality::Optional {
            column.cardinality = Cardinality::Required;
        }
    }
    let number =
        |field: &&str| descriptor.get_field_by_name(field).expect("a key names a field").number();
    Entity {
        message: descriptor.full_name().to_owned(),
        namespace: namespace.to_owned(),
        backend: Backend::Sqlite,
        table: namespace.to_owned(),
        columns,
        key: key.iter().map(number).collect(),
        partition,
        indexes: Vec::new(),
        retention_days: 0,
    }
}

fn column(field: &FieldDescriptor) -> Column {
    let (ty, wrapper) = field_type(field);
    let cardinality = if field.is_map() {
        Cardinality::Map
    } else if field.is_list() {
        Cardinality::Repeated
    } else if field.cardinality() == Label::Required {
        Cardinality::Required
    } else if field.supports_presence() {
        Cardinality::Optional
    } else {
        Cardinality::Implicit
    };
    let native = !matches!(cardinality, Cardinality::Repeated | Cardinality::Map)
        && !matches!(ty, FieldType::Message(_) | FieldType::Group(_));
    let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
    Column {
        number: field.number(),
        field: field.name().to_owned(),
        name: field.name().to_owned(),
        ty,
        cardinality,
        wrapper,
        oneof: oneof.map(|oneof| oneof.name().to_owned()),
        storage: if native { Storage::Native } else { Storage::Binary },
        managed: None,
        access: Access::Unrestricted,
        masked: false,
    }
}

fn field_type(field: &FieldDescriptor) -> (FieldType, bool) {
    let scalar = |kind: &Kind| match kind {
        Kind::Double => FieldType::Double,
        Kind::Float => FieldType::Float,
        Kind::Int32 => FieldType::Int32,
        Kind::Int64 => FieldType::Int64,
        Kind::Uint32 => FieldType::Uint32,
        Kind::Uint64 => FieldType::Uint64,
        Kind::Sint32 => FieldType::Sint32,
        Kind::Sint64 => FieldType::Sint64,
        Kind::Fixed32 => FieldType::Fixed32,
        Kind::Fixed64 => FieldType::Fixed64,
        Kind::Sfixed32 => FieldType::Sfixed32,
        Kind::Sfixed64 => FieldType::Sfixed64,
        Kind::Bool => FieldType::Bool,
        Kind::String => FieldType::String,
        Kind::Bytes => FieldType::Bytes,
        Kind::Enum(of) => FieldType::Enum(of.full_name().to_owned()),
        Kind::Message(of) => FieldType::Message(of.full_name().to_owned()),
    };
    let kind = field.kind();
    let Kind::Message(of) = &kind else { return (scalar(&kind), false) };
    match of.full_name() {
        "google.protobuf.Timestamp" => (FieldType::Timestamp, false),
        "google.protobuf.Duration" => (FieldType::Duration, false),
        name if name.starts_with("google.protobuf.")
            && name.ends_with("Value")
            && name != "google.protobuf.Value" =>
        {
            let value = of.get_field(1).expect("a wrapper has a value");
            (scalar(&value.kind()), true)
        }
        _ if field.is_group() => (FieldType::Group(of.full_name().to_owned()), false),
        _ => (scalar(&kind), false),
    }
}

fn set(entity: &mut Entity, field: &str, change: impl FnOnce(&mut Column)) {
    let column = entity.columns.iter_mut().find(|column| column.field == field);
    change(column.expect("an annotation names a field"));
}

fn index(entity: &mut Entity, name: &str, columns: &[&str], unique: bool) {
    let column = |term: &&str| {
        let (field, descending) = match term.strip_suffix(" desc") {
            Some(field) => (field, true),
            None => (*term, false),
        };
        let number = entity.column_of_field(field).expect("an index names a field").number;
        IndexColumn { number, descending }
    };
    let columns = columns.iter().map(column).collect();
    entity.indexes.push(Index { name: format!("{}_{name}", entity.table), columns, unique });
}

/// A message of the suite.
pub fn message(pool: &DescriptorPool, name: &str) -> MessageDescriptor {
    pool.get_message_by_name(&format!("conformance.v1.{name}")).expect("a message of the suite")
}
