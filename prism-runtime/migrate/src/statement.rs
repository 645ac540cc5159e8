//! As much of SQL's syntax as a migrator has to know: where a statement ends, and which index one
//! is about.

/// The statements of a text, each without the comments before it and its semicolon.
pub(crate) fn split(sql: &str) -> Vec<&str> {
    let mut statements = Vec::new();
    let mut start = None;
    let mut at = 0;
    while at < sql.len() {
        let rest = &sql[at..];
        let (length, blank) = piece(rest);
        if rest.starts_with(';') {
            statements.extend(start.take().map(|start: usize| sql[start..at].trim_end()));
        } else if !blank {
            start.get_or_insert(at);
        }
        at += length;
    }
    statements.extend(start.map(|start| sql[start..].trim_end()));
    statements
}

/// How long what a text begins with is, and whether it is only space or a comment. A text, a
/// quoted name or a comment is one piece, anything else a character.
fn piece(rest: &str) -> (usize, bool) {
    let to_end = |end: Option<usize>| end.unwrap_or(rest.len());
    let mut characters = rest.chars();
    let first = characters.next().unwrap_or(' ');
    match first {
        '-' if rest.starts_with("--") => (to_end(rest.find('\n').map(|end| end + 1)), true),
        '/' if rest.starts_with("/*") => (block_comment(rest), true),
        '\'' | '"' => (to_end(rest[1..].find(first).map(|end| end + 2)), false),
        '$' => (dollar_quoted(rest).unwrap_or(1), false),
        _ => (first.len_utf8(), first.is_whitespace()),
    }
}

/// The length of a comment, which may hold others.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest[at..];
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of a text between `$tag$` and `$tag$`.
fn dollar_quoted(rest: &str) -> Option<usize> {
    let name = rest[1..].find('$')? + 1;
    let is_name = rest[1..name].chars().all(|it| it.is_alphanumeric() || it == '_');
    let tag = is_name.then_some(&rest[..=name])?;
    let end = rest[tag.len()..].find(tag).map(|end| end + 2 * tag.len());
    Some(end.unwrap_or(rest.len()))
}

/// `CREATE INDEX CONCURRENTLY` or `DROP INDEX CONCURRENTLY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IndexStatement {
    /// `CREATE [UNIQUE] INDEX CONCURRENTLY [IF NOT EXISTS] name ON table …`
    Create {
        /// As it is written.
        name: String,
        /// As it is written.
        table: String,
        /// The statement without `CONCURRENTLY`.
        plain: String,
    },
    /// `DROP INDEX CONCURRENTLY [IF EXISTS] name`
    Drop {
        /// Whether the index may be missing.
        if_exists: bool,
    },
}

impl IndexStatement {
    /// Reads a statement that [`split`] found; `None` where it is another one.
    pub(crate) fn parse(statement: &str) -> Option<Self> {
        let mut words = Words(statement);
        if words.skip("DROP") {
            let concurrently = words.skip("INDEX") && words.skip("CONCURRENTLY");
            let if_exists = words.skip("IF") && words.skip("EXISTS");
            return concurrently.then_some(IndexStatement::Drop { if_exists });
        }
        if !words.skip("CREATE") {
            return None;
        }
        words.skip("UNIQUE");
        if !words.skip("INDEX") {
            return None;
        }
        let before = statement.len() - words.0.len();
        if !words.skip("CONCURRENTLY") {
            return None;
        }
        let plain = format!("{}{}", &statement[..before], words.0);
        let _ = words.skip("IF") && words.skip("NOT") && words.skip("EXISTS");
        let name = words.name()?.to_owned();
        if !words.skip("ON") {
            return None;
        }
        words.skip("ONLY");
        let table = words.name()?.to_owned();
        Some(IndexStatement::Create { name, table, plain })
    }

    /// Whether the statement may be run again where it broke off: an index that it began to build
    /// is dropped first.
    pub(crate) fn is_repeatable(&self) -> bool {
        match self {
            IndexStatement::Create { .. } => true,
            IndexStatement::Drop { if_exists } => *if_exists,
        }
    }
}

/// What is left of a statement.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn skip_blank(&mut self) {
        while let (length, true) = piece(self.0)
            && !self.0.is_empty()
        {
            self.0 = &self.0[length..];
        }
    }

    /// Goes beyond a keyword, if it comes next.
    fn skip(&mut self, keyword: &str) -> bool {
        self.skip_blank();
        let end = self.0.find(|it: char| !it.is_alphanumeric() && it != '_');
        let (word, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        let found = word.eq_ignore_ascii_case(keyword);
        if found {
            self.0 = rest;
        }
        found
    }

    /// A name, quoted or not, with that of its schema.
    fn name(&mut self) -> Option<&'a str> {
        self.skip_blank();
        let whole = self.0;
        while let Some(next) = self.0.chars().next() {
            let belongs = next == '"' || next == '.' || next == '_' || next.is_alphanumeric();
            if !belongs {
                break;
            }
            self.0 = &self.0[piece(self.0).0..];
        }
        let name = &whole[..whole.len() - self.0.len()];
        (!name.is_empty()).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{IndexStatement, split};

    #[test]
    fn a_statement_ends_with_a_semicolon_that_is_not_quoted() {
        let sql = "-- a; b\nSELECT ';', \"x;\"\"y\", 'it''s;' /* ; /* ; */ ; */ ;\n\
                   DO $x$ BEGIN; $$ ; END $x$;\n-- the end;\n; SELECT $1 ";
        let expected = [
            "SELECT ';', \"x;\"\"y\", 'it''s;' /* ; /* ; */ ; */",
            "DO $x$ BEGIN; $$ ; END $x$",
            "SELECT $1",
        ];
        assert_eq!(split(sql), expected);
        assert!(split("-- nothing").is_empty() && split("").is_empty());
    }

    #[test]
    fn the_index_of_a_statement_is_found() {
        let sql = "create unique index /* a */ concurrently \"idx \"\"a\" on only s.\"t\" (\"a\")";
        let Some(IndexStatement::Create { name, table, plain }) = IndexStatement::parse(sql) else {
            panic!("not parsed");
        };
        assert_eq!((name.as_str(), table.as_str()), ("\"idx \"\"a\"", "s.\"t\""));
        let expected = "create unique index \"idx \"\"a\" on only s.\"t\" (\"a\")";
        assert_eq!(plain, expected);
        let drop = IndexStatement::parse("DROP INDEX CONCURRENTLY IF EXISTS \"a\"").unwrap();
        assert!(drop.is_repeatable());
        assert!(!IndexStatement::parse("DROP INDEX CONCURRENTLY a").unwrap().is_repeatable());
        for other in ["CREATE INDEX a ON b (c)", "DROP TABLE a", "VACUUM", "CREATE TABLE a ()"] {
            assert_eq!(IndexStatement::parse(other), None, "{other}");
        }
    }
}
