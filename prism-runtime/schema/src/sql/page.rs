//! The statement of a page of a list.
//!
//! What comes after a record is one range of the index if the order has one direction and no
//! NULL: `(a, b) > (?, ?)`. Any other order is cut into parts, each of them one range: the records
//! that are equal to the last one in all columns but the last, then those that are equal in one
//! column less, and so on. A disjunction would say the same, and be read from its first column's
//! beginning.

use super::statement::{ListShape, Parameter, Statement, Statements};
use super::text::Text;
use crate::{Column, Entity};

/// Where a column stands to the last record's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Greater,
    Less,
    /// Greater than NULL, which is the smallest value.
    Present,
    /// Less than any value.
    Null,
}

/// Records of a list that follow each other in an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// All of them: the first page.
    All,
    /// After the last record by all columns of the order together.
    Row(Side),
    /// Equal to the last record in so many columns of the order, and beyond it in the next one.
    Beyond(usize, Side),
}

impl Statements<'_> {
    /// A page of a list.
    pub fn list(&self, shape: &ListShape) -> Statement {
        let parts = parts(self.entity, shape);
        let mut text = Text::new(self.entity, self.dialect);
        if let [part] = parts[..] {
            self.part(&mut text, shape, Some(part));
            return text.finish();
        }
        if parts.is_empty() {
            self.part(&mut text, shape, None);
            return text.finish();
        }
        // Both databases read the parts one after the other, and none before it is needed.
        // PostgreSQL could read them side by side only if they had no LIMIT of their own.
        for (position, part) in parts.into_iter().enumerate() {
            text.push(if position > 0 { " UNION ALL " } else { "" });
            text.push("SELECT * FROM (");
            self.part(&mut text, shape, Some(part));
            text.push(") AS part");
        }
        text.push(" LIMIT ");
        text.bind(Parameter::Limit);
        text.finish()
    }

    /// The records of a part; none without one.
    fn part(&self, text: &mut Text<'_>, shape: &ListShape, part: Option<Part>) {
        text.select();
        if let Some(index) = shape.index.and_then(|position| self.entity.indexes.get(position)) {
            text.indexed_by(&index.name);
        }
        text.push(" WHERE ");
        let start = text.sql.len();
        let beyond = part.and_then(|part| part.beyond(shape));
        for (position, condition) in shape.conditions.iter().enumerate() {
            let side = beyond.filter(|(number, _)| *number == condition.field);
            text.condition(start, position, condition, side.map(|(_, side)| side));
        }
        match part {
            Some(part) => part.follows(text, start, shape),
            None => {
                text.and(start);
                text.push("1 = 0");
            }
        }
        text.visible_from(start, shape.visibility);
        if text.sql.len() == start {
            text.sql.truncate(start - " WHERE ".len());
        }
        text.order_by(&shape.order);
        text.push(" LIMIT ");
        text.bind(Parameter::Limit);
    }
}

impl Part {
    /// The column that is beyond the last record's value, and on which side.
    fn beyond(self, shape: &ListShape) -> Option<(u32, Side)> {
        match self {
            Part::All => None,
            Part::Row(side) => Some((shape.order.first()?.0, side)),
            Part::Beyond(position, side) => Some((shape.order.get(position)?.0, side)),
        }
    }

    /// What holds for the records of the part.
    fn follows(self, text: &mut Text<'_>, start: usize, shape: &ListShape) {
        match self {
            Part::All => {}
            Part::Row(side) => {
                text.and(start);
                text.after_row(&shape.order, side);
            }
            Part::Beyond(last, side) => {
                let nulls = shape.after.as_deref().unwrap_or_default();
                for (position, &(number, _)) in shape.order.iter().enumerate().take(last) {
                    text.and(start);
                    text.same(number, position, nulls.get(position) == Some(&true));
                }
                text.and(start);
                text.beyond(shape.order[last].0, last, side);
            }
        }
    }
}

/// The parts of what is left of a list, in its order. None if nothing can be left: equalities fix
/// a whole key.
fn parts(entity: &Entity, shape: &ListShape) -> Vec<Part> {
    let Some(nulls) = &shape.after else { return vec![Part::All] };
    let Some(&(_, descending)) = shape.order.first() else { return Vec::new() };
    // No condition is met by NULL.
    let may_be_null = |number: u32| {
        entity.column(number).is_some_and(Column::nullable)
            && shape.conditions.iter().all(|condition| condition.field != number)
    };
    let side = |descending| if descending { Side::Less } else { Side::Greater };
    if shape.order.iter().all(|&(number, it)| it == descending && !may_be_null(number)) {
        return vec![Part::Row(side(descending))];
    }
    let mut parts = Vec::new();
    for (position, &(number, descending)) in shape.order.iter().enumerate().rev() {
        match (descending, nulls[position]) {
            (false, true) => parts.push(Part::Beyond(position, Side::Present)),
            (true, true) => {}
            (_, false) => parts.push(Part::Beyond(position, side(descending))),
        }
        if descending && !nulls[position] && may_be_null(number) {
            parts.push(Part::Beyond(position, Side::Null));
        }
    }
    parts
}
