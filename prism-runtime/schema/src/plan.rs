//! Which index, or the key, serves a list.
//!
//! The generator refuses a condition that nothing serves; the runtime refuses an order that
//! nothing serves under the conditions of one request; `prism explain` prints the choice.

use crate::{Binding, Entity, IndexColumn, Role};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    /// The columns by which it is ordered, without those that break ties.
    pub fn columns(self, entity: &Entity) -> Vec<IndexColumn> {
        match self {
            Access::Key => key_order(entity),
            Access::Index(position) => entity.indexes[position].columns.clone(),
        }
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

/// What serves a condition among `conditions`: the key or an index that has its column behind
/// none but columns that an equality fixes in every request.
pub fn serves(entity: &Entity, conditions: &[Condition], condition: &Condition) -> Option<Access> {
    let fixed = |number: u32| {
        conditions.iter().any(|other| {
            other.field == number && other.always && other.comparison == Comparison::Equals
        })
    };
    Access::all(entity).find(|access| {
        let columns = access.columns(entity);
        let position = columns.iter().position(|column| column.number == condition.field);
        position.is_some_and(|position| columns[..position].iter().all(|c| fixed(c.number)))
    })
}

/// Positions of the conditions that nothing serves.
pub fn unserved(entity: &Entity, conditions: &[Condition]) -> Vec<usize> {
    (0..conditions.len())
        .filter(|&position| serves(entity, conditions, &conditions[position]).is_none())
        .collect()
}

/// The fields that an equality among the conditions that hold fixes.
fn fixed_fields(holding: &[Condition]) -> Vec<u32> {
    holding
        .iter()
        .filter(|condition| condition.comparison == Comparison::Equals)
        .map(|condition| condition.field)
        .collect()
}

/// The columns by which an access orders, less those that are fixed.
fn remaining(entity: &Entity, access: Access, fixed: &[u32]) -> Vec<IndexColumn> {
    access.columns(entity).into_iter().filter(|c| !fixed.contains(&c.number)).collect()
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
    /// The whole order, ties broken by the key. Columns that an equality fixes are left out.
    pub order: Vec<IndexColumn>,
}

/// Plans a list under the conditions that hold. An empty `order` is the key's. `None` where
/// neither the key nor an index serves the order; see [`orders`] for those that are.
pub fn plan(entity: &Entity, holding: &[Condition], order: &[IndexColumn]) -> Option<Plan> {
    let fixed = fixed_fields(holding);
    let asked: Vec<IndexColumn> =
        order.iter().copied().filter(|column| !fixed.contains(&column.number)).collect();
    if asked.is_empty() {
        let order = remaining(entity, Access::Key, &fixed);
        let access = Access::all(entity)
            .max_by_key(|&access| {
                // The key wins a tie, and so does the earlier index.
                (bounds(entity, holding, access).len(), std::cmp::Reverse(rank(access)))
            })
            .unwrap_or(Access::Key);
        return Some(Plan { access, bounds: bounds(entity, holding, access), order });
    }
    let (access, backwards) = Access::all(entity).find_map(|access| {
        let declared = remaining(entity, access, &fixed);
        let forwards = follows(entity, &fixed, &declared, &asked, false);
        let backwards = || follows(entity, &fixed, &reversed(&declared), &asked, true);
        (forwards || backwards()).then_some((access, !forwards))
    })?;
    let ties = ties(entity, &fixed, &asked, backwards);
    let order = [asked, ties].concat();
    Some(Plan { access, bounds: bounds(entity, holding, access), order })
}

/// The parts of the key that break ties among records that are equal in some columns.
fn ties(
    entity: &Entity,
    fixed: &[u32],
    columns: &[IndexColumn],
    descending: bool,
) -> Vec<IndexColumn> {
    let open = |number: &&u32| {
        !fixed.contains(number) && columns.iter().all(|column| column.number != **number)
    };
    entity.key.iter().filter(open).map(|&number| IndexColumn { number, descending }).collect()
}

/// Whether an order is the beginning of these columns, and then any of the key's parts that break
/// its ties.
fn follows(
    entity: &Entity,
    fixed: &[u32],
    columns: &[IndexColumn],
    asked: &[IndexColumn],
    descending: bool,
) -> bool {
    let common = columns.iter().zip(asked).take_while(|(column, asked)| column == asked).count();
    (1..=common).any(|length| {
        let (beginning, rest) = asked.split_at(length);
        ties(entity, fixed, beginning, descending).starts_with(rest)
    })
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
    for column in access.columns(entity) {
        let on_column = |(_, condition): &(usize, &Condition)| condition.field == column.number;
        let here: Vec<_> = holding.iter().enumerate().filter(on_column).collect();
        found.extend(here.iter().map(|(position, _)| *position));
        if !here.iter().any(|(_, condition)| condition.comparison == Comparison::Equals) {
            break;
        }
    }
    found
}

/// The longest orders that are served under the conditions that hold, as in an `order_by`, with the
/// key's parts that break ties at the end. The beginning of one is served too, any of those parts
/// after it, and each of these wholly reversed.
pub fn orders(entity: &Entity, holding: &[Condition]) -> Vec<String> {
    let fixed = fixed_fields(holding);
    let mut found: Vec<String> = Vec::new();
    for access in Access::all(entity) {
        let columns = remaining(entity, access, &fixed);
        let ties = ties(entity, &fixed, &columns, false);
        let text = order_text(entity, &[columns, ties].concat());
        if !text.is_empty() && !found.contains(&text) {
            found.push(text);
        }
    }
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
