//! Every order that a list takes is read from an index, page by page, on both databases: without a
//! sort, and without visiting records that the page does not return.
#![allow(clippy::unwrap_used)]

mod postgres;
mod random;
mod sqlite;

use prism_runtime::schema::plan::{Plan, orders, plan};
use prism_runtime::schema::sql::{Parameter, Statement};
use prism_runtime::schema::{IndexColumn, Value};
use random::{Case, NOW};

/// Records on a page.
const LIMIT: usize = 3;

/// The plans of the list's own order and of every order that it takes.
fn plans(case: &Case) -> Vec<Plan> {
    let planned = |order: &[IndexColumn]| plan(&case.entity, &case.holding, order, case.visibility);
    let mut plans = vec![planned(&[]).unwrap()];
    let served = orders(&case.entity, &case.holding, case.visibility);
    for served in &served {
        for length in 1..=served.order.len() {
            let mut asked = served.order[..length].to_vec();
            plans.push(planned(&asked).expect("an order that is named"));
            asked.iter_mut().for_each(|column| column.descending ^= true);
            assert!(!served.reversible || planned(&asked).is_some());
            plans.extend(planned(&asked));
        }
    }
    // No other order is taken.
    for (one, two) in case.entity.columns.iter().zip(case.entity.columns.iter().skip(1)) {
        for numbers in [[one.number, two.number], [two.number, one.number]] {
            let asked = numbers.map(|number| IndexColumn { number, descending: false });
            let named = served.iter().any(|served| served.order.starts_with(&asked));
            let fixed = numbers
                .iter()
                .any(|number| case.holding.iter().any(|condition| condition.field == *number));
            let reversed = asked.map(|it| IndexColumn { descending: true, ..it });
            let named = named || served.iter().any(|it| it.order.starts_with(&reversed));
            assert!(planned(&asked).is_none() || named || fixed, "{asked:?} of {served:?}");
        }
    }
    plans
}

/// Records after which pages are read: none, the first, some between, those before the last one.
fn places(count: usize) -> Vec<Option<usize>> {
    let mut places = vec![None];
    let inner = [0, count / 4, count / 2, count * 3 / 4, count.saturating_sub(2)];
    places.extend(inner.into_iter().filter(|at| *at < count).map(Some));
    places
}

/// What a parameter stands for.
fn value(case: &Case, parameter: Parameter, after: &[Value]) -> Value {
    match parameter {
        Parameter::Condition { condition, value } => case.values[condition][value].clone(),
        Parameter::After(position) => after[position].clone(),
        Parameter::Now => Value::Int(NOW),
        Parameter::Limit => Value::Int(LIMIT as i64),
        other => panic!("{other:?} in a list"),
    }
}

/// Reads pages in every order that a list takes. `read` answers with the second column, which
/// tells the records apart, and checks how they were found if the plan says how.
fn check(
    seed: u64,
    case: &Case,
    statement: impl Fn(&Plan, Option<&[Value]>) -> Statement,
    mut read: impl FnMut(&Plan, &Statement, Vec<Value>) -> Vec<Value>,
) {
    for plan in plans(case) {
        let listed = case.listed(&plan);
        for place in places(listed.len()) {
            let after = place.map(|at| case.place(&plan, listed[at]));
            let statement = statement(&plan, after.as_deref());
            let values = |parameter: &Parameter| {
                value(case, *parameter, after.as_deref().unwrap_or_default())
            };
            let values = statement.parameters.iter().map(values).collect();
            let found = read(&plan, &statement, values);
            let rest = listed.iter().skip(place.map_or(0, |at| at + 1));
            let expected: Vec<Value> = rest.take(LIMIT).map(|row| row[1].clone()).collect();
            assert_eq!(
                found, expected,
                "seed {seed}, {:?} by {plan:?} after {after:?}: {}",
                case.holding, statement.sql
            );
        }
    }
}
