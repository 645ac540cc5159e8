//! Statements on an entity's table.
//!
//! A statement is text and what its parameters stand for, without values: `prism explain` prints
//! it, a driver binds and runs it. Every `SELECT` goes through [`Visibility`], so that none can
//! forget a deleted or expired record.

use super::text::Text;
use super::{Dialect, quote};
use crate::plan::{Comparison, Condition, Plan};
use crate::{Entity, Index, Managed};

/// SQL text and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The text.
    pub sql: String,
    /// What each placeholder stands for, the first one first.
    pub parameters: Vec<Parameter>,
}

/// What a placeholder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Parameter {
    /// The value of a field in the record that is written, or in the key that is looked for.
    Column(u32),
    /// The value of a key field in one of several keys.
    Key {
        /// Which key, from 0.
        row: usize,
        /// Which field.
        number: u32,
    },
    /// A value of a condition.
    Condition {
        /// Position of the condition.
        condition: usize,
        /// Which of its values, from 0. A prefix has its lower bound, then its upper one.
        value: usize,
    },
    /// The last record's value in a column of the order, by position.
    After(usize),
    /// The time of the call, in microseconds.
    Now,
    /// `retention_days` before the time of the call, in microseconds.
    RetentionCutoff,
    /// The time of the last write, in microseconds, for Prism's own column.
    WrittenAt,
    /// How many rows at most.
    Limit,
}

/// Which records a statement sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Neither deleted nor expired.
    Live,
    /// Not expired: `show_deleted`.
    Kept,
    /// Every row, for the decision of a write.
    All,
}

/// A condition of a list as far as the text depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Number of the field.
    pub field: u32,
    /// How it is compared.
    pub comparison: Comparison,
    /// How many values: any number for [`Comparison::AnyOf`]; for [`Comparison::Prefix`] 1 where
    /// the prefix has no upper bound, 2 else; 1 for the others.
    pub values: usize,
}

impl Shape {
    /// As most requests have it: a list of values has one, and a prefix has an upper bound. That
    /// is lacking only if nothing comes after the prefix: it is empty, or made of the last
    /// character, U+10FFFF, or the last byte, 0xFF, alone.
    pub fn usual(condition: &Condition) -> Shape {
        let values = if condition.comparison == Comparison::Prefix { 2 } else { 1 };
        Shape { field: condition.field, comparison: condition.comparison, values }
    }
}

/// A list as far as the text depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListShape {
    /// The conditions that hold.
    pub conditions: Vec<Shape>,
    /// The whole order, as of [`crate::plan::Plan`]: field number, and whether it is reversed.
    pub order: Vec<(u32, bool)>,
    /// Position of the index that gives this order, if one does.
    pub index: Option<usize>,
    /// On a page after the first, which columns of the order are NULL in the last record.
    pub after: Option<Vec<bool>>,
    /// [`Visibility::Live`] or [`Visibility::Kept`].
    pub visibility: Visibility,
}

impl ListShape {
    /// The first page of a list.
    pub fn first(conditions: Vec<Shape>, plan: &Plan, visibility: Visibility) -> Self {
        let order = plan.order.iter().map(|column| (column.number, column.descending)).collect();
        ListShape { conditions, order, index: plan.index(), after: None, visibility }
    }
}

/// Builds the statements of one entity in one dialect.
#[derive(Clone, Copy, Debug)]
pub struct Statements<'a> {
    pub(super) entity: &'a Entity,
    pub(super) dialect: Dialect,
}

impl<'a> Statements<'a> {
    /// Of this entity, in this dialect.
    pub fn new(entity: &'a Entity, dialect: Dialect) -> Self {
        Statements { entity, dialect }
    }

    /// The record with a key: every stored column, in the order of
    /// [`Entity::columns`], then Prism's own.
    pub fn get(&self, visibility: Visibility) -> Statement {
        let mut text = self.select();
        text.push(" WHERE ");
        text.key_is();
        text.visible(visibility);
        text.finish()
    }

    /// The records with any of `count` keys, in no order.
    pub fn get_many(&self, count: usize, visibility: Visibility) -> Statement {
        let mut text = self.select();
        text.push(" WHERE ");
        if let [number] = self.entity.key[..] {
            text.column(number);
            text.push(" IN (");
            text.list(count, |text, row| text.bind(Parameter::Key { row, number }));
        } else {
            text.push("(");
            text.columns(&self.entity.key);
            // SQLite has rows in a list of VALUES only; Postgres infers types in a plain list only.
            text.push(if self.dialect == Dialect::Sqlite { ") IN (VALUES " } else { ") IN (" });
            text.list(count, |text, row| text.key_row(row));
        }
        text.push(")");
        text.visible(visibility);
        text.finish()
    }

    /// A new record.
    pub fn insert(&self) -> Statement {
        let mut text = Text::new(self.entity, self.dialect);
        text.insert();
        text.finish()
    }

    /// A new record, or every known column of the one with its key.
    pub fn replace(&self) -> Statement {
        let mut text = Text::new(self.entity, self.dialect);
        text.insert();
        self.or_overwrite(&mut text);
        text.finish()
    }

    /// What becomes of the record with the key where there is one: every known column is written.
    pub(super) fn or_overwrite(&self, text: &mut Text<'_>) {
        text.push(" ON CONFLICT (");
        text.columns(&self.entity.key);
        text.push(") DO ");
        let mut names: Vec<String> = self
            .entity
            .columns
            .iter()
            .filter(|column| !self.entity.is_key(column.number))
            .map(|column| quote(&column.name))
            .collect();
        names.extend(self.entity.last_write_column().map(quote));
        if names.is_empty() {
            text.push("NOTHING");
        } else {
            let set: Vec<String> =
                names.iter().map(|name| format!("{name} = excluded.{name}")).collect();
            text.push("UPDATE SET ");
            text.push(&set.join(", "));
        }
    }

    /// These fields, and Prism's own column, of the record with a key. Needs one or the other.
    pub fn update(&self, numbers: &[u32]) -> Statement {
        let mut text = Text::new(self.entity, self.dialect);
        text.push("UPDATE ");
        text.table();
        text.push(" SET ");
        let start = text.sql.len();
        for &number in numbers {
            text.comma(start);
            text.column(number);
            text.push(" = ");
            text.bind(Parameter::Column(number));
        }
        if let Some(name) = self.entity.last_write_column() {
            text.comma(start);
            text.push(&quote(name));
            text.push(" = ");
            text.bind(Parameter::WrittenAt);
        }
        text.push(" WHERE ");
        text.key_is();
        text.finish()
    }

    /// Removes the record with a key.
    pub fn delete(&self) -> Statement {
        let mut text = Text::new(self.entity, self.dialect);
        text.push("DELETE FROM ");
        text.table();
        text.push(" WHERE ");
        text.key_is();
        text.finish()
    }

    /// Keys of at most [`Parameter::Limit`] expired records, in no order. `None` where
    /// nothing expires.
    pub fn expired(&self) -> Option<Statement> {
        let mut text = Text::new(self.entity, self.dialect);
        text.expired().then(|| text.finish())
    }

    /// Removes at most [`Parameter::Limit`] expired records. `None` where nothing expires.
    pub fn sweep(&self) -> Option<Statement> {
        let mut text = Text::new(self.entity, self.dialect);
        text.push("DELETE FROM ");
        text.table();
        // Said twice: a record that is written meanwhile is looked at again, and what was selected
        // is not.
        text.push(" WHERE (");
        text.is_expired();
        text.push(") AND (");
        text.columns(&self.entity.key);
        text.push(") IN (");
        let expires = text.expired();
        text.push(")");
        expires.then(|| text.finish())
    }

    /// The record, other than the one that is written, that takes part in a unique index with
    /// the same values: every stored column. It may have expired.
    pub fn unique_conflict(&self, index: &Index) -> Statement {
        let mut text = self.select();
        text.push(" WHERE ");
        for column in &index.columns {
            text.column(column.number);
            text.push(" = ");
            text.bind(Parameter::Column(column.number));
            text.push(" AND ");
        }
        text.push("NOT (");
        text.key_is();
        text.push(")");
        if let Some(column) = self.entity.managed(Managed::DeleteTime) {
            text.push(" AND ");
            text.push(&quote(&column.name));
            text.push(" IS NULL");
        }
        text.push(" LIMIT 1");
        text.finish()
    }

    pub(super) fn select(&self) -> Text<'a> {
        let mut text = Text::new(self.entity, self.dialect);
        text.select();
        text
    }
}
