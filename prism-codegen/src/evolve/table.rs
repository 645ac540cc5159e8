//! What a change means for the table of an entity: the same for both dialects.

use prism_schema::sql::alter::{Rows, Source};
use prism_schema::sql::ddl::{self, Step, TableColumn};
use prism_schema::sql::rewrite::Conversion;
use prism_schema::{Cardinality, Column, Entity, FieldType, Managed, Storage};

use super::change::Change;
use super::compare::{moved, renamed_within};
use super::indexes::{self, Pair};
use super::renames;

/// A table that stays, before and after.
pub(super) struct Table<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its columns: those that stay or go in the old order, then the new ones.
    pub columns: Vec<TableChange>,
    /// Its indexes, the old ones first.
    pub indexes: Vec<IndexChange>,
    /// What must not be in it, with the reason.
    pub refused: Vec<Refused>,
    /// Names that fields had before.
    pub retired_names: &'a [String],
    pub old: &'a Entity,
    pub new: &'a Entity,
    changes: Vec<&'a Change>,
}

/// A column before and after.
pub(super) struct TableChange {
    /// The proto changes that cause it.
    pub causes: Vec<String>,
    pub old: Option<TableColumn>,
    pub new: Option<TableColumn>,
    /// What it holds afterwards, by the old names. `None`: its default.
    pub source: Option<Source>,
}

impl TableChange {
    /// Whether the column's type, NULL or default change.
    pub fn redefined(&self) -> bool {
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => {
                (old.ty, old.nullable, old.default) != (new.ty, new.nullable, new.default)
            }
            _ => false,
        }
    }

    /// Whether its values are written anew, by a rewriting copy.
    pub fn rewritten(&self) -> bool {
        self.source.as_ref().is_some_and(Source::is_rewritten)
    }

    /// Whether what it holds is computed.
    pub fn computed(&self) -> bool {
        !matches!(self.source, None | Some(Source::Column(_)))
            || self.old.is_none() && self.source.is_some()
    }
}

/// An index before and after, as the statement that makes it.
pub(super) struct IndexChange {
    pub causes: Vec<String>,
    pub old: Option<Step>,
    pub new: Option<Step>,
}

/// Rows that stop a migration.
pub(super) struct Refused {
    pub cause: String,
    pub reason: String,
    pub rows: Rows,
}

impl<'a> Table<'a> {
    pub fn new(old: &'a Entity, new: &'a Entity, changes: &'a [Change]) -> Self {
        let changes = changes.iter().filter(|it| it.namespace == new.namespace).collect();
        let mut table = Table {
            name: &new.table,
            columns: Vec::new(),
            indexes: Vec::new(),
            refused: Vec::new(),
            retired_names: &[],
            old,
            new,
            changes,
        };
        table.columns();
        table.indexes();
        table.oneofs();
        table
    }

    /// Whether values have to be written anew that no plain statement should write.
    pub fn is_rewritten(&self) -> bool {
        self.columns.iter().any(TableChange::rewritten)
    }

    /// The changes for which values are written anew.
    pub fn causes_of_rewrite(&self) -> Vec<String> {
        let rewritten = self.columns.iter().filter(|column| column.rewritten());
        rewritten.flat_map(|column| column.causes.iter().cloned()).collect()
    }

    /// The statement that makes the new table.
    pub fn create(&self) -> Option<Step> {
        ddl::create(self.new).into_iter().next()
    }

    fn columns(&mut self) {
        for column in &self.old.columns {
            let now = self.new.column(column.number);
            self.columns.push(TableChange {
                causes: self.causes_of_field(column.number),
                old: Some(ddl::table_column(column)),
                new: now.map(ddl::table_column),
                source: now.map(|now| self.source(column, now)),
            });
        }
        for column in &self.new.columns {
            if self.old.column(column.number).is_none() {
                let written = self
                    .old
                    .last_write_column()
                    .filter(|_| column.managed == Some(Managed::UpdateTime));
                self.columns.push(TableChange {
                    causes: self.causes_of_field(column.number),
                    old: None,
                    new: Some(ddl::table_column(column)),
                    source: written.map(|name| Source::Column(name.to_owned())),
                });
            }
        }
        self.last_write();
    }

    /// Prism's own column with the time of the last write.
    fn last_write(&mut self) {
        let own = |entity: &Entity| {
            let name = entity.last_write_column()?;
            ddl::table_columns(entity).into_iter().find(|column| column.name == name)
        };
        let (old, new) = (own(self.old), own(self.new));
        let source = match (&old, &new) {
            (None, None) => return,
            (Some(column), Some(_)) => Some(Source::Column(column.name.clone())),
            (_, None) => None,
            (None, Some(_)) => Some(Source::Now),
        };
        let mut causes: Vec<String> = self.causes(|change| change.path.is_empty());
        if causes.is_empty() {
            causes = self.causes(|_| true);
        }
        self.columns.push(TableChange { causes, old, new, source });
    }

    fn source(&self, old: &Column, new: &Column) -> Source {
        let name = old.name.clone();
        let (ty, zero) = (ddl::column_type(old), ddl::zero(old));
        let widened = (&old.ty, &new.ty) == (&FieldType::Uint32, &FieldType::Uint64);
        let changes = self.changes.iter().copied();
        if old.storage != new.storage || renamed_within(old, changes, &self.new.namespace) {
            let (from, to) = (old.storage, new.storage);
            Source::Converted(Conversion { source: name, field: new.number, from, to })
        } else if widened && new.storage == Storage::Native {
            Source::Widened(name)
        } else if old.nullable() && !new.nullable() {
            Source::OrZero(name, ty, zero)
        } else if !old.nullable()
            && new.nullable()
            && old.cardinality == Cardinality::Implicit
            && moved(self.old, self.new, new.number)
        {
            Source::ZeroAsNull(name, ty, zero)
        } else {
            Source::Column(name)
        }
    }

    fn indexes(&mut self) {
        for pair in indexes::pairs(self.old, self.new) {
            let old = pair.old.map(|index| ddl::create_index(self.old, index));
            let new = pair.new.map(|index| ddl::create_index(self.new, index));
            if indexes::duplicates(self.old, self.new, &pair) {
                self.refused.extend(self.equal(&pair));
            }
            let name = pair.new.or(pair.old).map(|index| index.name.as_str()).unwrap_or_default();
            let mut causes = self.causes(|change| change.path == name);
            if causes.is_empty() {
                let fields = pair.new.map(|index| index.columns.clone()).unwrap_or_default();
                for part in fields {
                    causes.extend(self.causes_of_field(part.number));
                }
            }
            self.indexes.push(IndexChange { causes, old, new });
        }
        self.sweep_indexes();
    }

    /// Prism's own indexes, by which the sweep finds the records that are gone. One has the same
    /// name before and after, whatever column it is of.
    fn sweep_indexes(&mut self) {
        let mut left: Vec<Step> = ddl::sweep_indexes(self.new).collect();
        let old = ddl::sweep_indexes(self.old).map(|old| {
            let same = |new: &Step| renames::index_name(new) == renames::index_name(&old);
            let new = left.iter().position(same).map(|position| left.remove(position));
            (Some(old), new)
        });
        let mut pairs: Vec<_> = old.collect();
        pairs.extend(left.into_iter().map(|new| (None, Some(new))));
        let mut causes = self.causes(|change| change.path.is_empty());
        if causes.is_empty() {
            causes = self.causes(|_| true);
        }
        self.indexes.extend(pairs.into_iter().map(|(old, new)| IndexChange {
            causes: causes.clone(),
            old,
            new,
        }));
    }

    fn equal(&self, pair: &Pair<'_>) -> Option<Refused> {
        let index = pair.new?;
        let parts = index.columns.iter();
        let values = parts
            .filter_map(|part| {
                Some(self.source(self.old.column(part.number)?, self.new.column(part.number)?))
            })
            .collect();
        let deleted = self.new.managed(Managed::DeleteTime);
        let deleted = deleted.and_then(|column| self.old.column(column.number));
        let causes = self.causes(|change| change.path == index.name);
        Some(Refused {
            cause: causes.into_iter().next().unwrap_or_default(),
            reason: format!("{}: two records are equal in {}", self.name, index.name),
            rows: Rows::Equal { values, where_null: deleted.map(|column| column.name.clone()) },
        })
    }

    fn oneofs(&mut self) {
        let mut seen = Vec::new();
        for column in &self.new.columns {
            let Some(oneof) = &column.oneof else { continue };
            if seen.contains(&oneof) || !moved(self.old, self.new, column.number) {
                continue;
            }
            seen.push(oneof);
            let members = self.new.columns.iter().filter(|it| it.oneof.as_ref() == Some(oneof));
            let set = |now: &Column| {
                let old = self.old.column(now.number)?;
                let source = self.source(old, now);
                let rewritten = source.is_rewritten();
                Some(if rewritten { Source::Column(old.name.clone()) } else { source })
            };
            let values: Vec<Source> = members.filter_map(set).collect();
            if values.len() > 1 {
                self.refused.push(Refused {
                    cause: self
                        .causes_of_field(column.number)
                        .into_iter()
                        .next()
                        .unwrap_or_default(),
                    reason: format!("{}: two members of oneof {oneof} are set", self.name),
                    rows: Rows::SeveralSet(values),
                });
            }
        }
    }

    fn causes_of_field(&self, number: u32) -> Vec<String> {
        let path = number.to_string();
        self.causes(|change| change.path == path)
    }

    fn causes(&self, wanted: impl Fn(&Change) -> bool) -> Vec<String> {
        let found = self.changes.iter().filter(|change| wanted(change));
        found.map(|change| change.cause.clone()).collect()
    }
}
