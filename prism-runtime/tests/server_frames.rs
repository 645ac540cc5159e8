//! Requests that no proper client sends: each gets a clear status, and the server lives.
#![allow(clippy::unwrap_used)]

#[path = "support/raw.rs"]
mod raw;
mod support;

use std::time::Duration;

use bytes::Bytes;
use h2::SendStream;
use h2::client::ResponseFuture;
use http::{HeaderValue, Method, StatusCode};
use prism_runtime::proto::common::ItemMetadata;
use prism_runtime::proto::keyvalue::v1::{Item, PutRequest};
use prost::Message;
use raw::{ECHO, Raw, framed, post};
use support::{Running, config};

const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

const INVALID_ARGUMENT: u16 = 3;
const DEADLINE_EXCEEDED: &str = "4";
const NOT_FOUND: u16 = 5;
const RESOURCE_EXHAUSTED: u16 = 8;
const UNIMPLEMENTED: u16 = 12;
const INTERNAL: u16 = 13;

fn message() -> Vec<u8> {
    let item =
        Item { key: b"k".to_vec(), value: vec![7; 300], metadata: Some(ItemMetadata::default()) };
    let request = PutRequest {
        namespace: "n".to_owned(),
        items: vec![item.clone(), item],
        ..PutRequest::default()
    };
    request.encode_to_vec()
}

async fn start() -> (Running, Raw) {
    let running = Running::start(config());
    let raw = Raw::connect(running.proxy.local_addr()).await;
    (running, raw)
}

/// The server still answers, on the same connection.
async fn lives(raw: &Raw) {
    let answer = raw.echo(&[&framed(&message())]).await;
    assert_eq!(answer.text("grpc-status"), "0");
    assert_eq!(answer.data, framed(&message()));
}

#[tokio::test]
async fn a_message_may_come_in_pieces() {
    let (_running, raw) = start().await;
    let frame = framed(&message());
    let bytes: Vec<&[u8]> = frame.chunks(1).collect();
    let answer = raw.echo(&bytes).await;
    assert_eq!(answer.text("grpc-status"), "0");
    assert_eq!(answer.data, frame);
    assert_eq!(answer.headers["content-type"], "application/grpc");
}

#[tokio::test]
async fn bytes_that_are_no_frames_are_internal() {
    let (_running, raw) = start().await;
    let whole = framed(&message());
    let flagged = |flag| [&[flag], &whole[1..]].concat();
    let broken: [&[&[u8]]; 5] = [
        &[b"\0\0\0"],
        &[&whole[..whole.len() - 1]],
        &[&whole[..5]],
        &[&flagged(7)],
        // No encoding was announced.
        &[&flagged(1)],
    ];
    for path in [ECHO, REFLECTION] {
        for chunks in broken {
            let answer = raw.call(post(path), chunks).await;
            let expected = (INTERNAL, "INVALID_REQUEST".to_owned());
            assert_eq!(answer.status(), expected, "{path}: {chunks:?}");
            assert!(answer.data.is_empty());
            assert!(!answer.text("grpc-message").contains("error id"), "no fault of the server");
        }
    }
    let mut request = post(ECHO);
    request.headers_mut().insert("grpc-encoding", HeaderValue::from_static("identity"));
    let answer = raw.call(request, &[&flagged(1)]).await;
    assert_eq!(answer.status(), (INTERNAL, "INVALID_REQUEST".to_owned()));
    lives(&raw).await;
}

#[tokio::test]
async fn no_message_or_two_for_a_method_that_takes_one_are_unimplemented() {
    let (_running, raw) = start().await;
    let whole = framed(&message());
    let two = [whole.clone(), whole.clone()].concat();
    let three_bytes_more = [&whole[..], b"\0\0\0"].concat();
    let broken: [&[&[u8]]; 5] = [&[], &[b""], &[&two], &[&whole, &whole], &[&three_bytes_more]];
    for path in [ECHO, "/test.v1.Test/Count", "/grpc.health.v1.Health/Check"] {
        for chunks in broken {
            // The health service's request has other fields.
            let chunks: Vec<&[u8]> = match path.contains("Health") && !chunks.is_empty() {
                true => chunks.iter().map(|_| &b"\0\0\0\0\0\0\0\0\0\0"[..]).collect(),
                false => chunks.to_vec(),
            };
            let answer = raw.call(post(path), &chunks).await;
            assert_eq!(answer.status(), (UNIMPLEMENTED, "INVALID_REQUEST".to_owned()), "{path}");
            assert!(answer.data.is_empty());
        }
    }
    lives(&raw).await;
}

#[tokio::test]
async fn compressed_messages_are_unimplemented() {
    let (_running, raw) = start().await;
    let whole = framed(&message());
    for frame in [[&[1], &whole[1..]].concat(), whole] {
        let mut request = post(ECHO);
        request.headers_mut().insert("grpc-encoding", HeaderValue::from_static("gzip"));
        let answer = raw.call(request, &[&frame]).await;
        assert_eq!(answer.status().0, UNIMPLEMENTED);
        assert_eq!(answer.text("grpc-accept-encoding"), "identity");
    }
    lives(&raw).await;
}

#[tokio::test]
async fn an_oversized_message_is_refused_by_its_announced_length() {
    let (_running, raw) = start().await;
    let limit = 4 * 1024 * 1024;
    let mut prefix = vec![0];
    prefix.extend_from_slice(&(limit as u32 + 1).to_be_bytes());
    let answer = raw.echo(&[&prefix]).await;
    assert_eq!(answer.status(), (RESOURCE_EXHAUSTED, "VALUE_TOO_LARGE".to_owned()));
    assert!(answer.text("grpc-message").contains("4194305 bytes"), "{answer:?}");

    let mut request = PutRequest { id: "x".repeat(limit - 5), ..PutRequest::default() };
    let answer = raw.echo(&[&framed(&request.encode_to_vec())]).await;
    assert_eq!((answer.text("grpc-status"), answer.data.len()), ("0", limit + 5));
    request.id.push('x');
    let answer = raw.echo(&[&framed(&request.encode_to_vec())]).await;
    assert_eq!(answer.status(), (RESOURCE_EXHAUSTED, "VALUE_TOO_LARGE".to_owned()));
    lives(&raw).await;
}

#[tokio::test]
async fn what_is_not_grpc_is_refused_in_http() {
    let (_running, raw) = start().await;
    for kind in ["text/plain", "application/json", "application/grpc-web", "application/grpc+json"]
    {
        let mut request = post(ECHO);
        request.headers_mut().insert("content-type", HeaderValue::from_static(kind));
        let answer = raw.call(request, &[&framed(&message())]).await;
        assert_eq!(answer.http, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    for kind in ["application/grpc+proto", "application/grpc;charset=utf-8"] {
        let mut request = post(ECHO);
        request.headers_mut().insert("content-type", HeaderValue::from_static(kind));
        let answer = raw.call(request, &[&framed(&message())]).await;
        assert_eq!(answer.text("grpc-status"), "0", "{kind}");
    }
    let mut request = post(ECHO);
    *request.method_mut() = Method::GET;
    let answer = raw.call(request, &[]).await;
    assert_eq!(answer.http, StatusCode::METHOD_NOT_ALLOWED);
    lives(&raw).await;
}

#[tokio::test]
async fn a_malformed_timeout_is_an_invalid_request() {
    let (_running, raw) = start().await;
    for (timeout, status) in [
        ("soon", INVALID_ARGUMENT),
        ("123456789S", INVALID_ARGUMENT),
        ("5", INVALID_ARGUMENT),
        ("0n", 4),
    ] {
        let mut request = post(ECHO);
        request.headers_mut().insert("grpc-timeout", HeaderValue::from_static(timeout));
        let answer = raw.call(request, &[&framed(&message())]).await;
        assert_eq!(answer.status().0, status, "{timeout}");
    }
    let mut request = post("/test.v1.Test/Sleep");
    request.headers_mut().insert("grpc-timeout", HeaderValue::from_static("20m"));
    let answer = raw.call(request, &[&framed(&message())]).await;
    assert_eq!(answer.status(), (4, "DEADLINE_EXCEEDED".to_owned()));
    lives(&raw).await;
}

#[tokio::test]
async fn a_body_that_never_comes_ends_at_the_deadline() {
    let (_running, raw) = start().await;
    let mut request = post(ECHO);
    request.headers_mut().insert("grpc-timeout", HeaderValue::from_static("50m"));
    let mut sender = raw.sender.clone().ready().await.unwrap();
    let (response, _body) = sender.send_request(request, false).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "4");
    lives(&raw).await;
}

#[tokio::test]
async fn unknown_fields_are_refused_with_path_and_number() {
    let (_running, raw) = start().await;
    // items: [{}, {key: "k", metadata: {ttl_seconds: 5, 77: 1}}], 99: "later"
    let message: &[u8] = b"\x1a\x00\x1a\x0a\x0a\x01k\x1a\x05\x10\x05\xe8\x04\x01\x9a\x06\x05later";
    let answer = raw.echo(&[&framed(message)]).await;
    assert_eq!(answer.status(), (INVALID_ARGUMENT, "UNKNOWN_FIELD".to_owned()));
    let fields: Vec<String> = answer.violations().into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["items[1].metadata.77", "99"]);
    lives(&raw).await;
}

#[tokio::test]
async fn unknown_fields_can_be_allowed() {
    let mut config = config();
    config.server.unknown_fields = prism_runtime::server::UnknownFields::Drop;
    let running = Running::start(config);
    let raw = Raw::connect(running.proxy.local_addr()).await;
    let answer = raw.echo(&[&framed(b"\x9a\x06\x05later")]).await;
    assert_eq!(answer.text("grpc-status"), "0");
    let answer = raw.echo(&[&framed(b"\x0a\x01\xff\x9a\x06\x05later")]).await;
    assert_eq!(answer.status(), (INVALID_ARGUMENT, "INVALID_REQUEST".to_owned()));
}

#[tokio::test]
async fn messages_that_cannot_be_decoded_are_invalid_requests() {
    let (_running, raw) = start().await;
    let malformed: [&[u8]; 9] = [
        b"\x0a\x05abc",                                      // text is cut off
        b"\x0a",                                             // a tag alone
        b"\x00\x01",                                         // field number 0
        b"\x08\x01",                                         // namespace as a varint
        b"\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", // 11 bytes of varint
        b"\x0e",                                             // wire type 6
        b"\x0c",                                             // a group ends that did not begin
        b"\x9b\x06\x08\x01",                                 // an unknown group does not end
        b"\x1a\x04\x0a\x7fab",                               // a length beyond its message
    ];
    for message in malformed {
        let answer = raw.echo(&[&framed(message)]).await;
        assert_eq!(
            answer.status(),
            (INVALID_ARGUMENT, "INVALID_REQUEST".to_owned()),
            "{message:?}"
        );
    }
    let answer = raw.echo(&[&framed(b"\x12\x02\xc3\x28")]).await;
    assert_eq!(answer.status(), (INVALID_ARGUMENT, "INVALID_REQUEST".to_owned()));
    assert_eq!(answer.violations()[0].0, "id");
    lives(&raw).await;
}

#[tokio::test]
async fn too_many_headers_end_the_call_alone() {
    let (_running, raw) = start().await;
    let mut request = post(ECHO);
    for index in 0..30 {
        let name = http::HeaderName::try_from(format!("x-{index}")).unwrap();
        request.headers_mut().insert(name, HeaderValue::try_from("v".repeat(1000)).unwrap());
    }
    let mut sender = raw.sender.clone().ready().await.unwrap();
    let (response, _body) = sender.send_request(request, true).unwrap();
    // 431 in HTTP, or a reset of the stream.
    if let Ok(response) = response.await {
        assert_eq!(response.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    lives(&raw).await;
}

#[tokio::test]
async fn reflection_answers_faults_with_details_too() {
    let (_running, raw) = start().await;
    for path in ["grpc.reflection.v1", "grpc.reflection.v1alpha"] {
        let path = format!("/{path}.ServerReflection/ServerReflectionInfo");
        // file_containing_symbol: "none"
        let answer = raw.call(post(&path), &[&framed(b"\x22\x04none")]).await;
        assert_eq!(answer.status(), (NOT_FOUND, "RECORD_NOT_FOUND".to_owned()));
        let answer = raw.call(post(&path.replace("Info", "None")), &[]).await;
        assert_eq!(answer.status().0, UNIMPLEMENTED);
    }
    lives(&raw).await;
}

#[tokio::test]
async fn messages_in_pieces_share_a_budget() {
    let mut config = config();
    config.server.max_message_bytes = 100_000;
    config.server.max_buffered_bytes = 150_000;
    let running = Running::start(config);
    let raw = Raw::connect(running.proxy.local_addr()).await;
    let message = PutRequest { id: "x".repeat(90_000), ..PutRequest::default() }.encode_to_vec();
    let frame = framed(&message);

    // What is announced costs nothing.
    let announced = hold(&raw, 10, &frame[..6]).await;
    assert_eq!(raw.echo(&[&frame]).await.text("grpc-status"), "0");
    drop(announced);
    // The first one holds what has arrived, so there is too little for a second one.
    let mut held = hold(&raw, 1, &frame[..80_000]).await;
    loop {
        let answer = raw.echo(&[&frame]).await;
        if answer.text("grpc-status") != "0" {
            assert_eq!(answer.status(), (RESOURCE_EXHAUSTED, "OVERLOADED".to_owned()));
            break;
        }
    }
    lives(&raw).await;
    let (held, mut body) = held.remove(0);
    body.send_data(frame[80_000..].to_vec().into(), true).unwrap();
    assert_eq!(held.await.unwrap().headers().get("grpc-status"), None);
}

/// What a stream holds for as long as it lasts is counted: a Watch of health has no deadline.
#[tokio::test]
async fn headers_of_open_streams_share_a_budget() {
    let mut config = config();
    config.server.max_message_bytes = 100_000;
    config.server.max_buffered_bytes = 150_000;
    let running = Running::start(config);
    let raw = Raw::connect(running.proxy.local_addr()).await;
    let long = HeaderValue::from_bytes(&[b'x'; 8_000]).unwrap();
    let mut open = Vec::new();
    let refused = loop {
        let mut sender = raw.sender.clone().ready().await.unwrap();
        let mut request = post("/grpc.health.v1.Health/Watch");
        request.headers_mut().insert("x-long", long.clone());
        let (response, mut body) = sender.send_request(request, false).unwrap();
        body.send_data(framed(&[]).into(), true).unwrap();
        let response = response.await.unwrap();
        if response.headers().contains_key("grpc-status") {
            break response;
        }
        open.push(response);
        assert!(open.len() <= 20, "{} streams hold their headers", open.len());
    };
    assert_eq!(refused.headers()["grpc-status"], "8");
    assert!(open.len() >= 5, "{} streams are too many", open.len());
    drop(open);
    // The room is free when the server has seen that the streams are over.
    let again =
        async { while raw.echo(&[&framed(&message())]).await.text("grpc-status") != "0" {} };
    tokio::time::timeout(Duration::from_secs(30), again).await.unwrap();
}

/// The service says that the method may be made twice, which is not to say that it changes nothing.
#[tokio::test]
async fn what_may_have_been_written_is_answered_whatever_it_takes() {
    let mut config = config();
    config.server.max_message_bytes = 100_000;
    config.server.max_buffered_bytes = 150_000;
    let running = Running::start(config);
    let raw = Raw::connect(running.proxy.local_addr()).await;
    let request = framed(&PutRequest::default().encode_to_vec());
    let answer = raw.call(post("/test.v1.Test/Grow"), &[&request]).await;
    assert_eq!(answer.text("grpc-status"), "0");
    assert!(answer.data.len() > 400_000);
}

/// Opens calls that send the beginning of a message.
async fn hold(raw: &Raw, calls: usize, begin: &[u8]) -> Vec<(ResponseFuture, SendStream<Bytes>)> {
    let mut held = Vec::new();
    for _ in 0..calls {
        let mut sender = raw.sender.clone().ready().await.unwrap();
        let (response, mut body) = sender.send_request(post(ECHO), false).unwrap();
        body.send_data(Bytes::copy_from_slice(begin), false).unwrap();
        held.push((response, body));
    }
    held
}

#[tokio::test]
async fn an_open_call_that_sends_nothing_ends_whatever_the_service() {
    let mut config = config();
    config.server.default_timeout_ms = 300;
    let running = Running::start(config);
    let raw = Raw::connect(running.proxy.local_addr()).await;
    for path in [
        ECHO,
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ] {
        let mut sender = raw.sender.clone().ready().await.unwrap();
        let mut request = post(path);
        if path.ends_with("Watch") {
            // As long as it likes, once it has said what it watches.
            request.headers_mut().insert("grpc-timeout", HeaderValue::from_static("9999H"));
        }
        let (response, _body) = sender.send_request(request, false).unwrap();
        let (head, mut body) = response.await.unwrap().into_parts();
        let trailers = match head.headers.get("grpc-status") {
            Some(_) => head.headers,
            None => {
                while body.data().await.is_some() {}
                body.trailers().await.unwrap().unwrap()
            }
        };
        assert_eq!(trailers["grpc-status"], DEADLINE_EXCEEDED, "{path}");
    }
    lives(&raw).await;
}

#[tokio::test]
async fn reflection_is_asked_in_short_messages() {
    let (_running, raw) = start().await;
    let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let answer = raw.call(post(path), &[b"\0\0\x10\0\0", b"\x22"]).await;
    assert_eq!(answer.status(), (RESOURCE_EXHAUSTED, "VALUE_TOO_LARGE".to_owned()));
    lives(&raw).await;
}

#[tokio::test]
async fn a_message_of_too_many_elements_is_refused_before_it_is_decoded() {
    let (_running, raw) = start().await;
    // items: two bytes for each empty one.
    let request = b"\x1a\0".repeat(1_000_000);
    for path in [ECHO, "/prism.keyvalue.v1.KeyValueService/Put"] {
        let answer = raw.call(post(path), &[&framed(&request)]).await;
        assert_eq!(answer.status(), (INVALID_ARGUMENT, "VALUE_TOO_LARGE".to_owned()), "{path}");
        assert_eq!(answer.violations()[0].0, "items");
    }
    lives(&raw).await;
}

#[tokio::test]
async fn answers_that_are_not_read_are_counted() {
    let mut config = config();
    config.server.max_message_bytes = 1 << 20;
    config.server.max_buffered_bytes = 8 << 20;
    let running = Running::start(config);
    let raw = Raw::connect(running.proxy.local_addr()).await;
    let large = PutRequest { id: "x".repeat(900_000), ..PutRequest::default() };
    let large = framed(&large.encode_to_vec());
    // The answers are asked for and not read: their windows are never given back.
    let mut unread = Vec::new();
    let refused = loop {
        assert!(unread.len() < 20, "nothing is refused");
        let mut sender = raw.sender.clone().ready().await.unwrap();
        let (response, mut body) = sender.send_request(post(ECHO), false).unwrap();
        body.send_data(large.clone().into(), true).unwrap();
        let answer = response.await.unwrap();
        if answer.headers().contains_key("grpc-status") {
            break answer;
        }
        unread.push(answer);
    };
    assert_eq!(refused.headers()["grpc-status"], RESOURCE_EXHAUSTED.to_string());
    assert!(unread.len() >= 2, "{}", unread.len());
    // Others are served, also what is large; and so is this one once it has let go of them.
    let other = Raw::connect(running.proxy.local_addr()).await;
    assert_eq!(other.echo(&[&large]).await.text("grpc-status"), "0");
    lives(&other).await;
    drop(unread);
    while raw.echo(&[&large]).await.text("grpc-status") != "0" {}
}

#[tokio::test]
async fn streams_that_are_reset_at_once_harm_nobody_else() {
    let (running, raw) = start().await;
    let other = Raw::connect(running.proxy.local_addr()).await;
    for _ in 0..2000 {
        // A server that has had enough closes the connection.
        let Ok(mut sender) = raw.sender.clone().ready().await else { break };
        let Ok((_, mut body)) = sender.send_request(post("/test.v1.Test/Sleep"), false) else {
            break;
        };
        let _ = body.send_data(framed(&message()).into(), true);
        body.send_reset(h2::Reason::CANCEL);
        tokio::task::yield_now().await;
    }
    lives(&other).await;
}
