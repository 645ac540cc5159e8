//! Tables and indexes: planned as data, rendered by one function a dialect's difference.

use std::fmt::Write as _;

use super::statement::Parameter;
use super::text::expiry;
use super::{Dialect, quote};
use crate::value::encode_u64;
use crate::{Cardinality, Column, Entity, FieldType, Index, IndexColumn, Managed, Storage};

/// A statement that changes what the database consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A table with its primary key.
    CreateTable {
        /// Table name, not quoted.
        table: String,
        /// In the order of the schema.
        columns: Vec<TableColumn>,
        /// Names of the key's columns.
        key: Vec<String>,
    },
    /// A secondary index.
    CreateIndex {
        /// Index name, not quoted.
        name: String,
        /// Table name, not quoted.
        table: String,
        /// In index order.
        columns: Vec<OrderedColumn>,
        /// Whether no two live records may be equal in the columns.
        unique: bool,
        /// Only rows in which this column is NULL are in the index.
        where_null: Option<String>,
    },
}

/// A column of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderedColumn {
    /// Name, not quoted.
    pub name: String,
    /// Whether it is reversed.
    pub descending: bool,
    /// Whether it may be NULL.
    pub nullable: bool,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableColumn {
    /// Name, not quoted.
    pub name: String,
    /// What it holds.
    pub ty: ColumnType,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// What a row has that does not say.
    pub default: Option<Zero>,
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Boolean.
    Boolean,
    /// 64 bits.
    Integer,
    /// 32 bits, where the database has them: enums.
    SmallInteger,
    /// A double. SQLite keeps what a REAL cannot hold as a blob in the same column.
    Double,
    /// Text that compares by its bytes.
    Text,
    /// Bytes.
    Blob,
    /// Microseconds since 1970.
    Timestamp,
    /// JSON text.
    Json,
}

/// The zero of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zero {
    /// The number, or false.
    Number,
    /// The encoded zero of an unsigned 64-bit integer.
    Unsigned,
    /// Nothing in it: text and bytes.
    Empty,
    /// `[]`.
    JsonList,
    /// `{}`.
    JsonObject,
    /// The time at which the row is written. Postgres only, where a column is added under a
    /// binary that does not know it; none in SQLite.
    Now,
}

/// What a database needs for an entity: its table, then its indexes.
pub fn create(entity: &Entity) -> Vec<Step> {
    let key = entity.key.iter().filter_map(|number| entity.column(*number));
    let table = Step::CreateTable {
        table: entity.table.clone(),
        columns: table_columns(entity),
        key: key.map(|column| column.name.clone()).collect(),
    };
    let indexes = entity.indexes.iter().map(|index| create_index(entity, index));
    std::iter::once(table).chain(indexes).chain(sweep_indexes(entity)).collect()
}

/// Every column of an entity's table: its fields', then Prism's own.
pub fn table_columns(entity: &Entity) -> Vec<TableColumn> {
    let mut columns: Vec<TableColumn> = entity.columns.iter().map(table_column).collect();
    columns.extend(entity.last_write_column().map(|name| TableColumn {
        name: name.to_owned(),
        ty: ColumnType::Timestamp,
        nullable: false,
        default: Some(Zero::Now),
    }));
    columns
}

/// The indexes by which the sweep finds the records that are gone, unless the schema has them.
pub fn sweep_indexes(entity: &Entity) -> impl Iterator<Item = Step> {
    let indexed = |name: &str| {
        let first = |index: &Index| entity.column(index.columns.first()?.number);
        let mut all = entity.indexes.iter().filter(|index| !index.unique);
        all.any(|index| first(index).is_some_and(|column| column.name == name))
    };
    expiry(entity).filter(move |(name, _)| !indexed(name)).map(|(name, parameter)| {
        let purpose = if parameter == Parameter::Now { "expire" } else { "retain" };
        let column = entity.columns.iter().find(|column| column.name == name);
        let nullable = column.is_some_and(Column::nullable);
        Step::CreateIndex {
            name: own_index_name(purpose, &entity.table),
            table: entity.table.clone(),
            columns: vec![OrderedColumn { name: name.to_owned(), descending: false, nullable }],
            unique: false,
            where_null: None,
        }
    })
}

/// `prism_<purpose>_<table>`, a name that a schema cannot take; with a hash for the end of one
/// that is longer than the 63 bytes that PostgreSQL takes.
fn own_index_name(purpose: &str, table: &str) -> String {
    const LIMIT: usize = 63;
    let name = format!("prism_{purpose}_{table}");
    if name.len() <= LIMIT {
        return name;
    }
    // FNV-1a: the same on every machine and in every version.
    let hash = name
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let end = (0..=LIMIT - 9).rev().find(|&end| name.is_char_boundary(end)).unwrap_or_default();
    format!("{}_{hash:08x}", &name[..end])
}

/// The statement that makes an index of an entity, with the columns of [`Index::order`].
pub fn create_index(entity: &Entity, index: &Index) -> Step {
    let ordered = |part: IndexColumn| {
        let column = entity.column(part.number)?;
        let (name, nullable) = (column.name.clone(), column.nullable());
        Some(OrderedColumn { name, descending: part.descending, nullable })
    };
    let columns = index.order(entity).into_iter().filter_map(ordered).collect();
    let deleted = entity.managed(Managed::DeleteTime).filter(|_| index.unique);
    Step::CreateIndex {
        name: index.name.clone(),
        table: entity.table.clone(),
        columns,
        unique: index.unique,
        where_null: deleted.map(|column| column.name.clone()),
    }
}

/// The table's column for a stored field.
pub fn table_column(column: &Column) -> TableColumn {
    let nullable = column.nullable();
    TableColumn {
        name: column.name.clone(),
        ty: column_type(column),
        nullable,
        default: (!nullable).then(|| zero(column)),
    }
}

/// The type of a stored field's column.
pub fn column_type(column: &Column) -> ColumnType {
    match (column.storage, &column.ty) {
        (Storage::Json, _) => ColumnType::Json,
        (Storage::Binary, _) => ColumnType::Blob,
        (Storage::Native, ty) => match ty {
            FieldType::Bool => ColumnType::Boolean,
            FieldType::Enum(_) => ColumnType::SmallInteger,
            FieldType::Float | FieldType::Double => ColumnType::Double,
            FieldType::String => ColumnType::Text,
            FieldType::Timestamp => ColumnType::Timestamp,
            FieldType::Bytes | FieldType::Message(_) | FieldType::Group(_) => ColumnType::Blob,
            _ => ColumnType::Integer,
        },
    }
}

/// The zero of a stored field, also where its column may be NULL.
pub fn zero(column: &Column) -> Zero {
    match (column.storage, &column.ty) {
        (Storage::Json, _) if column.cardinality == Cardinality::Repeated => Zero::JsonList,
        (Storage::Json, _) => Zero::JsonObject,
        (Storage::Binary, _) => Zero::Empty,
        (Storage::Native, ty) => match ty {
            FieldType::Uint64 | FieldType::Fixed64 => Zero::Unsigned,
            FieldType::String | FieldType::Bytes => Zero::Empty,
            _ => Zero::Number,
        },
    }
}

impl Step {
    /// The statement's text, with its semicolon.
    pub fn render(&self, dialect: Dialect) -> String {
        match self {
            Step::CreateTable { table, columns, key } => {
                let mut sql = format!("CREATE TABLE {} (\n", quote(table));
                for column in columns {
                    let _ = writeln!(sql, "  {},", column.render(dialect));
                }
                let key: Vec<String> = key.iter().map(|name| quote(name)).collect();
                let _ = write!(sql, "  PRIMARY KEY ({})\n)", key.join(", "));
                if dialect == Dialect::Sqlite {
                    // The table is its primary key's tree: one look-up a read, not two.
                    sql.push_str(" WITHOUT ROWID");
                }
                sql.push(';');
                sql
            }
            Step::CreateIndex { name, table, columns, unique, where_null } => {
                let unique = if *unique { "UNIQUE " } else { "" };
                let columns: Vec<String> = columns
                    .iter()
                    .map(|column| {
                        quote(&column.name) + dialect.direction(column.descending, column.nullable)
                    })
                    .collect();
                let mut sql = format!(
                    "CREATE {unique}INDEX {} ON {} ({})",
                    quote(name),
                    quote(table),
                    columns.join(", ")
                );
                if let Some(column) = where_null {
                    let _ = write!(sql, " WHERE {} IS NULL", quote(column));
                }
                sql.push(';');
                sql
            }
        }
    }
}

impl TableColumn {
    /// The column's definition.
    pub fn render(&self, dialect: Dialect) -> String {
        let mut sql = format!("{} {}", quote(&self.name), self.ty.render(dialect));
        if !self.nullable {
            sql.push_str(" NOT NULL");
        }
        sql.push_str(&self.default_clause(dialect));
        sql
    }

    /// ` DEFAULT` and the value; empty where the column has none.
    pub fn default_clause(&self, dialect: Dialect) -> String {
        match self.default {
            Some(Zero::Now) if dialect == Dialect::Sqlite => String::new(),
            Some(default) => format!(" DEFAULT {}", default.render(self.ty, dialect)),
            None => String::new(),
        }
    }
}

impl ColumnType {
    /// The type's name.
    pub const fn render(self, dialect: Dialect) -> &'static str {
        match (dialect, self) {
            (Dialect::Sqlite, ColumnType::Double) => "REAL",
            (Dialect::Sqlite, ColumnType::Text) => "TEXT",
            (Dialect::Sqlite, ColumnType::Blob) => "BLOB",
            (Dialect::Sqlite, ColumnType::Json) => "JSON",
            (Dialect::Sqlite, _) => "INTEGER",
            (Dialect::Postgres, ColumnType::Boolean) => "BOOLEAN",
            (Dialect::Postgres, ColumnType::Integer) => "BIGINT",
            (Dialect::Postgres, ColumnType::SmallInteger) => "INTEGER",
            (Dialect::Postgres, ColumnType::Double) => "DOUBLE PRECISION",
            (Dialect::Postgres, ColumnType::Text) => "TEXT COLLATE \"C\"",
            (Dialect::Postgres, ColumnType::Blob) => "BYTEA",
            (Dialect::Postgres, ColumnType::Timestamp) => "TIMESTAMPTZ",
            (Dialect::Postgres, ColumnType::Json) => "JSONB",
        }
    }
}

impl Zero {
    /// The literal.
    pub fn render(self, ty: ColumnType, dialect: Dialect) -> String {
        match (self, ty, dialect) {
            (Zero::Number, ColumnType::Boolean, Dialect::Postgres) => "FALSE".to_owned(),
            (Zero::Number, ColumnType::Double, _) => "0.0".to_owned(),
            // proto2 `required`: never used, as every record has the field.
            (Zero::Number, ColumnType::Timestamp, Dialect::Postgres) => "'epoch'".to_owned(),
            (Zero::Number, _, _) => "0".to_owned(),
            (Zero::Unsigned, _, Dialect::Sqlite) => encode_u64(0).to_string(),
            // Postgres reads the minus as an operator on a number that a bigint cannot hold.
            (Zero::Unsigned, _, Dialect::Postgres) => format!("'{}'", encode_u64(0)),
            (Zero::Empty, ColumnType::Blob, Dialect::Sqlite) => "x''".to_owned(),
            (Zero::Empty, ColumnType::Blob, Dialect::Postgres) => "'\\x'".to_owned(),
            (Zero::Empty, _, _) => "''".to_owned(),
            (Zero::JsonList, _, _) => "'[]'".to_owned(),
            (Zero::JsonObject, _, _) => "'{}'".to_owned(),
            (Zero::Now, _, _) => "now()".to_owned(),
        }
    }
}
