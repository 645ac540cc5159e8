//! Who may hold a connection, for how long, and what is said before it ends.
#![allow(clippy::unwrap_used)]

#[path = "support/frames.rs"]
mod frames;
#[path = "support/raw.rs"]
mod raw;
mod support;

use std::time::{Duration, Instant};

use frames::{ACK, ENHANCE_YOUR_CALM, EVERY, Frames, GOAWAY, NO_ERROR, PING, SETTINGS};
use prism_runtime::config::Config;
use prism_runtime::proto::keyvalue::v1::PutRequest;
use prost::Message;
use raw::{ECHO, Raw, framed, post};
use support::{Running, config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic_health::pb::HealthCheckRequest;

const WATCH: &str = "/grpc.health.v1.Health/Watch";
const UNAVAILABLE: &str = "14";
const COUNT: &str = "/test.v1.Test/Count";

fn start(change: impl FnOnce(&mut Config)) -> Running {
    let mut config = config();
    change(&mut config);
    Running::start(config)
}

/// Opens a connection until one is served.
async fn is_served(running: &Running) {
    let started = Instant::now();
    loop {
        let mut frames = Frames::open(running.proxy.local_addr()).await;
        frames.call(1, ECHO, b"").await;
        while let Some(frame) = frames.next().await {
            match frame.kind {
                frames::HEADERS => return,
                GOAWAY => break,
                _ => {}
            }
        }
        assert!(started.elapsed() < Duration::from_secs(10), "no place is given back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_connection_beyond_the_limit_is_told_so() {
    let running = start(|config| config.server.max_connections = 1);
    let first = Raw::connect(running.proxy.local_addr()).await;
    first.echo(&[&framed(b"")]).await;
    let mut refused = Frames::open(running.proxy.local_addr()).await;
    // It may have begun a call, which it now knows it may repeat.
    refused.call(1, ECHO, b"").await;
    assert_eq!(refused.next().await.unwrap().kind, SETTINGS);
    assert_eq!(refused.end().await, [(0, ENHANCE_YOUR_CALM)]);
    // Whoever has a place keeps it, and who leaves gives it back.
    assert_eq!(first.echo(&[&framed(b"")]).await.text("grpc-status"), "0");
    drop(first);
    is_served(&running).await;
}

#[tokio::test]
async fn a_client_of_grpc_that_is_refused_fails_at_once() {
    let running = start(|config| config.server.max_connections = 1);
    let _first = Frames::open(running.proxy.local_addr()).await;
    let started = Instant::now();
    let client = prism_runtime::codegen::Client::connect(running.uri()).await;
    if let Ok(client) = client {
        let answer = client.unary::<_, PutRequest>(ECHO, PutRequest::default()).await;
        // Which code it gives a connection that ends before the answer is the client's.
        answer.unwrap_err();
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn one_peer_has_a_quarter_of_the_places() {
    let running = start(|config| config.server.max_connections = 8);
    let address = running.proxy.local_addr();
    let mut held = [Frames::open(address).await, Frames::open(address).await];
    for frames in &mut held {
        frames.next_of(SETTINGS).await;
    }
    assert_eq!(Frames::open(address).await.end().await, [(0, ENHANCE_YOUR_CALM)]);
    let mut stranger = Frames::connect_from("127.0.0.2", address).await;
    stranger.greet().await;
    stranger.call(1, ECHO, b"").await;
    stranger.next_of(frames::HEADERS).await;
}

#[tokio::test]
async fn the_share_of_a_peer_can_be_set() {
    let running = start(|config| {
        config.server.max_connections = 3;
        config.server.max_connections_per_peer = 3;
    });
    let address = running.proxy.local_addr();
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut frames = Frames::open(address).await;
        frames.call(1, ECHO, b"").await;
        frames.next_of(frames::HEADERS).await;
        held.push(frames);
    }
    assert_eq!(Frames::open(address).await.end().await, [(0, ENHANCE_YOUR_CALM)]);
}

#[tokio::test]
async fn every_refused_connection_is_told() {
    let running = start(|config| config.server.max_connections = 1);
    let address = running.proxy.local_addr();
    let _first = Frames::open(address).await;
    let mut flood = Vec::new();
    for _ in 0..600 {
        // They do not close: the server waits for some of them, and closes the others at once.
        flood.push(Frames::connect(address).await);
    }
    for frames in &mut flood {
        assert_eq!(frames.end().await, [(0, ENHANCE_YOUR_CALM)]);
    }
}

#[tokio::test]
async fn a_preface_has_ten_seconds() {
    let running = start(|_| {});
    let started = Instant::now();
    let mut silent = Frames::connect(running.proxy.local_addr()).await;
    let mut half = Frames::connect(running.proxy.local_addr()).await;
    // Without the SETTINGS that belong to it.
    half.stream.write_all(frames::PREFACE).await.unwrap();
    let mut whole = Frames::open(running.proxy.local_addr()).await;
    for frames in [&mut silent, &mut half] {
        assert_eq!(frames.end().await, [(0, NO_ERROR)]);
        assert!(started.elapsed() >= Duration::from_secs(9), "{:?}", started.elapsed());
    }
    whole.call(1, ECHO, b"").await;
    whole.next_of(frames::HEADERS).await;
}

#[tokio::test]
async fn a_ping_is_no_call() {
    let running = start(|config| config.server.idle_timeout_seconds = 1);
    let started = Instant::now();
    let mut frames = Frames::open(running.proxy.local_addr()).await;
    let mut seen = Vec::new();
    let mut pings = tokio::time::interval(Duration::from_millis(100));
    // Answers pings, sends its own, and makes no call.
    loop {
        tokio::select! {
            _ = pings.tick() => frames.send(PING, 0, 0, b"my ping!").await,
            // A frame is read in one piece here: they are small.
            readable = frames.stream.readable() => {
                readable.unwrap();
                match frames.next().await {
                    None => break,
                    Some(frame) if frame.kind == GOAWAY => seen.push(frame.go_away()),
                    Some(frame) if frame.kind == PING && frame.flags & ACK == 0 => {
                        frames.send(PING, ACK, 0, &frame.payload).await;
                    }
                    Some(_) => {}
                }
            }
        }
    }
    assert_eq!(seen, [(EVERY, NO_ERROR), (0, NO_ERROR)]);
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test]
async fn calls_keep_a_connection() {
    let running = start(|config| config.server.idle_timeout_seconds = 1);
    let raw = Raw::connect(running.proxy.local_addr()).await;
    let watching = Raw::connect(running.proxy.local_addr()).await;
    let mut sender = watching.sender.clone().ready().await.unwrap();
    let (watch, mut body) = sender.send_request(post(WATCH), false).unwrap();
    body.send_data(framed(&HealthCheckRequest::default().encode_to_vec()).into(), true).unwrap();
    let _watch = watch.await.unwrap();
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(4) {
        assert_eq!(raw.echo(&[&framed(b"")]).await.text("grpc-status"), "0");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(!raw.connection.is_finished());
    // One call that goes on is a call, however little is said.
    assert!(!watching.connection.is_finished());
    assert_eq!(watching.echo(&[&framed(b"")]).await.text("grpc-status"), "0");
    let end = tokio::time::timeout(Duration::from_secs(20), raw.connection).await;
    end.expect("without calls it is told to go away").unwrap().unwrap();
}

#[tokio::test]
async fn at_its_age_a_connection_goes_away_and_its_calls_have_time() {
    let running = start(|config| {
        config.server.max_connection_age_seconds = 1;
        config.server.max_connection_grace_seconds = 60;
    });
    let started = Instant::now();
    let raw = Raw::connect(running.proxy.local_addr()).await;
    let body = framed(&HealthCheckRequest::default().encode_to_vec());
    // A watch ends at once, and with OK: its client opens it again elsewhere.
    let watch = raw.call(post(WATCH), &[&body]).await;
    assert_eq!(watch.text("grpc-status"), "0");
    assert!(started.elapsed() >= Duration::from_millis(850), "{:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    raw.connection.await.unwrap().unwrap();

    // Others end by themselves.
    let raw = Raw::connect(running.proxy.local_addr()).await;
    let mut answers = Vec::new();
    loop {
        let Ok(mut sender) = raw.sender.clone().ready().await else { break };
        let Ok((answer, mut body)) = sender.send_request(post("/test.v1.Test/Sleep"), false) else {
            break;
        };
        // After the GOAWAY there is no stream to send on.
        let _ = body.send_data(framed(b"").into(), true);
        answers.push(answer);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let count = answers.len();
    let mut refused = 0;
    for answer in answers {
        match answer.await {
            Ok(answer) => assert_eq!(answer.headers().get("grpc-status"), None),
            // Begun after the last GOAWAY: known to be untouched.
            Err(error) => {
                assert!(error.is_go_away() && error.is_remote(), "{error:?}");
                refused += 1;
            }
        }
    }
    assert!(count > 5 && refused <= 2, "{refused} of {count}");
}

#[tokio::test]
async fn calls_that_outlast_the_grace_are_cut() {
    let running = start(|config| {
        config.server.max_connection_age_seconds = 1;
        config.server.max_connection_grace_seconds = 1;
    });
    let raw = Raw::connect(running.proxy.local_addr()).await;
    // It is read all the time, and would go on for 30 s.
    let message = PutRequest { id: "x".repeat(1000), ..PutRequest::default() }.encode_to_vec();
    let started = Instant::now();
    let answer = raw.call(post(COUNT), &[&framed(&message)]).await;
    assert_eq!(answer.text("grpc-status"), UNAVAILABLE);
    assert_eq!(answer.status().1, "SHUTTING_DOWN");
    assert!(started.elapsed() >= Duration::from_millis(1850), "{:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_peer_that_does_not_answer_is_told_its_last_stream() {
    let running = start(|config| {
        config.server.idle_timeout_seconds = 1;
        config.server.max_connection_grace_seconds = 1;
    });
    let mut frames = Frames::open(running.proxy.local_addr()).await;
    for stream in [1, 3, 7] {
        frames.call(stream, ECHO, b"").await;
    }
    // It does not acknowledge the PING of the first GOAWAY.
    assert_eq!(frames.goes_away().await, (EVERY, NO_ERROR));
    // What it sends then is still served.
    frames.call(9, ECHO, b"").await;
    frames.next_of(frames::HEADERS).await;
    assert_eq!(frames.end().await, [(9, NO_ERROR)]);
}

#[tokio::test]
async fn after_the_last_go_away_the_last_stream_stays() {
    let running = start(|config| {
        config.server.max_connection_age_seconds = 1;
        config.server.max_connection_grace_seconds = 1;
    });
    let mut frames = Frames::open(running.proxy.local_addr()).await;
    // Its answer does not fit into the window, which stays closed.
    let message = PutRequest { id: "x".repeat(9000), ..PutRequest::default() }.encode_to_vec();
    frames.call(1, COUNT, &message).await;
    assert_eq!(frames.goes_away().await, (EVERY, NO_ERROR));
    let ping = frames.next_of(PING).await;
    frames.send(PING, ACK, 0, &ping.payload).await;
    assert_eq!(frames.goes_away().await, (1, NO_ERROR));
    // Too late, and never looked at.
    frames.call(3, ECHO, b"").await;
    assert_eq!(frames.end().await, [(1, NO_ERROR)]);
}

#[tokio::test]
async fn a_drain_tells_those_who_have_said_nothing() {
    let running = start(|_| {});
    let mut silent = Frames::connect(running.proxy.local_addr()).await;
    let mut half = Frames::connect(running.proxy.local_addr()).await;
    half.stream.write_all(&frames::PREFACE[..10]).await.unwrap();
    let mut open = Frames::open(running.proxy.local_addr()).await;
    open.call(1, ECHO, b"").await;
    open.next_of(frames::HEADERS).await;
    let Running { proxy, .. } = running;
    let (_, ()) = tokio::join!(proxy.shutdown(), async {
        assert_eq!(silent.next().await.unwrap().kind, SETTINGS);
        assert_eq!(silent.end().await, [(0, NO_ERROR)]);
        assert_eq!(half.end().await, [(0, NO_ERROR)]);
        // This one does not answer the PING either.
        assert_eq!(open.end().await, [(EVERY, NO_ERROR), (1, NO_ERROR)]);
    });
}

/// A peer without a call that does not acknowledge the GOAWAY has a few seconds, however long calls
/// would have.
#[tokio::test]
async fn a_peer_that_answers_no_ping_holds_neither_its_place_nor_the_drain() {
    let change = |config: &mut Config| {
        config.server.idle_timeout_seconds = 1;
        config.server.max_connection_grace_seconds = 600;
        config.server.drain_seconds = 600;
        config.server.max_connections = 1;
    };
    let running = start(change);
    let mut silent = Frames::open(running.proxy.local_addr()).await;
    let started = Instant::now();
    assert_eq!(silent.end().await, [(EVERY, NO_ERROR), (0, NO_ERROR)]);
    drop(silent);
    is_served(&running).await;
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    drop(running);

    let running = start(|config| {
        change(config);
        config.server.idle_timeout_seconds = 0;
        config.server.max_connections = 100;
    });
    let address = running.proxy.local_addr();
    let mut silent = Frames::open(address).await;
    // One that ends a call while the server stops, and one that does not even close.
    let mut calling = Frames::open(address).await;
    let message = PutRequest::default().encode_to_vec();
    calling.call(1, "/test.v1.Test/Sleep", &message).await;
    let idle = Frames::open(address).await;
    silent.next_of(SETTINGS).await;
    calling.next_of(SETTINGS).await;
    let started = Instant::now();
    let Running { proxy, .. } = running;
    let (_, ()) = tokio::join!(proxy.shutdown(), async {
        assert_eq!(silent.end().await, [(EVERY, NO_ERROR), (0, NO_ERROR)]);
        calling.next_of(frames::HEADERS).await;
        assert_eq!(calling.end().await.last(), Some(&(1, NO_ERROR)));
    });
    assert!(started.elapsed() < Duration::from_secs(25), "{:?}", started.elapsed());
    drop(idle);
}

/// The drain ends at its time, whatever the peers do.
#[tokio::test]
async fn a_drain_ends_at_its_time() {
    let running = start(|config| config.server.drain_seconds = 2);
    let address = running.proxy.local_addr();
    let message = PutRequest { id: "x".repeat(9000), ..PutRequest::default() }.encode_to_vec();
    let mut peers = Vec::new();
    for _ in 0..4 {
        // Its answer does not fit into the window; it answers nothing, and does not close.
        let mut frames = Frames::open(address).await;
        frames.call(1, COUNT, &message).await;
        frames.next_of(frames::HEADERS).await;
        peers.push(frames);
    }
    let Running { proxy, .. } = running;
    let started = Instant::now();
    proxy.shutdown().await;
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    drop(peers);
}

/// Takes more than a minute: that is how often a peer is asked.
#[tokio::test]
async fn a_peer_that_answers_no_ping_is_given_up() {
    let running = start(|_| {});
    let address = running.proxy.local_addr();
    let mut silent = Frames::open(address).await;
    let mut answering = Frames::open(address).await;
    let started = Instant::now();
    let alive = async {
        loop {
            let ping = answering.read_of(PING).await;
            answering.send(PING, ACK, 0, &ping.payload).await;
        }
    };
    tokio::select! {
        () = alive => unreachable!(),
        () = silent.until_closed() => {}
    }
    assert!(started.elapsed() >= Duration::from_secs(75), "{:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(100), "{:?}", started.elapsed());
    answering.call(1, ECHO, b"").await;
    answering.next_of(frames::HEADERS).await;
}

#[tokio::test]
async fn http_1_gets_a_line_of_http_1() {
    let running = start(|_| {});
    for request in [
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc",
        "PUT /x HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\n",
        "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let mut frames = Frames::connect(running.proxy.local_addr()).await;
        frames.stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        frames.stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 505 HTTP Version Not Supported\r\n"), "{answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        match request.starts_with("HEAD") {
            true => assert_eq!(body, ""),
            false => assert_eq!(body.len().to_string(), length),
        }
        assert!(request.starts_with("HEAD") || body.contains("gRPC"), "{answer}");
    }
    // A request that comes byte by byte, and one that is longer than any buffer.
    let mut frames = Frames::connect(running.proxy.local_addr()).await;
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(200_000));
    frames.stream.write_all(long.as_bytes()).await.unwrap();
    let mut answer = String::new();
    frames.stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 505 "), "{answer}");
    is_served(&running).await;
}

#[tokio::test]
async fn tls_and_other_bytes_get_a_clean_close() {
    let running = start(|_| {});
    for bytes in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello"[..], &[0xff; 4096]] {
        let mut frames = Frames::connect(running.proxy.local_addr()).await;
        frames.stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // The end, and not a reset.
        frames.stream.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"");
    }
    is_served(&running).await;
}

#[tokio::test]
async fn calls_that_are_given_up_together_do_not_end_the_connection() {
    let running = start(|config| config.server.threads = 1);
    let raw = Raw::connect(running.proxy.local_addr()).await;
    raw.echo(&[&framed(b"")]).await;
    // As a client does whose calls meet their deadlines while the server is busy: more resets in
    // one turn than hyper's default takes.
    for _ in 0..3 {
        let mut bytes = Vec::new();
        for _ in 0..200 {
            let mut sender = raw.sender.clone().ready().await.unwrap();
            let (answer, mut body) =
                sender.send_request(post("/test.v1.Test/Sleep"), false).unwrap();
            body.send_reset(h2::Reason::CANCEL);
            bytes.push(answer);
        }
        drop(bytes);
        assert_eq!(raw.echo(&[&framed(b"")]).await.text("grpc-status"), "0");
    }
}
