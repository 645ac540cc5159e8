//! An entity to plan and render for.

use prism_schema::{
    Access, Backend, Cardinality, Column, Entity, FieldType, Index, IndexColumn, Managed, Storage,
};

/// `orders`: key (customer, id); indexes by (customer, status, total desc), (note), unique code.
pub fn orders() -> Entity {
    let mut delete_time = column(7, "delete_time", FieldType::Timestamp, Cardinality::Optional);
    delete_time.managed = Some(Managed::DeleteTime);
    let mut expire_time = column(8, "expire_time", FieldType::Timestamp, Cardinality::Optional);
    expire_time.managed = Some(Managed::ExpireTime);
    Entity {
        message: "acme.Order".to_owned(),
        namespace: "orders".to_owned(),
        backend: Backend::Sqlite,
        table: "orders".to_owned(),
        columns: vec![
            column(1, "customer", FieldType::String, Cardinality::Implicit),
            column(2, "id", FieldType::String, Cardinality::Implicit),
            column(3, "status", FieldType::Int32, Cardinality::Implicit),
            column(4, "total", FieldType::Int64, Cardinality::Implicit),
            column(5, "note", FieldType::String, Cardinality::Optional),
            column(6, "code", FieldType::String, Cardinality::Optional),
            delete_time,
            expire_time,
        ],
        key: vec![1, 2],
        partition: 1,
        indexes: vec![
            index("by_status", &[(1, false), (3, false), (4, true)], false),
            index("by_note", &[(5, false)], false),
            index("by_code", &[(6, false)], true),
        ],
        retention_days: 0,
    }
}

/// `logs`: key id, kept for 30 days after the last write.
pub fn logs() -> Entity {
    Entity {
        message: "acme.Log".to_owned(),
        namespace: "logs".to_owned(),
        backend: Backend::Sqlite,
        table: "log \"lines\"".to_owned(),
        columns: vec![
            column(1, "id", FieldType::Uint64, Cardinality::Implicit),
            column(2, "order", FieldType::Bytes, Cardinality::Implicit),
        ],
        key: vec![1],
        partition: 1,
        indexes: Vec::new(),
        retention_days: 30,
    }
}

fn column(number: u32, field: &str, ty: FieldType, cardinality: Cardinality) -> Column {
    Column {
        number,
        field: field.to_owned(),
        name: field.to_owned(),
        ty,
        cardinality,
        wrapper: false,
        oneof: None,
        storage: Storage::Native,
        managed: None,
        access: Access::Unrestricted,
        masked: false,
    }
}

fn index(name: &str, columns: &[(u32, bool)], unique: bool) -> Index {
    let column = |&(number, descending): &(u32, bool)| IndexColumn { number, descending };
    Index { name: name.to_owned(), columns: columns.iter().map(column).collect(), unique }
}
