//! What is wrong with one request: gathered by every check, returned in one error.
//!
//! The own violations of an operation come first, by the field numbers of the request; the broken
//! rules follow in the order in which they were found. A status names [`MAX_VIOLATIONS`] of them,
//! so no more than the first ones are kept, and the others are counted. Gathering nothing allocates
//! nothing.

use crate::{Error, Reason, Result};

/// Violations that a status names at most.
pub const MAX_VIOLATIONS: usize = 50;

/// Violations beyond those that a status names that are counted. After one more the checks end.
pub(crate) const MAX_OMITTED: usize = 10_000;

/// A broken rule of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, as in `google.rpc.BadRequest`: `items[3].key`. Empty for the request.
    pub field: String,
    /// What is wrong with it, without the value.
    pub description: String,
    /// The reason of an error whose violations all have it. Otherwise the error is INVALID_REQUEST.
    pub reason: Reason,
}

impl Violation {
    /// A value that is not acceptable.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Violation::of(Reason::InvalidRequest, field, description)
    }

    /// A value that is too large.
    pub fn too_large(field: impl Into<String>, description: impl Into<String>) -> Self {
        Violation::of(Reason::ValueTooLarge, field, description)
    }

    /// A violation with a reason of its own.
    pub(crate) fn of(
        reason: Reason,
        field: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        Violation { field: field.into(), description: description.into(), reason }
    }
}

/// Where an own violation stands in a request: what own violations are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Number of the request's field.
    field: u32,
    /// Its element, counted from 1; 0 for the field itself.
    element: usize,
    /// Number of the field within that; 0 for the whole.
    part: u32,
}

impl Place {
    /// A field of the request, by its number.
    pub fn field(number: u32) -> Self {
        Place { field: number, element: 0, part: 0 }
    }

    /// An element of a repeated field, counted from 0.
    #[must_use]
    pub fn element(self, index: usize) -> Self {
        Place { element: index + 1, ..self }
    }

    /// A field of the message that the field or its element is, by its number.
    #[must_use]
    pub fn part(self, number: u32) -> Self {
        Place { part: number, ..self }
    }
}

/// The violations of one request.
#[derive(Clone, Debug, Default)]
pub struct Violations {
    /// The first ones, in their order.
    own: Vec<(Place, Violation)>,
    /// The first ones, as they were found.
    rules: Vec<Violation>,
    /// How many were found and not kept.
    omitted: usize,
    /// Whether one of those that were not kept has another reason than those that are.
    mixed: bool,
}

impl Violations {
    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.rules.is_empty()
    }

    /// Whether so many were found that the checks end.
    pub(crate) fn is_full(&self) -> bool {
        self.omitted > MAX_OMITTED + MAX_VIOLATIONS
    }

    /// Whether a value already has a violation, so that it needs no other.
    pub fn contains(&self, place: Place) -> bool {
        self.own.iter().any(|(own, _)| *own == place)
    }

    /// Adds an own violation. A broken rule at the same path stands for it.
    pub fn push(&mut self, place: Place, violation: Violation) {
        if self.rules.iter().any(|rule| rule.field == violation.field) {
            return;
        }
        let at = self.own.partition_point(|(own, _)| *own <= place);
        self.own.insert(at, (place, violation));
        if self.own.len() > MAX_VIOLATIONS
            && let Some((_, last)) = self.own.pop()
        {
            self.omit(&last);
        }
    }

    /// Adds a broken rule, which stands for the own violations at the same path.
    pub fn push_rule(&mut self, rule: Violation) {
        self.own.retain(|(_, own)| own.field != rule.field);
        if self.rules.len() < MAX_VIOLATIONS {
            self.rules.push(rule);
        } else {
            self.omit(&rule);
        }
    }

    /// Forgets what was found at a place: another value has taken that of the one at fault.
    pub fn forget(&mut self, place: Place) {
        self.own.retain(|(own, _)| *own != place);
    }

    /// The value of a check of one field; none where it is at fault, which is noted.
    ///
    /// # Errors
    ///
    /// Those that name no field of the request.
    pub(crate) fn absorb<T>(&mut self, place: Place, checked: Result<T>) -> Result<Option<T>> {
        let error = match checked {
            Ok(value) => return Ok(Some(value)),
            Err(error) => error,
        };
        if error.violations().is_empty() {
            return Err(error);
        }
        self.omitted += error.omitted();
        for violation in error.violations() {
            self.push(place, violation.clone());
        }
        Ok(None)
    }

    /// One error of all that is wrong, if anything is.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT.
    pub fn finish(self) -> Result<()> {
        if self.is_empty() { Ok(()) } else { Err(self.into_error()) }
    }

    /// INVALID_ARGUMENT of all that is wrong.
    pub(crate) fn into_error(mut self) -> Error {
        let rules = std::mem::take(&mut self.rules);
        let own = std::mem::take(&mut self.own).into_iter().map(|(_, own)| own);
        let mut all: Vec<Violation> = own.chain(rules).collect();
        for violation in all.split_off(all.len().min(MAX_VIOLATIONS)) {
            self.mixed |= violation.reason != all[0].reason;
            self.omitted += 1;
        }
        let reason = if self.mixed { Reason::InvalidRequest } else { common_reason(&all) };
        Error::of_violations(reason, all, self.omitted)
    }

    fn omit(&mut self, violation: &Violation) {
        let mut kept = self.own.iter().map(|(_, own)| own).chain(&self.rules);
        self.mixed |= kept.any(|kept| kept.reason != violation.reason);
        self.omitted += 1;
    }
}

/// The reason that all of them have; INVALID_REQUEST if there is none.
pub(crate) fn common_reason(violations: &[Violation]) -> Reason {
    match violations {
        [first, rest @ ..] if rest.iter().all(|other| other.reason == first.reason) => first.reason,
        _ => Reason::InvalidRequest,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn fields(violations: Violations) -> Vec<String> {
        let error = violations.finish().unwrap_err();
        error.violations().iter().map(|violation| violation.field.clone()).collect()
    }

    #[test]
    fn own_violations_are_in_the_order_of_the_request_and_rules_follow() {
        let mut violations = Violations::default();
        violations.push_rule(Violation::new("rule", "is broken"));
        let of = Place::field;
        for (place, field) in [
            (of(3), "c"),
            (of(2).element(1), "b[1]"),
            (of(1).part(9), "a.last"),
            (of(2), "b"),
            (of(2).element(0).part(2), "b[0].y"),
            (of(1).part(2), "a.first"),
            (of(2).element(0).part(1), "b[0].x"),
            (of(1).part(2), "a.second"),
        ] {
            violations.push(place, Violation::new(field, "is wrong"));
        }
        let expected =
            ["a.first", "a.second", "a.last", "b", "b[0].x", "b[0].y", "b[1]", "c", "rule"];
        assert_eq!(fields(violations), expected);
    }

    #[test]
    fn a_rule_stands_for_the_own_violations_at_its_path() {
        let mut violations = Violations::default();
        violations.push(Place::field(1), Violation::new("a", "is own"));
        violations.push_rule(Violation::new("a", "is a rule"));
        violations.push(Place::field(1), Violation::new("a", "is own"));
        violations.push(Place::field(2), Violation::new("b", "is own"));
        let error = violations.finish().unwrap_err();
        let found: Vec<_> = error.violations().iter().map(|it| &*it.description).collect();
        assert_eq!(found, ["is own", "is a rule"]);
    }

    #[test]
    fn the_reason_is_the_one_that_all_have_also_of_what_is_not_kept() {
        let reason = |mixed: Option<usize>| {
            let mut violations = Violations::default();
            for n in 0..200 {
                let violation = match mixed == Some(n) {
                    true => Violation::new("f", "is wrong"),
                    false => Violation::too_large("f", "is too large"),
                };
                violations.push(Place::field(1).element(n), violation);
            }
            violations.finish().unwrap_err().reason()
        };
        assert_eq!(reason(None), Reason::ValueTooLarge);
        for n in [0, 49, 50, 199] {
            assert_eq!(reason(Some(n)), Reason::InvalidRequest, "{n}");
        }
    }

    #[test]
    fn the_first_ones_are_kept_in_whatever_order_they_are_found() {
        let mut violations = Violations::default();
        for n in (0..60).rev() {
            violations.push(Place::field(n), Violation::new(n.to_string(), "is wrong"));
        }
        let error = violations.finish().unwrap_err();
        assert_eq!((error.violations().len(), error.omitted()), (50, 10));
        assert_eq!(error.violations()[49].field, "49");
        assert!(error.message().ends_with("(and 59 more)"), "{error}");
    }
}
