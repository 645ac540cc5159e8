//! What every gRPC tool asks first: which services there are, and what they look like.
#![allow(clippy::unwrap_used)]

#[path = "support/raw.rs"]
mod raw;
mod support;

use std::time::Duration;

use prost::Message;
use prost_types::FileDescriptorProto;
use raw::{Raw, framed, post};
use support::{Running, config};
use tokio_stream::StreamExt;
use tonic::transport::Channel;

/// Asks a version of the service; answers with its one response.
macro_rules! ask {
    ($version:ident, $running:expr, $request:expr) => {{
        use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
        use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
        use tonic_reflection::pb::$version::{ServerReflectionRequest, server_reflection_response};
        let channel = Channel::from_shared($running.uri()).unwrap().connect().await.unwrap();
        let request: fn(_) -> MessageRequest = $request;
        let request =
            ServerReflectionRequest { host: String::new(), message_request: Some(request(())) };
        let answers = ServerReflectionClient::new(channel)
            .server_reflection_info(tokio_stream::once(request))
            .await
            .unwrap();
        let answer = answers.into_inner().next().await.unwrap().unwrap();
        use server_reflection_response::MessageResponse;
        match answer.message_response.unwrap() {
            MessageResponse::ListServicesResponse(list) => {
                list.service.into_iter().map(|service| service.name).collect::<Vec<_>>()
            }
            MessageResponse::FileDescriptorResponse(files) => {
                let name = |file: Vec<u8>| {
                    FileDescriptorProto::decode(file.as_slice()).unwrap().name().to_owned()
                };
                files.file_descriptor_proto.into_iter().map(name).collect()
            }
            MessageResponse::ErrorResponse(error) => vec![error.error_code.to_string()],
            other => panic!("{other:?}"),
        }
    }};
}

#[tokio::test]
async fn both_versions_list_what_is_served() {
    let running = Running::start(config());
    let expected = [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "prism.keyvalue.v1.KeyValueService",
        "test.v1.Test",
    ];
    let mut v1 = ask!(v1, running, |()| MessageRequest::ListServices(String::new()));
    v1.sort();
    assert_eq!(v1, expected);
    let mut v1alpha = ask!(v1alpha, running, |()| MessageRequest::ListServices(String::new()));
    v1alpha.sort();
    assert_eq!(v1alpha, expected);
}

#[tokio::test]
async fn a_service_is_described_by_its_file() {
    let running = Running::start(config());
    let files = ask!(v1, running, |()| MessageRequest::FileContainingSymbol(
        "prism.keyvalue.v1.KeyValueService".to_owned()
    ));
    assert!(files.contains(&"prism/keyvalue/v1/keyvalue.proto".to_owned()), "{files:?}");
    let files = ask!(v1alpha, running, |()| MessageRequest::FileByFilename(
        "prism/keyvalue/v1/types.proto".to_owned()
    ));
    assert_eq!(files, ["prism/keyvalue/v1/types.proto"]);
    let files = ask!(v1, running, |()| MessageRequest::FileContainingSymbol(
        "grpc.health.v1.HealthListResponse".to_owned()
    ));
    assert_eq!(files.len(), 1, "{files:?}");
}

fn info(version: &str) -> String {
    format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")
}

/// `list_services`.
const LIST: &[u8] = b"\x3a\x01*";

#[tokio::test]
async fn a_message_that_cannot_be_read_is_an_error_also_after_others() {
    let running = Running::start(config());
    let raw = Raw::connect(running.proxy.local_addr()).await;
    let list = framed(LIST);
    for version in ["v1", "v1alpha"] {
        let whole = raw.call(post(&info(version)), &[&list, &list]).await;
        assert_eq!(whole.text("grpc-status"), "0");
        // No protobuf, half of a message, half of a prefix.
        let wrong =
            [(framed(b"\xff\xff"), 3), (list[..list.len() - 1].to_vec(), 13), (vec![0, 0], 13)];
        for (wrong, code) in wrong {
            let answer = raw.call(post(&info(version)), &[&list, &wrong]).await;
            assert_eq!(answer.status(), (code, "INVALID_REQUEST".to_owned()), "{wrong:?}");
            assert!(!answer.data.is_empty(), "the first message was answered");
        }
    }
}

#[tokio::test]
async fn a_stream_ends_at_its_deadline() {
    let running = Running::start(config());
    let raw = Raw::connect(running.proxy.local_addr()).await;
    let mut request = post(&info("v1"));
    request.headers_mut().insert("grpc-timeout", "50m".parse().unwrap());
    let mut sender = raw.sender.clone().ready().await.unwrap();
    let (response, mut body) = sender.send_request(request, false).unwrap();
    body.send_data(framed(LIST).into(), false).unwrap();
    assert_eq!(end(response).await, "4");
}

#[tokio::test]
async fn an_idle_stream_does_not_hold_the_drain() {
    let mut config = config();
    config.server.drain_seconds = 60;
    let running = Running::start(config);
    let raw = Raw::connect(running.proxy.local_addr()).await;
    let mut sender = raw.sender.clone().ready().await.unwrap();
    let (response, mut body) = sender.send_request(post(&info("v1")), false).unwrap();
    body.send_data(framed(LIST).into(), false).unwrap();
    let mut response = response.await.unwrap().into_body();
    response.data().await.unwrap().unwrap();
    let stopping = tokio::time::timeout(Duration::from_secs(20), running.proxy.shutdown());
    stopping.await.unwrap();
    let trailers = response.trailers().await.unwrap().unwrap();
    assert_eq!(trailers["grpc-status"], "14");
}

/// The code that a stream ends with.
async fn end(response: h2::client::ResponseFuture) -> String {
    let mut body = response.await.unwrap().into_body();
    while let Some(data) = body.data().await {
        body.flow_control().release_capacity(data.unwrap().len()).unwrap();
    }
    body.trailers().await.unwrap().unwrap()["grpc-status"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_details_of_errors_are_described() {
    let running = Running::start(config());
    let file = ["google/rpc/error_details.proto"];
    let info = ask!(v1, running, |()| MessageRequest::FileContainingSymbol(
        "google.rpc.ErrorInfo".to_owned()
    ));
    assert_eq!(info, file);
    let retry = ask!(v1alpha, running, |()| MessageRequest::FileContainingSymbol(
        "google.rpc.RetryInfo".to_owned()
    ));
    assert_eq!(retry, file);
    let imported = ask!(v1, running, |()| MessageRequest::FileByFilename(
        "google/protobuf/duration.proto".to_owned()
    ));
    assert_eq!(imported, ["google/protobuf/duration.proto"]);
}
