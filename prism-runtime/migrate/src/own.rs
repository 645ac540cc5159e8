//! The tables that Prism has for itself.

use crate::Migration;

/// Where the applied ones are recorded.
pub(crate) const TABLE: &str = "prism_migrations";

/// Where sqlx records the user's.
pub(crate) const USERS_TABLE: &str = "_sqlx_migrations";

/// The tables that these migrations make.
pub(crate) const TABLES: [&str; 3] = ["kv_items", "kv_namespaces", "prism_requests"];

/// For SQLite.
pub(crate) const SQLITE: &[Migration<'static>] = &[
    Migration {
        version: 1,
        description: "keyvalue",
        sql: include_str!("../migrations/sqlite/0001_keyvalue.sql"),
    },
    Migration {
        version: 2,
        description: "requests",
        sql: include_str!("../migrations/sqlite/0002_requests.sql"),
    },
];

/// For Postgres.
pub(crate) const POSTGRES: &[Migration<'static>] = &[
    Migration {
        version: 1,
        description: "keyvalue",
        sql: include_str!("../migrations/postgres/0001_keyvalue.sql"),
    },
    Migration {
        version: 2,
        description: "requests",
        sql: include_str!("../migrations/postgres/0002_requests.sql"),
    },
    Migration {
        version: 3,
        description: "namespaces",
        sql: include_str!("../migrations/postgres/0003_namespaces.sql"),
    },
];
