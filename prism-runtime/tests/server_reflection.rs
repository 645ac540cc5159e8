//! What every gRPC tool asks first: which services there are, and what they look like.
#![allow(clippy::unwrap_used)]

mod support;

use prost::Message;
use prost_types::FileDescriptorProto;
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
