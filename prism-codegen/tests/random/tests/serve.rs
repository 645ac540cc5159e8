//! Every random schema: its code says what its `.proto` files say, and every bound method does
//! what it is bound to, on SQLite and Postgres.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};

use prism_acceptance::dynamic::{Version, config};
use prism_codegen::pipeline::Checked;
use prism_runtime::Proxy;
use prism_schema::{Access, Operation};
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage};
use random_schemas::{ALL, Compiled, Random};
use support::{Served, assert_same, of_field};
use tonic::Code;

fn check(compiled: &Compiled) -> Checked {
    let protos = Path::new(compiled.folder).join("proto");
    let entries = std::fs::read_dir(&protos).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.collect();
    files.sort();
    prism_codegen::configure().include(protos).check(&files).unwrap()
}

#[test]
fn code_says_what_the_schema_says() {
    for compiled in ALL {
        let schema = check(compiled).schema;
        assert_eq!(compiled.entities.len(), schema.entities.len(), "seed {}", compiled.seed);
        for entity in compiled.entities {
            let mut entities = schema.entities.iter().map(|entity| &entity.schema);
            let modelled = entities.find(|other| other.message == entity().message);
            assert_eq!(Some(entity()), modelled, "seed {}", compiled.seed);
        }
        assert_eq!(compiled.services.len(), schema.services.len(), "seed {}", compiled.seed);
        for service in compiled.services {
            let mut services = schema.services.iter().map(|service| &service.schema);
            let modelled = services.find(|other| other.name == service().name);
            assert_eq!(Some(service()), modelled, "seed {}", compiled.seed);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_schema_serves_on_sqlite() {
    for compiled in ALL {
        let folder = tempfile::tempdir().unwrap();
        serve(compiled, folder.path().join("test.db").to_str().unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_schema_serves_on_postgres() {
    for compiled in ALL {
        let Some(database) = prism_postgres::for_test() else { return };
        serve(compiled, &database.url()).await;
    }
}

async fn serve(compiled: &Compiled, database: &str) {
    let seed = compiled.seed;
    let version = Version::new(check(compiled), Path::new(compiled.folder)).unwrap();
    let pool = DescriptorPool::decode(version.model.descriptor_set.as_slice()).unwrap();
    let builder = Proxy::builder((compiled.schema)()).config(config(database));
    let serving =
        version.start(builder).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let mut random = Random::new(seed);
    for service in &version.model.services {
        let entity = version.entities().find(|entity| {
            let mut bindings = service.schema.methods.iter().filter_map(|it| it.binding.as_ref());
            bindings.any(|binding| binding.entity == entity.message)
        });
        let served = Served {
            serving: &serving,
            pool: &pool,
            entity: entity.unwrap(),
            service: &service.schema,
        };
        exercise(&served, &mut random, &format!("seed {seed}, {}", service.schema.name)).await;
    }
    serving.stop().await;
}

/// Writes a record in every way, reads it in every way, and removes it.
async fn exercise(served: &Served<'_>, random: &mut Random, at: &str) {
    let record = served.record(random);
    for operation in [Operation::Create, Operation::Put] {
        let method = served.methods(operation).next().unwrap();
        let made = served.call(method, &record, &[]).await;
        let made = made.unwrap_or_else(|error| panic!("{at}: {operation:?}: {error}\n{record:?}"));
        assert_same(&made[0], &served.visible(&record), &format!("{at}: {operation:?}"));
    }
    reads(served, &record, at).await;
    let record = update(served, record, random, at).await;
    reads(served, &record, at).await;
    let get = served.methods(Operation::Get).next().unwrap();
    let delete = served.methods(Operation::Delete).next().unwrap();
    served.call(delete, &record, &[]).await.unwrap();
    let gone = served.call(get, &record, &[]).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound, "{at}: {gone}");
    if let Some(undelete) = served.methods(Operation::Undelete).next() {
        served.call(undelete, &record, &[]).await.unwrap();
        reads(served, &record, at).await;
    }
}

async fn reads(served: &Served<'_>, record: &DynamicMessage, at: &str) {
    let expected = served.visible(record);
    for operation in [Operation::Get, Operation::BatchGet, Operation::List] {
        for method in served.methods(operation) {
            let what = format!("{at}: {}", method.0.name);
            if !served.is_judged(method.1, record) {
                continue;
            }
            let found = served.call(method, record, &[]).await;
            let found = found.unwrap_or_else(|error| panic!("{what}: {error}\n{record:?}"));
            assert_eq!(found.len(), 1, "{what}\n{record:?}");
            assert_same(&found[0], &expected, &what);
        }
    }
}

/// Changes one field that callers may change.
async fn update(
    served: &Served<'_>,
    mut record: DynamicMessage,
    random: &mut Random,
    at: &str,
) -> DynamicMessage {
    let free = served.entity.columns.iter().filter(|column| {
        let key = served.entity.is_key(column.number);
        !key && column.access == Access::Unrestricted && column.managed.is_none()
    });
    let free: Vec<_> = free.collect();
    if free.is_empty() {
        return record;
    }
    let column = random.pick(&free);
    let field = record.descriptor().get_field(column.number).unwrap();
    match of_field(random, &field, 0) {
        Some(value) => record.set_field(&field, value),
        None => record.clear_field(&field),
    }
    let method = served.methods(Operation::Update).next().unwrap();
    let made = served.call(method, &record, std::slice::from_ref(&column.field)).await;
    let made = made.unwrap_or_else(|error| panic!("{at}: Update of {}: {error}", column.field));
    assert_same(&made[0], &served.visible(&record), &format!("{at}: Update"));
    record
}
