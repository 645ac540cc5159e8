//! What `#[derive(Entity)]` says of a message with every kind of field.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use prism_derive::Entity;
use prism_schema::{
    Access, Backend, Cardinality, Column, FieldType, Index, IndexColumn, Managed, Storage,
};
use support::codegen::Entity as _;

#[derive(Clone, PartialEq, prost::Message, Entity)]
#[prism(crate = "crate::support", message = "acme.v1.Thing", namespace = "some-things")]
#[prism(retention_days = 30)]
#[prism(index(name = "by_kind", fields("kind", "9 desc", "created desc"), unique))]
pub struct Thing {
    #[prost(string, tag = "2")]
    #[prism(key = "clustering", managed = "id")]
    pub id: String,
    #[prost(uint64, tag = "1")]
    #[prism(key = "partition", column = "tenant_number")]
    pub tenant: u64,
    #[prost(enumeration = "thing::Kind", tag = "3")]
    #[prism(index)]
    pub kind: i32,
    #[prost(bytes = "vec", optional, tag = "4")]
    #[prism(masked, access = "input_only")]
    pub r#type: Option<Vec<u8>>,
    #[prost(message, optional, tag = "5")]
    pub size: Option<Size>,
    #[prost(message, repeated, tag = "6")]
    #[prism(storage = "json", type = "acme.other.Size")]
    pub sizes: Vec<Size>,
    #[prost(map = "string, int32", tag = "7")]
    pub line_counts: std::collections::HashMap<String, i32>,
    #[prost(oneof = "thing::Choice", tags = "8, 9")]
    pub choice: Option<thing::Choice>,
    #[prost(message, optional, tag = "10")]
    #[prism(managed = "create_time")]
    pub created: Option<prost_types::Timestamp>,
    #[prost(message, optional, tag = "11")]
    pub lasts: Option<prost_types::Duration>,
    #[prost(message, optional, tag = "12")]
    pub nickname: Option<String>,
    #[prost(message, repeated, tag = "13")]
    pub blobs: Vec<Vec<u8>>,
    #[prost(bool, required, tag = "14")]
    #[prism(field = "self", unique = "one_self")]
    pub self_: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Size {
    #[prost(int32, tag = "1")]
    pub width: i32,
}

pub mod thing {
    #[derive(Clone, PartialEq, prost::Oneof, prism_derive::Entity)]
    #[prism(crate = "crate::support", message = "acme.v1.Thing")]
    pub enum Choice {
        #[prost(message, tag = "8")]
        WholeSize(super::Size),
        #[prost(sint64, tag = "9")]
        #[prism(masked)]
        Number(i64),
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
    #[repr(i32)]
    pub enum Kind {
        Unspecified = 0,
    }
}

fn column(number: u32, field: &str, ty: FieldType) -> Column {
    Column {
        number,
        field: field.to_owned(),
        name: field.to_owned(),
        ty,
        cardinality: Cardinality::Optional,
        wrapper: false,
        oneof: None,
        storage: Storage::Native,
        managed: None,
        access: Access::Unrestricted,
        masked: false,
    }
}

#[test]
fn columns_follow_from_types_and_attributes() {
    use Cardinality::{Implicit, Map, Repeated, Required};

    let message = |name: &str| FieldType::Message(name.to_owned());
    let binary =
        |number, field, ty| Column { storage: Storage::Binary, ..column(number, field, ty) };
    let expected = [
        Column {
            name: "tenant_number".to_owned(),
            cardinality: Implicit,
            ..column(1, "tenant", FieldType::Uint64)
        },
        Column {
            cardinality: Implicit,
            managed: Some(Managed::Id),
            ..column(2, "id", FieldType::String)
        },
        Column {
            cardinality: Implicit,
            ..column(3, "kind", FieldType::Enum("acme.v1.Thing.Kind".to_owned()))
        },
        Column { masked: true, access: Access::InputOnly, ..column(4, "type", FieldType::Bytes) },
        binary(5, "size", message("acme.v1.Size")),
        Column {
            storage: Storage::Json,
            cardinality: Repeated,
            ..column(6, "sizes", message("acme.other.Size"))
        },
        Column {
            cardinality: Map,
            ..binary(7, "line_counts", message("acme.v1.Thing.LineCountsEntry"))
        },
        Column {
            oneof: Some("choice".to_owned()),
            ..binary(8, "whole_size", message("acme.v1.Size"))
        },
        Column {
            oneof: Some("choice".to_owned()),
            masked: true,
            ..column(9, "number", FieldType::Sint64)
        },
        Column {
            managed: Some(Managed::CreateTime),
            ..column(10, "created", FieldType::Timestamp)
        },
        column(11, "lasts", FieldType::Duration),
        Column { wrapper: true, ..column(12, "nickname", FieldType::String) },
        Column { wrapper: true, cardinality: Repeated, ..binary(13, "blobs", FieldType::Bytes) },
        Column { cardinality: Required, ..column(14, "self", FieldType::Bool) },
    ];
    let schema = Thing::schema();
    assert_eq!(schema.columns.len(), expected.len());
    for (column, expected) in schema.columns.iter().zip(&expected) {
        assert_eq!(column, expected);
    }
}

#[test]
fn the_entity_has_its_key_and_indexes() {
    let schema = Thing::schema();
    assert_eq!(schema.message, "acme.v1.Thing");
    assert_eq!(schema.namespace, "some-things");
    assert_eq!(schema.table, "some_things");
    assert_eq!(schema.backend, Backend::Sqlite);
    assert_eq!(schema.retention_days, 30);
    assert_eq!(schema.key, [1, 2]);
    assert_eq!(schema.partition, 1);
    let index = |name: &str, columns: &[(u32, bool)], unique| Index {
        name: name.to_owned(),
        columns: columns
            .iter()
            .map(|&(number, descending)| IndexColumn { number, descending })
            .collect(),
        unique,
    };
    assert_eq!(
        schema.indexes,
        [
            index("idx_some_things_kind", &[(3, false)], false),
            index("one_self", &[(14, false)], true),
            index("by_kind", &[(3, false), (9, true), (10, true)], true),
        ]
    );
}

#[derive(Clone, PartialEq, prost::Message, Entity)]
#[prism(crate = "crate::support", message = "acme.v1.Reading", namespace = "readings")]
pub struct Reading {
    #[prost(message, optional, tag = "1")]
    #[prism(key = "partition")]
    pub at: Option<prost_types::Timestamp>,
    #[prost(message, required, tag = "2")]
    #[prism(key = "clustering")]
    pub offset: prost_types::Duration,
}

#[test]
fn a_time_in_the_key_is_always_there() {
    let expected = |number, field, ty| Column {
        cardinality: Cardinality::Required,
        ..column(number, field, ty)
    };
    let schema = Reading::schema();
    assert_eq!(schema.key, [1, 2]);
    let columns =
        [expected(1, "at", FieldType::Timestamp), expected(2, "offset", FieldType::Duration)];
    assert_eq!(schema.columns, columns);
}
