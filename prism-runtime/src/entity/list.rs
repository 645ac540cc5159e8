//! Lists: which conditions and orders are served, and pages.

use super::collection::Collection;
use super::record::{decode_values, encode_values};
use super::request::Named;
use crate::schema::plan::{self, Comparison, Condition};
use crate::schema::sql::Visibility;
use crate::schema::{IndexColumn, Value};
use crate::store::entity::{Filter, ListQuery};
use crate::violations::Violations;
use crate::{Error, Result, Violation, page_token, path};

/// Records on a page that asks for no number.
const DEFAULT_PAGE_SIZE: i64 = 50;

/// Records on a page at most.
pub(crate) const MAX_PAGE_SIZE: i64 = 1_000;

/// Values of a condition that takes several, at most.
const MAX_ANY_OF: usize = 1_000;

/// A list as a call asks for it.
pub(crate) struct ListCall<'a> {
    /// What a page token is bound to beside the list itself: the method, and who calls it.
    pub scope: [&'a str; 2],
    /// The conditions that hold, with their values.
    pub conditions: Vec<Asked<'a>>,
    pub order_by: &'a str,
    pub page_size: i64,
    pub page_token: &'a str,
    pub show_deleted: bool,
    /// Names of the request's fields, for violations.
    pub names: Names<'a>,
}

/// A condition that holds.
pub(crate) struct Asked<'a> {
    pub condition: Condition,
    /// One value; any number for [`Comparison::AnyOf`]. NULL is one that no record has.
    pub values: Vec<Value>,
    /// Its field in the request.
    pub field: Named<'a>,
}

/// A list's fields in the request.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    pub order_by: Named<'a>,
    pub page_size: Named<'a>,
    pub page_token: Named<'a>,
}

/// A list that can be read.
pub(crate) struct PreparedList {
    /// What the store is asked for; none where nothing can match.
    pub query: Option<ListQuery>,
    /// What the token of the next page is bound to.
    binding: [u8; 32],
    /// Positions of the columns whose values are the place in the list.
    order: Vec<usize>,
}

impl PreparedList {
    /// Prepares a page of a request in which this was found to be wrong so far.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT of all that is wrong: a negative page size, an order that nothing serves,
    /// values that the store does not take. If nothing is, a token that is not of this list.
    pub fn new(
        collection: &Collection,
        call: ListCall<'_>,
        mut violations: Violations,
    ) -> Result<Self> {
        let names = call.names;
        if call.page_size < 0 {
            let field = names.page_size;
            violations.push(field.place(), Violation::new(field.name, "is negative"));
        }
        let limit = match call.page_size {
            0 => DEFAULT_PAGE_SIZE,
            size => size.min(MAX_PAGE_SIZE),
        };
        let holding: Vec<Condition> = call.conditions.iter().map(|asked| asked.condition).collect();
        let view = collection.view(call.show_deleted);
        let served = (&*holding, view.visibility);
        let plan = plan_of(collection, served, call.order_by, names.order_by.name);
        let plan = violations.absorb(names.order_by.place(), plan)?;
        let filters = filters(collection, call.conditions, &mut violations)?;
        violations.finish()?;
        let plan = plan.ok_or_else(|| Error::internal("a list without a fault has no plan"))?;
        let order = positions(collection, &plan.order);
        let binding = bind(call.scope, &filters, &order, call.show_deleted);
        let after = if call.page_token.is_empty() {
            None
        } else {
            let (tokens, name) = (&collection.shared.tokens, names.page_token.name);
            let opened = tokens.open(&binding, call.page_token, view.now_micros, name)?;
            // Of another version of the schema, where it does not fit.
            let fits = |values: &Vec<Value>| values.len() == order.len();
            let place = decode_values(&opened).filter(fits);
            Some(place.ok_or_else(|| page_token::invalid(name))?)
        };
        let columns = order.iter().map(|(position, _)| *position).collect();
        let nothing = filters.iter().any(|filter| filter.values.is_empty());
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let index = plan.index();
        let query = ListQuery { conditions: filters, order, index, after, limit, view };
        Ok(PreparedList { query: (!nothing).then_some(query), binding, order: columns })
    }

    /// The token of the page after a record.
    pub fn token(&self, collection: &Collection, last: &[Value]) -> Result<String> {
        let mut position = Vec::new();
        encode_values(last, &mut position);
        let now = collection.shared.clock.now_micros();
        collection.shared.tokens.seal(&self.binding, &position, now)
    }

    /// Says in the error of the record that a page would begin with how to go on after it:
    /// `next_page_token` in the metadata, empty if the list ends with the record. `place` is the
    /// record's, if there are others after it.
    pub fn unreadable(
        &self,
        collection: &Collection,
        error: Error,
        place: Option<&Vec<Value>>,
    ) -> Error {
        match place.map(|place| self.token(collection, place)).transpose() {
            Ok(token) => error.with_metadata("next_page_token", token.unwrap_or_default()),
            Err(error) => error,
        }
    }

    /// The place of a record in the list.
    pub fn place(&self, record: &super::record::Record) -> Vec<Value> {
        self.order.iter().map(|&column| record.0[column].clone()).collect()
    }
}

fn filters(
    collection: &Collection,
    conditions: Vec<Asked<'_>>,
    violations: &mut Violations,
) -> Result<Vec<Filter>> {
    let mut filters = Vec::with_capacity(conditions.len());
    for Asked { condition, values, field } in conditions {
        let Some(position) = collection.entity().position(condition.field) else {
            return Err(Error::internal("a condition names a field that is not stored"));
        };
        let any_of = condition.comparison == Comparison::AnyOf;
        for (at, value) in values.iter().enumerate() {
            let Some(what) = collection.unstorable(value) else { continue };
            let (place, path) = match any_of {
                true => (field.place().element(at), path::item(field.name, at)),
                false => (field.place(), field.name.to_owned()),
            };
            violations.push(place, Violation::new(path, what));
        }
        let mut values = values;
        values.retain(|value| !value.is_null());
        let values = if any_of { distinct(values, field, violations) } else { values };
        filters.push(Filter { position, comparison: condition.comparison, values });
    }
    Ok(filters)
}

/// The values as a set: what comes twice changes neither result nor token. That there are too many
/// is found out without sorting all of them.
fn distinct(values: Vec<Value>, field: Named<'_>, violations: &mut Violations) -> Vec<Value> {
    let mut distinct = Vec::new();
    let mut values = values.into_iter().peekable();
    while values.peek().is_some() {
        distinct.extend(values.by_ref().take(MAX_ANY_OF));
        distinct.sort_by(super::record::compare);
        distinct.dedup();
        if distinct.len() > MAX_ANY_OF {
            let what = format!("has more than {MAX_ANY_OF} different values");
            violations.push(field.place(), Violation::too_large(field.name, what));
            break;
        }
    }
    distinct
}

/// How a list with these conditions and this order is read.
fn plan_of(
    collection: &Collection,
    (holding, visibility): (&[Condition], Visibility),
    order_by: &str,
    name: &str,
) -> Result<plan::Plan> {
    let unserved = || unserved(collection, holding, visibility, name);
    let asked = parse_order(collection, order_by, name, unserved)?;
    plan::plan(collection.entity(), holding, &asked, visibility).ok_or_else(unserved)
}

fn positions(collection: &Collection, order: &[IndexColumn]) -> Vec<(usize, bool)> {
    let position = |column: &IndexColumn| {
        let position = collection.entity().position(column.number)?;
        Some((position, column.descending))
    };
    order.iter().filter_map(position).collect()
}

/// What a token is bound to, as a hash.
fn bind(
    scope: [&str; 2],
    filters: &[Filter],
    order: &[(usize, bool)],
    show_deleted: bool,
) -> [u8; 32] {
    let mut bytes = Vec::new();
    let number = |bytes: &mut Vec<u8>, number: usize| {
        bytes.extend_from_slice(&(number as u64).to_be_bytes());
    };
    for part in scope {
        number(&mut bytes, part.len());
        bytes.extend_from_slice(part.as_bytes());
    }
    number(&mut bytes, filters.len());
    for filter in filters {
        number(&mut bytes, filter.position);
        number(&mut bytes, filter.comparison as usize);
        number(&mut bytes, filter.values.len());
        encode_values(&filter.values, &mut bytes);
    }
    number(&mut bytes, order.len());
    for &(position, descending) in order {
        number(&mut bytes, position);
        bytes.push(u8::from(descending));
    }
    bytes.push(u8::from(show_deleted));
    *blake3::hash(&bytes).as_bytes()
}

/// The columns of an `order_by`: names with an optional ` desc`, separated by commas.
/// <https://google.aip.dev/132#ordering>
fn parse_order(
    collection: &Collection,
    text: &str,
    name: &str,
    unserved: impl Fn() -> Error,
) -> Result<Vec<IndexColumn>> {
    let mut order: Vec<IndexColumn> = Vec::new();
    if text.trim().is_empty() {
        return Ok(order);
    }
    for term in text.split(',') {
        let mut words = term.split_ascii_whitespace();
        let column = words.next().and_then(|field| collection.entity().column_of_field(field));
        let descending = match (words.next(), words.next()) {
            (None, _) => Some(false),
            (Some(word), None) if word.eq_ignore_ascii_case("asc") => Some(false),
            (Some(word), None) if word.eq_ignore_ascii_case("desc") => Some(true),
            _ => None,
        };
        let (Some(column), Some(descending)) = (column, descending) else {
            return Err(unserved());
        };
        if order.iter().any(|other| other.number == column.number) {
            return Err(Error::invalid_field(name, "names a field twice"));
        }
        order.push(IndexColumn { number: column.number, descending });
    }
    Ok(order)
}

fn unserved(
    collection: &Collection,
    holding: &[Condition],
    visibility: Visibility,
    name: &str,
) -> Error {
    let entity = collection.entity();
    let orders = plan::orders(entity, holding, visibility);
    let texts = |reversible: bool| {
        let texts = orders.iter().filter(|served| served.reversible == reversible);
        let texts = texts.map(|served| format!("\"{}\"", plan::order_text(entity, &served.order)));
        texts.collect::<Vec<_>>().join(" or ")
    };
    let accepted = match (texts(true), texts(false)) {
        (both, one) if both.is_empty() && one.is_empty() => "the list takes no order".to_owned(),
        (both, one) if one.is_empty() => {
            format!("the list takes the beginning of {both}, as it stands or wholly reversed")
        }
        (both, one) if both.is_empty() => {
            format!("the list takes the beginning of {one}, as it stands")
        }
        (both, one) => format!(
            "the list takes the beginning of {both}, as it stands or wholly reversed, or of {one}, \
             as it stands"
        ),
    };
    let what = format!(
        "is not an order that the key or an index serves with these conditions; {accepted}"
    );
    Error::invalid_field(name, what)
}

/// The values that bound a prefix: from this one and, where there is one, below that one.
pub(crate) fn prefix_bounds(prefix: &Value) -> (Value, Option<Value>) {
    let end = match prefix {
        Value::Text(text) => next_text(text).map(Value::Text),
        Value::Blob(bytes) => next_bytes(bytes).map(Value::Blob),
        _ => None,
    };
    (prefix.clone(), end)
}

/// The smallest text, in the order of code points, after every text with a prefix.
fn next_text(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // Surrogates are no characters; their place in the order is empty.
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            last => char::from_u32(last as u32 + 1),
        };
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

fn next_bytes(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = prefix.to_vec();
    while let Some(last) = bytes.pop() {
        if last < u8::MAX {
            bytes.push(last + 1);
            return Some(bytes);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_what_no_longer_begins_with_it() {
        assert_eq!(next_text("ab").as_deref(), Some("ac"));
        assert_eq!(next_text("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(next_text("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(next_text("\u{10ffff}"), None);
        assert_eq!(next_text(""), None);
        assert_eq!(next_bytes(&[1, 255]), Some(vec![2]));
        assert_eq!(next_bytes(&[255]), None);
    }
}
