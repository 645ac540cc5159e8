//! Databases of both kinds, and a schema for them.
#![allow(dead_code)] // each test uses what it needs

use prism_schema::Entity;
use prism_schema::sql::{Dialect, ddl};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::runtime::Runtime;

/// A schema with every kind of index.
pub fn things() -> Entity {
    serde_json::from_str(
        r#"{
            "message": "a.Thing", "namespace": "things", "backend": "postgres", "table": "things",
            "columns": [
                {"number": 1, "field": "id", "name": "id", "type": "string", "cardinality": "implicit", "storage": "native"},
                {"number": 2, "field": "mail", "name": "mail", "type": "string", "cardinality": "optional", "storage": "native"},
                {"number": 3, "field": "size", "name": "size", "type": "uint32", "cardinality": "implicit", "storage": "native"},
                {"number": 4, "field": "count", "name": "count", "type": "int64", "cardinality": "implicit", "storage": "native"},
                {"number": 5, "field": "deleted", "name": "deleted", "type": "timestamp", "cardinality": "optional", "storage": "native", "managed": "delete_time"}
            ],
            "key": [1], "partition": 1,
            "indexes": [
                {"name": "idx_things_mail", "columns": [{"number": 2}], "unique": true},
                {"name": "idx_things_count", "columns": [{"number": 4, "descending": true}]}
            ]
        }"#,
    )
    .unwrap()
}

/// What makes an entity's tables in a fresh database.
pub fn fresh(entity: &Entity, dialect: Dialect) -> String {
    ddl::create(entity).iter().map(|step| step.render(dialect) + "\n").collect()
}

/// A database of its own for a test.
pub trait Live: Sized {
    const DIALECT: Dialect;
    /// `None` where the machine has no such database.
    fn create() -> Option<Self>;
    fn execute(&mut self, sql: &str);
    fn verify(&mut self, entities: &[&Entity]) -> Vec<prism_migrate::verify::Difference>;
    /// What a server does at its start.
    fn prepare(
        &mut self,
        migrations: &[prism_migrate::Migration<'_>],
        entities: &[&Entity],
        migrate: bool,
    ) -> Result<(), prism_migrate::Error>;
}

pub struct Sqlite(pub rusqlite::Connection);

impl Live for Sqlite {
    const DIALECT: Dialect = Dialect::Sqlite;

    fn create() -> Option<Self> {
        Some(Sqlite(rusqlite::Connection::open_in_memory().unwrap()))
    }

    fn execute(&mut self, sql: &str) {
        self.0.execute_batch(sql).unwrap();
    }

    fn verify(&mut self, entities: &[&Entity]) -> Vec<prism_migrate::verify::Difference> {
        prism_migrate::sqlite::verify(&self.0, entities).unwrap()
    }

    fn prepare(
        &mut self,
        migrations: &[prism_migrate::Migration<'_>],
        entities: &[&Entity],
        migrate: bool,
    ) -> Result<(), prism_migrate::Error> {
        let migrator = prism_migrate::sqlite::Migrator { database: "test.db", migrations };
        migrator.prepare(&self.0, entities, migrate)
    }
}

pub struct Postgres {
    pub runtime: Runtime,
    pub connection: PgConnection,
    pub url: String,
}

impl Postgres {
    /// Another session of the same database.
    pub fn session(&self) -> PgConnection {
        self.runtime.block_on(PgConnection::connect(&self.url)).unwrap()
    }

    pub fn query<T>(&mut self, sql: &str) -> T
    where
        T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let query = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
        self.runtime.block_on(query.fetch_one(&mut self.connection)).unwrap()
    }
}

impl Live for Postgres {
    const DIALECT: Dialect = Dialect::Postgres;

    fn create() -> Option<Self> {
        let url = prism_postgres::for_test()?.url();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connection = runtime.block_on(PgConnection::connect(&url)).unwrap();
        Some(Postgres { runtime, connection, url })
    }

    fn execute(&mut self, sql: &str) {
        let statements = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        self.runtime.block_on(statements.execute(&mut self.connection)).unwrap();
    }

    fn verify(&mut self, entities: &[&Entity]) -> Vec<prism_migrate::verify::Difference> {
        let verified = prism_migrate::postgres::verify(&mut self.connection, entities);
        self.runtime.block_on(verified).unwrap()
    }

    fn prepare(
        &mut self,
        migrations: &[prism_migrate::Migration<'_>],
        entities: &[&Entity],
        migrate: bool,
    ) -> Result<(), prism_migrate::Error> {
        let settings = prism_migrate::postgres::Settings::default();
        let migrator =
            prism_migrate::postgres::Migrator { database: "`test` at here", migrations, settings };
        self.runtime.block_on(migrator.prepare(&mut self.connection, entities, migrate))
    }
}
