//! Methods written by hand: what one of them does to its thread is no matter to strangers.
// Blocking the thread is what is tested.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod support;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use prism_runtime::codegen::{Client, Handlers};
use prism_runtime::proto::keyvalue::v1::{GetRequest, GetResponse, PutRequest};
use prism_runtime::schema::Service;
use prism_runtime::service::{Context, Encoded, Reply};
use prism_runtime::{Proxy, Schema};
use support::config;
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tracing_subscriber::fmt::MakeWriter;

const BLOCK: Duration = Duration::from_secs(2);

static DESCRIPTOR: LazyLock<Service> = LazyLock::new(|| {
    let put = ".prism.keyvalue.v1.PutRequest";
    let rpc = |name: &str, stream: &str| format!("{name}({put}) -> {stream}{put}");
    ["Block", "BlockAtOnce", "Quick", "Wait"]
        .iter()
        .fold(Service::new("test.v1.Slow"), |service, name| service.rpc(&rpc(name, "")))
        .rpc(&rpc("BlockStream", "stream "))
        .rpc(&rpc("Numbers", "stream "))
        .rpc(&rpc("Broken", "stream "))
        .rpc(&rpc("Huge", "stream "))
});

/// Handlers as users write them, mistakes included.
#[derive(Default)]
struct Slow {
    abandoned: Arc<AtomicBool>,
    made: Arc<AtomicUsize>,
}

/// Set when it is dropped.
struct Abandoned(Arc<AtomicBool>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Handlers for Slow {
    fn descriptor(&self) -> &'static Service {
        &DESCRIPTOR
    }

    fn call(&self, method: usize, _: Context, request: Bytes) -> Reply {
        let mut answer = Encoded::with_capacity(request.len());
        answer.buffer().extend_from_slice(&request);
        match DESCRIPTOR.methods[method].name.as_str() {
            "Block" => Reply::future(async move {
                std::thread::sleep(BLOCK);
                Ok(answer)
            }),
            "BlockAtOnce" => {
                std::thread::sleep(BLOCK);
                Reply::Ready(Ok(answer))
            }
            "Wait" => {
                let abandoned = Abandoned(Arc::clone(&self.abandoned));
                Reply::future(async move {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                    drop(abandoned);
                    Ok(answer)
                })
            }
            "BlockStream" => Reply::stream(stream::iter(0..2).map(move |_| {
                std::thread::sleep(BLOCK);
                Ok(answer.clone())
            })),
            "Numbers" => {
                let made = Arc::clone(&self.made);
                Reply::stream(stream::iter(0..10_000).map(move |number| {
                    made.fetch_add(1, Ordering::SeqCst);
                    let id = "x".repeat(1000);
                    let request =
                        PutRequest { id, item_priority_token: number, ..PutRequest::default() };
                    Ok(Encoded::new(&request))
                }))
            }
            "Broken" => Reply::stream(stream::repeat_with(|| panic!("a panic of the test"))),
            "Huge" => Reply::stream(stream::iter([1, 5 << 20, 1]).map(|length| {
                let id = "x".repeat(length);
                Ok(Encoded::new(&PutRequest { id, ..PutRequest::default() }))
            })),
            _ => Reply::Ready(Ok(answer)),
        }
    }
}

fn request() -> PutRequest {
    PutRequest { id: "a record".to_owned(), ..PutRequest::default() }
}

struct Running {
    proxy: Proxy,
    abandoned: Arc<AtomicBool>,
    made: Arc<AtomicUsize>,
    _folder: tempfile::TempDir,
}

/// One event loop for everybody.
fn start() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config();
    config.server.threads = 1;
    config.database = folder.path().join("test.db").to_str().unwrap().to_owned();
    let slow = Slow::default();
    let (abandoned, made) = (Arc::clone(&slow.abandoned), Arc::clone(&slow.made));
    let schema = Schema::new(prism_runtime::proto::FILE_DESCRIPTOR_SET).service(slow);
    let proxy = Proxy::builder(schema).config(config).start().unwrap();
    Running { proxy, abandoned, made, _folder: folder }
}

impl Running {
    async fn client(&self) -> Client {
        Client::connect(format!("http://{}", self.proxy.local_addr())).await.unwrap()
    }
}

/// The longest that a stranger waits for an answer, while `blocked` runs.
async fn longest_wait(running: &Running, blocked: impl Future<Output = ()>) -> Duration {
    let client = running.client().await;
    let mut longest = Duration::ZERO;
    let strangers = async {
        loop {
            let asked = Instant::now();
            let get = GetRequest { namespace: "n".into(), id: "i".into(), ..GetRequest::default() };
            let path = "/prism.keyvalue.v1.KeyValueService/Get";
            client.unary::<_, GetResponse>(path, get).await.unwrap();
            let check = HealthCheckRequest::default();
            let path = "/grpc.health.v1.Health/Check";
            client.unary::<_, HealthCheckResponse>(path, check).await.unwrap();
            client.unary::<_, PutRequest>("/test.v1.Slow/Quick", request()).await.unwrap();
            longest = longest.max(asked.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = strangers => {}
        () = blocked => {}
    }
    longest
}

#[tokio::test]
async fn strangers_are_served_while_handlers_block() {
    let running = start();
    for (path, count) in [("Block", 5), ("BlockAtOnce", 5)] {
        let client = running.client().await;
        let started = Instant::now();
        let blocked = async {
            let path = format!("/test.v1.Slow/{path}");
            let calls = (0..count).map(|_| client.unary::<_, PutRequest>(&path, request()));
            for answer in futures_util::future::join_all(calls).await {
                assert_eq!(answer.unwrap().into_inner(), request());
            }
        };
        let longest = longest_wait(&running, blocked).await;
        assert!(started.elapsed() >= BLOCK, "{path} did not block");
        assert!(longest < BLOCK / 2, "{path}: {longest:?}");
    }
}

#[tokio::test]
async fn strangers_are_served_while_a_stream_blocks() {
    let running = start();
    let client = running.client().await;
    let blocked = async {
        let path = "/test.v1.Slow/BlockStream";
        let answer = client.server_streaming::<_, PutRequest>(path, request()).await.unwrap();
        let mut messages = answer.into_inner();
        for _ in 0..2 {
            assert_eq!(messages.message().await.unwrap(), Some(request()));
        }
        assert_eq!(messages.message().await.unwrap(), None);
    };
    let longest = longest_wait(&running, blocked).await;
    assert!(longest < BLOCK / 2, "{longest:?}");
}

#[tokio::test]
async fn a_stream_is_whole_and_in_order() {
    let running = start();
    let client = running.client().await;
    let path = "/test.v1.Slow/Numbers";
    let answer = client.server_streaming::<_, PutRequest>(path, request()).await.unwrap();
    let mut messages = answer.into_inner();
    for number in 0..10_000 {
        let message = messages.message().await.unwrap().unwrap();
        assert_eq!(message.item_priority_token, number);
    }
    assert_eq!(messages.message().await.unwrap(), None);
}

#[tokio::test]
async fn a_stream_waits_for_its_reader() {
    let running = start();
    let client = running.client().await;
    let path = "/test.v1.Slow/Numbers";
    let answer = client.server_streaming::<_, PutRequest>(path, request()).await.unwrap();
    // Nobody reads: what fits into windows and buffers is made, of 10 MB.
    let mut made = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = running.made.load(Ordering::SeqCst);
        if now == made && made > 0 {
            break;
        }
        made = now;
    }
    assert!(made < 9000, "{made}");
    drop(answer);
}

#[tokio::test]
async fn a_panic_in_a_stream_is_an_error() {
    let running = start();
    let client = running.client().await;
    let path = "/test.v1.Slow/Broken";
    let answer = client.server_streaming::<_, PutRequest>(path, request()).await;
    let status = match answer {
        Ok(answer) => answer.into_inner().message().await.unwrap_err(),
        Err(status) => status,
    };
    assert_eq!(status.code(), Code::Internal);
}

#[tokio::test]
async fn a_message_of_a_stream_is_no_longer_than_clients_take() {
    let running = start();
    let client = running.client().await;
    let path = "/test.v1.Slow/Huge";
    let answer = client.server_streaming::<_, PutRequest>(path, request()).await.unwrap();
    let mut messages = answer.into_inner();
    assert_eq!(messages.message().await.unwrap().unwrap().id, "x");
    let status = messages.message().await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("4194304 are the most"), "{status}");
    assert!(messages.message().await.unwrap_or(None).is_none());
}

#[tokio::test]
async fn a_call_that_is_given_up_ends_its_handler() {
    let running = start();
    let client = running.client().await;
    let mut call = tonic::Request::new(request());
    call.set_timeout(Duration::from_millis(100));
    let answer = client.unary::<PutRequest, PutRequest>("/test.v1.Slow/Wait", call).await;
    // The client looks at the time, too, and calls it otherwise.
    let given_up = [Code::DeadlineExceeded, Code::Cancelled];
    assert!(given_up.contains(&answer.unwrap_err().code()));
    let started = Instant::now();
    while !running.abandoned.load(Ordering::SeqCst) {
        assert!(started.elapsed() < Duration::from_secs(10), "the handler goes on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Lines of the log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Lines;

    fn make_writer(&self) -> Lines {
        self.clone()
    }
}

#[tokio::test]
async fn a_handler_that_blocks_is_named_in_the_log() {
    let lines = Lines::default();
    tracing_subscriber::fmt().with_ansi(false).with_writer(lines.clone()).init();
    let running = start();
    let client = running.client().await;
    client.unary::<_, PutRequest>("/test.v1.Slow/Quick", request()).await.unwrap();
    client.unary::<_, PutRequest>("/test.v1.Slow/Block", request()).await.unwrap();
    client.unary::<_, PutRequest>("/test.v1.Slow/Block", request()).await.unwrap();
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let warnings = text.lines().filter(|line| line.contains("a handler blocked its thread"));
    let warnings: Vec<&str> = warnings.filter(|line| line.contains("Slow/")).collect();
    let of_method = |name: &str| warnings.iter().filter(|line| line.contains(name)).count();
    // Other tests of this program log, too: each proxy once a minute at most.
    assert!(of_method("method=\"test.v1.Slow/Block\"") >= 1, "{text}");
    assert_eq!(of_method("test.v1.Slow/Quick"), 0, "{text}");
}
