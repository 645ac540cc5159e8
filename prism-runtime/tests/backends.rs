//! Several backends in one proxy: each namespace is served by its own, over the wire and for the
//! service's own code.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use prism_runtime::clock::Clock;
use prism_runtime::codegen::{Client, Handlers, Migration, Migrations};
use prism_runtime::config::{self, Config, Secret};
use prism_runtime::entity::Entity;
use prism_runtime::proto::common::ItemMetadata;
use prism_runtime::proto::keyvalue::v1::{GetRequest, GetResponse, Item, PutRequest, PutResponse};
use prism_runtime::schema::sql::{Dialect, ddl};
use prism_runtime::schema::{Backend, Method, Service};
use prism_runtime::service::{Context, Encoded, Reply};
use prism_runtime::{Error, Proxy, Reason, Schema};
use prost::Message as _;
use tonic::Code;

macro_rules! note {
    ($name:ident, $backend:literal, $message:literal, $namespace:literal) => {
        #[derive(Clone, PartialEq, prost::Message, prism_derive::Entity)]
        #[prism(message = $message, namespace = $namespace, backend = $backend)]
        #[prism(crate = "::prism_runtime")]
        struct $name {
            #[prost(string, tag = "1")]
            #[prism(key = "primary")]
            id: String,
            #[prost(string, tag = "2")]
            text: String,
        }
    };
}

note!(Local, "sqlite", "test.v1.Local", "local-notes");
note!(Shared, "postgres", "test.v1.Shared", "shared-notes");
note!(Passing, "memory", "test.v1.Passing", "passing-notes");

/// The messages, each the same.
const PROTO: &str = r#"
    syntax = "proto3";
    package test.v1;
    message Local { string id = 1; string text = 2; }
    message Shared { string id = 1; string text = 2; }
    message Passing { string id = 1; string text = 2; }
"#;

static DESCRIPTORS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let file = protox::file::File::from_source("notes.proto", PROTO).unwrap();
    let file = vec![file.file_descriptor_proto().clone()];
    prost_types::FileDescriptorSet { file }.encode_to_vec()
});

/// The tables of a dialect, as the generator makes them.
fn migrations(dialect: Dialect) -> &'static [Migration] {
    let entities = [Local::schema(), Shared::schema(), Passing::schema()];
    let steps = entities.into_iter().flat_map(ddl::create);
    let sql: Vec<String> = steps.map(|step| step.render(dialect)).collect();
    Box::leak(Box::new([Migration {
        version: 1,
        description: "notes",
        sql: sql.join("\n").leak(),
    }]))
}

static MIGRATIONS: LazyLock<Migrations> = LazyLock::new(|| Migrations {
    sqlite: migrations(Dialect::Sqlite),
    postgres: migrations(Dialect::Postgres),
});

/// `Put` writes a note into every store, `Get` reads it from where it is.
struct Notes;

static SERVICE: LazyLock<Service> = LazyLock::new(|| Service {
    name: "test.v1.Notes".to_owned(),
    methods: ["Put", "Get"].map(method).to_vec(),
});

fn method(name: &str) -> Method {
    Method {
        name: name.to_owned(),
        input: "test.v1.Local".to_owned(),
        output: "test.v1.Local".to_owned(),
        client_streaming: false,
        server_streaming: false,
        binding: None,
        timeout: None,
        idempotent: true,
        require_auth: false,
        permissions: Vec::new(),
    }
}

impl Handlers for Notes {
    fn descriptor(&self) -> &'static Service {
        &SERVICE
    }

    fn call(&self, method: usize, context: Context, request: Bytes) -> Reply {
        Reply::future(async move {
            let note = Local::decode(request).map_err(Error::internal)?;
            match method {
                0 => put(&context, &note).await?,
                _ => return Ok(Encoded::new(&get(&context, note).await?)),
            }
            Ok(Encoded::new(&note))
        })
    }
}

async fn put(context: &Context, note: &Local) -> prism_runtime::Result<()> {
    let (id, text) = (note.id.clone(), note.text.clone());
    context.store::<Local>()?.put(note).await?;
    context.store::<Shared>()?.put(&Shared { id: id.clone(), text: text.clone() }).await?;
    context.store::<Passing>()?.put(&Passing { id, text }).await?;
    Ok(())
}

/// The text of each store that has the note, in one.
async fn get(context: &Context, note: Local) -> prism_runtime::Result<Local> {
    let id = || note.id.as_str();
    let texts = [
        context.store::<Local>()?.get(id()).await.map(|note| format!("local {}", note.text)),
        context.store::<Shared>()?.get(id()).await.map(|note| format!("shared {}", note.text)),
        context.store::<Passing>()?.get(id()).await.map(|note| format!("passing {}", note.text)),
    ];
    let mut found = Vec::new();
    for text in texts {
        match text {
            Ok(text) => found.push(text),
            Err(error) if error.reason() == Reason::RecordNotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Local { id: note.id, text: found.join(", ") })
}

fn schema() -> Schema {
    Schema::new(&DESCRIPTORS)
        .migrations(*MIGRATIONS)
        .entity::<Local>()
        .entity::<Shared>()
        .entity::<Passing>()
        .service(Notes)
}

/// `file` and `server`, with every annotation served by what it asks for.
fn config(file: &Path, server: &str) -> Config {
    let mut config = support::config();
    config.migrate = Some(true);
    for (name, url) in [("file", file.to_str().unwrap()), ("server", server)] {
        let backend = config::Backend { url: Secret::new(url), ..config::Backend::default() };
        config.backends.insert(name.to_owned(), backend);
    }
    for (namespace, backend) in [("sessions", "file"), ("flags", "memory")] {
        config.namespaces.insert(namespace.to_owned(), backend.to_owned());
    }
    config.keyvalue.backend = Some("server".to_owned());
    config
}

/// Everything on one database.
fn alone(database: &str) -> Config {
    let mut config = support::config();
    config.migrate = Some(true);
    config.database = database.to_owned();
    config
}

struct Running {
    proxy: Proxy,
    client: Client,
}

impl Running {
    async fn start(config: Config) -> Self {
        let proxy = Proxy::builder(schema()).config(config).start().unwrap();
        let uri = format!("http://{}", proxy.local_addr());
        Running { proxy, client: Client::connect(uri).await.unwrap() }
    }

    async fn note(&self, method: &str, id: &str, text: &str) -> String {
        let request = Local { id: id.to_owned(), text: text.to_owned() };
        let path = format!("/test.v1.Notes/{method}");
        let answer = self.client.unary::<_, Local>(&path, request).await;
        answer.unwrap().into_inner().text
    }

    async fn put_item(&self, namespace: &str, ttl_seconds: i64) -> Result<(), tonic::Status> {
        let metadata = Some(ItemMetadata { ttl_seconds, ..ItemMetadata::default() });
        let item = Item { key: b"k".to_vec(), value: namespace.as_bytes().to_vec(), metadata };
        let request = PutRequest {
            namespace: namespace.to_owned(),
            id: "id".to_owned(),
            items: vec![item],
            item_priority_token: 0,
        };
        let path = "/prism.keyvalue.v1.KeyValueService/Put";
        self.client.unary::<_, PutResponse>(path, request).await.map(drop)
    }

    async fn has_item(&self, namespace: &str) -> bool {
        let request = GetRequest {
            namespace: namespace.to_owned(),
            id: "id".to_owned(),
            ..GetRequest::default()
        };
        let path = "/prism.keyvalue.v1.KeyValueService/Get";
        let answer = self.client.unary::<_, GetResponse>(path, request).await.unwrap();
        answer.into_inner().items.iter().any(|item| item.value == namespace.as_bytes())
    }

    /// Which of the namespaces have their item.
    async fn items(&self) -> Vec<&'static str> {
        let mut found = Vec::new();
        for namespace in ["sessions", "flags", "others"] {
            if self.has_item(namespace).await {
                found.push(namespace);
            }
        }
        found
    }
}

#[tokio::test]
async fn each_namespace_is_on_its_own_backend() {
    let Some(database) = prism_postgres::for_test() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (file, server) = (folder.path().join("notes.db"), database.url());
    let running = Running::start(config(&file, &server)).await;
    running.note("Put", "1", "a").await;
    assert_eq!(running.note("Get", "1", "").await, "local a, shared a, passing a");
    for namespace in ["sessions", "flags", "others"] {
        running.put_item(namespace, 0).await.unwrap();
    }
    assert_eq!(running.items().await, ["sessions", "flags", "others"]);
    running.proxy.shutdown().await;

    // What was in memory is gone with the proxy.
    let running = Running::start(config(&file, &server)).await;
    assert_eq!(running.note("Get", "1", "").await, "local a, shared a");
    assert_eq!(running.items().await, ["sessions", "others"]);
    running.proxy.shutdown().await;
    // Each database has what is its, and nothing else.
    for (database, note, items) in
        [(file.to_str().unwrap(), "local a", "sessions"), (&server, "shared a", "others")]
    {
        let running = Running::start(alone(database)).await;
        assert_eq!(running.note("Get", "1", "").await, note);
        assert_eq!(running.items().await, [items]);
        running.proxy.shutdown().await;
    }
}

#[tokio::test]
async fn the_settings_move_a_namespace_to_another_backend() {
    let Some(database) = prism_postgres::for_test() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (file, server) = (folder.path().join("notes.db"), database.url());
    let mut settings = config(&file, &server);
    for (namespace, backend) in
        [("shared-notes", "file"), ("passing-notes", "server"), ("local-notes", "memory")]
    {
        settings.namespaces.insert(namespace.to_owned(), backend.to_owned());
    }
    let running = Running::start(settings).await;
    running.note("Put", "1", "b").await;
    let table = running.proxy.table().to_string();
    let expected = format!(
        "backend  kind      place\n\
         file     sqlite    {}\n\
         server   postgres  127.0.0.1:{}/{}\n\
         namespace      annotated  serving\n\
         local-notes    sqlite     memory\n\
         shared-notes   postgres   file (sqlite)\n\
         passing-notes  memory     server (postgres)\n\
         flags          key-value  memory\n\
         sessions       key-value  file (sqlite)\n\
         *              key-value  server (postgres)\n",
        file.display(),
        database.port(),
        server.rsplit('/').next().unwrap(),
    );
    assert!(table.starts_with(&expected), "{table}");
    assert!(!table.contains("throw-away"), "the password is shown: {table}");
    assert_eq!(running.proxy.table().namespaces[1].serving, Backend::Sqlite);
    running.proxy.shutdown().await;
    for (database, note) in [(file.to_str().unwrap(), "shared b"), (&server, "passing b")] {
        let mut alone = alone(database);
        for namespace in ["passing-notes", "local-notes", "shared-notes"] {
            alone.namespaces.insert(namespace.to_owned(), "main".to_owned());
        }
        let running = Running::start(alone).await;
        assert_eq!(running.note("Get", "1", "").await, note);
        running.proxy.shutdown().await;
    }
}

#[tokio::test]
async fn namespaces_that_are_bound_are_not_counted_as_undeclared() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = alone(folder.path().join("notes.db").to_str().unwrap());
    config.keyvalue.max_namespaces = 1;
    for namespace in ["sessions", "flags"] {
        config.namespaces.insert(namespace.to_owned(), "main".to_owned());
    }
    let running = Running::start(config).await;
    for namespace in ["others", "sessions", "flags"] {
        running.put_item(namespace, 0).await.unwrap();
    }
    let refused = running.put_item("one-more", 0).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
}

#[tokio::test]
async fn every_backend_is_swept() {
    let Some(database) = prism_postgres::for_test() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (file, server) = (folder.path().join("notes.db"), database.url());
    let clock = Clock::manual(1_800_000_000_000_000);
    let proxy = Proxy::builder(schema())
        .config(config(&file, &server))
        .clock(clock.clone())
        .sweep_interval(Duration::from_millis(20))
        .start()
        .unwrap();
    let client = Client::connect(format!("http://{}", proxy.local_addr())).await.unwrap();
    let running = Running { proxy, client };
    running.put_item("sessions", 10).await.unwrap();
    running.put_item("others", 10).await.unwrap();
    assert_eq!((in_file(&file), in_server(&server).await), (1, 1));
    clock.advance(48 * 3600 * 1_000_000);
    let swept = async {
        while (in_file(&file), in_server(&server).await) != (0, 0) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), swept).await.unwrap();
    running.proxy.shutdown().await;
}

const COUNT: &str = "SELECT count(*) FROM kv_items";

fn in_file(path: &Path) -> i64 {
    rusqlite::Connection::open(path).unwrap().query_row(COUNT, [], |row| row.get(0)).unwrap()
}

async fn in_server(url: &str) -> i64 {
    use sqlx::Connection as _;
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar(COUNT).fetch_one(&mut connection).await.unwrap()
}

#[test]
fn a_backend_that_cannot_be_opened_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let server = "postgres://u:pass-word@127.0.0.1:1/none";
    let start = |config| match Proxy::builder(schema()).config(config).start() {
        Ok(_) => panic!("it starts"),
        Err(error) => error.to_string(),
    };
    let file = folder.path().join("notes.db");
    let error = start(config(&file, server));
    assert!(error.starts_with("backends.server: the Postgres server 127.0.0.1:1 "), "{error}");
    assert!(!error.contains("pass-word"), "{error}");
    // The other one is not held any longer.
    let error = start(config(&folder.path().join("none/notes.db"), server));
    assert!(error.starts_with("backends.file: "), "{error}");
    let error = start(alone(server));
    assert!(error.starts_with("the Postgres server 127.0.0.1:1 "), "{error}");
    // What is bound to nowhere is known before anything is opened.
    let mut settings = config(&file, server);
    settings.keyvalue.backend = None;
    let expected = "keyvalue.backend is not set, and there are the backends file and server; say \
                    which one serves key-values with the line `backend: file` below `keyvalue:`";
    assert_eq!(start(settings), expected);
    drop(Proxy::builder(schema()).config(alone(file.to_str().unwrap())).start().unwrap());
}
