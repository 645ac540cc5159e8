//! Physical names: tables, columns, indexes.

use std::collections::HashSet;

/// The longest identifier that every database takes, in bytes.
pub(super) const LIMIT: usize = 63;

/// Names that SQLite or PostgreSQL keep for themselves in every table.
const SYSTEM_COLUMNS: &[&str] =
    &["cmax", "cmin", "ctid", "oid", "_rowid_", "rowid", "tableoid", "xmax", "xmin"];

/// Beginnings of the names of tables and indexes that are not the schema's. PostgreSQL looks for
/// names with `pg_` among its own tables first; `_prism_` begins the names that migrations use.
const RESERVED: &[&str] = &["kv_", "pg_", "prism_", "_prism_", "sqlite_", "_sqlx_"];

/// The columns that an index or a key of PostgreSQL has at most.
pub(super) const MAX_INDEX_COLUMNS: usize = 32;

/// The fields that an entity has at most: PostgreSQL takes 1600 columns in a table, and one is
/// Prism's own if records are retained for a time.
pub(super) const MAX_FIELDS: usize = 1_599;

/// Letters, digits and underscores, not beginning with a digit, at most [`LIMIT`] bytes.
pub(super) fn is_identifier(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= LIMIT
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a table or an index cannot have the name.
pub(super) fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    RESERVED.iter().any(|reserved| name.starts_with(reserved))
}

pub(super) fn is_reserved_column(column: &str) -> bool {
    let column = column.to_ascii_lowercase();
    SYSTEM_COLUMNS.contains(&column.as_str()) || column.starts_with("_prism_")
}

/// The default name of a field's column: the field's own, with its number behind it where the
/// name is reserved, too long, or differs from a taken one in letter case alone; a count follows
/// the number where that is taken too. `taken` holds names in lower case.
pub(super) fn column(field: &str, number: u32, taken: &HashSet<String>) -> String {
    let is_free = |name: &str| {
        !is_reserved_column(name)
            && name.len() <= LIMIT
            && !taken.contains(&name.to_ascii_lowercase())
    };
    let stem = field.trim_start_matches('_');
    let stem = if is_reserved_column(field) && !stem.is_empty() { stem } else { field };
    let mut name = field.to_owned();
    let mut count = 1_usize;
    while !is_free(&name) {
        let suffix = match count {
            1 => format!("_{number}"),
            _ => format!("_{number}_{count}"),
        };
        name = format!("{}{suffix}", &stem[..stem.len().min(LIMIT - suffix.len())]);
        count += 1;
    }
    name
}

/// `idx_<table>_<fields>`; a hash of it stands for the end of one that is too long.
pub(super) fn index(table: &str, fields: &[String]) -> String {
    let name = format!("idx_{table}_{}", fields.join("_"));
    if name.len() <= LIMIT {
        return name;
    }
    format!("{}_{:08x}", &name[..LIMIT - 9], hash(&name))
}

/// FNV-1a: the same on every machine and in every version.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// A namespace that can be written instead of a bad one.
pub(super) fn namespace(text: &str) -> String {
    let mut name = String::new();
    for (position, character) in text.chars().enumerate() {
        match character {
            'A'..='Z' => {
                if position > 0 && !name.ends_with('-') {
                    name.push('-');
                }
                name.push(character.to_ascii_lowercase());
            }
            'a'..='z' | '0'..='9' => name.push(character),
            _ if !name.is_empty() && !name.ends_with('-') => name.push('-'),
            _ => {}
        }
    }
    let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let name = name[..name.len().min(LIMIT)].trim_end_matches('-');
    if name.is_empty() { "records".to_owned() } else { name.to_owned() }
}

pub(super) fn is_namespace(name: &str) -> bool {
    name.len() <= LIMIT
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_find_a_name() {
        let taken: HashSet<String> = ["value".to_owned()].into();
        assert_eq!(column("order", 3, &taken), "order");
        assert_eq!(column("Value", 3, &taken), "Value_3");
        assert_eq!(column("ctid", 4, &taken), "ctid_4");
        assert_eq!(column("_rowid_", 5, &taken), "rowid__5");
        assert_eq!(column("_prism_x", 6, &taken), "prism_x_6");
        let long = column(&"x".repeat(80), 123, &taken);
        assert!(long.len() == LIMIT && long.ends_with("x_123"));
    }

    #[test]
    fn a_column_finds_a_name_whatever_is_taken() {
        let number = 536_870_911;
        let mut taken: HashSet<String> = HashSet::new();
        for _ in 0..50 {
            let name = column("ctid", number, &taken);
            assert!(is_identifier(&name) && taken.insert(name.clone()), "{name}");
        }
        assert!(taken.contains("ctid_536870911") && taken.contains("ctid_536870911_50"));
        let taken: HashSet<String> =
            (1..9).map(|count| format!("ctid{}", "_536870911".repeat(count))).collect();
        assert_eq!(column("ctid", number, &taken), "ctid_536870911_2");
    }

    #[test]
    fn long_index_names_stay_apart() {
        let (a, b) = (index("t", &["a".repeat(80)]), index("t", &["a".repeat(81)]));
        assert!(a.len() == LIMIT && b.len() == LIMIT && a != b);
        assert_eq!(index("users", &["email".to_owned()]), "idx_users_email");
    }

    #[test]
    fn namespaces_are_suggested() {
        for text in ["User_Profiles", "UserProfile", "9lives-", "---", "prism"] {
            assert!(is_namespace(&namespace(text)), "{text}");
        }
        assert_eq!(namespace("User_Profiles"), "user-profiles");
        assert!(!is_namespace("a-") && !is_namespace("") && !is_namespace("1a"));
    }
}
