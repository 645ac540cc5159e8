//! Schemas that change at random, as data.

use std::fmt::Write as _;

/// Type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Bytes,
    Bool,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Double,
    Time,
    Level,
    Part,
    Tags,
}

pub const KINDS: [Kind; 12] = [
    Kind::Text,
    Kind::Bytes,
    Kind::Bool,
    Kind::Int32,
    Kind::Int64,
    Kind::Uint32,
    Kind::Uint64,
    Kind::Double,
    Kind::Time,
    Kind::Level,
    Kind::Part,
    Kind::Tags,
];

impl Kind {
    fn declared(self) -> &'static str {
        match self {
            Kind::Text => "string",
            Kind::Bytes => "bytes",
            Kind::Bool => "bool",
            Kind::Int32 => "int32",
            Kind::Int64 => "int64",
            Kind::Uint32 => "uint32",
            Kind::Uint64 => "uint64",
            Kind::Double => "double",
            Kind::Time => "google.protobuf.Timestamp",
            Kind::Level => "Level",
            Kind::Part => "Part",
            Kind::Tags => "repeated string",
        }
    }

    /// Whether `optional` makes a difference.
    pub fn scalar(self) -> bool {
        !matches!(self, Kind::Time | Kind::Part | Kind::Tags)
    }

    /// Whether it may be stored as JSON.
    pub fn structured(self) -> bool {
        matches!(self, Kind::Part | Kind::Tags)
    }

    pub fn ordered(self) -> bool {
        !matches!(self, Kind::Double | Kind::Part | Kind::Tags)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    None,
    Secondary,
    Unique,
}

#[derive(Clone, Debug)]
pub struct Field {
    pub number: u32,
    pub name: String,
    pub kind: Kind,
    pub optional: bool,
    pub index: Index,
    pub oneof: bool,
    pub deleted: bool,
    pub json: bool,
}

impl Field {
    /// Whether the column may be NULL.
    pub fn nullable(&self) -> bool {
        self.optional || self.oneof || matches!(self.kind, Kind::Time | Kind::Part)
    }

    fn declaration(&self) -> String {
        let label = if self.optional && !self.oneof { "optional " } else { "" };
        let mut options = Vec::new();
        match self.index {
            Index::None => {}
            Index::Secondary => options.push("(prism.field).index = INDEX_KIND_SECONDARY"),
            Index::Unique => options.push("(prism.field).index = INDEX_KIND_UNIQUE"),
        }
        if self.json {
            options.push("(prism.field).storage = STORAGE_JSON");
        }
        if self.deleted {
            options.push("(prism.field).managed = MANAGED_DELETE_TIME");
        }
        let options =
            if options.is_empty() { String::new() } else { format!(" [{}]", options.join(", ")) };
        format!("  {label}{} {} = {}{options};\n", self.kind.declared(), self.name, self.number)
    }
}

#[derive(Clone, Debug)]
pub struct Schema {
    pub fields: Vec<Field>,
    pub reserved: Vec<(u32, String)>,
    pub retention: bool,
    pub other: bool,
    /// Fields of the nested message.
    pub nested: Vec<(u32, String)>,
    pub nested_retired: Vec<(u32, String)>,
    /// Values of the enum.
    pub values: Vec<(u32, String)>,
    pub values_retired: Vec<(u32, String)>,
    pub table: &'static str,
    pub names: u32,
    pub numbers: u32,
}

impl Schema {
    pub fn new() -> Self {
        Schema {
            fields: Vec::new(),
            reserved: Vec::new(),
            retention: false,
            other: false,
            nested: vec![(1, "part_1".to_owned())],
            nested_retired: Vec::new(),
            values: vec![(1, "LEVEL_1".to_owned())],
            values_retired: Vec::new(),
            table: "things",
            names: 0,
            numbers: 1,
        }
    }

    pub fn name(&mut self) -> String {
        self.names += 1;
        format!("field_{}", self.names)
    }

    pub fn add(&mut self, kind: Kind, optional: bool) -> &mut Field {
        self.numbers += 1;
        let (number, name) = (self.numbers, self.name());
        let optional = optional && kind.scalar();
        let index = Index::None;
        let (oneof, deleted, json) = (false, false, false);
        let field = Field { number, name, kind, optional, index, oneof, deleted, json };
        self.fields.push(field);
        let last = self.fields.len() - 1;
        &mut self.fields[last]
    }

    pub fn render(&self) -> String {
        let mut text = String::from(
            "syntax = \"proto3\";\npackage a;\nimport \"prism/options.proto\";\n\
             import \"google/protobuf/timestamp.proto\";\n\nmessage Thing {\n",
        );
        let days = if self.retention { " retention_days: 3" } else { "" };
        let _ = writeln!(
            text,
            "  option (prism.message) = {{namespace: \"things\" table: \"{}\"{days}}};",
            self.table
        );
        for (number, name) in &self.reserved {
            let _ = writeln!(text, "  reserved {number};\n  reserved \"{name}\";");
        }
        text += "  string id = 1 [(prism.field).index = INDEX_KIND_PRIMARY];\n";
        let (members, fields): (Vec<_>, Vec<_>) = self.fields.iter().partition(|it| it.oneof);
        fields.iter().for_each(|field| text += &field.declaration());
        if !members.is_empty() {
            text += "  oneof choice {\n";
            members.iter().for_each(|field| text += &field.declaration());
            text += "  }\n";
        }
        text += "}\n\nmessage Part {\n";
        for (number, name) in &self.nested_retired {
            let _ = writeln!(text, "  reserved {number};\n  reserved \"{name}\";");
        }
        text += "  Level level = 2;\n";
        for (number, name) in &self.nested {
            let _ = writeln!(text, "  string {name} = {number};");
        }
        text += "}\n\nenum Level {\n  LEVEL_UNSPECIFIED = 0;\n";
        for (number, _) in &self.values_retired {
            let _ = writeln!(text, "  reserved {number};");
        }
        for (number, name) in &self.values {
            let _ = writeln!(text, "  {name} = {number};");
        }
        text += "}\n";
        if self.other {
            text += "\nmessage Other {\n  option (prism.message) = {namespace: \"others\"};\n  \
                     string id = 1 [(prism.field).index = INDEX_KIND_PRIMARY];\n}\n";
        }
        text
    }

    /// Changes the schema in one of all ways; `false` where it cannot be changed in this one. The
    /// ways from `REFUSED` on have no migration.
    pub fn change(&mut self, way: u8, at: usize, kind: usize) -> bool {
        let kind = KINDS[kind % KINDS.len()];
        let count = self.fields.len();
        if way < 4 || count == 0 {
            self.change_whole(way, kind, at);
            return way < 4;
        }
        let position = at % count;
        let other = (at / count) % count;
        match way {
            4 => {
                let field = self.fields.remove(position);
                self.reserved.push((field.number, field.name));
            }
            5 => self.fields[position].name = self.name(),
            6 if position != other => {
                let name = self.fields[position].name.clone();
                self.fields[position].name = std::mem::replace(&mut self.fields[other].name, name);
            }
            7..=13 => return self.change_field(way, position),
            14 if at.is_multiple_of(2) => {
                let name = self.name();
                let at = other % self.nested.len();
                self.nested[at].1 = name;
            }
            14 => {
                let name = self.name().to_uppercase();
                let at = other % self.values.len();
                self.values[at].1 = name;
            }
            REFUSED => {
                self.fields.remove(position);
            }
            16 => {
                let field = &mut self.fields[position];
                field.kind = if field.kind == Kind::Text { Kind::Bytes } else { Kind::Text };
                (field.deleted, field.json) = (false, false);
            }
            17 => self.table = "objects",
            18 => {
                let Some((number, _)) = self.reserved.pop() else { return false };
                let name = self.name();
                self.add(Kind::Text, false).number = number;
                if let Some(field) = self.fields.last_mut() {
                    field.name = name;
                }
            }
            _ => return false,
        }
        true
    }

    fn change_whole(&mut self, way: u8, kind: Kind, at: usize) {
        match way {
            0 => {
                let field = self.add(kind, at.is_multiple_of(2));
                if kind.ordered() && at.is_multiple_of(3) {
                    field.index = Index::Secondary;
                }
                if kind.ordered() && field.nullable() && at.is_multiple_of(5) {
                    field.index = Index::Unique;
                }
            }
            1 => self.retention = !self.retention,
            2 => self.other = !self.other,
            _ => match at % 5 {
                0 => self.nested.push((100 + self.names, format!("part_{}", self.names))),
                1 if self.nested.len() > 1 => self.nested_retired.extend(self.nested.pop()),
                2 => self.values.push((3 + self.names, format!("LEVEL_{}", self.names))),
                3 if self.values.len() > 1 => self.values_retired.extend(self.values.pop()),
                _ => {
                    if !self.fields.iter().any(|field| field.deleted) {
                        self.add(Kind::Time, false).deleted = true;
                    }
                }
            },
        }
        self.names += 1;
    }

    fn change_field(&mut self, way: u8, position: usize) -> bool {
        let field = &mut self.fields[position];
        match way {
            7 => {
                field.kind = match field.kind {
                    Kind::Int32 => Kind::Int64,
                    Kind::Uint32 => Kind::Uint64,
                    _ => return false,
                };
            }
            8 if field.kind.scalar() && !field.oneof => field.optional = !field.optional,
            9 if field.kind.ordered() => {
                field.index = match field.index {
                    Index::None => Index::Secondary,
                    _ => Index::None,
                }
            }
            10 | 11 if field.kind.ordered() && !field.deleted => field.index = Index::Unique,
            12 if field.kind != Kind::Tags && !field.deleted => {
                field.oneof = !field.oneof;
                field.optional = false;
            }
            13 if field.kind.structured() => field.json = !field.json,
            _ => return false,
        }
        true
    }
}

/// The first way that has no migration.
pub const REFUSED: u8 = 15;
