//! The generated client calls the generated service: every shape of method.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use futures_util::{StreamExt, stream};
use prism_conformance::connectrpc::conformance::v1::conformance_service::ConformanceServiceClient;
use prism_conformance::connectrpc::conformance::v1::unary_response_definition::Response;
use prism_conformance::connectrpc::conformance::v1::{
    BidiStreamRequest, BidiStreamResponse, ClientStreamRequest, Code, Error, Header,
    ServerStreamRequest, StreamResponseDefinition, UnaryRequest, UnaryResponseDefinition,
};
use prism_conformance::service;
use prism_runtime::Proxy;
use prism_runtime::client::Client;
use prism_runtime::config::Config;
use tokio::sync::mpsc;
use tonic_types::StatusExt;

async fn start() -> (Proxy, ConformanceServiceClient, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.server.listen = "127.0.0.1:0".to_owned();
    config.database = folder.path().join("unused.db").display().to_string();
    config.server.max_message_bytes = 10_000;
    let proxy = Proxy::builder(service()).config(config).start().unwrap();
    let address = format!("http://{}", proxy.local_addr());
    let client = ConformanceServiceClient::new(Client::connect(address).await.unwrap());
    (proxy, client, folder)
}

fn header(name: &str, values: &[&str]) -> Header {
    Header { name: name.to_owned(), value: values.iter().map(|&it| it.to_owned()).collect() }
}

fn answers(data: &[&str]) -> StreamResponseDefinition {
    StreamResponseDefinition {
        response_data: data.iter().map(|it| it.as_bytes().to_vec()).collect(),
        response_headers: vec![header("x-begin", &["a", "b"])],
        response_trailers: vec![header("x-end", &["c"])],
        ..StreamResponseDefinition::default()
    }
}

fn data(response: BidiStreamResponse) -> (String, usize) {
    let payload = response.payload.unwrap();
    let requests = payload.request_info.map_or(0, |info| info.requests.len());
    (String::from_utf8(payload.data).unwrap(), requests)
}

#[tokio::test]
async fn requests_in_a_stream_are_answered_with_one_message() {
    let (_proxy, client, _folder) = start().await;
    let definition = UnaryResponseDefinition {
        response: Some(Response::ResponseData(b"done".to_vec())),
        response_headers: vec![header("x-begin", &["a"])],
        ..UnaryResponseDefinition::default()
    };
    let first =
        ClientStreamRequest { response_definition: Some(definition), request_data: vec![1; 5000] };
    let more = ClientStreamRequest { request_data: vec![2; 5000], ..Default::default() };
    let requests = stream::iter([first, more.clone(), more]);
    let answer = client.client_stream(requests).await.unwrap();
    assert_eq!(answer.metadata().get("x-begin").unwrap(), "a");
    let payload = answer.into_inner().payload.unwrap();
    assert_eq!(payload.data, b"done");
    assert_eq!(payload.request_info.unwrap().requests.len(), 3);
}

#[tokio::test]
async fn streams_take_turns_or_follow_each_other() {
    let (_proxy, client, _folder) = start().await;
    for full_duplex in [true, false] {
        let (sender, receiver) = mpsc::channel(1);
        let requests = stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|request| (request, receiver))
        });
        let response_definition = Some(answers(&["one", "two"]));
        let first = BidiStreamRequest { response_definition, full_duplex, ..Default::default() };
        sender.send(first).await.unwrap();
        if full_duplex {
            let answer = client.bidi_stream(requests).await.unwrap();
            assert_eq!(answer.metadata().get_all("x-begin").iter().count(), 2);
            let mut answers = answer.into_inner();
            let first = answers.message().await.unwrap().unwrap();
            assert_eq!(data(first), ("one".to_owned(), 1));
            sender.send(BidiStreamRequest::default()).await.unwrap();
            let second = answers.message().await.unwrap().unwrap();
            assert_eq!(data(second), ("two".to_owned(), 1));
            drop(sender);
            assert!(answers.message().await.unwrap().is_none());
            let trailers = answers.trailers().await.unwrap().unwrap();
            assert_eq!(trailers.get("x-end").unwrap(), "c");
        } else {
            let call = tokio::spawn(async move { client.bidi_stream(requests).await });
            sender.send(BidiStreamRequest::default()).await.unwrap();
            drop(sender);
            let answers = call.await.unwrap().unwrap().into_inner();
            let all: Vec<_> = answers.map(|answer| data(answer.unwrap())).collect().await;
            assert_eq!(all, [("one".to_owned(), 2), ("two".to_owned(), 0)]);
            return;
        }
    }
}

#[tokio::test]
async fn an_oversized_request_ends_a_stream_in_the_middle() {
    let (_proxy, client, _folder) = start().await;
    let small = ClientStreamRequest { request_data: vec![1; 100], ..Default::default() };
    let large = ClientStreamRequest { request_data: vec![1; 10_001], ..Default::default() };
    let requests = stream::iter([small.clone(), small.clone(), large, small]);
    let status = client.client_stream(requests).await.unwrap_err();
    assert_eq!(status.get_details_error_info().unwrap().reason, "VALUE_TOO_LARGE");
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
}

#[tokio::test]
async fn a_status_is_relayed_with_its_details_and_the_deadline_is_prisms() {
    let (_proxy, client, _folder) = start().await;
    let error = Error {
        code: Code::DataLoss as i32,
        message: Some("100% ☂ lost".to_owned()),
        ..Error::default()
    };
    let definition = UnaryResponseDefinition {
        response: Some(Response::Error(error)),
        ..UnaryResponseDefinition::default()
    };
    let request = UnaryRequest { response_definition: Some(definition), ..UnaryRequest::default() };
    let status = client.unary(request).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (tonic::Code::DataLoss, "100% ☂ lost"));
    assert!(status.get_details_error_info().is_none());

    let definition = StreamResponseDefinition { response_delay_ms: 60_000, ..answers(&["late"]) };
    let request =
        ServerStreamRequest { response_definition: Some(definition), ..Default::default() };
    let mut call = tonic::Request::new(request);
    call.set_timeout(Duration::from_millis(100));
    let mut answers = match client.server_stream(call).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => panic!("{status}"),
    };
    answers.message().await.unwrap_err();
}
