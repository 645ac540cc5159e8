//! A schema, served without compiling it: the generator as a library makes the model and the
//! migrations of a `.proto` text, the runtime serves them in this process, and calls are made with
//! messages that are known by their descriptors alone.
//!
//! What a version of a schema is made of lives as long as the process, as it does in a binary.

mod calls;

use std::fs;
use std::path::Path;

use prism_codegen::evolve::{Change, History, MigrationFile};
use prism_codegen::pipeline::Checked;
use prism_runtime::codegen::bytes::Bytes;
use prism_runtime::codegen::{self, Handlers, Migration, Migrations};
use prism_runtime::config::Config;
use prism_runtime::proxy::Builder;
use prism_runtime::service::{Context, Reply};
use prism_runtime::{Proxy, Schema};
use prism_schema::sql::Dialect;
use prism_schema::{Entity, Service};
use prost_reflect::DescriptorPool;
use tempfile::TempDir;

pub use calls::Serving;

/// A project whose `.proto` file changes: `schema.lock` and the migrations of every version are
/// kept in a temporary folder.
#[derive(Debug)]
pub struct Project(TempDir);

/// A schema at one point of its history.
#[derive(Clone, Debug)]
pub struct Version {
    /// What was checked of the `.proto` file, entities and services among it.
    pub model: &'static prism_codegen::model::Schema,
    /// Every migration up to this version.
    pub migrations: Migrations,
    /// What has changed since the version before.
    pub changes: Vec<Change>,
    pool: DescriptorPool,
}

impl Project {
    /// A project without a history.
    ///
    /// # Errors
    ///
    /// Where there is no temporary folder.
    pub fn new() -> std::io::Result<Self> {
        tempfile::tempdir().map(Project)
    }

    /// Moves the project on to this text, as `prism migrate diff --accept …` does.
    ///
    /// # Errors
    ///
    /// What is wrong with the text or its history, and the changes that have to be accepted: then
    /// the project stays where it is.
    pub fn next(&self, proto: &str, accepted: &[String]) -> Result<Version, String> {
        let (folder, file) = (self.0.path(), self.0.path().join("schema.proto"));
        fs::write(&file, proto).map_err(|error| error.to_string())?;
        let out = folder.join("out");
        let builder = prism_codegen::configure().whole_crate().include(folder).out_dir(&out);
        let files = [file];
        let refused = |error: prism_codegen::Error| error.to_string();
        let migrated = builder.migrate(&files, accepted).map_err(refused)?;
        if !migrated.diff.pending.is_empty() {
            return Err(prism_codegen::Error::from(migrated.diff.pending).to_string());
        }
        let mut version = Version::new(builder.check(&files).map_err(refused)?, &out)?;
        version.changes = migrated.diff.changes;
        Ok(version)
    }
}

impl Version {
    /// A checked schema, with the migrations below `history`.
    ///
    /// # Errors
    ///
    /// Where a migration cannot be read.
    pub fn new(checked: Checked, history: &Path) -> Result<Self, String> {
        let model: &prism_codegen::model::Schema = Box::leak(Box::new(checked.schema));
        let mut pool = DescriptorPool::decode(model.descriptor_set.as_slice())
            .map_err(|error| error.to_string())?;
        pool.decode_file_descriptor_set(prism_runtime::proto::FILE_DESCRIPTOR_SET)
            .map_err(|error| error.to_string())?;
        let history = History::read(history).map_err(|error| error.to_string())?;
        let migrations = Migrations {
            sqlite: migrations(&history.migrations, Dialect::Sqlite),
            postgres: migrations(&history.migrations, Dialect::Postgres),
        };
        Ok(Version { model, migrations, changes: Vec::new(), pool })
    }

    /// What the runtime serves.
    pub fn schema(&self) -> Schema {
        let mut schema = Schema::new(&self.model.descriptor_set).migrations(self.migrations);
        for entity in &self.model.entities {
            schema = schema.entity_schema(&entity.schema);
        }
        for service in &self.model.services {
            schema = schema.service(Unwritten(&service.schema));
        }
        schema
    }

    /// The stored messages.
    pub fn entities(&self) -> impl Iterator<Item = &'static Entity> {
        self.model.entities.iter().map(|entity| &entity.schema)
    }

    /// Serves a database, `sqlite:` path or Postgres URL, on a free port of loopback, and connects
    /// a client. Outstanding migrations are applied.
    ///
    /// # Errors
    ///
    /// Why the proxy does not start.
    pub async fn serve(&self, database: &str) -> Result<Serving, String> {
        self.serve_with(config(database)).await
    }

    /// As [`Version::serve`], with these settings; [`config`] makes those of a test.
    ///
    /// # Errors
    ///
    /// Why the proxy does not start.
    pub async fn serve_with(&self, config: Config) -> Result<Serving, String> {
        self.start(Proxy::builder(self.schema()).config(config)).await
    }

    /// Starts a proxy for [`Version::schema`] that was set up otherwise, and connects a client.
    ///
    /// # Errors
    ///
    /// Why the proxy does not start.
    pub async fn start(&self, builder: Builder) -> Result<Serving, String> {
        // Opening a database blocks.
        let started = tokio::task::spawn_blocking(move || builder.start()).await;
        let proxy = started.map_err(|error| error.to_string())?;
        let proxy = proxy.map_err(|error| error.to_string())?;
        Serving::connect(proxy, self.pool.clone()).await
    }
}

/// Settings of a proxy that serves this database to a test, and migrates it.
pub fn config(database: &str) -> Config {
    let mut config = Config::default();
    config.server.listen = "127.0.0.1:0".to_owned();
    config.server.threads = 1;
    config.server.drain_seconds = 2;
    config.database = database.to_owned();
    config.migrate = Some(true);
    config
}

/// A service with Get, List, Create, Put, Update and Delete of an entity whose key is
/// `string id = 1`, as `.proto` text. The file has to import `google/protobuf/field_mask.proto`.
/// `conditions` are fields of the list's request, numbers from 3 on.
pub fn service(entity: &str, plural: &str, conditions: &str) -> String {
    let lower = entity.to_lowercase();
    let rows = plural.to_lowercase();
    format!(
        "service {entity}Service {{
  option (prism.service) = {{entity: \"{entity}\"}};
  rpc Get{entity}(Get{entity}Request) returns ({entity});
  rpc List{plural}(List{plural}Request) returns (List{plural}Response);
  rpc Create{entity}(Create{entity}Request) returns ({entity});
  rpc Put{entity}(Put{entity}Request) returns ({entity});
  rpc Update{entity}(Update{entity}Request) returns ({entity});
  rpc Delete{entity}(Delete{entity}Request) returns (Delete{entity}Response);
}}
message Get{entity}Request {{ string id = 1; }}
message List{plural}Request {{ int32 page_size = 1; string page_token = 2; {conditions} }}
message List{plural}Response {{ repeated {entity} {rows} = 1; string next_page_token = 2; }}
message Create{entity}Request {{ {entity} {lower} = 1; }}
message Put{entity}Request {{ {entity} {lower} = 1; }}
message Update{entity}Request {{
  {entity} {lower} = 1;
  google.protobuf.FieldMask update_mask = 2;
}}
message Delete{entity}Request {{ string id = 1; }}
message Delete{entity}Response {{}}
"
    )
}

fn migrations(files: &[MigrationFile], dialect: Dialect) -> &'static [Migration] {
    let migration = |file: &MigrationFile| Migration {
        version: file.version,
        description: file.description.clone().leak(),
        sql: file.sql.clone().leak(),
    };
    let of_dialect = files.iter().filter(|file| file.dialect == dialect).map(migration);
    of_dialect.collect::<Vec<_>>().leak()
}

/// A service whose custom methods nobody has written.
struct Unwritten(&'static Service);

impl Handlers for Unwritten {
    fn descriptor(&self) -> &'static Service {
        self.0
    }

    fn call(&self, method: usize, _: Context, _: Bytes) -> Reply {
        codegen::unimplemented(self.0, method)
    }

    fn is_implemented(&self) -> bool {
        false
    }
}
