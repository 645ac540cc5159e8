//! Applied migrations against known ones: the same rules for every database.

use crate::migration::{hex, title};
use crate::{Error, Migration};

/// A row of a table of applied migrations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The number of its file.
    pub version: i64,
    /// The rest of the file's name.
    pub description: String,
    /// SHA-384 of the text that was applied.
    pub checksum: Vec<u8>,
    /// Whether it ended.
    pub success: bool,
}

/// How a migration stands between a database and what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is applied as it is known.
    Applied,
    /// It is not applied.
    Pending,
    /// It broke off halfway, and is run again with those that are not applied.
    Interrupted,
    /// It broke off halfway, and nobody knows what it did.
    Dirty,
    /// Another text was applied.
    Edited,
    /// It is applied and not known, among ones that are.
    Missing,
    /// It is applied and newer than any that is known.
    Ahead,
}

impl State {
    /// One word, for tables.
    pub const fn name(self) -> &'static str {
        match self {
            State::Applied => "applied",
            State::Pending => "pending",
            State::Interrupted => "interrupted",
            State::Dirty => "dirty",
            State::Edited => "edited",
            State::Missing => "missing",
            State::Ahead => "ahead",
        }
    }
}

/// A migration of a database, of what is known, or of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status<'a> {
    /// Its number.
    pub version: i64,
    /// The rest of its name.
    pub description: String,
    /// How it stands.
    pub state: State,
    /// The known one.
    pub known: Option<Migration<'a>>,
    /// SHA-384 of the text that was applied.
    pub applied: Option<Vec<u8>>,
}

impl Status<'_> {
    /// `0002 (change orders)`, for messages.
    pub fn title(&self) -> String {
        title(self.version, &self.description)
    }

    /// Whether columns get names afterwards that other columns had, so that names alone do not
    /// tell what a column holds. The migration that waits before that is called after it.
    pub(crate) fn gives_names_away(&self) -> bool {
        self.description.split(' ').next() == Some("pause")
    }

    /// Whether it is a copy that wrote every row anew. Of one that is not known only the name
    /// says so.
    pub(crate) fn is_rewrite(&self) -> bool {
        match self.known {
            Some(known) => known.is_rewrite(),
            None => self.description.split(' ').next() == Some("rewrite"),
        }
    }
}

/// Every migration that is applied or known, by version.
pub fn statuses<'a>(known: &[Migration<'a>], applied: &[Applied]) -> Vec<Status<'a>> {
    let newest = known.iter().map(|migration| migration.version).max();
    let pending = known
        .iter()
        .filter(|migration| applied.iter().all(|row| row.version != migration.version))
        .map(|migration| Status {
            version: migration.version,
            description: migration.description.to_owned(),
            state: State::Pending,
            known: Some(*migration),
            applied: None,
        });
    let of_row = |row: &Applied| {
        let known = known.iter().find(|migration| migration.version == row.version).copied();
        Status {
            version: row.version,
            description: row.description.clone(),
            state: state(row, known, newest),
            known,
            applied: Some(row.checksum.clone()),
        }
    };
    let mut all: Vec<Status<'a>> = applied.iter().map(of_row).chain(pending).collect();
    all.sort_by_key(|status| status.version);
    all
}

fn state(row: &Applied, known: Option<Migration<'_>>, newest: Option<i64>) -> State {
    let same = known.is_some_and(|known| known.has_checksum(&row.checksum));
    match known {
        Some(known) if !row.success && same && known.is_repeatable() => State::Interrupted,
        _ if !row.success => State::Dirty,
        Some(_) if same => State::Applied,
        Some(_) => State::Edited,
        None if newest.is_none_or(|newest| row.version > newest) => State::Ahead,
        None => State::Missing,
    }
}

/// What is left to be done, once nothing has to be refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan<'a> {
    /// What is to be applied, in the order of versions.
    pub outstanding: Vec<Migration<'a>>,
    /// What is applied and newer than anything known, in the order of versions.
    pub ahead: Vec<Status<'a>>,
}

/// Decides what is to be applied.
///
/// # Errors
///
/// Where the database has another history than what is known: a migration that is edited or
/// missing, or broke off and cannot be repeated.
pub(crate) fn plan<'a>(
    database: &str,
    table: &'static str,
    statuses: &[Status<'a>],
) -> Result<Plan<'a>, Error> {
    let mut plan = Plan::default();
    for status in statuses {
        let version = status.version;
        match (status.state, status.known) {
            (State::Dirty, _) => {
                return Err(Error::Dirty { database: database.to_owned(), version, table });
            }
            (State::Missing, _) => {
                return Err(Error::Missing { database: database.to_owned(), version });
            }
            (State::Edited, Some(known)) => {
                return Err(Error::Edited {
                    database: database.to_owned(),
                    migration: known.title(),
                    applied: hex(status.applied.as_deref().unwrap_or_default()),
                    known: hex(&known.checksum()),
                });
            }
            (State::Pending | State::Interrupted, Some(known)) => plan.outstanding.push(known),
            (State::Ahead, _) => plan.ahead.push(status.clone()),
            _ => {}
        }
    }
    Ok(plan)
}

/// The history of a database: of Prism's own tables and of the user's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History<'a> {
    /// Prism's own.
    pub own: Vec<Status<'a>>,
    /// The user's.
    pub users: Vec<Status<'a>>,
}

/// What is left to be done in both histories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plans<'a> {
    /// Of Prism's own.
    pub own: Plan<'a>,
    /// Of the user's.
    pub users: Plan<'a>,
}

impl<'a> History<'a> {
    /// Decides what is to be applied.
    ///
    /// # Errors
    ///
    /// Where the database has another history than what is known.
    pub fn plan(&self, database: &str) -> Result<Plans<'a>, Error> {
        Ok(Plans {
            own: plan(database, crate::own::TABLE, &self.own)?,
            users: plan(database, crate::own::USERS_TABLE, &self.users)?,
        })
    }
}

impl<'a> Plans<'a> {
    /// Everything that is to be applied, Prism's own first.
    pub fn outstanding(&self) -> impl Iterator<Item = &Migration<'a>> {
        self.own.outstanding.iter().chain(&self.users.outstanding)
    }

    /// Fails where something newer than anything known was applied before what is outstanding.
    pub(crate) fn refuse_mixed(&self, database: &str) -> Result<(), Error> {
        let newest = self.own.ahead.iter().chain(&self.users.ahead).next_back();
        match (newest, self.outstanding().next()) {
            (Some(newest), Some(_)) => Err(Error::Ahead {
                database: database.to_owned(),
                migration: newest.title(),
                reason: crate::verify::can_serve(self, &[]).err().unwrap_or_default(),
            }),
            _ => Ok(()),
        }
    }

    /// Fails where anything is to be applied.
    pub(crate) fn refuse_behind(&self, database: &str) -> Result<(), Error> {
        match self.outstanding().next() {
            None => Ok(()),
            Some(first) => Err(Error::Behind {
                database: database.to_owned(),
                first: first.title(),
                count: self.outstanding().count(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const ONE: Migration<'static> = Migration { version: 1, description: "one", sql: "SELECT 1" };
    const TWO: Migration<'static> = Migration {
        version: 2,
        description: "two",
        sql: "-- no-transaction\nCREATE INDEX CONCURRENTLY \"a\" ON \"b\" (\"c\");\n",
    };
    const FOUR: Migration<'static> = Migration { version: 4, description: "four", sql: "SELECT 4" };

    #[test]
    fn line_ends_are_no_edit() {
        let crlf = TWO.sql.replace('\n', "\r\n");
        let mixed = TWO.sql.replacen('\n', "\r\n", 1);
        let checkouts = [TWO.sql, &crlf, &mixed].map(|sql| Migration { sql, ..TWO });
        let bytes = |sql: &str| <sha2::Sha384 as sha2::Digest>::digest(sql).to_vec();
        for known in checkouts {
            assert_eq!(known.checksum(), TWO.checksum(), "what is stored is the same everywhere");
            for applied in [bytes(TWO.sql), bytes(&crlf), bytes(known.sql)] {
                let row = Applied { checksum: applied, ..row(TWO) };
                assert_eq!(statuses(&[known], &[row])[0].state, State::Applied);
            }
            assert!(known.is_repeatable() && known.without_transaction());
        }
        let edited = Migration { sql: "-- no-transaction\r\nSELECT 2;\r\n", ..TWO };
        assert_eq!(statuses(&[edited], &[row(TWO)])[0].state, State::Edited);
    }

    fn row(migration: Migration<'_>) -> Applied {
        Applied {
            version: migration.version,
            description: migration.description.to_owned(),
            checksum: migration.checksum().to_vec(),
            success: true,
        }
    }

    fn states(known: &[Migration<'_>], applied: &[Applied]) -> Vec<(i64, &'static str)> {
        let found = statuses(known, applied);
        found.iter().map(|status| (status.version, status.state.name())).collect()
    }

    fn refusal(known: &[Migration<'_>], applied: &[Applied]) -> String {
        let statuses = statuses(known, applied);
        plan("d", crate::own::USERS_TABLE, &statuses).unwrap_err().to_string()
    }

    #[test]
    fn each_migration_has_one_state() {
        let known = [FOUR, ONE, TWO];
        assert_eq!(states(&known, &[]), [(1, "pending"), (2, "pending"), (4, "pending")]);
        let applied = [row(ONE), Applied { success: false, ..row(TWO) }];
        assert_eq!(states(&known, &applied), [(1, "applied"), (2, "interrupted"), (4, "pending")]);
        let applied = [Applied { success: false, ..row(ONE) }, row(FOUR)];
        assert_eq!(states(&[ONE], &applied), [(1, "dirty"), (4, "ahead")]);
        let applied = [Applied { checksum: vec![1], ..row(ONE) }, row(TWO)];
        assert_eq!(states(&[ONE, FOUR], &applied), [(1, "edited"), (2, "missing"), (4, "pending")]);
    }

    #[test]
    fn what_is_interrupted_is_applied_again_and_what_is_newer_is_left_alone() {
        let applied = [row(ONE), Applied { success: false, ..row(TWO) }, row(FOUR)];
        let plan = plan("d", crate::own::USERS_TABLE, &statuses(&[ONE, TWO], &applied)).unwrap();
        assert_eq!(plan.outstanding, [TWO]);
        assert_eq!(plan.ahead.iter().map(Status::title).collect::<Vec<_>>(), ["0004 (four)"]);
    }

    #[test]
    fn another_history_is_refused() {
        let dirty = refusal(&[ONE], &[Applied { success: false, ..row(ONE) }]);
        assert!(dirty.starts_with("migration 1 of the database d broke off halfway"), "{dirty}");
        let missing = refusal(&[TWO], &[row(ONE)]);
        assert!(missing.contains("has migration 1, which is missing from the known"), "{missing}");
        let edited = refusal(&[ONE], &[Applied { checksum: vec![0xab], ..row(ONE) }]);
        let expected = "migration 0001 (one) was edited after it was applied to the database d: \
                        its checksum was ab and is now ";
        assert!(edited.starts_with(expected), "{edited}");
    }
}
