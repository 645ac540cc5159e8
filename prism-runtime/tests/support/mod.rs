//! What the server's tests share: a service written by hand, and a running server.
#![allow(dead_code, clippy::unwrap_used)]

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use prism_runtime::codegen::{self, Handlers};
use prism_runtime::config::Config;
use prism_runtime::proto::keyvalue::v1::PutRequest;
use prism_runtime::schema::{Method, Service};
use prism_runtime::service::{Context, Encoded, Reply};
use prism_runtime::{Error, Proxy, Reason, Schema};

/// Positions of the methods of [`Test`].
pub const METHODS: [&str; 9] =
    ["Echo", "Sleep", "Count", "Panic", "PanicLater", "Stall", "Fail", "Flood", "Grow"];

/// A service that answers with its request, and misbehaves on demand.
pub struct Test;

static DESCRIPTOR: LazyLock<Service> = LazyLock::new(|| Service {
    name: "test.v1.Test".to_owned(),
    methods: METHODS
        .iter()
        .map(|name| Method {
            name: (*name).to_owned(),
            input: "prism.keyvalue.v1.PutRequest".to_owned(),
            output: "prism.keyvalue.v1.PutRequest".to_owned(),
            client_streaming: false,
            server_streaming: matches!(*name, "Count" | "Flood" | "Stall"),
            binding: None,
            timeout: matches!(*name, "Flood" | "Stall").then_some(Duration::from_millis(300)),
            idempotent: true,
            require_auth: false,
            permissions: Vec::new(),
        })
        .collect(),
});

impl Handlers for Test {
    fn descriptor(&self) -> &'static Service {
        &DESCRIPTOR
    }

    fn call(&self, method: usize, _: Context, request: Bytes) -> Reply {
        let mut answer = Encoded::with_capacity(request.len());
        answer.buffer().extend_from_slice(&request);
        match METHODS.get(method) {
            Some(&"Echo") => Reply::Ready(Ok(answer)),
            Some(&"Sleep") => Reply::future(async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                Ok(answer)
            }),
            Some(&"Count" | &"Flood") => {
                Reply::stream(stream::repeat_with(move || Ok(answer.clone())))
            }
            Some(&"Grow") => Reply::Ready(Ok(Encoded::new(&PutRequest {
                id: "x".repeat(400_000),
                ..PutRequest::default()
            }))),
            Some(&"Panic") => panic!("a panic of the test"),
            Some(&"PanicLater") => Reply::future(async { panic!("a later panic of the test") }),
            Some(&"Stall") => Reply::stream(stream::pending()),
            Some(&"Fail") => Reply::Ready(Err(
                Error::new(Reason::Overloaded, "busy").with_retry_after(Duration::from_secs(2))
            )),
            _ => codegen::unimplemented(&DESCRIPTOR, method),
        }
    }
}

/// Settings for a server of a test: a free port, two loops.
pub fn config() -> Config {
    let mut config = Config::default();
    config.server.listen = "127.0.0.1:0".to_owned();
    config.server.threads = 2;
    config.server.drain_seconds = 2;
    config
}

/// A database file of its own, removed at the end.
pub struct Running {
    pub proxy: Proxy,
    _folder: tempfile::TempDir,
}

impl Running {
    pub fn start(mut config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        config.database = folder.path().join("test.db").to_str().unwrap().to_owned();
        let proxy = Proxy::builder(schema()).config(config).start().unwrap();
        Running { proxy, _folder: folder }
    }

    pub fn uri(&self) -> String {
        format!("http://{}", self.proxy.local_addr())
    }

    pub async fn client(&self) -> codegen::Client {
        codegen::Client::connect(self.uri()).await.unwrap()
    }
}

/// A schema with the test's service and no entity.
pub fn schema() -> Schema {
    Schema::new(prism_runtime::proto::FILE_DESCRIPTOR_SET).service(Test)
}
