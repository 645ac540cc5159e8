//! Statements on an entity's table.
//!
//! A statement is text and what its parameters stand for, without values: `prism explain` prints
//! it, a driver binds and runs it. Every `SELECT` goes through [`Visibility`], so that none can
//! forget a deleted or expired record.

use super::{Dialect, quote};
use crate::plan::Comparison;
use crate::{Column, Entity, Index, IndexColumn, Managed};

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

/// A list as far as the text depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListShape {
    /// The conditions that hold.
    pub conditions: Vec<Shape>,
    /// The whole order, as of [`crate::plan::Plan`]: field number, and whether it is reversed.
    pub order: Vec<(u32, bool)>,
    /// On a page after the first, which columns of the order are NULL in the last record.
    pub after: Option<Vec<bool>>,
    /// [`Visibility::Live`] or [`Visibility::Kept`].
    pub visibility: Visibility,
}

impl ListShape {
    /// The first page of a list.
    pub fn first(conditions: Vec<Shape>, order: &[IndexColumn], visibility: Visibility) -> Self {
        let order = order.iter().map(|column| (column.number, column.descending)).collect();
        ListShape { conditions, order, after: None, visibility }
    }
}

/// Builds the statements of one entity in one dialect.
#[derive(Clone, Copy, Debug)]
pub struct Statements<'a> {
    entity: &'a Entity,
    dialect: Dialect,
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

    /// A page of a list.
    pub fn list(&self, shape: &ListShape) -> Statement {
        let mut text = self.select();
        text.push(" WHERE ");
        let start = text.sql.len();
        for (position, condition) in shape.conditions.iter().enumerate() {
            text.and(start);
            text.condition(position, condition);
        }
        if let Some(nulls) = &shape.after {
            text.and(start);
            text.after(&shape.order, nulls);
        }
        text.visible_from(start, shape.visibility);
        if text.sql.len() == start {
            text.sql.truncate(start - " WHERE ".len());
        }
        text.order_by(&shape.order);
        text.push(" LIMIT ");
        text.bind(Parameter::Limit);
        text.finish()
    }

    /// A new record.
    pub fn insert(&self) -> Statement {
        let mut text = Text::new(*self);
        text.insert();
        text.finish()
    }

    /// A new record, or every known column of the one with its key.
    pub fn replace(&self) -> Statement {
        let mut text = Text::new(*self);
        text.insert();
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
        text.finish()
    }

    /// These fields, and Prism's own column, of the record with a key. Needs one or the other.
    pub fn update(&self, numbers: &[u32]) -> Statement {
        let mut text = Text::new(*self);
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
        let mut text = Text::new(*self);
        text.push("DELETE FROM ");
        text.table();
        text.push(" WHERE ");
        text.key_is();
        text.finish()
    }

    /// Removes at most [`Parameter::Limit`] expired records. `None` where nothing expires.
    pub fn sweep(&self) -> Option<Statement> {
        let mut text = Text::new(*self);
        text.push("DELETE FROM ");
        text.table();
        text.push(" WHERE (");
        text.columns(&self.entity.key);
        text.push(") IN (SELECT ");
        text.columns(&self.entity.key);
        text.push(" FROM ");
        text.table();
        text.push(" WHERE ");
        let start = text.sql.len();
        for (column, limit) in expiry(self.entity) {
            if text.sql.len() > start {
                text.push(" OR ");
            }
            text.push(&quote(column));
            text.push(" <= ");
            text.bind(limit);
        }
        if text.sql.len() == start {
            return None;
        }
        text.push(" LIMIT ");
        text.bind(Parameter::Limit);
        text.push(")");
        Some(text.finish())
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

    fn select(&self) -> Text<'a> {
        let mut text = Text::new(*self);
        text.push("SELECT ");
        text.all_columns();
        text.push(" FROM ");
        text.table();
        text
    }
}

/// The columns after whose time a record is gone, each with the time that is compared.
pub(super) fn expiry(entity: &Entity) -> impl Iterator<Item = (&str, Parameter)> {
    let expire = entity.managed(Managed::ExpireTime).map(|c| (c.name.as_str(), Parameter::Now));
    let written = (entity.retention_days > 0)
        .then(|| {
            let update = entity.managed(Managed::UpdateTime).map(|column| column.name.as_str());
            update.or(entity.last_write_column())
        })
        .flatten()
        .map(|name| (name, Parameter::RetentionCutoff));
    expire.into_iter().chain(written)
}

/// Text under construction.
struct Text<'a> {
    entity: &'a Entity,
    dialect: Dialect,
    sql: String,
    parameters: Vec<Parameter>,
}

impl<'a> Text<'a> {
    fn new(statements: Statements<'a>) -> Self {
        let Statements { entity, dialect } = statements;
        Text { entity, dialect, sql: String::new(), parameters: Vec::new() }
    }

    fn finish(self) -> Statement {
        Statement { sql: self.sql, parameters: self.parameters }
    }

    fn push(&mut self, text: &str) {
        self.sql.push_str(text);
    }

    /// A separator, unless nothing was written since `start`.
    fn and(&mut self, start: usize) {
        if self.sql.len() > start {
            self.push(" AND ");
        }
    }

    fn comma(&mut self, start: usize) {
        if self.sql.len() > start {
            self.push(", ");
        }
    }

    fn table(&mut self) {
        let table = quote(&self.entity.table);
        self.push(&table);
    }

    fn find(&self, number: u32) -> &'a Column {
        self.entity.column(number).expect("a resolved entity holds the columns it names")
    }

    fn column(&mut self, number: u32) {
        let name = quote(&self.find(number).name);
        self.push(&name);
    }

    fn columns(&mut self, numbers: &[u32]) {
        let start = self.sql.len();
        for &number in numbers {
            self.comma(start);
            self.column(number);
        }
    }

    fn all_columns(&mut self) {
        let start = self.sql.len();
        for column in &self.entity.columns {
            self.comma(start);
            self.push(&quote(&column.name));
        }
        if let Some(name) = self.entity.last_write_column() {
            self.comma(start);
            self.push(&quote(name));
        }
    }

    /// A placeholder. One that stands for the same is used again.
    fn bind(&mut self, parameter: Parameter) {
        let known = self.parameters.iter().position(|other| *other == parameter);
        let position = known.unwrap_or_else(|| {
            self.parameters.push(parameter);
            self.parameters.len() - 1
        });
        let placeholder = self.dialect.placeholder(position + 1);
        self.push(&placeholder);
    }

    fn list(&mut self, count: usize, mut item: impl FnMut(&mut Self, usize)) {
        for position in 0..count {
            if position > 0 {
                self.push(", ");
            }
            item(self, position);
        }
    }

    fn key_row(&mut self, row: usize) {
        let key = &self.entity.key;
        self.push("(");
        self.list(key.len(), |text, part| text.bind(Parameter::Key { row, number: key[part] }));
        self.push(")");
    }

    fn key_is(&mut self) {
        let start = self.sql.len();
        for &number in &self.entity.key {
            self.and(start);
            self.column(number);
            self.push(" = ");
            self.bind(Parameter::Column(number));
        }
    }

    fn visible(&mut self, visibility: Visibility) {
        // Something always stands before it: the key.
        self.visible_from(0, visibility);
    }

    /// The one place that hides deleted and expired records.
    fn visible_from(&mut self, start: usize, visibility: Visibility) {
        if visibility == Visibility::All {
            return;
        }
        if visibility == Visibility::Live
            && let Some(column) = self.entity.managed(Managed::DeleteTime)
        {
            self.and(start);
            self.push(&quote(&column.name));
            self.push(" IS NULL");
        }
        for (column, limit) in expiry(self.entity) {
            let name = quote(column);
            self.and(start);
            self.push(&format!("({name} IS NULL OR {name} > "));
            self.bind(limit);
            self.push(")");
        }
    }

    fn insert(&mut self) {
        self.push("INSERT INTO ");
        self.table();
        self.push(" (");
        self.all_columns();
        self.push(") VALUES (");
        let start = self.sql.len();
        for column in &self.entity.columns {
            self.comma(start);
            self.bind(Parameter::Column(column.number));
        }
        if self.entity.last_write_column().is_some() {
            self.comma(start);
            self.bind(Parameter::WrittenAt);
        }
        self.push(")");
    }

    fn condition(&mut self, condition: usize, shape: &Shape) {
        let value = |value| Parameter::Condition { condition, value };
        self.column(shape.field);
        match shape.comparison {
            Comparison::Equals => self.push(" = "),
            Comparison::AtLeast => self.push(" >= "),
            Comparison::LessThan => self.push(" < "),
            Comparison::AnyOf => {
                self.push(" IN (");
                self.list(shape.values, |text, position| text.bind(value(position)));
                return self.push(")");
            }
            Comparison::Prefix => {
                self.push(" >= ");
                if shape.values > 1 {
                    self.bind(value(0));
                    self.push(" AND ");
                    self.column(shape.field);
                    self.push(" < ");
                    return self.bind(value(1));
                }
            }
        }
        self.bind(value(0));
    }

    /// What comes after the last record of the page before.
    fn after(&mut self, order: &[(u32, bool)], nulls: &[bool]) {
        if order.is_empty() {
            // Equalities fix the whole key: there is one record at most.
            return self.push("1 = 0");
        }
        let descending = order[0].1;
        let plain = order
            .iter()
            .all(|&(number, reversed)| reversed == descending && !self.find(number).nullable());
        if plain {
            return self.after_row(order, descending);
        }
        self.leading_bound(order[0], nulls[0]);
        self.push("(");
        for last in 0..order.len() {
            if last > 0 {
                self.push(" OR ");
            }
            self.push("(");
            for position in 0..last {
                self.same(order[position].0, position, nulls[position]);
                self.push(" AND ");
            }
            self.beyond(order[last], last, nulls[last]);
            self.push(")");
        }
        self.push(")");
    }

    fn after_row(&mut self, order: &[(u32, bool)], descending: bool) {
        let numbers: Vec<u32> = order.iter().map(|(number, _)| *number).collect();
        self.push("(");
        self.columns(&numbers);
        self.push(if descending { ") < (" } else { ") > (" });
        self.list(order.len(), |text, position| text.bind(Parameter::After(position)));
        self.push(")");
    }

    /// What the disjunction implies of its first column, so that an index can seek to it.
    fn leading_bound(&mut self, (number, descending): (u32, bool), null: bool) {
        let optional = self.find(number).nullable();
        if null || (descending && optional) {
            return;
        }
        self.column(number);
        self.push(if descending { " <= " } else { " >= " });
        self.bind(Parameter::After(0));
        self.push(" AND ");
    }

    fn same(&mut self, number: u32, position: usize, null: bool) {
        self.column(number);
        if null {
            return self.push(" IS NULL");
        }
        self.push(" = ");
        self.bind(Parameter::After(position));
    }

    /// Greater in this direction. NULL is the smallest value.
    fn beyond(&mut self, (number, descending): (u32, bool), position: usize, null: bool) {
        match (descending, null) {
            (false, true) => {
                self.column(number);
                self.push(" IS NOT NULL");
            }
            (true, true) => self.push("1 = 0"),
            (_, false) => {
                let or_null = descending && self.find(number).nullable();
                self.push(if or_null { "(" } else { "" });
                self.column(number);
                self.push(if descending { " < " } else { " > " });
                self.bind(Parameter::After(position));
                if or_null {
                    self.push(" OR ");
                    self.column(number);
                    self.push(" IS NULL)");
                }
            }
        }
    }

    fn order_by(&mut self, order: &[(u32, bool)]) {
        for (position, &(number, descending)) in order.iter().enumerate() {
            self.push(if position == 0 { " ORDER BY " } else { ", " });
            self.column(number);
            let nullable = self.entity.column(number).is_some_and(Column::nullable);
            self.push(self.dialect.direction(descending, nullable));
        }
    }
}
