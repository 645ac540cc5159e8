//! A proxy on one backend, and what it answers, without what differs from server to server.

use std::path::Path;
use std::time::Duration;

use prism_acceptance::backend::Backend;
use prism_acceptance::dynamic::{Serving, Version, config};
use prism_runtime::Proxy;
use prism_runtime::clock::Clock;
use prism_runtime::codegen::Client;
use prism_runtime::proto::keyvalue::v1::{ScanRequest, ScanResponse};
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::steps::{Etag, START, Step};

/// A proxy on one backend, at a time of its own.
pub struct Server {
    pub backend: Backend,
    pub folder: tempfile::TempDir,
    pub clock: Clock,
    serving: Option<Serving>,
}

/// Longer than a test: nothing is swept.
const NEVER: Duration = Duration::from_secs(3600);

impl Server {
    pub async fn start(version: &Version, backend: Backend) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(START);
        let mut server = Server { backend, folder, clock, serving: None };
        server.serve(version, NEVER).await;
        server
    }

    async fn serve(&mut self, version: &Version, sweep_interval: Duration) {
        let builder = Proxy::builder(version.schema())
            .config(config(&self.backend.database(self.path())))
            .clock(self.clock.clone())
            .sweep_interval(sweep_interval);
        self.serving = Some(version.start(builder).await.unwrap());
    }

    /// Stops, and begins again as a proxy that sweeps all the time.
    pub async fn sweep(&mut self, version: &Version) {
        self.stop().await;
        self.serve(version, Duration::from_millis(20)).await;
    }

    pub async fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.stop().await;
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes a step; answers with all that was answered.
    pub async fn take(&self, step: &Step) -> Vec<Value> {
        match step {
            Step::Advance(micros) => {
                self.clock.advance(*micros);
                Vec::new()
            }
            Step::Call { method, request, etag } => {
                let mut request = request.clone();
                if let Some((etag, place)) = etag {
                    self.set_etag(&mut request, *etag, place).await;
                }
                vec![self.call(method, request).await]
            }
            Step::Pages { method, request } => self.pages(method, request.clone()).await,
        }
    }

    /// The answers of a list, until its end.
    pub async fn pages(&self, method: &str, mut request: Value) -> Vec<Value> {
        let mut answers = Vec::new();
        loop {
            let answer = self.raw(method, request.clone()).await;
            let token = answer.as_ref().ok().and_then(|answer| answer.get("next_page_token"));
            let token = token.cloned();
            answers.push(comparable(answer));
            match token {
                Some(token) => request["page_token"] = token,
                None => return answers,
            }
        }
    }

    pub async fn call(&self, method: &str, request: Value) -> Value {
        comparable(self.raw(method, request).await)
    }

    /// Every item of a namespace.
    pub async fn scan(&self, namespace: &str) -> Vec<Value> {
        let address = self.serving.as_ref().unwrap().address();
        let client = Client::connect(format!("http://{address}")).await.unwrap();
        let request = ScanRequest { namespace: namespace.to_owned(), ..ScanRequest::default() };
        let path = "/prism.keyvalue.v1.KeyValueService/Scan";
        let mut messages =
            client.server_streaming::<_, ScanResponse>(path, request).await.unwrap().into_inner();
        let mut items = Vec::new();
        while let Some(message) = messages.message().await.unwrap() {
            items.extend(message.items.iter().map(|item| json!(format!("{item:?}"))));
        }
        items
    }

    async fn raw(&self, method: &str, request: Value) -> Result<Value, Status> {
        self.serving.as_ref().unwrap().call(method, request).await
    }

    async fn set_etag(&self, request: &mut Value, etag: Etag, place: &str) {
        let id = request["id"].as_str().or_else(|| request["row"]["id"].as_str());
        let current = json!({"id": id, "show_deleted": true});
        let value = match etag {
            Etag::Stale => json!("stale"),
            Etag::Current => match self.raw("GetRow", current).await {
                Ok(row) => row["etag"].clone(),
                Err(_) => json!("none"),
            },
        };
        match place {
            "/row/etag" => request["row"]["etag"] = value,
            _ => request["etag"] = value,
        }
    }
}

/// An answer without etags and page tokens, which are random.
fn comparable(answer: Result<Value, Status>) -> Value {
    match answer {
        Ok(mut answer) => {
            blind(&mut answer);
            answer
        }
        Err(status) => {
            assert_ne!(status.code(), Code::Internal, "{status:?}");
            let details = status.get_error_details();
            let info = details.error_info().map(|info| (&info.reason, &info.metadata));
            let violations = details.bad_request().map(|request| {
                let violations = request.field_violations.iter();
                violations.map(|one| (&one.field, &one.description)).collect::<Vec<_>>()
            });
            json!({
                "code": format!("{:?}", status.code()),
                "message": status.message(),
                "info": format!("{info:?}"),
                "violations": violations,
            })
        }
    }
}

fn blind(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match name.as_str() {
                    "etag" | "next_page_token" => *field = json!("[random]"),
                    _ => blind(field),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(blind),
        _ => {}
    }
}
