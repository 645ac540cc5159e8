//! The slow walk of a request that is refused: it finds where the faults are.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::tables::{Field, Kind, MessageId, Tables};
use super::walk::{MAX_DEPTH, Reader, Wire, is_member};
use crate::Reason;
use crate::entity::wire::{Scalar, entry, shown_key};
use crate::error::Violation;
use crate::path;
use crate::violations::Violations;

/// Every field of the message that its type does not have, with path and number. The message has
/// been walked before: nothing in it is malformed.
pub(super) fn unknown_fields(tables: &Tables, message: MessageId, bytes: &[u8]) -> Violations {
    let mut violations = Violations::default();
    visit(tables, message, bytes, &mut |path, finding| {
        let what = match finding {
            Finding::UnknownField(number) => format!("field number {number} is not in the schema"),
            Finding::UnknownValue(number) => format!("{number} is not a value of the enum"),
            Finding::Text(_) | Finding::Key(_) => return ControlFlow::Continue(()),
        };
        violations.push_rule(Violation::of(Reason::UnknownField, path, what));
        if violations.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    violations
}

/// Elements that are looked at to find the field that has the most of them.
const MAX_COUNTED: usize = 100_000;

/// Name of the repeated field that has the most elements, below all fields that lead to it, among
/// the first [`MAX_COUNTED`].
pub(super) fn most_elements(tables: &Tables, message: MessageId, bytes: &[u8]) -> String {
    let mut count = Count { tables, path: Vec::new(), left: MAX_COUNTED, found: HashMap::new() };
    // Stopped at the limit: what was counted stands.
    let _ = count.message(message, &mut Reader { rest: bytes }, false);
    let most = count.found.into_values().max_by_key(|(elements, _)| *elements);
    most.map_or_else(String::new, |(_, path)| path)
}

struct Count<'a> {
    tables: &'a Tables,
    /// Names of the fields that lead to what is read.
    path: Vec<&'a str>,
    left: usize,
    found: HashMap<(MessageId, u32), (usize, String)>,
}

impl Count<'_> {
    /// The fields of a map's entry do not stand in paths.
    fn message(&mut self, id: MessageId, reader: &mut Reader<'_>, is_entry: bool) -> Option<()> {
        let tables = self.tables;
        while let Some((number, wire)) = reader.tag().ok()? {
            if wire == Wire::EndGroup {
                return Some(());
            }
            let Some(field) = tables.fields(id).field(number) else {
                reader.skip(number, wire, 100).ok()?;
                continue;
            };
            if self.path.len() == MAX_DEPTH {
                return None;
            }
            self.path.push(if is_entry { "" } else { &field.name });
            if field.repeated {
                self.left = self.left.checked_sub(1)?;
                let path = &self.path;
                let found = self.found.entry((id, number));
                found.or_insert_with(|| (0, joined(path))).0 += 1;
            }
            match &field.kind {
                Kind::Message(inner) => {
                    let mut inner_reader = Reader { rest: reader.delimited().ok()? };
                    self.message(*inner, &mut inner_reader, field.map_key.is_some())?;
                }
                Kind::Group(inner) => self.message(*inner, reader, false)?,
                _ => reader.skip(number, wire, 100).ok()?,
            }
            self.path.pop();
        }
        Some(())
    }
}

/// The names that stand in a path.
fn joined(names: &[&str]) -> String {
    let names: Vec<&str> = names.iter().copied().filter(|name| !name.is_empty()).collect();
    names.join(".")
}

/// A text that is not UTF-8.
pub(super) enum BadText {
    /// The field at this path.
    Value(String),
    /// A key of the map at this path.
    Key(String),
}

/// The first text that is not UTF-8.
pub(super) fn first_bad_text(tables: &Tables, message: MessageId, bytes: &[u8]) -> Option<BadText> {
    let mut found = None;
    visit(tables, message, bytes, &mut |path, finding| {
        found = match finding {
            Finding::Text(text) if std::str::from_utf8(text).is_err() => Some(BadText::Value(path)),
            Finding::Key(text) if std::str::from_utf8(text).is_err() => Some(BadText::Key(path)),
            _ => return ControlFlow::Continue(()),
        };
        ControlFlow::Break(())
    });
    found
}

enum Finding<'a> {
    UnknownField(u32),
    UnknownValue(i32),
    Text(&'a [u8]),
    /// The key of a map's entry; the path is the map's.
    Key(&'a [u8]),
}

type Report<'r> = dyn FnMut(String, Finding<'_>) -> ControlFlow<()> + 'r;

fn visit(tables: &Tables, message: MessageId, bytes: &[u8], report: &mut Report<'_>) {
    let mut visit = Visit { tables, report };
    let above = Above { path: "", mask: None };
    // Stopped by the report, or at bytes that are no message: what was found stands.
    let _ = visit.message(message, &mut Reader { rest: bytes }, above);
}

struct Visit<'a, 'r> {
    tables: &'a Tables,
    report: &'a mut Report<'r>,
}

/// Where the visit is.
#[derive(Clone, Copy)]
struct Above<'p> {
    path: &'p str,
    /// What is shown in place of the keys of maps.
    mask: Option<&'p str>,
}

impl Visit<'_, '_> {
    fn message(&mut self, id: MessageId, reader: &mut Reader<'_>, above: Above<'_>) -> Option<()> {
        let tables = self.tables;
        let mut counts: HashMap<u32, usize> = HashMap::new();
        while let Some((number, wire)) = reader.tag().ok()? {
            if wire == Wire::EndGroup {
                return Some(());
            }
            let Some(field) = tables.fields(id).field(number) else {
                self.unknown(number, wire, reader, above.path)?;
                continue;
            };
            let path = path::join(above.path, &field.name);
            let here = Above { path: &path, mask: field.mask.as_deref().or(above.mask) };
            if let (Some(key), Kind::Message(entry)) = (field.map_key, &field.kind) {
                self.entry(*entry, key, reader.delimited().ok()?, here)?;
            } else if field.repeated {
                let count = counts.entry(number).or_default();
                self.items(field, wire, reader, count, here)?;
            } else {
                self.value(field, wire, reader, here)?;
            }
        }
        Some(())
    }

    fn unknown(
        &mut self,
        number: u32,
        wire: Wire,
        reader: &mut Reader<'_>,
        path: &str,
    ) -> Option<()> {
        let path = path::join(path, &number.to_string());
        self.report(path, Finding::UnknownField(number))?;
        reader.skip(number, wire, 100).ok()
    }

    /// An entry of a map, whose value is at the path of its key.
    fn entry(&mut self, id: MessageId, key: Scalar, bytes: &[u8], map: Above<'_>) -> Option<()> {
        let tables = self.tables;
        let found = entry(key, bytes).ok();
        let path = found.map(|(found, _)| path::entry(map.path, &shown_key(key, found), map.mask));
        let path = path.unwrap_or_else(|| map.path.to_owned());
        let mut reader = Reader { rest: bytes };
        while let Some((number, wire)) = reader.tag().ok()? {
            match (number, tables.fields(id).field(number)) {
                (1, Some(Field { kind: Kind::Text, .. })) => {
                    let text = reader.delimited().ok()?;
                    self.report(map.path.to_owned(), Finding::Key(text))?;
                }
                (_, Some(field)) => {
                    self.value(field, wire, &mut reader, Above { path: &path, ..map })?;
                }
                (_, None) => self.unknown(number, wire, &mut reader, &path)?,
            }
        }
        Some(())
    }

    /// An occurrence of a repeated field: one item, or packed ones. `count` is how many came before.
    fn items(
        &mut self,
        field: &Field,
        wire: Wire,
        reader: &mut Reader<'_>,
        count: &mut usize,
        list: Above<'_>,
    ) -> Option<()> {
        if let (Kind::ClosedEnum(numbers), Wire::Length) = (&field.kind, wire) {
            let mut values = Reader { rest: reader.delimited().ok()? };
            while !values.rest.is_empty() {
                let value = values.varint().ok()?;
                self.enum_value(numbers, value, || path::item(list.path, *count))?;
                *count += 1;
            }
            return Some(());
        }
        let path = path::item(list.path, *count);
        *count += 1;
        self.value(field, wire, reader, Above { path: &path, ..list })
    }

    fn value(
        &mut self,
        field: &Field,
        wire: Wire,
        reader: &mut Reader<'_>,
        above: Above<'_>,
    ) -> Option<()> {
        match (&field.kind, wire) {
            (Kind::Message(inner), _) => {
                let mut inner_reader = Reader { rest: reader.delimited().ok()? };
                self.message(*inner, &mut inner_reader, above)
            }
            (Kind::Group(inner), _) => self.message(*inner, reader, above),
            (Kind::Text, _) => {
                let text = reader.delimited().ok()?;
                self.report(above.path.to_owned(), Finding::Text(text))
            }
            (Kind::ClosedEnum(numbers), Wire::Varint) => {
                let value = reader.varint().ok()?;
                self.enum_value(numbers, value, || above.path.to_owned())
            }
            _ => reader.skip(field.number, wire, 100).ok(),
        }
    }

    fn enum_value(
        &mut self,
        numbers: &[i32],
        value: u64,
        path: impl FnOnce() -> String,
    ) -> Option<()> {
        if is_member(numbers, value) {
            return Some(());
        }
        self.report(path(), Finding::UnknownValue(value as i32))
    }

    fn report(&mut self, path: String, finding: Finding<'_>) -> Option<()> {
        (self.report)(path, finding).is_continue().then_some(())
    }
}
