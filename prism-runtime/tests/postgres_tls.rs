//! Connections that are encrypted, to a server with a certificate of a CA of its own.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use prism_postgres::{Setup, cluster_for_test};
use prism_runtime::store::postgres::{Database, Options};
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;

/// A CA and the certificate that it gave to `localhost`.
struct Authority(TempDir);

impl Authority {
    /// `None` where there is no openssl, which comes with Debian's Postgres.
    fn new() -> Option<Authority> {
        if Command::new("openssl").arg("version").output().is_err() {
            let strict = std::env::var_os("CI").is_some_and(|value| value == "true");
            assert!(!strict, "openssl is not installed");
            eprintln!("SKIPPED: openssl is not installed");
            return None;
        }
        let authority = Authority(tempfile::tempdir().unwrap());
        let config = "[req]\ndistinguished_name = name\n[name]\n\
                      [ca]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = keyCertSign\n\
                      [server]\nbasicConstraints = CA:FALSE\nsubjectAltName = DNS:localhost\n";
        fs::write(authority.path("openssl.cnf"), config).unwrap();
        let key = "-config openssl.cnf -newkey rsa:2048 -nodes";
        for command in [
            format!(
                "req -x509 {key} -days 2 -subj /CN=ca -extensions ca -keyout ca.key -out ca.crt"
            ),
            format!("req {key} -subj /CN=localhost -keyout server.key -out server.csr"),
            "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \
             -extfile openssl.cnf -extensions server -out server.crt"
                .to_owned(),
        ] {
            let mut openssl = Command::new("openssl");
            openssl.args(command.split_whitespace()).current_dir(authority.0.path());
            let output = openssl.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        Some(authority)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn setup(&self, _: &Path) -> Setup {
        let file = |name: &str| (name.to_owned(), fs::read(self.path(name)).unwrap());
        Setup {
            settings: vec!["ssl=on".to_owned()],
            files: vec![file("server.crt"), file("server.key")],
            ..Setup::default()
        }
    }
}

#[tokio::test]
async fn a_server_is_who_its_certificate_says() {
    let (Some(ours), Some(other)) = (Authority::new(), Authority::new()) else { return };
    let Some(cluster) = cluster_for_test(|folder| ours.setup(folder)) else { return };
    let by_address = cluster.create_database("tls").unwrap().url();
    let by_name = by_address.replace("127.0.0.1", "localhost");
    let with = |url: &str, mode: &str, authority: &Authority| {
        let root = authority.path("ca.crt");
        Options::new(format!("{url}?sslmode={mode}&sslrootcert={}", root.display()))
    };

    let trusted = [
        with(&by_name, "verify-full", &ours),
        with(&by_address, "verify-ca", &ours),
        Options::new(format!("{by_address}?sslmode=require")),
    ];
    for options in trusted {
        let database = Database::open(&options).unwrap();
        assert!(is_encrypted(&by_address).await);
        database.close();
    }

    let refused = [
        (with(&by_name, "verify-full", &other), "invalid peer certificate"),
        (with(&by_address, "verify-ca", &other), "invalid peer certificate"),
        (with(&by_address, "verify-full", &ours), "not valid for name"),
        (Options::new(format!("{by_name}?sslmode=verify-full")), "UnknownIssuer"),
        (Options::new(format!("{by_name}?sslmode=verify-full&sslrootcert=/none")), "sslrootcert"),
    ];
    for (options, cause) in refused {
        let text = Database::open(&options).unwrap_err().to_string();
        assert!(text.contains("TLS as sslmode asks for") && text.contains(cause), "{text}");
    }
}

/// Whether all other sessions are, of which there is one at least: the probe's.
async fn is_encrypted(url: &str) -> bool {
    let mut session = PgConnection::connect(&format!("{url}?sslmode=disable")).await.unwrap();
    let sql = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    loop {
        let encrypted: Option<bool> =
            sqlx::query_scalar(sql).fetch_one(&mut session).await.unwrap();
        if let Some(encrypted) = encrypted {
            return encrypted;
        }
        tokio::task::yield_now().await;
    }
}
