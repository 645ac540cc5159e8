//! A schema that goes through every change that is made without asking.

use std::collections::BTreeMap;

use prism_acceptance::dynamic::service;

/// A schema as data; what a step changes of it is one line.
#[derive(Clone)]
pub struct Schema {
    options: &'static str,
    reserved: &'static str,
    fields: BTreeMap<u32, &'static str>,
    colors: &'static str,
    part: &'static str,
    more: &'static str,
    conditions: &'static str,
}

/// One migration: what it is called, and what it does to the schema.
pub type Step = (&'static str, fn(&mut Schema));

impl Schema {
    /// What the old server is built for.
    pub fn first() -> Self {
        let fields = [
            (1, "string id = 1 [(prism.field).index = INDEX_KIND_PRIMARY]"),
            (2, "string name = 2"),
            (3, "int32 count = 3 [(prism.field).index = INDEX_KIND_SECONDARY]"),
            (4, "optional string mail = 4 [(prism.field).index = INDEX_KIND_UNIQUE]"),
            (5, "string label = 5 [(prism.field).index = INDEX_KIND_SECONDARY]"),
            (6, "Color color = 6"),
            (7, "Part part = 7"),
            (8, "int32 size = 8"),
            (9, "string left = 9"),
            (10, "string right = 10"),
            (11, "string version = 11"),
        ];
        Schema {
            options: "",
            reserved: "reserved 99;",
            fields: fields.into_iter().collect(),
            colors: "COLOR_RED = 1;",
            part: "string text = 1;",
            more: "",
            conditions: "optional int32 count = 3; optional string label = 4; string order_by = 5;",
        }
    }

    pub fn render(&self) -> String {
        let Schema { options, reserved, colors, part, more, conditions, .. } = self;
        let fields: String = self.fields.values().map(|field| format!("  {field};\n")).collect();
        let service = service("Thing", "Things", conditions);
        format!(
            "syntax = \"proto3\";\npackage a;\nimport \"prism/options.proto\";\n\
             import \"google/protobuf/field_mask.proto\";\n\
             import \"google/protobuf/timestamp.proto\";\n\
             message Thing {{\n  option (prism.message) = {{namespace: \"things\" {options}}};\n  \
             {reserved}\n{fields}}}\n\
             enum Color {{ COLOR_UNSPECIFIED = 0; {colors} }}\nmessage Part {{ {part} }}\n\
             {more}\n{service}"
        )
    }

    fn set(&mut self, fields: &[(u32, &'static str)]) {
        self.fields.extend(fields.iter().copied());
    }
}

/// Every row of the table of changes that is `safe` or `online`, one after the other.
pub const CHAIN: &[Step] = &[
    ("fields added", |schema| {
        schema.conditions = "";
        schema.set(&[
            (12, "int64 weight = 12"),
            (13, "optional string note = 13"),
            (14, "Part extra = 14"),
            (15, "repeated string tags = 15"),
        ]);
    }),
    ("fields renamed", |schema| {
        schema.set(&[
            (2, "string title = 2"),
            (3, "int32 amount = 3 [(prism.field).index = INDEX_KIND_SECONDARY]"),
        ]);
    }),
    ("names swapped", |schema| {
        schema.set(&[(9, "string right = 9"), (10, "string left = 10")]);
    }),
    ("a reserved line removed", |schema| schema.reserved = ""),
    ("int32 to int64", |schema| {
        schema.set(&[
            (3, "int64 amount = 3 [(prism.field).index = INDEX_KIND_SECONDARY]"),
            (8, "int64 size = 8"),
        ]);
    }),
    ("optional added", |schema| {
        schema.set(&[
            (3, "optional int64 amount = 3 [(prism.field).index = INDEX_KIND_SECONDARY]"),
            (8, "optional int64 size = 8"),
        ]);
    }),
    ("a field managed", |schema| {
        schema.set(&[(11, "string version = 11 [(prism.field).managed = MANAGED_ETAG]")]);
    }),
    ("an index added", |schema| schema.options = "indexes: {fields: [\"title\"]}"),
    ("an index changed", |schema| {
        schema.options = "indexes: {fields: [\"title\", \"amount desc\"]}"
    }),
    ("indexes removed", |schema| {
        schema.options = "";
        schema.set(&[(5, "string label = 5")]);
    }),
    ("a new unique field", |schema| {
        schema.set(&[(16, "optional string code = 16 [(prism.field).index = INDEX_KIND_UNIQUE]")]);
    }),
    ("a delete time beside unique indexes", |schema| {
        schema.set(&[(
            17,
            "google.protobuf.Timestamp delete_time = 17 \
             [(prism.field).managed = MANAGED_DELETE_TIME]",
        )]);
    }),
    ("an expire time", |schema| {
        schema.set(&[(
            18,
            "google.protobuf.Timestamp expire_time = 18 \
             [(prism.field).managed = MANAGED_EXPIRE_TIME]",
        )]);
    }),
    ("retention added", |schema| schema.options = "retention_days: 30"),
    ("retention changed", |schema| schema.options = "retention_days: 60"),
    ("retention removed", |schema| schema.options = ""),
    ("enum values added and renamed", |schema| {
        schema.colors = "COLOR_CRIMSON = 1; COLOR_GREEN = 2;";
    }),
    ("nested fields added and renamed", |schema| schema.part = "string words = 1; int64 more = 2;"),
    ("an entity added", |schema| {
        schema.more = "message Other {\n  option (prism.message) = {namespace: \"others\"};\n  \
                       string id = 1 [(prism.field).index = INDEX_KIND_PRIMARY];\n}";
    }),
];

/// A change that writes every row, in batches.
pub const FILLING: &[Step] = &[
    ("retention added", |schema| {
        schema.conditions = "";
        schema.options = "retention_days: 30";
    }),
    ("an update time in place of Prism's own", |schema| {
        schema.set(&[(
            19,
            "google.protobuf.Timestamp update_time = 19 \
             [(prism.field).managed = MANAGED_UPDATE_TIME]",
        )]);
    }),
];
