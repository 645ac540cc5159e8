//! Which index, or the key, serves a list.
//!
//! The generator refuses a condition that nothing serves; the runtime refuses an order that
//! nothing serves under the conditions of one request; `prism explain` prints the choice.

use crate::sql::Visibility;
use crate::{Access as FieldAccess, Binding, Column, Entity, IndexColumn, Managed, Role};

/// How a condition compares a column with what the request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// Equal.
    Equals,
    /// Greater than or equal.
    AtLeast,
    /// Less than.
    LessThan,
    /// Equal to one of several.
    AnyOf,
    /// Text or bytes that begin so.
    Prefix,
}

impl Comparison {
    /// The comparison that a request field's role asks for.
    pub const fn of(role: Role) -> Option<Comparison> {
        match role {
            Role::Equals => Some(Comparison::Equals),
            Role::AtLeast => Some(Comparison::AtLeast),
            Role::LessThan => Some(Comparison::LessThan),
            Role::AnyOf => Some(Comparison::AnyOf),
            Role::Prefix => Some(Comparison::Prefix),
            _ => None,
        }
    }
}

/// A condition of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Number of the entity's field.
    pub field: u32,
    /// How it is compared.
    pub comparison: Comparison,
    /// Whether it holds in every request: the request's field has no presence.
    pub always: bool,
}

/// The conditions that a bound List declares, in the order of the request's fields.
pub fn conditions(binding: &Binding) -> Vec<Condition> {
    let condition = |field: &crate::RequestField| {
        let comparison = Comparison::of(field.role)?;
        Some(Condition { field: field.field, comparison, always: !field.presence })
    };
    binding.request.iter().filter_map(condition).collect()
}

/// A way to find records in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// The primary key.
    Key,
    /// An index, by its position in [`Entity::indexes`].
    Index(usize),
}

impl Access {
    /// Every access of an entity, the key first.
    pub fn all(entity: &Entity) -> impl Iterator<Item = Access> {
        std::iter::once(Access::Key).chain((0..entity.indexes.len()).map(Access::Index))
    }

    /// The columns that are declared, without those that break ties.
    pub fn columns(self, entity: &Entity) -> Vec<IndexColumn> {
        match self {
            Access::Key => key_order(entity),
            Access::Index(position) => entity.indexes[position].columns.clone(),
        }
    }

    /// The columns by which it orders; see [`Index::order`](crate::Index::order).
    pub fn order(self, entity: &Entity) -> Vec<IndexColumn> {
        match self {
            Access::Key => key_order(entity),
            Access::Index(position) => entity.indexes[position].order(entity),
        }
    }

    /// Whether it is an index that holds every combination of values once.
    fn is_unique(self, entity: &Entity) -> bool {
        matches!(self, Access::Index(position) if entity.indexes[position].unique)
    }

    /// Whether it finds every record that is visible: a unique index leaves deleted ones out.
    fn holds(self, entity: &Entity, visibility: Visibility) -> bool {
        visibility == Visibility::Live
            || !self.is_unique(entity)
            || entity.managed(Managed::DeleteTime).is_none()
    }

    /// The index's name; "the key" where it is that.
    pub fn name(self, entity: &Entity) -> &str {
        match self {
            Access::Key => "the key",
            Access::Index(position) => &entity.indexes[position].name,
        }
    }
}

/// Ascending by the primary key: the order of a list that asks for none.
pub fn key_order(entity: &Entity) -> Vec<IndexColumn> {
    entity.key.iter().map(|&number| IndexColumn { number, descending: false }).collect()
}

/// What serves a condition among `conditions` on what is visible: the key or an index that has its
/// column behind none but columns that an equality fixes in every request.
pub fn serves(
    entity: &Entity,
    conditions: &[Condition],
    condition: &Condition,
    visibility: Visibility,
) -> Option<Access> {
    let fixed = |number: u32| {
        conditions.iter().any(|other| {
            other.field == number && other.always && other.comparison == Comparison::Equals
        })
    };
    Access::all(entity).filter(|access| access.holds(entity, visibility)).find(|access| {
        let columns = access.columns(entity);
        let position = columns.iter().position(|column| column.number == condition.field);
        position.is_some_and(|position| columns[..position].iter().all(|c| fixed(c.number)))
    })
}

/// Positions of the conditions that nothing serves.
pub fn unserved(entity: &Entity, conditions: &[Condition], visibility: Visibility) -> Vec<usize> {
    let served =
        |position: &usize| serves(entity, conditions, &conditions[*position], visibility).is_some();
    (0..conditions.len()).filter(|position| !served(position)).collect()
}

/// The fields that an equality among the conditions that hold fixes.
fn fixed_fields(holding: &[Condition]) -> Vec<u32> {
    holding
        .iter()
        .filter(|condition| condition.comparison == Comparison::Equals)
        .map(|condition| condition.field)
        .collect()
}

/// The columns of an order, less those that are fixed.
fn remaining(columns: Vec<IndexColumn>, fixed: &[u32]) -> Vec<IndexColumn> {
    columns.into_iter().filter(|column| !fixed.contains(&column.number)).collect()
}

fn reversed(columns: &[IndexColumn]) -> Vec<IndexColumn> {
    columns
        .iter()
        .map(|column| IndexColumn { number: column.number, descending: !column.descending })
        .collect()
}

/// How a list with these conditions and this order is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What finds the records.
    pub access: Access,
    /// Positions of the conditions that bound the search in it; the others filter what is found.
    pub bounds: Vec<usize>,
    /// The whole order, in which no two records are equal. Columns that an equality fixes are left
    /// out, and all of them if there is one record at most.
    pub order: Vec<IndexColumn>,
    /// Whether the access gives the records in this order, and a page visits those that it returns
    /// and no others, except for deleted and expired ones. If not, which is so for lists in the
    /// order of the key alone, the database chooses between a sort and a filter.
    pub ordered: bool,
}

impl Plan {
    /// Position of the index that gives the order, if one does.
    pub fn index(&self) -> Option<usize> {
        match self.access {
            Access::Index(position) if self.ordered => Some(position),
            _ => None,
        }
    }
}

/// Plans a list of what is visible, under the conditions that hold. An empty `order` is the key's,
/// which every list is served in. Any other order is served if one access gives it and is bounded
/// by all conditions: `None` if there is none. See [`orders`] for those that are served.
///
/// An order may name the first columns only. The access's remaining columns, down to the key,
/// then decide between records that are equal in those.
pub fn plan(
    entity: &Entity,
    holding: &[Condition],
    order: &[IndexColumn],
    visibility: Visibility,
) -> Option<Plan> {
    let fixed = fixed_fields(holding);
    let asked = remaining(order.to_vec(), &fixed);
    let by_key = remaining(key_order(entity), &fixed);
    if by_key.starts_with(&asked) {
        return Some(in_key_order(entity, holding, by_key, visibility));
    }
    Access::all(entity).find_map(|access| {
        let given = given(entity, holding, access, visibility)?;
        let backwards = reversed(&given);
        let order = [given, backwards].into_iter().find(|order| order.starts_with(&asked))?;
        let bounds = bounds(entity, holding, access);
        Some(Plan { access, bounds, order, ordered: true })
    })
}

/// The plan of a list in the order of the key.
fn in_key_order(
    entity: &Entity,
    holding: &[Condition],
    by_key: Vec<IndexColumn>,
    visibility: Visibility,
) -> Plan {
    let all = || Access::all(entity).filter(|access| access.holds(entity, visibility));
    let bounds = |access| bounds(entity, holding, access);
    let fixed = fixed_fields(holding);
    let one = |access: &Access| {
        access.is_unique(entity) && remaining(access.order(entity), &fixed).is_empty()
    };
    if let Some(access) = all().find(one) {
        return Plan { access, bounds: bounds(access), order: Vec::new(), ordered: true };
    }
    let gives = |access: &Access| {
        given(entity, holding, *access, visibility).is_some_and(|given| given == by_key)
    };
    if let Some(access) = all().find(gives) {
        return Plan { access, bounds: bounds(access), order: by_key, ordered: true };
    }
    let access = all()
        // The key wins a tie, and so does the earlier index.
        .max_by_key(|&access| (bounds(access).len(), std::cmp::Reverse(rank(access))))
        .unwrap_or(Access::Key);
    Plan { access, bounds: bounds(access), order: by_key, ordered: false }
}

/// The order in which an access gives the records that meet the conditions, if all of them bound
/// the search in it and the order is one that a caller may know of: without fields that no answer
/// shows.
///
/// Several values of a column do not count as a bound here: PostgreSQL reads them in the order of
/// the index only if the column is its first. Neither does a unique index in which several
/// records may be NULL: nothing in it orders those.
fn given(
    entity: &Entity,
    holding: &[Condition],
    access: Access,
    visibility: Visibility,
) -> Option<Vec<IndexColumn>> {
    let bounded = bounds(entity, holding, access).len() == holding.len()
        && holding.iter().all(|condition| condition.comparison != Comparison::AnyOf);
    let order = remaining(access.order(entity), &fixed_fields(holding));
    let shown = |column: &Column| column.access != FieldAccess::InputOnly;
    let present = |column: &Column| {
        !column.nullable() || holding.iter().any(|condition| condition.field == column.number)
    };
    let unique = access.is_unique(entity);
    let fits = |column: &Column| shown(column) && (!unique || present(column));
    let fit = order.iter().all(|it| entity.column(it.number).is_some_and(fits));
    (bounded && fit && access.holds(entity, visibility)).then_some(order)
}

fn rank(access: Access) -> usize {
    match access {
        Access::Key => 0,
        Access::Index(position) => position + 1,
    }
}

/// Positions of the conditions that bound a search: equalities on leading columns, then whatever
/// is said of the next one.
fn bounds(entity: &Entity, holding: &[Condition], access: Access) -> Vec<usize> {
    let mut found = Vec::new();
    for column in access.order(entity) {
        let on_column = |(_, condition): &(usize, &Condition)| condition.field == column.number;
        let here: Vec<_> = holding.iter().enumerate().filter(on_column).collect();
        found.extend(here.iter().map(|(position, _)| *position));
        if !here.iter().any(|(_, condition)| condition.comparison == Comparison::Equals) {
            break;
        }
    }
    found
}

/// An order that is served, at its longest. The beginning of it is served too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedOrder {
    /// Its columns, less those that an equality fixes.
    pub order: Vec<IndexColumn>,
    /// Whether it is also served wholly reversed.
    pub reversible: bool,
}

/// The orders that are served under the conditions that hold, that of the key first.
pub fn orders(entity: &Entity, holding: &[Condition], visibility: Visibility) -> Vec<ServedOrder> {
    let given = |access| given(entity, holding, access, visibility);
    let by_key = remaining(key_order(entity), &fixed_fields(holding));
    let reversible = Access::all(entity).any(|access| given(access).as_ref() == Some(&by_key));
    let mut found = vec![ServedOrder { order: by_key, reversible }];
    for order in Access::all(entity).filter_map(given) {
        if found.iter().all(|other| other.order != order) {
            found.push(ServedOrder { order, reversible: true });
        }
    }
    found.retain(|served| !served.order.is_empty());
    found
}

/// An order as an `order_by` says it: `status, create_time desc`.
pub fn order_text(entity: &Entity, order: &[IndexColumn]) -> String {
    let term = |column: &IndexColumn| {
        let field = entity.column(column.number).map_or("?", |column| column.field.as_str());
        if column.descending { format!("{field} desc") } else { field.to_owned() }
    };
    order.iter().map(term).collect::<Vec<_>>().join(", ")
}
