//! Random entities with many equal values, random conditions on them, and what a list of them is.

use std::cmp::Ordering;

use prism_runtime::schema::plan::{Comparison, Condition, Plan};
use prism_runtime::schema::sql::{ListShape, Shape, Visibility};
use prism_runtime::schema::{
    Access, Backend, Cardinality, Column, Entity, FieldType, Index, IndexColumn, Managed, Storage,
    Value,
};

/// The time of each call; nothing expires before it.
pub const NOW: i64 = 1_767_225_600_000_000;

/// Records of each entity.
const ROWS: u64 = 600;

const TEXTS: [&str; 5] = ["", "a", "ab", "b", "b\u{10ffff}"];

/// Numbers that a seed says.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        // <https://prng.di.unimi.it/splitmix64.c>
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// A list of an entity's records.
pub struct Case {
    pub entity: Entity,
    /// By the entity's columns.
    pub rows: Vec<Vec<Value>>,
    pub holding: Vec<Condition>,
    /// The values of each condition; the upper bound of a prefix is the last one.
    pub values: Vec<Vec<Value>>,
    pub visibility: Visibility,
}

impl Case {
    /// Of a seed.
    pub fn new(seed: u64) -> Case {
        let mut random = Random(seed);
        let entity = entity(&mut random);
        let rows = (0..ROWS).map(|row| record(&mut random, &entity, row)).collect();
        let mut case = Case {
            holding: conditions(&mut random, &entity),
            entity,
            rows,
            values: Vec::new(),
            visibility: if random.one_in(4) { Visibility::Kept } else { Visibility::Live },
        };
        for condition in &case.holding {
            let values = values(&mut random, &case, condition);
            case.values.push(values);
        }
        case
    }

    /// The records of the whole list, in the order of a plan.
    pub fn listed(&self, plan: &Plan) -> Vec<&[Value]> {
        let position = |number| self.entity.position(number).expect("a column");
        let deleted = self.entity.managed(Managed::DeleteTime).map(|it| position(it.number));
        let visible = |row: &&Vec<Value>| {
            self.visibility == Visibility::Kept || deleted.is_none_or(|at| row[at].is_null())
        };
        let conditions = || self.holding.iter().zip(&self.values);
        let meets = |row: &&Vec<Value>| {
            conditions().all(|(condition, values)| {
                meets(&row[position(condition.field)], condition.comparison, values)
            })
        };
        let mut found: Vec<&[Value]> =
            self.rows.iter().filter(visible).filter(meets).map(Vec::as_slice).collect();
        found.sort_by(|one, two| {
            let terms = plan.order.iter().map(|term| {
                let order = compare(&one[position(term.number)], &two[position(term.number)]);
                if term.descending { order.reverse() } else { order }
            });
            terms.fold(Ordering::Equal, Ordering::then)
        });
        found
    }

    /// The page after a record.
    pub fn shape(&self, plan: &Plan, after: Option<&[Value]>) -> ListShape {
        let conditions = self.holding.iter().zip(&self.values).map(|(condition, values)| Shape {
            field: condition.field,
            comparison: condition.comparison,
            values: values.len(),
        });
        let after = after.map(|values| values.iter().map(Value::is_null).collect());
        ListShape { after, ..ListShape::first(conditions.collect(), plan, self.visibility) }
    }

    /// A record's values in the columns of a plan's order.
    pub fn place(&self, plan: &Plan, row: &[Value]) -> Vec<Value> {
        let position = |number| self.entity.position(number).expect("a column");
        plan.order.iter().map(|term| row[position(term.number)].clone()).collect()
    }
}

/// Columns 1 and 3 to 5 hold few values, 2 and 6 hold each once; the key is (1, 2) or 2 alone.
fn entity(random: &mut Random) -> Entity {
    let mut columns: Vec<Column> = (1..=6).map(|number| column(random, number)).collect();
    for (number, managed) in [(7, Managed::DeleteTime), (8, Managed::ExpireTime)] {
        if random.one_in(2) {
            let mut time = column(random, number);
            (time.ty, time.cardinality) = (FieldType::Timestamp, Cardinality::Optional);
            time.managed = Some(managed);
            columns.push(time);
        }
    }
    let key = if random.one_in(3) { vec![2] } else { vec![1, 2] };
    let mut indexes: Vec<Index> =
        (0..1 + random.below(3)).map(|position| index(random, position)).collect();
    if random.one_in(2) {
        let mut columns = vec![IndexColumn { number: 6, descending: random.one_in(3) }];
        if random.one_in(2) {
            columns.insert(0, IndexColumn { number: 1, descending: false });
        }
        indexes.push(Index { name: "unique".to_owned(), columns, unique: true });
    }
    Entity {
        message: "random.Row".to_owned(),
        namespace: "rows".to_owned(),
        backend: Backend::Sqlite,
        table: "rows".to_owned(),
        columns,
        partition: 1,
        key,
        indexes,
        retention_days: 0,
    }
}

fn column(random: &mut Random, number: u32) -> Column {
    let text = number != 6 && random.one_in(2);
    let nullable = number > 2 && random.one_in(2);
    Column {
        number,
        field: format!("f{number}"),
        name: format!("f{number}"),
        ty: if text { FieldType::String } else { FieldType::Int64 },
        cardinality: if nullable { Cardinality::Optional } else { Cardinality::Implicit },
        wrapper: false,
        oneof: None,
        storage: Storage::Native,
        managed: None,
        access: Access::Unrestricted,
        masked: false,
    }
}

fn index(random: &mut Random, position: u64) -> Index {
    let mut open = vec![1, 3, 4, 5];
    let columns = (0..1 + random.below(3)).map(|_| {
        let number = open.remove(random.below(open.len() as u64) as usize);
        IndexColumn { number, descending: random.one_in(3) }
    });
    Index { columns: columns.collect(), name: format!("index{position}"), unique: false }
}

fn record(random: &mut Random, entity: &Entity, row: u64) -> Vec<Value> {
    let value = |column: &Column| {
        // 600 and 7 have no common factor: each number once.
        let number = match column.number {
            2 | 6 => row * 7 % ROWS,
            _ => random.below(3),
        };
        match (column.managed, &column.ty) {
            (Some(Managed::DeleteTime), _) if random.one_in(40) => Value::Int(NOW - 1),
            (Some(Managed::ExpireTime), _) if random.one_in(3) => Value::Int(NOW + 1),
            (Some(_), _) => Value::Null,
            _ if column.nullable() && random.one_in(3) => Value::Null,
            (None, FieldType::String) if column.number == 2 => Value::Text(format!("{number:03}")),
            (None, FieldType::String) => Value::Text(TEXTS[number as usize + 2].to_owned()),
            (None, _) => Value::Int(number as i64 - 1),
        }
    };
    entity.columns.iter().map(value).collect()
}

/// Equalities on the first columns of the key or of an index, and often a range on the next one;
/// sometimes another condition.
fn conditions(random: &mut Random, entity: &Entity) -> Vec<Condition> {
    let mut orders = vec![prism_runtime::schema::plan::key_order(entity)];
    orders.extend(entity.indexes.iter().map(|index| index.order(entity)));
    let order = &orders[random.below(orders.len() as u64) as usize];
    let equal = random.below(order.len() as u64) as usize;
    let mut found: Vec<(u32, Comparison)> =
        order[..equal].iter().map(|column| (column.number, Comparison::Equals)).collect();
    let mut more = vec![order[equal].number];
    if random.one_in(4) {
        more.push(entity.columns[random.below(6) as usize].number);
    }
    for number in more {
        let text = entity.column(number).is_some_and(|it| it.ty == FieldType::String);
        match random.below(7) {
            0 => found.push((number, Comparison::AtLeast)),
            1 => found.push((number, Comparison::LessThan)),
            2 => found.extend([(number, Comparison::LessThan), (number, Comparison::AtLeast)]),
            3 if text => found.push((number, Comparison::Prefix)),
            4 => found.push((number, Comparison::AnyOf)),
            _ => {}
        }
    }
    let condition = |(field, comparison)| Condition { field, comparison, always: true };
    found.into_iter().map(condition).collect()
}

fn values(random: &mut Random, case: &Case, condition: &Condition) -> Vec<Value> {
    let at = case.entity.position(condition.field).expect("a column");
    let stored: Vec<&Value> =
        case.rows.iter().map(|row| &row[at]).filter(|value| !value.is_null()).collect();
    let mut value = || stored[random.below(stored.len() as u64) as usize].clone();
    match condition.comparison {
        Comparison::AnyOf => vec![value(), value()],
        Comparison::Prefix => {
            let prefix = TEXTS[random.below(TEXTS.len() as u64) as usize];
            let end = match prefix {
                "" => None,
                "a" => Some("b"),
                "ab" => Some("ac"),
                _ => Some("c"),
            };
            std::iter::once(prefix).chain(end).map(|it| Value::Text(it.to_owned())).collect()
        }
        _ => vec![value()],
    }
}

fn meets(value: &Value, comparison: Comparison, values: &[Value]) -> bool {
    let to = |other: &Value| compare(value, other);
    !value.is_null()
        && match comparison {
            Comparison::Equals => to(&values[0]).is_eq(),
            Comparison::AtLeast => to(&values[0]).is_ge(),
            Comparison::LessThan => to(&values[0]).is_lt(),
            Comparison::AnyOf => values.iter().any(|other| to(other).is_eq()),
            Comparison::Prefix => match (value, &values[0]) {
                (Value::Text(text), Value::Text(prefix)) => text.starts_with(prefix.as_str()),
                _ => false,
            },
        }
}

/// NULL is the smallest value.
fn compare(one: &Value, two: &Value) -> Ordering {
    match (one, two) {
        (Value::Int(one), Value::Int(two)) => one.cmp(two),
        (Value::Text(one), Value::Text(two)) => one.cmp(two),
        (one, two) => two.is_null().cmp(&one.is_null()),
    }
}
