//! The text of a statement under construction: names, placeholders, predicates.

use std::collections::HashMap;

use super::page::Side;
use super::statement::{Parameter, Shape, Statement, Visibility};
use super::{Dialect, quote};
use crate::plan::Comparison;
use crate::{Column, Entity, Managed};

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
pub(super) struct Text<'a> {
    entity: &'a Entity,
    dialect: Dialect,
    pub(super) sql: String,
    parameters: Vec<Parameter>,
    /// Where each of them stands.
    positions: HashMap<Parameter, usize>,
}

impl<'a> Text<'a> {
    pub(super) fn new(entity: &'a Entity, dialect: Dialect) -> Self {
        let (sql, parameters, positions) = (String::new(), Vec::new(), HashMap::new());
        Text { entity, dialect, sql, parameters, positions }
    }

    pub(super) fn finish(self) -> Statement {
        Statement { sql: self.sql, parameters: self.parameters }
    }

    pub(super) fn push(&mut self, text: &str) {
        self.sql.push_str(text);
    }

    /// A separator, unless nothing was written since `start`.
    pub(super) fn and(&mut self, start: usize) {
        if self.sql.len() > start {
            self.push(" AND ");
        }
    }

    pub(super) fn comma(&mut self, start: usize) {
        if self.sql.len() > start {
            self.push(", ");
        }
    }

    pub(super) fn table(&mut self) {
        let table = quote(&self.entity.table);
        self.push(&table);
    }

    fn find(&self, number: u32) -> &'a Column {
        self.entity.column(number).expect("a resolved entity holds the columns it names")
    }

    pub(super) fn column(&mut self, number: u32) {
        let name = quote(&self.find(number).name);
        self.push(&name);
    }

    pub(super) fn columns(&mut self, numbers: &[u32]) {
        let start = self.sql.len();
        for &number in numbers {
            self.comma(start);
            self.column(number);
        }
    }

    /// Every stored column of the table.
    pub(super) fn select(&mut self) {
        self.push("SELECT ");
        self.all_columns();
        self.push(" FROM ");
        self.table();
    }

    pub(super) fn all_columns(&mut self) {
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
    pub(super) fn bind(&mut self, parameter: Parameter) {
        let next = self.parameters.len();
        let position = *self.positions.entry(parameter).or_insert(next);
        if position == next {
            self.parameters.push(parameter);
        }
        let placeholder = self.dialect.placeholder(position + 1);
        self.push(&placeholder);
    }

    pub(super) fn list(&mut self, count: usize, mut item: impl FnMut(&mut Self, usize)) {
        for position in 0..count {
            if position > 0 {
                self.push(", ");
            }
            item(self, position);
        }
    }

    pub(super) fn key_row(&mut self, row: usize) {
        let key = &self.entity.key;
        self.push("(");
        self.list(key.len(), |text, part| text.bind(Parameter::Key { row, number: key[part] }));
        self.push(")");
    }

    pub(super) fn key_is(&mut self) {
        let start = self.sql.len();
        for &number in &self.entity.key {
            self.and(start);
            self.column(number);
            self.push(" = ");
            self.bind(Parameter::Column(number));
        }
    }

    pub(super) fn visible(&mut self, visibility: Visibility) {
        // Something always stands before it: the key.
        self.visible_from(0, visibility);
    }

    /// The one place that hides deleted and expired records.
    pub(super) fn visible_from(&mut self, start: usize, visibility: Visibility) {
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

    /// Selects the keys of expired records. False where nothing expires.
    pub(super) fn expired(&mut self) -> bool {
        let entity = self.entity;
        self.push("SELECT ");
        self.columns(&entity.key);
        self.push(" FROM ");
        self.table();
        self.push(" WHERE ");
        let expires = self.is_expired();
        self.push(" LIMIT ");
        self.bind(Parameter::Limit);
        expires
    }

    /// What expired records meet. False where nothing expires.
    pub(super) fn is_expired(&mut self) -> bool {
        let start = self.sql.len();
        for (column, limit) in expiry(self.entity) {
            if self.sql.len() > start {
                self.push(" OR ");
            }
            self.push(&quote(column));
            self.push(" <= ");
            self.bind(limit);
        }
        self.sql.len() > start
    }

    pub(super) fn insert(&mut self) {
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

    /// A condition behind what was written since `start`. `beyond` says on which side of a value
    /// that meets the condition its column is anyway: the bound on that side is left out, so that
    /// it is not where the search begins.
    pub(super) fn condition(
        &mut self,
        start: usize,
        condition: usize,
        shape: &Shape,
        beyond: Option<Side>,
    ) {
        let value = |value| Parameter::Condition { condition, value };
        let (above, below) = (beyond == Some(Side::Greater), beyond == Some(Side::Less));
        let comparison = |text: &mut Self, operator: &str, position| {
            text.and(start);
            text.column(shape.field);
            text.push(operator);
            text.bind(value(position));
        };
        match shape.comparison {
            Comparison::Equals => comparison(self, " = ", 0),
            Comparison::AtLeast if above => {}
            Comparison::AtLeast => comparison(self, " >= ", 0),
            Comparison::LessThan if below => {}
            Comparison::LessThan => comparison(self, " < ", 0),
            Comparison::AnyOf => {
                self.and(start);
                self.column(shape.field);
                self.push(" IN (");
                self.list(shape.values, |text, position| text.bind(value(position)));
                self.push(")");
            }
            Comparison::Prefix => {
                if !above {
                    comparison(self, " >= ", 0);
                }
                if shape.values > 1 && !below {
                    comparison(self, " < ", 1);
                }
            }
        }
    }

    /// Greater, or less, than the last record in all columns of an order.
    pub(super) fn after_row(&mut self, order: &[(u32, bool)], side: Side) {
        let numbers: Vec<u32> = order.iter().map(|(number, _)| *number).collect();
        self.push("(");
        self.columns(&numbers);
        self.push(if side == Side::Less { ") < (" } else { ") > (" });
        self.list(order.len(), |text, position| text.bind(Parameter::After(position)));
        self.push(")");
    }

    /// Equal to the last record in a column of the order.
    pub(super) fn same(&mut self, number: u32, position: usize, null: bool) {
        self.column(number);
        if null {
            return self.push(" IS NULL");
        }
        self.push(" = ");
        self.bind(Parameter::After(position));
    }

    /// On one side of the last record in a column of the order.
    pub(super) fn beyond(&mut self, number: u32, position: usize, side: Side) {
        self.column(number);
        match side {
            Side::Present => return self.push(" IS NOT NULL"),
            Side::Null => return self.push(" IS NULL"),
            Side::Greater => self.push(" > "),
            Side::Less => self.push(" < "),
        }
        self.bind(Parameter::After(position));
    }

    /// Tells SQLite which index to read. SQLite does not know how many rows have which value, and
    /// may otherwise choose a sort, or a filter over all rows with the same first column.
    /// PostgreSQL knows it, and has no such clause.
    pub(super) fn indexed_by(&mut self, index: &str) {
        if self.dialect == Dialect::Sqlite {
            self.push(" INDEXED BY ");
            self.push(&quote(index));
        }
    }

    pub(super) fn order_by(&mut self, order: &[(u32, bool)]) {
        for (position, &(number, descending)) in order.iter().enumerate() {
            self.push(if position == 0 { " ORDER BY " } else { ", " });
            self.column(number);
            let nullable = self.entity.column(number).is_some_and(Column::nullable);
            self.push(self.dialect.direction(descending, nullable));
        }
    }
}
