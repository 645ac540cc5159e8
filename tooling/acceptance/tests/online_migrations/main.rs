//! A table of a million rows is migrated through every change that is made without asking, while a
//! server of the first version goes on reading and writing: no call fails, and none waits longer
//! than the lock timeout.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod ahead;
mod chain;
mod load;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prism_acceptance::dynamic::{Project, Serving, Version};
use prism_codegen::evolve::Level;
use prism_codegen::evolve::change::Kind;
use prost::Message as _;
use prost_reflect::{DynamicMessage, Value};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use chain::{CHAIN, FILLING, Schema, Step};
use load::{Call, FILL, Load, id};

/// The `lock_timeout` that the files set, and what a call takes on a machine that does much else.
const LONGEST: Duration = Duration::from_millis(5_000 + 1_000);

/// What a change without asking can be. A kind that has no step here is not shown to be harmless.
const KINDS: [Kind; 13] = [
    Kind::EntityAdded,
    Kind::RetentionChanged,
    Kind::FieldAdded,
    Kind::FieldRenamed,
    Kind::TypeWidened,
    Kind::PresenceAdded,
    Kind::ManagementChanged,
    Kind::IndexAdded,
    Kind::IndexChanged,
    Kind::IndexRenamed,
    Kind::IndexRemoved,
    Kind::ValueAdded,
    Kind::ValueRenamed,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_rows_are_migrated_under_load() {
    let Some(met) = run(1_000_000, CHAIN).await else { return };
    assert_eq!(met, KINDS.iter().map(|kind| kind.code()).collect());
}

/// Writing every row of a million takes minutes where the machine has little to spare: fewer show
/// that nobody waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_filled_under_load() {
    run(100_000, FILLING).await;
}

/// Migrates a table of so many rows step by step, and answers what kinds of changes that were.
async fn run(rows: u32, steps: &[Step]) -> Option<BTreeSet<&'static str>> {
    let url = prism_postgres::for_test()?.url();
    let project = Project::new().unwrap();
    let mut schema = Schema::first();
    let first = project.next(&schema.render(), &[]).unwrap();
    let old = Arc::new(first.serve(&url).await.unwrap());
    fill(&url, rows).await;

    let load = Load::start(&old, rows);
    let mut met = BTreeSet::new();
    for (name, change) in steps {
        change(&mut schema);
        let version = project.next(&schema.render(), &[]).unwrap();
        for change in &version.changes {
            assert!(change.level <= Level::Online, "{name}: {change:?}");
            met.insert(change.kind.code());
        }
        let started = Instant::now();
        migrate(&version, &url, &old).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        load.check();
        report(name, started.elapsed(), &load.taken());
    }
    for made in load.stop().await {
        assert!(made > 10, "a task made {made} calls only");
    }
    Some(met)
}

/// Fills the table, and makes its indexes afterwards: that is several times faster.
async fn fill(url: &str, rows: u32) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let started = Instant::now();
    let indexes: Vec<(String, String)> = sqlx::query_as(
        "SELECT indexname::text, indexdef FROM pg_indexes \
         WHERE tablename = 'things' AND indexname LIKE 'idx_%'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(indexes.len(), 3);
    let execute = async |connection: &mut PgConnection, sql: String| {
        connection.execute(AssertSqlSafe(sql)).await.unwrap();
    };
    execute(&mut connection, "SET maintenance_work_mem = '128MB'".to_owned()).await;
    for (name, _) in &indexes {
        execute(&mut connection, format!("DROP INDEX {name}")).await;
    }
    let query = sqlx::query(FILL).bind(0_i64).bind(i64::from(rows));
    query.execute(&mut connection).await.unwrap();
    for (_, definition) in indexes {
        execute(&mut connection, definition).await;
    }
    execute(&mut connection, "ANALYZE things".to_owned()).await;
    eprintln!("filled in {:.1?}", started.elapsed());
}

/// Migrates as a server of the new version does, which then serves what is there.
async fn migrate(version: &Version, url: &str, old: &Serving) {
    let new = version.serve(url).await.unwrap();
    // New fields have higher numbers.
    let (found, expected) = (encoded(&new, 78).await, encoded(old, 78).await);
    assert!(found.starts_with(&expected), "{found:?} {expected:?}");
    let written = json!({"id": "of a new server"});
    new.call("PutThing", json!({"thing": written})).await.unwrap();
    new.call("DeleteThing", written).await.unwrap();
    new.stop().await;
}

/// A row as a server answers it: fields by number, so that it is the same for every version.
async fn encoded(serving: &Serving, number: u32) -> Vec<u8> {
    let method = serving.method("GetThing").unwrap();
    let mut request = DynamicMessage::new(method.input());
    request.set_field_by_name("id", Value::String(id(number)));
    serving.unary(&method, request).await.unwrap().encode_to_vec()
}

fn report(name: &str, took: Duration, calls: &[Call]) {
    let longest = calls.iter().max_by_key(|call| call.took).unwrap();
    let mut times: Vec<Duration> = calls.iter().map(|call| call.took).collect();
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    eprintln!(
        "{name}: {took:.1?}, {} calls, half within {:.1?}, 99 % within {:.1?}, longest {:.1?} ({})",
        calls.len(),
        at(50),
        at(99),
        longest.took,
        longest.operation,
    );
    assert!(longest.took < LONGEST, "{name}: {} took {:?}", longest.operation, longest.took);
}
