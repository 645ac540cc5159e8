//! On Postgres the table is in use meanwhile.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use prism_migrate::postgres::{Migrator, Settings};
use prism_schema::sql::Dialect;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _};

use crate::{Records, borrowed, label, migrations, part};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn migrator<'a>(migrations: &'a [prism_migrate::Migration<'a>]) -> Migrator<'a> {
    Migrator { database: "test", migrations, settings: Settings::default() }
}

/// Writes a record as a server of the old schema does; whether the database took it.
async fn put(
    connection: &mut PgConnection,
    key: &(String, i64),
    (label, size): &(Option<String>, i64),
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO things (shop, number, part, size) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (shop, number) DO UPDATE SET part = EXCLUDED.part, size = EXCLUDED.size",
    )
    .persistent(false)
    .bind(&key.0)
    .bind(key.1)
    .bind(label.as_deref().map(part))
    .bind(size)
    .execute(connection)
    .await
    .map(drop)
}

async fn records(connection: &mut PgConnection) -> Records {
    let query = "SELECT shop, number, part::text, size FROM things";
    let rows = sqlx::query(query).persistent(false).fetch_all(connection).await.unwrap();
    rows.iter()
        .map(|row| {
            let decoded = |name| row.get::<i64, _>(name).wrapping_sub(i64::MIN);
            ((row.get("shop"), decoded("number")), (label(row.get("part")), decoded("size")))
        })
        .collect()
}

/// What a copy leaves behind, apart from its values: nothing.
async fn is_clean(connection: &mut PgConnection) {
    let left = "SELECT count(*) FROM (SELECT relname AS name FROM pg_class UNION ALL \
        SELECT attname FROM pg_attribute WHERE attrelid = 'things'::regclass UNION ALL \
        SELECT proname FROM pg_proc UNION ALL SELECT tgname FROM pg_trigger) names \
        WHERE name LIKE E'\\\\_prism%'";
    let left: i64 = sqlx::query_scalar(left).fetch_one(&mut *connection).await.unwrap();
    assert_eq!(left, 0, "columns, indexes, triggers or functions are left");
    let indexes =
        "SELECT count(*) FROM pg_index WHERE indrelid = 'things'::regclass AND indisvalid";
    let indexes: i64 = sqlx::query_scalar(indexes).fetch_one(connection).await.unwrap();
    assert_eq!(indexes, 2, "the key's and the one of size");
}

#[test]
fn a_copy_that_is_interrupted_anywhere_ends_right() {
    let Some(database) = prism_postgres::for_test() else { return };
    let (files, first) = migrations(Dialect::Postgres);
    let known = borrowed(&files);
    runtime().block_on(async {
        let mut old = PgConnection::connect(&database.url()).await.unwrap();
        migrator(&known[..first]).apply(&mut old).await.unwrap();
        let mut expected = Records::new();
        for number in 0..100 {
            let record = (Some(format!("label {number}")).filter(|_| number % 3 > 0), number);
            put(&mut old, &("shop".to_owned(), number), &record).await.unwrap();
            expected.insert(("shop".to_owned(), number), record);
        }
        // What a run has done stays done: how many it takes depends on how the server's answers come.
        let mut polls = 2;
        let mut interrupted = 0;
        loop {
            let mut connection = PgConnection::connect(&database.url()).await.unwrap();
            let migrator = migrator(&known);
            let ended = {
                let mut apply = pin!(migrator.apply(&mut connection));
                let mut left = polls;
                poll_fn(|context| {
                    left -= 1;
                    match left {
                        0 => Poll::Ready(None),
                        _ => apply.as_mut().poll(context).map(Some),
                    }
                })
                .await
            };
            // As a migrator that is killed: nothing is said to the server.
            drop(connection);
            match ended {
                Some(result) => break drop(result.unwrap()),
                None => interrupted += 1,
            }
            polls += 1;
            // The server of the old schema goes on, unless the copy has ended already.
            let record = (Some(format!("later {polls}")), i64::from(polls));
            let key = ("shop".to_owned(), i64::from(polls % 100));
            if put(&mut old, &key, &record).await.is_ok() {
                expected.insert(key, record);
            }
        }
        assert!(interrupted >= 5, "{interrupted}");
        let mut connection = PgConnection::connect(&database.url()).await.unwrap();
        assert_eq!(records(&mut connection).await, expected);
        is_clean(&mut connection).await;
    });
}

#[test]
fn what_is_written_meanwhile_is_copied_too() {
    const ROWS: i64 = 5000;
    let Some(database) = prism_postgres::for_test() else { return };
    let (files, first) = migrations(Dialect::Postgres);
    runtime().block_on(async {
        let mut connection = PgConnection::connect(&database.url()).await.unwrap();
        let known = borrowed(&files);
        migrator(&known[..first]).apply(&mut connection).await.unwrap();
        sqlx::query(
            "INSERT INTO things (shop, number, part, size) \
             SELECT 'shop', n, '\\x0a0178', n FROM generate_series(1, $1) AS n",
        )
        .bind(ROWS)
        .execute(&mut connection)
        .await
        .unwrap();
        let mut expected: Records = (1..=ROWS)
            .map(|number| (("shop".to_owned(), number), (Some("x".to_owned()), number)))
            .collect();
        let url = database.url();
        let writer = tokio::spawn(async move {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            let mut written = Records::new();
            for turn in 0.. {
                let key = ("shop".to_owned(), turn * 7919 % (ROWS + 500) + 1);
                let record = (Some(format!("turn {turn}")), turn);
                match put(&mut connection, &key, &record).await {
                    Ok(()) => drop(written.insert(key, record)),
                    // The column's type is another one: the copy has ended.
                    Err(error) => {
                        let code = error.as_database_error().and_then(|error| error.code());
                        assert_eq!(code.as_deref(), Some("42804"), "{error}");
                        return written;
                    }
                }
            }
            written
        });
        migrator(&known).apply(&mut connection).await.unwrap();
        let written = writer.await.unwrap();
        assert!(!written.is_empty());
        expected.extend(written);
        assert_eq!(records(&mut connection).await, expected);
        is_clean(&mut connection).await;
    });
}

#[test]
fn a_value_that_has_no_other_form_stops_the_copy_and_nothing_is_lost() {
    let Some(database) = prism_postgres::for_test() else { return };
    let (files, first) = migrations(Dialect::Postgres);
    runtime().block_on(async {
        let known = borrowed(&files);
        let mut connection = PgConnection::connect(&database.url()).await.unwrap();
        migrator(&known[..first]).apply(&mut connection).await.unwrap();
        let insert = "INSERT INTO things (shop, number, part, size) VALUES ('shop', 1, '\\xff', 1)";
        sqlx::query(insert).execute(&mut connection).await.unwrap();
        let error = migrator(&known).apply(&mut connection).await.unwrap_err().to_string();
        let row = r#"things, the row with key ["shop","1"]: a stored part"#;
        assert!(error.contains(&format!("{row} cannot be read")), "{error}");
        let nan = "UPDATE things SET part = '\\x120909000000000000f87f'";
        sqlx::query(nan).execute(&mut connection).await.unwrap();
        let error = migrator(&known).apply(&mut connection).await.unwrap_err().to_string();
        assert!(error.contains(&format!("{row} has no JSON form")), "{error}");
        let broken = "UPDATE things SET part = '\\xff'";
        sqlx::query(broken).execute(&mut connection).await.unwrap();
        let part = "SELECT part FROM things";
        let part: Vec<u8> = sqlx::query_scalar(part).fetch_one(&mut connection).await.unwrap();
        assert_eq!(part, [0xff]);
        let repair = "UPDATE things SET part = '\\x0a0178'";
        sqlx::query(repair).execute(&mut connection).await.unwrap();
        migrator(&known).apply(&mut connection).await.unwrap();
        is_clean(&mut connection).await;
    });
}
