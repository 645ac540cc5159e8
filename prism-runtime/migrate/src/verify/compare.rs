//! One entity against its table.

use prism_schema::Entity;
use prism_schema::sql::Dialect;
use prism_schema::sql::ddl::{self, ColumnType, OrderedColumn, Step, TableColumn, Zero};

use super::{Column, Difference, Index, Kind, Part, Table};

/// What differs between what a fresh database has for an entity and what is there.
pub(super) fn entity(entity: &Entity, dialect: Dialect, found: Option<&Table>) -> Vec<Difference> {
    let Some(found) = found else {
        return vec![Difference { table: entity.table.clone(), kind: Kind::MissingTable }];
    };
    let mut kinds = Vec::new();
    let mut indexes = Vec::new();
    for step in ddl::create(entity) {
        match step {
            Step::CreateTable { mut columns, key, .. } => {
                // A message may be absent, but not in a key.
                for column in &mut columns {
                    column.nullable &= !key.contains(&column.name);
                }
                compare_columns(&columns, dialect, &found.columns, &mut kinds);
                if key != found.key {
                    let (expected, found) = (key.join(", "), found.key.join(", "));
                    kinds.push(Kind::Key { expected, found });
                }
            }
            Step::CreateIndex { name, columns, unique, where_null, .. } => {
                indexes.push(Index {
                    name,
                    unique,
                    valid: true,
                    parts: columns.iter().map(|column| part(column, dialect)).collect(),
                    condition: where_null.map(|column| format!("{column} IS NULL")),
                    method: None,
                });
            }
        }
    }
    compare_indexes(&indexes, &found.indexes, &mut kinds);
    kinds.into_iter().map(|kind| Difference { table: entity.table.clone(), kind }).collect()
}

/// How the column of an index comes out of [`Dialect::direction`].
fn part(column: &OrderedColumn, dialect: Dialect) -> Part {
    let OrderedColumn { name, descending, nullable } = column;
    // Where it says nothing, Postgres takes NULL for the largest value.
    let nulls_first = match dialect {
        Dialect::Sqlite => !descending,
        Dialect::Postgres if *nullable => !descending,
        Dialect::Postgres => *descending,
    };
    Part { column: Some(name.clone()), descending: *descending, nulls_first }
}

fn compare_columns(
    expected: &[TableColumn],
    dialect: Dialect,
    found: &[Column],
    kinds: &mut Vec<Kind>,
) {
    // SQLite takes names that differ in case for one.
    let same = |one: &str, other: &str| match dialect {
        Dialect::Sqlite => one.eq_ignore_ascii_case(other),
        Dialect::Postgres => one == other,
    };
    for column in expected {
        match found.iter().find(|found| same(&found.name, &column.name)) {
            Some(found) => compare_column(column, dialect, found, kinds),
            None => kinds.push(Kind::MissingColumn { column: column.name.clone() }),
        }
    }
    let unknown =
        found.iter().filter(|found| !expected.iter().any(|it| same(&it.name, &found.name)));
    kinds.extend(unknown.map(|column| Kind::UnknownColumn {
        column: column.name.clone(),
        required: !column.nullable && column.default.is_none() && !column.generated,
    }));
}

fn compare_column(expected: &TableColumn, dialect: Dialect, found: &Column, kinds: &mut Vec<Kind>) {
    let column = || expected.name.clone();
    let (ty, collation) = type_of(expected.ty, dialect);
    if !ty.eq_ignore_ascii_case(&found.ty) || found.generated {
        let generated = if found.generated { " (generated)" } else { "" };
        let found = format!("{}{generated}", found.ty);
        kinds.push(Kind::Type { column: column(), expected: ty, found });
        // The rest follows from it.
        return;
    }
    if let (Some(expected), Some(found)) = (collation, &found.collation)
        && *found != expected
    {
        kinds.push(Kind::Collation { column: column(), expected, found: found.clone() });
    }
    match (expected.nullable, found.nullable) {
        (true, false) => kinds.push(Kind::NotNull { column: column() }),
        (false, true) => kinds.push(Kind::Nullable { column: column() }),
        _ => {}
    }
    compare_default(expected, dialect, found, kinds);
}

fn compare_default(
    expected: &TableColumn,
    dialect: Dialect,
    found: &Column,
    kinds: &mut Vec<Kind>,
) {
    let clause = expected.default_clause(dialect);
    let wanted = clause.strip_prefix(" DEFAULT ").map(str::to_owned);
    let same = match (&wanted, &found.default) {
        (None, None) => true,
        (Some(one), Some(other)) => same_value(one, other, expected.ty),
        _ => false,
    };
    if same {
        return;
    }
    // Both encodings of an integer have the same type: the zero tells which one it is.
    let unsigned = Zero::Unsigned.render(ColumnType::Integer, dialect);
    let is_unsigned = |value: &Option<String>| {
        value.as_ref().is_some_and(|value| same_value(value, &unsigned, ColumnType::Integer))
    };
    let encoding = expected.ty == ColumnType::Integer
        && is_unsigned(&wanted) != is_unsigned(&found.default)
        && found.default.is_some();
    let (column, found) = (expected.name.clone(), found.default.clone());
    kinds.push(Kind::Default { column, expected: wanted, found, encoding });
}

/// Whether two expressions of constants are one value.
fn same_value(one: &str, other: &str, ty: ColumnType) -> bool {
    let (one, other) = (constant(one), constant(other));
    let number = |text: &str| text.parse::<f64>().ok();
    let is_time = |text: &str| text == "epoch" || text.starts_with("1970-01-01");
    one == other
        || number(&one).is_some_and(|one| number(&other) == Some(one))
        || ty == ColumnType::Timestamp && is_time(&one) && is_time(&other)
}

/// A constant without the cast, quotes and parentheses that a database puts around it.
fn constant(expression: &str) -> String {
    let mut text = expression.trim();
    while let Some(inner) = text.strip_prefix('(').and_then(|it| it.strip_suffix(')')) {
        text = inner.trim();
    }
    let text = match text.rsplit_once("::") {
        Some((value, ty)) if !ty.contains('\'') => value,
        _ => text,
    };
    let text = text.strip_prefix('(').and_then(|it| it.strip_suffix(')')).unwrap_or(text);
    let text = text.strip_prefix('\'').and_then(|it| it.strip_suffix('\'')).unwrap_or(text);
    text.to_lowercase()
}

/// A column's type in the words of the database, and how its texts compare.
fn type_of(ty: ColumnType, dialect: Dialect) -> (String, Option<String>) {
    let rendered = ty.render(dialect);
    let (name, collation) = match rendered.split_once(" COLLATE ") {
        Some((name, collation)) => (name, Some(collation.trim_matches('"').to_owned())),
        None => (rendered, None),
    };
    match (dialect, name) {
        (Dialect::Postgres, "TIMESTAMPTZ") => ("timestamp with time zone".to_owned(), None),
        (Dialect::Postgres, name) => (name.to_lowercase(), collation),
        (Dialect::Sqlite, name) => (name.to_owned(), Some("BINARY".to_owned())),
    }
}

fn compare_indexes(expected: &[Index], found: &[Index], kinds: &mut Vec<Kind>) {
    for wanted in expected {
        let (index, unique) = (wanted.name.clone(), wanted.unique);
        let Some(found) = found.iter().find(|found| found.name == wanted.name) else {
            kinds.push(Kind::MissingIndex { index, unique });
            continue;
        };
        if !found.same_but_condition(wanted) || found.condition != wanted.condition {
            let condition = found.same_but_condition(wanted);
            let (expected, found) = (wanted.to_string(), found.to_string());
            kinds.push(Kind::Index { index, unique, expected, found, condition });
        } else if !found.valid {
            kinds.push(Kind::InvalidIndex { index, unique });
        }
    }
    let unknown = found.iter().filter(|found| expected.iter().all(|it| it.name != found.name));
    kinds.extend(unknown.map(|index| Kind::UnknownIndex { index: index.name.clone() }));
}

#[cfg(test)]
mod tests {
    use super::{ColumnType, same_value};

    #[test]
    fn a_default_is_compared_by_its_value() {
        for (one, other) in [
            ("'-9223372036854775808'", "'-9223372036854775808'::bigint"),
            ("FALSE", "false"),
            ("''", "''::text"),
            ("'\\x'", "'\\x'::bytea"),
            ("0.0", "(0)::double precision"),
            ("0", "0"),
            ("'[]'", "'[]'::jsonb"),
            ("-9223372036854775808", "(-9223372036854775808)"),
        ] {
            assert!(same_value(one, other, ColumnType::Integer), "{one} {other}");
        }
        let epoch = "'1970-01-01 00:00:00+00'::timestamp with time zone";
        assert!(same_value("'epoch'", epoch, ColumnType::Timestamp));
        for (one, other) in [("0", "1"), ("''", "'a::b'"), ("now()", "'epoch'"), ("''", "x''")] {
            assert!(!same_value(one, other, ColumnType::Text), "{one} {other}");
        }
    }
}
