//! Where a database is: what is read, and what is refused without being shown.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use prism_migrate::{Place, PlaceError, Servers};

fn servers(url: &str) -> Servers {
    match Place::parse(url) {
        Ok(Place::Postgres(servers)) => servers,
        other => panic!("{url}: {other:?}"),
    }
}

#[test]
fn urls_of_postgres_are_read() {
    for (url, expected) in [
        ("postgres://u:p@h/d", "h:5432/d"),
        ("POSTGRESQL://u:p%40@h:1/d?sslmode=verify-full", "h:1/d"),
        ("postgres://u:p@a,b:2,[::1]:3/d?target_session_attrs=primary", "a:5432,b:2,[::1]:3/d"),
        ("postgres://u@/d?host=a,b&port=1,2", "a:1,b:2/d"),
        ("postgres://u@h/d?hostaddr=127.0.0.1&port=7", "127.0.0.1:7/d"),
        ("postgres://u@h/d?channel_binding=prefer&options=-c%20a%3Db&options[c]=d", "h:5432/d"),
    ] {
        assert_eq!(servers(url).to_string(), expected, "{url}");
    }
    let socket = servers("postgres://u@%2Frun%2Fpostgres/d");
    assert_eq!(socket.first().get_socket().unwrap(), Path::new("/run/postgres"));
    let socket = servers("postgres:///d?host=/run/postgres");
    assert_eq!(socket.first().get_socket().unwrap(), Path::new("/run/postgres"));
    assert!(servers("postgres://h/d").writable);
    assert!(!servers("postgres://h/d?target_session_attrs=any").writable);
}

#[test]
fn paths_are_files() {
    for (text, expected) in [
        ("./prism.db", "./prism.db"),
        ("/var/lib/my data/prism-1_2.db", "/var/lib/my data/prism-1_2.db"),
        ("17", "17"),
        ("sqlite:a=b@c.db", "a=b@c.db"),
        ("sqlite:///abs/a.db", "/abs/a.db"),
        ("SQLITE:a.db", "a.db"),
    ] {
        match Place::parse(text) {
            Ok(Place::Sqlite(path)) => assert_eq!(path, Path::new(expected)),
            other => panic!("{text}: {other:?}"),
        }
    }
    for path in ["./prism.db", "17", "prism.db"] {
        assert_eq!(Place::parse_url(path).unwrap_err(), PlaceError::NoUrl);
    }
}

#[test]
fn what_is_neither_is_refused_and_not_shown() {
    for text in [
        "host=s3cret password=s3cret",
        "Server=s3cret;Password=s3cret",
        "postgres:s3cret",
        "postgres:/u:s3cret@h/d",
        "postgresql:u:s3cret@h",
        "jdbc:postgresql://h/d?user=s3cret&password=s3cret",
        "mysql://u:s3cret@h/d",
        "http://s3cret@h",
        "file:s3cret",
        "u:s3cret@h:5432/d",
        "//u:s3cret@h/d",
        " postgres://u:s3cret@h/d",
        "postgres://u:s3cret@h/d\n",
        "\"postgres://u:s3cret@h/d\"",
        "sqlite:postgres://u:s3cret@h/d",
        "sqlite:a.db?key=s3cret",
        "postgres://u:s3cret#1@h/d",
        "postgres://u:s3/cret@h/d",
        "postgres://u:1?s3cret@h/d",
        "postgres://u:1?s3cret=@h/d",
        "postgres://u:%s3cret@h:x/d",
        "postgres://u:s3 cret@h/d",
        "postgres://h:s3cret/d",
        "postgres://h/d?s3cret",
        "postgres://h/d?s3cret=1",
        "postgres://h/d?connect_timeout=s3cret",
        "postgres://h/d?sslmode=s3cret",
        "postgres://h/d?port=s3cret",
        "postgres://h/d?hostaddr=s3cret",
        "postgres://h/d?statement-cache-capacity=s3cret",
        "postgres://h/d?target_session_attrs=s3cret",
        "postgres://h/d?target_session_attrs=standby",
        "postgres://h/d?host=a,b&port=1,2,3",
    ] {
        let error = Place::parse(text).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("s3") && !shown.contains("cret"), "{text}: {shown}");
        assert!(!shown.contains("standby"), "{text}: {shown}");
        assert!(Place::parse_url(text).is_err());
    }
    let shown = format!("{:?}", servers("postgres://u:s3cret@h/d?password=s3cret"));
    assert!(!shown.contains("s3cret"), "{shown}");
}
