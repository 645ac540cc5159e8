//! The command-line clients `buf curl` and `grpcurl`, which learn the schema by reflection, call
//! every method, typed services included.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use std::path::PathBuf;
use std::process::Command;

use prism_acceptance::backend::Backend;
use prism_acceptance::proxy::Proxy;
use prism_acceptance::tools::Tool;
use serde_json::{Value, json};

on_every_backend! {
    buf_curl,
    grpcurl,
}

/// One of the clients, and the server that it calls.
struct Client {
    tool: Tool,
    binary: PathBuf,
    proxy: Proxy,
}

impl Client {
    fn start(tool: Tool, backend: &Backend) -> Option<Client> {
        let binary = tool.for_test()?;
        Some(Client { tool, binary, proxy: backend.start().unwrap() })
    }

    fn command(&self, method: &str, request: &Value) -> Command {
        let address = self.proxy.address();
        let mut command = Command::new(&self.binary);
        command.current_dir(self.proxy.directory());
        match self.tool {
            Tool::Grpcurl => {
                command.args(["-plaintext", "-format-error", "-d", &request.to_string()]);
                command.arg(address.to_string()).arg(method);
            }
            _ => {
                command.args(["curl", "--protocol", "grpc", "--http2-prior-knowledge"]);
                command.args(["--data", &request.to_string()]);
                command.arg(format!("http://{address}/{method}"));
            }
        }
        command
    }

    /// The messages of a call that must succeed.
    fn stream(&self, method: &str, request: &Value) -> Vec<Value> {
        let output = self.command(method, request).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{method}: {errors}");
        let messages = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
        messages.map(|message| message.unwrap()).collect()
    }

    fn call(&self, method: &str, request: &Value) -> Value {
        let mut messages = self.stream(method, request);
        assert_eq!(messages.len(), 1, "{method}");
        messages.remove(0)
    }

    fn key_value(&self, method: &str, request: &Value) -> Value {
        self.call(&format!("prism.keyvalue.v1.KeyValueService/{method}"), request)
    }

    /// What the client prints of a call that must fail.
    fn failure(&self, method: &str, request: &Value) -> String {
        let output = self.command(method, request).output().unwrap();
        assert!(!output.status.success(), "{method} succeeded");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

fn without_times(mut answer: Value) -> Value {
    if let Some(items) = answer["items"].as_array_mut() {
        for item in items {
            let item = if item["item"].is_object() { &mut item["item"] } else { item };
            let metadata = item.as_object_mut().and_then(|item| item.remove("metadata"));
            assert!(metadata.is_some_and(|metadata| metadata["createdAtMillis"].is_string()));
        }
    }
    answer
}

fn key_value(client: &Client) {
    let (hello, world, again) = ("aGVsbG8=", "d29ybGQ=", "YWdhaW4=");
    let put = json!({"namespace": "test", "id": "1", "items": [{"key": hello, "value": world}]});
    assert_eq!(client.key_value("Put", &put), json!({"success": true}));

    let record = json!({"namespace": "test", "id": "1"});
    let items = json!({"items": [{"key": hello, "value": world}]});
    assert_eq!(without_times(client.key_value("Get", &record)), items);

    let scan = client
        .stream("prism.keyvalue.v1.KeyValueService/Scan", &json!({"namespace": "test"}))
        .into_iter()
        .map(without_times)
        .collect::<Vec<_>>();
    assert_eq!(scan, [json!({"items": [{"id": "1", "item": {"key": hello, "value": world}}]})]);

    let swap =
        json!({"namespace": "test", "id": "1", "key": hello, "oldValue": again, "newValue": hello});
    assert_eq!(client.key_value("CompareAndSwap", &swap), json!({"actualValue": world}));
    let swap =
        json!({"namespace": "test", "id": "1", "key": hello, "oldValue": world, "newValue": again});
    assert_eq!(client.key_value("CompareAndSwap", &swap), json!({"success": true}));

    let batch = json!({"namespace": "test", "writes": [
        {"id": "2", "items": [{"key": hello, "value": world}]},
        {"id": "3", "items": [{"key": hello, "value": world}]},
    ]});
    let results = json!({"results": [{"success": true}, {"success": true}]});
    assert_eq!(client.key_value("PutBatch", &batch), results);

    let delete = json!({"namespace": "test", "id": "1", "keys": [hello]});
    let deleted = json!({"success": true, "deletedCount": "1"});
    assert_eq!(client.key_value("Delete", &delete), deleted);
    assert_eq!(client.key_value("Get", &record), json!({}));
}

/// grpcurl finds `google.rpc.ErrorInfo` by reflection and shows it as text. buf shows every detail
/// in base 64, whatever it could find.
fn assert_reason(tool: Tool, printed: &str, reason: &str, encoded: &str) {
    let expected = if tool == Tool::Buf { encoded } else { reason };
    assert!(printed.contains(expected), "no {reason} in {printed}");
}

fn failures(client: &Client) {
    let put = "prism.keyvalue.v1.KeyValueService/Put";
    let printed = client.failure(put, &json!({"namespace": "Upper", "id": "1"}));
    for part in ["google.rpc.ErrorInfo", "google.rpc.BadRequest"] {
        assert!(printed.contains(part), "no {part} in {printed}");
    }
    let encoded = "Cg9JTlZBTElEX1JFUVVFU1QSBXByaXNt";
    assert_reason(client.tool, &printed, "INVALID_REQUEST", encoded);
}

fn profiles(client: &Client) {
    let call = |method: &str, request: &Value| {
        client.call(&format!("acme.profiles.v1.ProfileService/{method}"), request)
    };
    let profile = json!({"userProfile": {"email": "ada@acme.example", "displayName": "Ada"}});
    let created = call("CreateUserProfile", &profile);
    let id = &created["userId"];
    let key = json!({"userId": id});
    assert_eq!(call("GetUserProfile", &key), created);
    let all = json!({"userProfiles": [created]});
    assert_eq!(call("BatchGetUserProfiles", &json!({"userIds": [id]})), all);
    assert_eq!(call("ListUserProfiles", &json!({})), all);

    let change = json!({"userProfile": {"userId": id, "displayName": "Lovelace"},
                        "updateMask": "displayName"});
    let updated = call("UpdateUserProfile", &change);
    assert_eq!(
        (&updated["displayName"], &updated["email"]),
        (&json!("Lovelace"), &created["email"])
    );
    let put = call("PutUserProfile", &json!({"userProfile": {"userId": id, "displayName": "Ada"}}));
    assert_eq!((&put["displayName"], &put["email"]), (&json!("Ada"), &Value::Null));
    assert_eq!(call("DeleteUserProfile", &key), json!({}));
    assert_eq!(call("ListUserProfiles", &json!({})), json!({}));
}

fn orders(client: &Client) {
    let path = |method: &str| format!("acme.orders.v1.OrderService/{method}");
    let call = |method: &str, request: &Value| client.call(&path(method), request);
    let order =
        json!({"order": {"customerId": "c", "total": {"currencyCode": "EUR", "cents": "1"}}});
    let created = call("CreateOrder", &order);
    let all = json!({"orders": [created]});
    let key = json!({"customerId": "c", "orderId": created["orderId"]});
    assert_eq!(call("GetOrder", &key), created);
    assert_eq!(call("BatchGetOrders", &json!({"keys": [key]})), all);
    assert_eq!(call("ListOrders", &json!({"customerId": "c"})), all);

    let mut change = json!({"order": key, "updateMask": "note"});
    change["order"]["note"] = json!("fragile");
    assert_eq!(call("UpdateOrder", &change)["total"], created["total"]);
    let put = call("PutOrder", &json!({"order": key}));
    assert_eq!((&put["note"], &put["total"]), (&Value::Null, &Value::Null));

    assert_eq!(call("DeleteOrder", &key), json!({}));
    let printed = client.failure(&path("GetOrder"), &key);
    let encoded = "ChBSRUNPUkRfTk9UX0ZPVU5EEgVwcmlzbQ";
    assert_reason(client.tool, &printed, "RECORD_NOT_FOUND", encoded);
    assert_eq!(call("UndeleteOrder", &key)["orderId"], key["orderId"]);
    let printed = client.failure(&path("CancelOrder"), &key);
    let encoded = "ChRNRVRIT0RfVU5JTVBMRU1FTlRFRBIFcHJpc20";
    assert_reason(client.tool, &printed, "METHOD_UNIMPLEMENTED", encoded);
}

fn health(client: &Client) {
    let request = json!({"service": "prism.keyvalue.v1.KeyValueService"});
    let answer = client.call("grpc.health.v1.Health/Check", &request);
    assert_eq!(answer, json!({"status": "SERVING"}));
}

fn everything(tool: Tool, backend: &Backend) {
    let Some(client) = Client::start(tool, backend) else { return };
    health(&client);
    key_value(&client);
    failures(&client);
    profiles(&client);
    orders(&client);
}

async fn buf_curl(backend: Backend) {
    everything(Tool::Buf, &backend);
}

async fn grpcurl(backend: Backend) {
    everything(Tool::Grpcurl, &backend);
}
