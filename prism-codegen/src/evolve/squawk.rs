//! Where a statement breaks a rule of the linter squawk on purpose, with the reason beside it.
//! <https://squawkhq.com/docs/rules>

use prism_schema::sql::alter::{Change as Alter, ColumnChange};
use prism_schema::sql::ddl::{ColumnType, Step};

/// Squawk reads what stands right before a statement.
const IGNORE: &str = "-- squawk-ignore";

/// Of files without a transaction.
const TIMEOUTS: &str = "require-lock-timeout, require-statement-timeout";

/// An enum.
const SMALL: &str = "prefer-bigint-over-int";
const SMALL_REASON: &str = "The number of an enum's value has 32 bits.";

/// The comments that go right before a statement.
pub(super) fn exceptions(change: &Alter) -> String {
    let (rules, reason) = match change {
        Alter::CreateIndexConcurrently(_) => (
            format!("{TIMEOUTS}, prefer-robust-stmts"),
            "The migrator sets the timeouts on the connection, and drops what a build that broke \
             off\n-- has left: IF NOT EXISTS would take it for the index.",
        ),
        Alter::DropIndexConcurrently(_) => {
            (TIMEOUTS.to_owned(), "The migrator sets the timeouts on the connection.")
        }
        Alter::DropTable(_) => ("ban-drop-table".to_owned(), "Accepted: see above."),
        Alter::Column { change, .. } => match of_column(change) {
            Some((rule, reason)) => (rule.to_owned(), reason),
            None => return String::new(),
        },
        _ => return String::new(),
    };
    format!("-- {reason}\n{IGNORE} {rules}\n")
}

fn of_column(change: &ColumnChange) -> Option<(&'static str, &'static str)> {
    Some(match change {
        ColumnChange::Rename { .. } => {
            ("renaming-column", "Proxies of the old schema look for the column again.")
        }
        ColumnChange::Drop(name) if name == "_prism_written_at" => {
            ("ban-drop-column", "Proxies of the old schema do without Prism's own column.")
        }
        ColumnChange::Drop(_) => ("ban-drop-column", "Accepted: see above."),
        ColumnChange::Loosen(_) => {
            ("ban-drop-not-null", "From now on a value may be absent: see above.")
        }
        ColumnChange::SetNotNull(_) => (
            "adding-not-nullable-field",
            "The validated check proves it: the table is not scanned.",
        ),
        ColumnChange::Add(column) if column.ty == ColumnType::SmallInteger => (SMALL, SMALL_REASON),
        _ => return None,
    })
}

/// The comments that go to the head of a file that makes these tables.
pub(crate) fn of_file<'a>(steps: impl IntoIterator<Item = &'a Step>) -> String {
    let small = |step: &Step| match step {
        Step::CreateTable { columns, .. } => {
            columns.iter().any(|column| column.ty == ColumnType::SmallInteger)
        }
        Step::CreateIndex { .. } => false,
    };
    match steps.into_iter().any(small) {
        true => format!("\n-- {SMALL_REASON}\n{IGNORE}-file {SMALL}\n"),
        false => String::new(),
    }
}
