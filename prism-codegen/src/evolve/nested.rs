//! Changes inside of the messages and enums that a stored field is made of.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Change, Kind, Level, Place, REWRITTEN};
use super::lock::{Lock, LockedField, Named, Retired};

/// Compares what a column's type is made of.
pub(super) struct Nested<'a> {
    pub old: &'a Lock,
    pub new: &'a Lock,
    pub namespace: String,
    /// Number of the column's field.
    pub column: u32,
    /// Whether the column holds JSON.
    pub json: bool,
    /// Numbers from the column down to what is compared.
    pub path: String,
    /// Pairs of types that were compared, or are being compared.
    pub compared: BTreeSet<(String, String)>,
    pub found: &'a mut Vec<Change>,
}

impl Nested<'_> {
    fn push(&mut self, number: i64, kind: Kind, level: Level, cause: String, help: &str) {
        self.found.push(Change {
            namespace: self.namespace.clone(),
            path: format!("{}.{number}", self.path),
            kind,
            level,
            cause,
            help: help.to_owned(),
            place: Place::Field(self.column),
        });
    }

    pub fn message(&mut self, old: &str, new: &str) {
        if !self.compared.insert((old.to_owned(), new.to_owned())) {
            return;
        }
        let (old_lock, new_lock) = (self.old, self.new);
        let empty = BTreeMap::new();
        let before = old_lock.messages.get(old).unwrap_or(&empty);
        let after = new_lock.messages.get(new).unwrap_or(&empty);
        if self.merged(old, new, before, &old_lock.messages) {
            self.types_merged(new);
        }
        self.members(new, before, after);
        let retired = new_lock.retired.get(new).cloned().unwrap_or_default();
        for (number, field) in before {
            match after.get(number) {
                Some(now) => self.field(new, *number, field, now),
                None => self.field_removed(new, *number, &field.name, &retired),
            }
        }
        let retired = old_lock.retired.get(old).cloned().unwrap_or_default();
        for (number, field) in after.iter().filter(|(number, _)| !before.contains_key(number)) {
            let number = i64::from(*number);
            let name = &field.name;
            let cause = |what: &str| format!("message {new}, field {name} = {number}: {what}");
            let other = before.values().any(|other| other.name == *name);
            if retired.has_number(number) || retired.has_name(name) || other {
                let cause = cause("its number or name was used or reserved before");
                let help = "take a number and a name that were never used";
                self.push(number, Kind::FieldReused, Level::Error, cause, help);
            } else {
                self.push(number, Kind::FieldAdded, Level::Safe, cause("added"), "");
            }
        }
    }

    fn field_removed(&mut self, message: &str, number: u32, name: &str, retired: &Retired) {
        let cause = format!("message {message}, field {name} = {number}: removed");
        if retired.has_number(number.into()) && retired.has_name(name) {
            let help = match self.json {
                true => format!("stored values lose it: {REWRITTEN}"),
                false => "stored values keep it until they are written again, and nothing reads it"
                    .to_owned(),
            };
            self.push(number.into(), Kind::FieldRemoved, Level::Confirm, cause, &help);
        } else {
            let help =
                format!("add `reserved {number};` and `reserved \"{name}\";` to `{message}`");
            let cause = cause + ", and not reserved";
            self.push(number.into(), Kind::FieldNotReserved, Level::Error, cause, &help);
        }
    }

    fn field(&mut self, message: &str, number: u32, before: &LockedField, after: &LockedField) {
        let cause =
            |what: &str| format!("message {message}, field {} = {number}: {what}", after.name);
        let at = i64::from(number);
        let json_renamed = self.json && before.json_name() != after.json_name();
        if before.name != after.name || json_renamed {
            let cause = cause(&match before.name == after.name {
                true => format!("its JSON name was {}", before.json_name()),
                false => format!("renamed from {}", before.name),
            });
            match json_renamed {
                true => self.push(at, Kind::FieldRenamed, Level::Confirm, cause, REWRITTEN),
                false => self.push(at, Kind::FieldRenamed, Level::Safe, cause, ""),
            }
        }
        let what = format!("its type was {} and is {}", before.declared(), after.declared());
        let differs = |label: &str| (before.label == label) != (after.label == label);
        if differs("repeated") || differs("required") {
            self.type_changed(at, cause(&what));
            return;
        }
        let outer = std::mem::take(&mut self.path);
        self.path = format!("{outer}.{number}");
        let known = match (self.old.kind(&before.ty), self.new.kind(&after.ty)) {
            (Named::Message, Named::Message) if same_meaning(&before.ty, &after.ty) => {
                self.message(&before.ty, &after.ty);
                true
            }
            (Named::Enum, Named::Enum) => {
                self.enumeration(&before.ty, &after.ty);
                true
            }
            _ => before.ty == after.ty,
        };
        self.path = outer;
        let widened = [("int32", "int64"), ("sint32", "sint64"), ("uint32", "uint64")];
        if widened.contains(&(&before.ty, &after.ty)) {
            self.push(at, Kind::TypeWidened, Level::Safe, cause(&what), "");
        } else if !known {
            self.type_changed(at, cause(&what));
        } else if before.label != after.label {
            let (kind, what) = match after.label.is_empty() {
                true => (Kind::PresenceRemoved, "has no presence any more"),
                false => (Kind::PresenceAdded, "has presence now"),
            };
            self.push(at, kind, Level::Safe, cause(what), "");
        }
    }

    /// Members that moved into or out of a oneof, by its numbers: its name does not count.
    fn members(
        &mut self,
        message: &str,
        before: &BTreeMap<u32, LockedField>,
        after: &BTreeMap<u32, LockedField>,
    ) {
        let siblings = |fields: &BTreeMap<u32, LockedField>, oneof: &Option<String>| {
            let with = |(number, field): (&u32, &LockedField)| {
                let known = before.contains_key(number) && after.contains_key(number);
                (known && field.oneof == *oneof).then_some(*number)
            };
            fields.iter().filter_map(with).collect::<Vec<u32>>()
        };
        for (number, field) in before {
            let Some(now) = after.get(number) else { continue };
            let what = match (&field.oneof, &now.oneof) {
                (None, Some(oneof)) => format!("moved into oneof {oneof}"),
                (Some(oneof), None) => format!("moved out of oneof {oneof}"),
                (Some(_), Some(oneof))
                    if siblings(before, &field.oneof) != siblings(after, &now.oneof) =>
                {
                    format!("moved into oneof {oneof}")
                }
                _ => continue,
            };
            let cause = format!("message {message}, field {} = {number}: {what}", now.name);
            let help = match self.json {
                true => {
                    "stored values stay as they are: a record in which two members are set \
                         cannot be read any more"
                }
                false => {
                    "stored values stay as they are: of two members that are set, the last \
                          is read"
                }
            };
            self.push((*number).into(), Kind::OneofChanged, Level::Confirm, cause, help);
        }
    }

    /// Whether another type of before, with other names, became the same new one.
    fn merged<T: PartialEq>(
        &self,
        old: &str,
        new: &str,
        names: &T,
        types: &BTreeMap<String, T>,
    ) -> bool {
        let other = |(before, after): &&(String, String)| after == new && before != old;
        let mut others = self.compared.iter().filter(other);
        self.json && others.any(|(before, _)| types.get(before).is_some_and(|it| it != names))
    }

    fn types_merged(&mut self, new: &str) {
        let cause = format!("{new}: stands for two types with different names, in JSON");
        let help = "give the two the same names in one migration, and make them one in the next";
        self.found.push(Change {
            namespace: self.namespace.clone(),
            path: self.path.clone(),
            kind: Kind::TypeChanged,
            level: Level::Error,
            cause,
            help: help.to_owned(),
            place: Place::Field(self.column),
        });
    }

    /// Another name of a value that JSON may hold and that the enum no longer has.
    fn lost_alias(&self, old: &str, new: &str, number: i32) -> Option<&str> {
        let aliases =
            |lock: &'_ Lock, name: &str| lock.aliases.get(name).cloned().unwrap_or_default();
        let known = aliases(self.new, new);
        let first = self.new.enums.get(new).and_then(|values| values.get(&number));
        let (name, _) = self.old.aliases.get(old)?.iter().find(|(name, of)| {
            **of == number && !known.contains_key(*name) && first != Some(*name)
        })?;
        self.json.then_some(name.as_str())
    }

    fn type_changed(&mut self, number: i64, cause: String) {
        let help = "add a new field of the new type, copy, and reserve the old one";
        self.push(number, Kind::TypeChanged, Level::Error, cause, help);
    }

    pub fn enumeration(&mut self, old: &str, new: &str) {
        if !self.compared.insert((old.to_owned(), new.to_owned())) {
            return;
        }
        let (old_lock, new_lock) = (self.old, self.new);
        let empty = BTreeMap::new();
        let before = old_lock.enums.get(old).unwrap_or(&empty);
        let after = new_lock.enums.get(new).unwrap_or(&empty);
        if self.merged(old, new, before, &old_lock.enums) {
            self.types_merged(new);
        }
        let retired = new_lock.retired.get(new).cloned().unwrap_or_default();
        for (&number, name) in before {
            let at = i64::from(number);
            let cause = |what: &str| format!("enum {new}, value {name} = {number}: {what}");
            let lost = self.lost_alias(old, new, number);
            match after.get(&number) {
                Some(now) if now == name && lost.is_some() => {
                    let cause =
                        cause(&format!("no longer called {} too", lost.unwrap_or_default()));
                    self.push(at, Kind::ValueRenamed, Level::Confirm, cause, REWRITTEN);
                }
                Some(now) if now != name => {
                    let cause = cause(&format!("called {now} now"));
                    match self.json {
                        true => self.push(at, Kind::ValueRenamed, Level::Confirm, cause, REWRITTEN),
                        false => self.push(at, Kind::ValueRenamed, Level::Safe, cause, ""),
                    }
                }
                Some(_) => {}
                None if retired.has_number(at) => {
                    let kept = "records that have it keep the number";
                    // JSON holds the name, which nothing could read any more.
                    let help = match self.json {
                        true => format!("{kept} in place of the name: {REWRITTEN}"),
                        false => kept.to_owned(),
                    };
                    self.push(at, Kind::ValueRemoved, Level::Confirm, cause("removed"), &help);
                }
                None => {
                    let help = format!("add `reserved {number};` to `{new}`");
                    let cause = cause("removed, and not reserved");
                    self.push(at, Kind::ValueNotReserved, Level::Error, cause, &help);
                }
            }
        }
        let retired = old_lock.retired.get(old).cloned().unwrap_or_default();
        for (&number, name) in after.iter().filter(|(number, _)| !before.contains_key(number)) {
            let at = i64::from(number);
            let cause = |what: &str| format!("enum {new}, value {name} = {number}: {what}");
            if retired.has_number(at) {
                let help = "take a number that was never used: records may hold this one";
                let cause = cause("its number was used or reserved before");
                self.push(at, Kind::ValueReused, Level::Error, cause, help);
            } else {
                self.push(at, Kind::ValueAdded, Level::Safe, cause("added"), "");
            }
        }
    }
}

/// Types of protobuf's own mean what their name says, whatever their fields.
fn same_meaning(old: &str, new: &str) -> bool {
    let own = |name: &str| name.starts_with("google.protobuf.");
    old == new || !(own(old) || own(new))
}

impl LockedField {
    fn declared(&self) -> String {
        match self.label.as_str() {
            "" => self.ty.clone(),
            label => format!("{label} {}", self.ty),
        }
    }
}
