//! The slow walk of a request that is refused: it finds where the faults are.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::MAX_COLLECTED;
use super::tables::{Field, Kind, MessageId, Tables};
use super::walk::{MAX_DEPTH, Reader, Wire, is_member};
use crate::error::Violation;

/// Every field of the message that its type does not have, with path and number. The message has
/// been walked before: nothing in it is malformed.
pub(super) fn unknown_fields(tables: &Tables, message: MessageId, bytes: &[u8]) -> Vec<Violation> {
    let mut violations = Vec::new();
    visit(tables, message, bytes, &mut |path, finding| {
        match finding {
            Finding::UnknownField(number) => violations
                .push(Violation::new(path, format!("field number {number} is not in the schema"))),
            Finding::UnknownValue(number) => violations
                .push(Violation::new(path, format!("{number} is not a value of the enum"))),
            Finding::Text(_) => {}
        }
        if violations.len() < MAX_COLLECTED {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
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
    let _ = count.message(message, &mut Reader { rest: bytes });
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
    fn message(&mut self, id: MessageId, reader: &mut Reader<'_>) -> Option<()> {
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
            self.path.push(&field.name);
            if field.repeated {
                self.left = self.left.checked_sub(1)?;
                let path = &self.path;
                let found = self.found.entry((id, number));
                found.or_insert_with(|| (0, path.join("."))).0 += 1;
            }
            match &field.kind {
                Kind::Message(inner) => {
                    self.message(*inner, &mut Reader { rest: reader.delimited().ok()? })?;
                }
                Kind::Group(inner) => self.message(*inner, reader)?,
                _ => reader.skip(number, wire, 100).ok()?,
            }
            self.path.pop();
        }
        Some(())
    }
}

/// Path of the first text that is not UTF-8.
pub(super) fn first_bad_text(tables: &Tables, message: MessageId, bytes: &[u8]) -> Option<String> {
    let mut found = None;
    visit(tables, message, bytes, &mut |path, finding| match finding {
        Finding::Text(text) if std::str::from_utf8(text).is_err() => {
            found = Some(path);
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    found
}

enum Finding<'a> {
    UnknownField(u32),
    UnknownValue(i32),
    Text(&'a [u8]),
}

type Report<'r> = dyn FnMut(String, Finding<'_>) -> ControlFlow<()> + 'r;

fn visit(tables: &Tables, message: MessageId, bytes: &[u8], report: &mut Report<'_>) {
    let mut visit = Visit { tables, report };
    // Stopped by the report, or at bytes that are no message: what was found stands.
    let _ = visit.message(message, &mut Reader { rest: bytes }, "");
}

struct Visit<'a, 'r> {
    tables: &'a Tables,
    report: &'a mut Report<'r>,
}

impl Visit<'_, '_> {
    fn message(&mut self, id: MessageId, reader: &mut Reader<'_>, path: &str) -> Option<()> {
        let tables = self.tables;
        let mut counts: HashMap<u32, usize> = HashMap::new();
        while let Some((number, wire)) = reader.tag().ok()? {
            if wire == Wire::EndGroup {
                return Some(());
            }
            let Some(field) = tables.fields(id).field(number) else {
                self.report(join(path, &number.to_string()), Finding::UnknownField(number))?;
                reader.skip(number, wire, 100).ok()?;
                continue;
            };
            let count = counts.entry(number).or_default();
            let name = if field.repeated {
                format!("{}[{count}]", field.name)
            } else {
                field.name.clone()
            };
            *count += 1;
            self.field(field, wire, reader, join(path, &name))?;
        }
        Some(())
    }

    fn field(
        &mut self,
        field: &Field,
        wire: Wire,
        reader: &mut Reader<'_>,
        path: String,
    ) -> Option<()> {
        match (&field.kind, wire) {
            (Kind::Message(inner), _) => {
                let mut inner_reader = Reader { rest: reader.delimited().ok()? };
                self.message(*inner, &mut inner_reader, &path)
            }
            (Kind::Group(inner), _) => self.message(*inner, reader, &path),
            (Kind::Text, _) => self.report(path, Finding::Text(reader.delimited().ok()?)),
            (Kind::ClosedEnum(numbers), Wire::Varint) => {
                self.value(numbers, reader.varint().ok()?, &path)
            }
            (Kind::ClosedEnum(numbers), _) => {
                let mut values = Reader { rest: reader.delimited().ok()? };
                while !values.rest.is_empty() {
                    self.value(numbers, values.varint().ok()?, &path)?;
                }
                Some(())
            }
            _ => reader.skip(field.number, wire, 100).ok(),
        }
    }

    fn value(&mut self, numbers: &[i32], value: u64, path: &str) -> Option<()> {
        if is_member(numbers, value) {
            return Some(());
        }
        self.report(path.to_owned(), Finding::UnknownValue(value as i32))
    }

    fn report(&mut self, path: String, finding: Finding<'_>) -> Option<()> {
        (self.report)(path, finding).is_continue().then_some(())
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
