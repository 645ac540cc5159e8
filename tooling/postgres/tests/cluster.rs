//! A throw-away server runs, and leaves nothing behind.

#![allow(clippy::unwrap_used)]

use std::net::TcpStream;

use prism_postgres::{Cluster, Programs};

#[test]
fn a_cluster_serves_databases_and_is_gone_when_it_is_dropped() {
    let Ok(programs) = Programs::find() else {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "no Postgres");
        return;
    };
    let cluster = Cluster::start(programs).unwrap();
    let database = cluster.create_database("one").unwrap();
    let sql = "CREATE TABLE t AS SELECT 7 AS seven; SELECT seven FROM t";
    assert_eq!(cluster.execute(&database, sql).unwrap(), "7");
    assert_eq!(cluster.execute(&database, "SHOW fsync").unwrap(), "on");
    assert!(cluster.execute(&database, "SELECT nothing").is_err());
    drop(cluster);
    assert!(TcpStream::connect(("127.0.0.1", database.port())).is_err());
}
