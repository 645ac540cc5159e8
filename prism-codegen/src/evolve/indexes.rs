//! Changes of indexes. An index is known by what it orders, not by its name: that follows the
//! names of its fields.

use prism_schema::{Entity, Index, Managed};

use super::change::{Change, Kind, Level, Place};

/// What a database has to know of an index.
#[derive(PartialEq, Eq)]
struct Definition {
    unique: bool,
    /// Number, whether it is reversed, whether it may be NULL.
    parts: Vec<(u32, bool, bool)>,
    /// Only rows in which this field is absent.
    where_null: Option<u32>,
}

/// An index of two states; one of them at least.
pub(super) struct Pair<'a> {
    pub old: Option<&'a Index>,
    pub new: Option<&'a Index>,
}

/// The indexes of two states, the old ones first.
pub(super) fn pairs<'a>(old: &'a Entity, new: &'a Entity) -> Vec<Pair<'a>> {
    let orders =
        |one: &Index, other: &Index| one.columns == other.columns && one.unique == other.unique;
    let mut left: Vec<&Index> = new.indexes.iter().collect();
    let mut take = |wanted: &dyn Fn(&Index) -> bool| {
        let position = left.iter().position(|index| wanted(index))?;
        Some(left.remove(position))
    };
    let mut pairs: Vec<Pair<'a>> = old
        .indexes
        .iter()
        .map(|index| Pair { old: Some(index), new: take(&|other| orders(index, other)) })
        .collect();
    for pair in pairs.iter_mut().filter(|pair| pair.new.is_none()) {
        pair.new = take(&|other| pair.old.is_some_and(|index| index.name == other.name));
    }
    pairs.extend(left.into_iter().map(|index| Pair { old: None, new: Some(index) }));
    pairs
}

fn definition(entity: &Entity, index: &Index) -> Definition {
    let part = |number: u32, descending| {
        (number, descending, entity.column(number).is_some_and(|column| column.nullable()))
    };
    let deleted = entity.managed(Managed::DeleteTime).filter(|_| index.unique);
    Definition {
        unique: index.unique,
        parts: index.columns.iter().map(|it| part(it.number, it.descending)).collect(),
        where_null: deleted.map(|column| column.number),
    }
}

pub(super) fn changes(old: &Entity, new: &Entity) -> Vec<Change> {
    pairs(old, new).into_iter().filter_map(|pair| change(old, new, &pair)).collect()
}

fn change(old: &Entity, new: &Entity, pair: &Pair<'_>) -> Option<Change> {
    let before = pair.old.map(|index| definition(old, index));
    let after = pair.new.map(|index| definition(new, index));
    let index = pair.new.or(pair.old)?;
    let (kind, level, what, help) = match (&before, &after) {
        (Some(_), None) => (Kind::IndexRemoved, Level::Online, "removed", ""),
        (_, Some(_)) if zeros(old, new, index) => (
            Kind::UniqueOfZeros,
            Level::Error,
            "unique, and every record that is there would have the zero",
            "make a field of it `optional`: records without a value take no part",
        ),
        (_, Some(_)) if duplicates(old, new, pair) => (
            Kind::UniqueAdded,
            Level::Confirm,
            "unique from now on",
            "the migration stops where two records are equal in it",
        ),
        (None, Some(_)) => (Kind::IndexAdded, Level::Online, "added", ""),
        (Some(before), Some(after)) if before != after => {
            (Kind::IndexChanged, Level::Online, "changed", "")
        }
        _ if pair.old.map(|it| &it.name) != pair.new.map(|it| &it.name) => {
            (Kind::IndexRenamed, Level::Safe, "renamed", "")
        }
        _ => return None,
    };
    let entity = if pair.new.is_some() { new } else { old };
    Some(Change {
        namespace: new.namespace.clone(),
        path: index.name.clone(),
        kind,
        level,
        cause: format!("message {}, index on {}: {what}", new.message, fields(entity, index)),
        help: help.to_owned(),
        place: match pair.new {
            Some(index) => Place::Index(index.name.clone()),
            None => Place::Entity,
        },
    })
}

fn fields(entity: &Entity, index: &Index) -> String {
    let name = |part: &prism_schema::IndexColumn| {
        let field = &entity.column(part.number)?.field;
        Some(format!("{field}{}", if part.descending { " desc" } else { "" }))
    };
    index.columns.iter().filter_map(name).collect::<Vec<_>>().join(", ")
}

/// Whether a unique index is of new fields without presence alone.
fn zeros(old: &Entity, new: &Entity, index: &Index) -> bool {
    index.unique
        && index.columns.iter().all(|part| {
            old.column(part.number).is_none()
                && new.column(part.number).is_some_and(|column| !column.nullable())
        })
}

/// Whether records that are there can break a unique index: it is new, or it takes in more
/// records or fewer fields than before.
pub(super) fn duplicates(old: &Entity, new: &Entity, pair: &Pair<'_>) -> bool {
    let Some(index) = pair.new.filter(|index| index.unique) else { return false };
    let is_new = |number| old.column(number).is_none();
    let absent = |number| is_new(number) && new.column(number).is_some_and(|it| it.nullable());
    if index.columns.iter().any(|part| absent(part.number)) {
        return false;
    }
    let Some(before) = pair.old.filter(|before| before.unique) else { return true };
    let (before, after) = (definition(old, before), definition(new, index));
    let numbers = |definition: &Definition| -> Vec<u32> {
        let mut numbers: Vec<u32> = definition.parts.iter().map(|part| part.0).collect();
        numbers.sort_unstable();
        numbers
    };
    let stricter = |number: u32| {
        let nullable = |entity: &Entity| entity.column(number).is_some_and(|it| it.nullable());
        nullable(old) && !nullable(new)
    };
    numbers(&before) != numbers(&after)
        || before.where_null.is_some() && before.where_null != after.where_null
        || index.columns.iter().any(|part| stricter(part.number))
}
