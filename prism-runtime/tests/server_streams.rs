//! Methods that stream requests: read as their handler asks, checked one by one, bounded.
#![allow(clippy::unwrap_used)]

#[path = "support/raw.rs"]
mod raw;
mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, future, stream};
use prism_runtime::codegen::{self, Call, Handlers};
use prism_runtime::proto::keyvalue::v1::PutRequest;
use prism_runtime::schema::Service;
use prism_runtime::service::{Context, Reply, RequestStream, Requests, Responses};
use prism_runtime::{Code, Error, Proxy, Reason, Result, Schema};
use prost::Message;
use raw::{Raw, framed, post};
use support::config;
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic_types::StatusExt;

/// A service with every way to take a stream. Types are those that the server checks.
#[derive(Default)]
struct Streams {
    /// Requests that `Slow` has taken.
    taken: AtomicUsize,
    /// Lets `Slow` take one more.
    go: Notify,
    /// How many handlers have begun.
    begun: AtomicUsize,
    /// How many handlers were dropped before their end.
    dropped: AtomicUsize,
}

static DESCRIPTOR: LazyLock<Service> = LazyLock::new(|| {
    const PUT: &str = ".prism.keyvalue.v1.PutRequest";
    let service = Service::new("test.v1.Streams");
    let service = ["Sum", "Slow", "Ignore", "Early", "Panic", "Own"]
        .iter()
        .fold(service, |service, name| service.rpc(&format!("{name}(stream {PUT}) -> {PUT}")));
    let service = ["Echo", "Collect"].iter().fold(service, |service, name| {
        service.rpc(&format!("{name}(stream {PUT}) -> stream {PUT}"))
    });
    service.rpc(&format!("Headers({PUT}) -> {PUT}")).rpc(&format!("Watch({PUT}) -> stream {PUT}"))
});

struct Server(Arc<Streams>);

impl Handlers for Server {
    fn descriptor(&self) -> &'static Service {
        &DESCRIPTOR
    }

    fn call(&self, method: usize, context: Context, request: Bytes) -> Reply {
        let call = Call::new(&self.0, context, request);
        match method {
            8 => call.unary(Streams::headers),
            _ => codegen::unimplemented(&DESCRIPTOR, method),
        }
    }

    fn call_streaming(&self, method: usize, context: Context, requests: RequestStream) -> Reply {
        let call = Call::new(&self.0, context, requests);
        match method {
            0 => call.client_streaming(Streams::sum),
            1 => call.client_streaming(Streams::slow),
            2 => call.client_streaming(Streams::ignore),
            3 => call.client_streaming(Streams::early),
            4 => call.client_streaming(Streams::panic),
            5 => call.client_streaming(Streams::own),
            6 => call.bidirectional(Streams::echo),
            7 => call.bidirectional(Streams::collect),
            _ => codegen::unimplemented(&DESCRIPTOR, method),
        }
    }
}

/// Counts a handler that is dropped before its end.
struct Unfinished<'a>(&'a AtomicUsize);

impl<'a> Unfinished<'a> {
    fn new(streams: &'a Streams) -> Self {
        streams.begun.fetch_add(1, Ordering::SeqCst);
        Unfinished(&streams.dropped)
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn numbered(number: i64) -> PutRequest {
    PutRequest { item_priority_token: number, ..PutRequest::default() }
}

impl Streams {
    /// Adds up the numbers.
    async fn sum(&self, _: Context, mut requests: Requests<PutRequest>) -> Result<PutRequest> {
        let unfinished = Unfinished::new(self);
        let mut sum = 0;
        while let Some(request) = requests.message().await? {
            sum += request.item_priority_token;
        }
        std::mem::forget(unfinished);
        Ok(numbered(sum))
    }

    /// Takes a request when the test says so.
    async fn slow(&self, _: Context, mut requests: Requests<PutRequest>) -> Result<PutRequest> {
        loop {
            self.go.notified().await;
            if requests.message().await?.is_none() {
                return Ok(numbered(0));
            }
            self.taken.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Never reads.
    async fn ignore(&self, _: Context, _requests: Requests<PutRequest>) -> Result<PutRequest> {
        let _unfinished = Unfinished::new(self);
        future::pending().await
    }

    /// Answers after the first request.
    async fn early(&self, _: Context, mut requests: Requests<PutRequest>) -> Result<PutRequest> {
        Ok(requests.message().await?.unwrap_or_default())
    }

    async fn panic(&self, _: Context, mut requests: Requests<PutRequest>) -> Result<PutRequest> {
        requests.message().await?;
        panic!("a panic of the test")
    }

    async fn own(&self, context: Context, _: Requests<PutRequest>) -> Result<PutRequest> {
        context.add_header("x-kind", "own")?;
        context.add_trailer("x-hash-bin", b"\xff")?;
        Err(Error::own("CHAIN_BROKEN", Code::FailedPrecondition, "the chain is broken"))
    }

    async fn headers(&self, context: Context, request: PutRequest) -> Result<PutRequest> {
        context.add_header("x-kind", "one")?;
        context.add_header("x-kind", "two")?;
        context.add_trailer("x-kind", "three")?;
        match request.id.as_str() {
            "" => Ok(request),
            _ => Err(Error::own("NO_ID", Code::NotFound, "what the call asks for does not exist")),
        }
    }

    /// Answers each request with itself.
    async fn echo(
        &self,
        context: Context,
        requests: Requests<PutRequest>,
    ) -> Result<Responses<PutRequest>> {
        context.add_header("x-kind", "echo")?;
        let last = context.clone();
        let answers = requests.chain(stream::poll_fn(move |_| {
            last.add_trailer("x-end", "true").unwrap();
            std::task::Poll::Ready(None)
        }));
        Ok(Box::pin(answers))
    }

    /// Reads all, then answers with each.
    async fn collect(
        &self,
        _: Context,
        mut requests: Requests<PutRequest>,
    ) -> Result<Responses<PutRequest>> {
        let mut all = Vec::new();
        while let Some(request) = requests.message().await? {
            all.push(Ok(request));
        }
        Ok(Box::pin(stream::iter(all)))
    }
}

struct Running {
    proxy: Proxy,
    streams: Arc<Streams>,
    _folder: tempfile::TempDir,
}

fn start_with(mut config: prism_runtime::config::Config) -> Running {
    let streams = Arc::new(Streams::default());
    let folder = tempfile::tempdir().unwrap();
    config.database = folder.path().join("test.db").to_str().unwrap().to_owned();
    let schema = Schema::new(prism_runtime::proto::FILE_DESCRIPTOR_SET)
        .service(Server(Arc::clone(&streams)));
    let proxy = Proxy::builder(schema).config(config).start().unwrap();
    Running { proxy, streams, _folder: folder }
}

fn start() -> Running {
    start_with(config())
}

fn path(method: &str) -> String {
    format!("/test.v1.Streams/{method}")
}

/// A call whose requests are sent one by one; the sender ends them when it is dropped.
fn open() -> (mpsc::Sender<PutRequest>, ReceiverStream<PutRequest>) {
    let (sender, receiver) = mpsc::channel(1);
    (sender, ReceiverStream::new(receiver))
}

async fn until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "it does not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Running {
    async fn client(&self) -> codegen::Client {
        codegen::Client::connect(format!("http://{}", self.proxy.local_addr())).await.unwrap()
    }

    async fn one(
        &self,
        method: &str,
        requests: Vec<PutRequest>,
    ) -> std::result::Result<tonic::Response<PutRequest>, tonic::Status> {
        self.client().await.client_streaming(&path(method), stream::iter(requests)).await
    }

    async fn lives(&self) {
        let answer = self.one("Sum", vec![numbered(1), numbered(41)]).await.unwrap();
        assert_eq!(answer.into_inner().item_priority_token, 42);
    }
}

#[tokio::test]
async fn requests_are_taken_one_after_the_other() {
    let running = start();
    running.lives().await;
    let none = running.one("Sum", Vec::new()).await.unwrap();
    assert_eq!(none.into_inner(), numbered(0));
    let many = running.one("Sum", (0..10_000).map(numbered).collect()).await.unwrap();
    assert_eq!(many.into_inner(), numbered(49_995_000));
}

#[tokio::test]
async fn frames_and_messages_may_be_cut_anywhere() {
    let running = start();
    let raw = Raw::connect(running.proxy.local_addr()).await;
    let messages = [numbered(1), numbered(0), numbered(1 << 40), PutRequest::default()];
    let bytes: Vec<u8> = messages.iter().flat_map(|it| framed(&it.encode_to_vec())).collect();
    for size in 1..=bytes.len() {
        let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
        let answer = raw.call(post(&path("Sum")), &chunks).await;
        assert_eq!(answer.text("grpc-status"), "0", "{size}");
        assert_eq!(answer.data, framed(&numbered(1 + (1 << 40)).encode_to_vec()), "{size}");
    }
}

#[tokio::test]
async fn each_request_is_checked_as_a_unary_one_is() {
    let mut config = config();
    config.server.max_message_bytes = 1000;
    let running = start_with(config);
    let raw = Raw::connect(running.proxy.local_addr()).await;
    let good = framed(&numbered(1).encode_to_vec());
    let large = PutRequest { id: "x".repeat(1000), ..PutRequest::default() }.encode_to_vec();
    let wrong: [(&[u8], u16, &str); 7] = [
        (&framed(&large), 8, "VALUE_TOO_LARGE"),
        (&framed(b"\x9a\x06\x05later"), 3, "UNKNOWN_FIELD"),
        (&framed(b"\x0a\x05abc"), 3, "INVALID_REQUEST"),
        (b"\x01\0\0\0\0", 13, "INVALID_REQUEST"),
        (b"\x07\0\0\0\0", 13, "INVALID_REQUEST"),
        (b"\0\0\0\0\x05ab", 13, "INVALID_REQUEST"),
        (b"\0\0\0", 13, "INVALID_REQUEST"),
    ];
    for method in ["Sum", "Echo", "Collect"] {
        for (bytes, code, reason) in wrong {
            for before in 0..3 {
                let chunks = [good.repeat(before), bytes.to_vec()];
                let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
                let answer = raw.call(post(&path(method)), &chunks).await;
                assert_eq!(answer.status(), (code, reason.to_owned()), "{method}: {bytes:?}");
                let echoed = if method == "Echo" { good.repeat(before) } else { Vec::new() };
                assert_eq!(answer.data, echoed, "{method}: {bytes:?}");
            }
        }
    }
    running.lives().await;
}

#[tokio::test]
async fn full_duplex_answers_each_request_before_the_next() {
    let running = start();
    let (sender, requests) = open();
    let client = running.client().await;
    let answer = client.bidirectional::<_, PutRequest>(&path("Echo"), requests).await.unwrap();
    assert_eq!(answer.metadata().get("x-kind").unwrap(), "echo");
    let mut answers = answer.into_inner();
    for number in 0..200 {
        sender.send(numbered(number)).await.unwrap();
        assert_eq!(answers.message().await.unwrap(), Some(numbered(number)));
    }
    drop(sender);
    assert_eq!(answers.message().await.unwrap(), None);
    let trailers = answers.trailers().await.unwrap().unwrap();
    assert_eq!(trailers.get("x-end").unwrap(), "true");
}

#[tokio::test]
async fn half_duplex_answers_after_the_last_request() {
    let running = start();
    let client = running.client().await;
    let requests = stream::iter((0..500).map(numbered));
    let answer = client.bidirectional::<_, PutRequest>(&path("Collect"), requests).await.unwrap();
    let numbers = answer.into_inner().map(|answer| answer.unwrap().item_priority_token);
    assert_eq!(numbers.collect::<Vec<_>>().await, (0..500).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_handler_may_answer_before_the_last_request() {
    let running = start();
    let (sender, requests) = open();
    let client = running.client().await;
    sender.send(numbered(7)).await.unwrap();
    let answer = client.client_streaming::<_, PutRequest>(&path("Early"), requests).await.unwrap();
    assert_eq!(answer.into_inner(), numbered(7));
    running.lives().await;
}

#[tokio::test]
async fn a_caller_that_leaves_ends_the_handler() {
    let running = start();
    let client = running.client().await;
    for method in ["Sum", "Ignore"] {
        let begun = running.streams.begun.load(Ordering::SeqCst);
        let before = running.streams.dropped.load(Ordering::SeqCst);
        let (sender, requests) = open();
        let call = tokio::spawn({
            let client = client.clone();
            async move { client.client_streaming::<_, PutRequest>(&path(method), requests).await }
        });
        sender.send(numbered(1)).await.unwrap();
        sender.send(numbered(2)).await.unwrap();
        until(|| running.streams.begun.load(Ordering::SeqCst) > begun).await;
        call.abort();
        until(|| running.streams.dropped.load(Ordering::SeqCst) > before).await;
    }
    running.lives().await;
}

#[tokio::test]
async fn the_deadline_ends_a_call_that_waits_for_its_caller() {
    let running = start();
    let raw = Raw::connect(running.proxy.local_addr()).await;
    for method in ["Sum", "Ignore", "Collect", "Echo"] {
        let mut request = post(&path(method));
        request.headers_mut().insert("grpc-timeout", "100m".parse().unwrap());
        let mut sender = raw.sender.clone().ready().await.unwrap();
        let (response, mut body) = sender.send_request(request, false).unwrap();
        body.send_data(framed(&numbered(1).encode_to_vec()).into(), false).unwrap();
        let (parts, mut answers) = response.await.unwrap().into_parts();
        let mut data = Vec::new();
        while let Some(chunk) = answers.data().await {
            data.extend_from_slice(&chunk.unwrap());
        }
        let trailers = answers.trailers().await.unwrap().unwrap_or_default();
        let answer = raw::Answer { http: parts.status, headers: parts.headers, data, trailers };
        assert_eq!(answer.status(), (4, "DEADLINE_EXCEEDED".to_owned()), "{method}");
        assert_eq!(answer.data.is_empty(), method != "Echo");
    }
    until(|| running.streams.dropped.load(Ordering::SeqCst) == 2).await;
    running.lives().await;
}

#[tokio::test]
async fn a_stream_outlives_the_timeout_of_unary_methods() {
    let mut config = config();
    config.server.default_timeout_ms = 50;
    let running = start_with(config);
    let (sender, requests) = open();
    let client = running.client().await;
    let call = tokio::spawn(async move {
        client.client_streaming::<_, PutRequest>(&path("Sum"), requests).await
    });
    for _ in 0..3 {
        sender.send(numbered(1)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(sender);
    assert_eq!(call.await.unwrap().unwrap().into_inner(), numbered(3));
}

#[tokio::test]
async fn a_request_that_has_begun_must_arrive_in_time() {
    let mut config = config();
    config.server.default_timeout_ms = 100;
    let running = start_with(config);
    let raw = Raw::connect(running.proxy.local_addr()).await;
    let request = PutRequest { id: "x".repeat(1000), ..PutRequest::default() };
    let frame = framed(&request.encode_to_vec());
    for (method, bytes) in [("Sum", &frame[..]), ("Sum", &[]), ("Watch", &[])] {
        let mut sender = raw.sender.clone().ready().await.unwrap();
        let (response, mut body) = sender.send_request(post(&path(method)), false).unwrap();
        body.send_data([bytes, &frame[..10]].concat().into(), false).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.headers()["grpc-status"], "4", "{method}");
    }
    running.lives().await;
}

#[tokio::test]
async fn a_drain_lets_a_stream_end_and_cuts_one_that_does_not() {
    let running = start();
    let (sender, requests) = open();
    let (held, unending) = open();
    let client = running.client().await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.client_streaming::<_, PutRequest>(&path("Sum"), requests).await }
    });
    let answer = client.bidirectional::<_, PutRequest>(&path("Echo"), unending).await.unwrap();
    let mut unending = answer.into_inner();
    sender.send(numbered(1)).await.unwrap();
    held.send(numbered(5)).await.unwrap();
    assert_eq!(unending.message().await.unwrap(), Some(numbered(5)));

    let Running { proxy, .. } = running;
    let address = proxy.local_addr();
    let started = Instant::now();
    let stopping = tokio::spawn(async move {
        proxy.shutdown().await;
        started.elapsed()
    });
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sender.send(numbered(2)).await.unwrap();
    drop(sender);
    assert_eq!(call.await.unwrap().unwrap().into_inner(), numbered(3));
    unending.message().await.unwrap_err();
    // `server.drain_seconds` is 2 here.
    let took = stopping.await.unwrap();
    assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn nothing_is_read_that_the_handler_did_not_ask_for() {
    let running = start();
    let raw = Raw::connect(running.proxy.local_addr()).await;
    let mut sender = raw.sender.clone().ready().await.unwrap();
    let (response, mut body) = sender.send_request(post(&path("Slow")), false).unwrap();
    let request = PutRequest { id: "x".repeat(100_000), ..PutRequest::default() };
    let frame = framed(&request.encode_to_vec());
    // Only what HTTP/2's window takes leaves this process, however much there is to send.
    let sent = send_all(&mut body, &frame, 0).await;
    assert!(sent <= 256 << 10, "the server took {sent} bytes although the handler does not read");
    assert_eq!(running.streams.taken.load(Ordering::SeqCst), 0);

    // Room comes back for what the handler has taken.
    let whole = sent / frame.len();
    assert!(whole > 0, "{sent} bytes");
    for taken in 1..=whole {
        running.streams.go.notify_one();
        until(|| running.streams.taken.load(Ordering::SeqCst) == taken).await;
    }
    let more = send_all(&mut body, &frame, sent).await;
    let most = (whole + 1) * frame.len();
    assert!(more > 0 && more <= most, "{more} bytes for {whole} requests");
    drop(response);
    running.lives().await;
}

/// Sends one message after the other until nothing more is taken, and returns how many bytes were.
/// `sent` bytes were before.
async fn send_all(body: &mut h2::SendStream<Bytes>, frame: &[u8], sent: usize) -> usize {
    let mut more = 0;
    loop {
        body.reserve_capacity(1 << 24);
        let capacity = future::poll_fn(|cx| body.poll_capacity(cx));
        match tokio::time::timeout(Duration::from_millis(500), capacity).await {
            Ok(Some(Ok(capacity))) => {
                let at = (sent + more) % frame.len();
                let piece = frame[at..frame.len().min(at + capacity)].to_vec();
                more += piece.len();
                body.send_data(piece.into(), false).unwrap();
            }
            _ => return more,
        }
    }
}

#[tokio::test]
async fn callers_without_an_end_hold_no_more_than_their_window() {
    let running = start();
    let before = resident_bytes();
    let request = PutRequest { id: "x".repeat(1 << 20), ..PutRequest::default() };
    let mut calls = Vec::new();
    for _ in 0..8 {
        let client = running.client().await;
        let requests = stream::repeat(request.clone());
        calls.push(tokio::spawn(async move {
            client.client_streaming::<_, PutRequest>(&path("Ignore"), requests).await
        }));
    }
    for _ in 0..20 {
        running.lives().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let grown = resident_bytes().saturating_sub(before);
    // Of each call: a window at the server, and as much or a message on its way at the client.
    assert!(grown < 128 << 20, "{grown} bytes");
    for call in calls {
        assert!(!call.is_finished());
        call.abort();
    }
    until(|| running.streams.dropped.load(Ordering::SeqCst) >= 8).await;
}

#[tokio::test]
async fn a_panic_and_an_error_of_the_service_end_the_call() {
    let running = start();
    let status = running.one("Panic", vec![numbered(1)]).await.unwrap_err();
    assert_eq!(status.get_details_error_info().unwrap().reason, "INTERNAL");

    let status = running.one("Own", vec![numbered(1)]).await.unwrap_err();
    assert_eq!(status.message(), "the chain is broken");
    let info = status.get_details_error_info().unwrap();
    assert_eq!((info.reason.as_str(), info.domain.as_str()), ("CHAIN_BROKEN", "test.v1"));
    let metadata = status.metadata();
    assert_eq!(metadata.get_bin("x-hash-bin").unwrap().to_bytes().unwrap(), &b"\xff"[..]);
    running.lives().await;
}

#[tokio::test]
async fn headers_and_trailers_of_a_handler_reach_the_caller() {
    let running = start();
    let raw = Raw::connect(running.proxy.local_addr()).await;
    for (id, status) in [("", "0"), ("7", "5")] {
        let request = PutRequest { id: id.to_owned(), ..PutRequest::default() };
        let answer = raw.call(post(&path("Headers")), &[&framed(&request.encode_to_vec())]).await;
        let kinds: Vec<_> = answer.headers.get_all("x-kind").iter().collect();
        assert_eq!(kinds, ["one", "two"]);
        assert_eq!(answer.trailers["x-kind"], "three");
        assert_eq!(answer.trailers["grpc-status"], status);
        assert!(answer.headers.get("grpc-status").is_none());
    }
}

#[tokio::test]
async fn a_streaming_method_that_nobody_wrote_is_unimplemented() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config();
    config.database = folder.path().join("test.db").to_str().unwrap().to_owned();
    let schema = Schema::new(prism_runtime::proto::FILE_DESCRIPTOR_SET)
        .service(codegen::Unimplemented(|| &DESCRIPTOR));
    let proxy = Proxy::builder(schema).config(config).start().unwrap();
    let client = codegen::Client::connect(format!("http://{}", proxy.local_addr())).await.unwrap();
    let requests = stream::iter([numbered(1)]);
    let status =
        client.client_streaming::<_, PutRequest>(&path("Sum"), requests).await.unwrap_err();
    assert_eq!(status.get_details_error_info().unwrap().reason, "METHOD_UNIMPLEMENTED");
    assert_eq!(Error::new(Reason::MethodUnimplemented, "").code(), Code::Unimplemented);
}

/// Resident memory of this process.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096
}
