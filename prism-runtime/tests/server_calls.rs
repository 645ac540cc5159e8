//! Calls over a socket, by tonic's client.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use prism_runtime::proto::keyvalue::v1::PutRequest;
use support::{Running, config};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

fn request() -> PutRequest {
    PutRequest { namespace: "n".to_owned(), id: "x".repeat(2000), ..PutRequest::default() }
}

fn reason(status: &Status) -> String {
    let info = status.get_details_error_info().expect("an ErrorInfo");
    assert_eq!(info.domain, "prism");
    info.reason
}

async fn fails(running: &Running, path: &'static str) -> Status {
    let client = running.client().await;
    client.unary::<PutRequest, PutRequest>(path, request()).await.unwrap_err()
}

#[tokio::test]
async fn answers_come_back_with_the_request_id() {
    let running = Running::start(config());
    let client = running.client().await;
    let mut call = Request::new(request());
    call.metadata_mut().insert("x-request-id", "call-17".parse().unwrap());
    let answer = client.unary::<PutRequest, PutRequest>("/test.v1.Test/Echo", call).await.unwrap();
    assert_eq!(answer.metadata().get("x-request-id").unwrap(), "call-17");
    assert_eq!(answer.into_inner(), request());

    let answer =
        client.unary::<PutRequest, PutRequest>("/test.v1.Test/Echo", request()).await.unwrap();
    assert!(!answer.metadata().get("x-request-id").unwrap().is_empty());
}

#[tokio::test]
async fn many_calls_in_flight_on_one_connection() {
    let running = Running::start(config());
    let client = running.client().await;
    let calls = (0..500).map(|i| {
        let client = client.clone();
        tokio::spawn(async move {
            let path = if i % 5 == 0 { "/test.v1.Test/Sleep" } else { "/test.v1.Test/Echo" };
            let request = PutRequest { item_priority_token: i, ..request() };
            let answer = client.unary::<_, PutRequest>(path, request.clone()).await.unwrap();
            assert_eq!(answer.into_inner(), request);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
}

#[tokio::test]
async fn a_stream_goes_on_while_it_is_read() {
    let running = Running::start(config());
    let client = running.client().await;
    let mut stream = client
        .server_streaming::<_, PutRequest>("/test.v1.Test/Count", request())
        .await
        .unwrap()
        .into_inner();
    for _ in 0..5000 {
        assert_eq!(stream.message().await.unwrap().unwrap(), request());
    }
}

#[tokio::test]
async fn unknown_methods_and_services_are_unimplemented() {
    let running = Running::start(config());
    for path in ["/test.v1.Test/None", "/test.v1.None/Echo"] {
        let status = fails(&running, path).await;
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::Unimplemented, "METHOD_UNIMPLEMENTED")
        );
    }
}

#[tokio::test]
async fn a_panic_is_internal_and_the_server_lives() {
    let running = Running::start(config());
    for path in ["/test.v1.Test/Panic", "/test.v1.Test/PanicLater"] {
        let status = fails(&running, path).await;
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Internal, "INTERNAL"));
        let id = status.get_details_error_info().unwrap().metadata["error_id"].clone();
        assert!(status.message().contains(&id), "{status:?}");
    }
    running.client().await.unary::<_, PutRequest>("/test.v1.Test/Echo", request()).await.unwrap();
}

#[tokio::test]
async fn an_error_carries_its_retry_delay() {
    let running = Running::start(config());
    let status = fails(&running, "/test.v1.Test/Fail").await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    let retry = status.get_details_retry_info().unwrap();
    assert_eq!(retry.retry_delay, Some(Duration::from_secs(2)));
}

#[tokio::test]
async fn the_sooner_of_two_deadlines_holds() {
    let mut config = config();
    config.server.default_timeout_ms = 100;
    let running = Running::start(config);
    let started = Instant::now();
    // The method sleeps for 200 ms, and the server's default is 100.
    let status = fails(&running, "/test.v1.Test/Sleep").await;
    assert_eq!(reason(&status), "DEADLINE_EXCEEDED");
    assert!(started.elapsed() >= Duration::from_millis(100));

    let mut stream = running
        .client()
        .await
        .server_streaming::<_, PutRequest>("/test.v1.Test/Stall", request())
        .await
        .unwrap()
        .into_inner();
    let status = stream.message().await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::DeadlineExceeded, "DEADLINE_EXCEEDED")
    );
}
