//! Memory is bounded: everything that takes much of it, all at once, against a proxy that has what
//! the Kubernetes template gives it. It lives, and others are served meanwhile.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

#[macro_use]
mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Method, Request};
use prism_acceptance::backend::Backend;
use prism_acceptance::cgroup::{self, Cgroup};
use prism_acceptance::proxy::Proxy;
use prism_acceptance::tools::root;
use prism_proxy::acme::profiles::v1::{
    CreateUserProfileRequest, GetUserProfileRequest, ListUserProfilesRequest,
    PutUserProfileRequest, Settings, UpdateUserProfileRequest, UserProfile,
};
use prism_runtime::proto::keyvalue::v1::{
    GetRequest, Item, KeyPredicate, MatchKeys, PutRequest, key_predicate,
};
use prost::Message;
use prost_types::FieldMask;
use support::{GET, PUT, put};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;

const PROFILES: &str = "/acme.profiles.v1.ProfileService/";
const ORDERS: &str = "/acme.orders.v1.OrderService/";
/// How long everything goes on at once.
const ATTACK: Duration = Duration::from_secs(20);
/// Records with much in the column that is stored as JSON.
const LARGE_RECORDS: usize = 12;
const JSON_BYTES: usize = 3_000_000;
/// Items of nearly the largest value.
const LARGE_ITEMS: usize = 8;
/// Items of the longest value that reads share, in one record: as many as a read that is shared
/// may name.
const WIDE_ITEMS: usize = 64;
const WIDE_BYTES: usize = 64 << 10;
/// Small calls that are sent at once, each of which finds much.
const CALLS: usize = 256;

on_every_backend! { a_proxy_lives_within_the_limit_of_the_template }

async fn a_proxy_lives_within_the_limit_of_the_template(backend: Backend) {
    let limit = template_limit();
    let kind = if backend == Backend::Sqlite { "sqlite" } else { "postgres" };
    let group = Cgroup::new(kind, limit);
    if let Err(error) = &group {
        eprintln!("no cgroup ({error}): what was resident is looked at instead");
    }
    static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _turn = ONE_AT_A_TIME.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let command = backend.command(folder.path(), &[]).unwrap();
    let command = match &group {
        Ok(group) => group.enter(&command),
        Err(_) => command,
    };
    let proxy = Proxy::spawn(command, folder.path()).unwrap();
    let address = proxy.address();
    fill(address).await;

    let over = Arc::new(AtomicBool::new(false));
    let mut attacks = attacks(address, &over);
    let served: Vec<_> = ["127.0.0.1", "127.0.0.2"]
        .map(|from| tokio::spawn(serve(address, from, over.clone())))
        .into();
    tokio::time::sleep(ATTACK).await;
    over.store(true, Ordering::Relaxed);
    let mut calls = Vec::new();
    for served in served {
        calls.push(served.await.unwrap());
    }
    attacks.shutdown().await;

    let peak = cgroup::peak(proxy.id()).unwrap();
    eprintln!("{kind}: {} MiB of {} MiB were resident at most", peak >> 20, limit >> 20);
    eprintln!("{kind}: {calls:?} calls were served");
    assert!(calls.iter().all(|&calls| calls >= 10), "only {calls:?} calls were served");
    assert!(peak < limit, "{peak} bytes were resident");
    if let Ok(group) = &group {
        assert_eq!(group.kills().unwrap(), 0, "the kernel killed the proxy");
    }
    let (code, log) = tokio::task::spawn_blocking(|| proxy.stop()).await.unwrap().unwrap();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("panic"), "{log}");
}

/// The limit of the proxy's container in the generated Deployment.
fn template_limit() -> u64 {
    let manifest = root().join("generated/deploy/kubernetes/proxy.yaml");
    let text = std::fs::read_to_string(manifest).unwrap();
    let limits = text.split("limits:").nth(1).unwrap();
    let memory = limits.split("memory:").nth(1).unwrap().split_whitespace().next().unwrap();
    memory.strip_suffix("Mi").unwrap().parse::<u64>().unwrap() << 20
}

/// Writes what is large.
async fn fill(address: SocketAddr) {
    let client = Client::connect(address, "127.0.0.1").await;
    for item in 0..LARGE_ITEMS {
        let value = vec![7; (1 << 20) - 1];
        assert_eq!(client.call(PUT, &put(&format!("large-{item}"), b"k", value)).await, "0");
    }
    for half in 0..2 {
        let keys = WIDE_ITEMS / 2 * half..WIDE_ITEMS / 2 * (half + 1);
        let item = |n| Item { key: wide_key(n), value: vec![7; WIDE_BYTES], metadata: None };
        let request = PutRequest { items: keys.map(item).collect(), ..put("wide", b"", vec![]) };
        assert_eq!(client.call(PUT, &request).await, "0");
    }
    for part in 0..10 {
        let key = |n| format!("{n:01000}").into_bytes();
        let item = |n| Item { key: key(n), value: vec![7], metadata: None };
        let items = (part * 1_000..(part + 1) * 1_000).map(item).collect();
        let request = PutRequest { items, ..put("long-keys", b"", vec![]) };
        assert_eq!(client.call(PUT, &request).await, "0");
    }
    for record in 0..LARGE_RECORDS {
        let user_profile = Some(profile(&format!("large-{record}"), "XX"));
        let request = CreateUserProfileRequest { user_profile, ..Default::default() };
        let status = client.call(&format!("{PROFILES}CreateUserProfile"), &request).await;
        assert_eq!(status, "0");
    }
}

fn wide_key(item: usize) -> Vec<u8> {
    format!("k{item}").into_bytes()
}

fn profile(id: &str, country: &str) -> UserProfile {
    let settings = Settings { language: "x".repeat(JSON_BYTES), ..Default::default() };
    UserProfile {
        user_id: id.to_owned(),
        country_code: country.to_owned(),
        settings: Some(settings),
        ..Default::default()
    }
}

/// Writes and reads what is not small, until it is over. Answers how often it was served. It is
/// never refused; only the machine may be too slow for it.
async fn serve(address: SocketAddr, from: &'static str, over: Arc<AtomicBool>) -> usize {
    let client = Client::connect(address, from).await;
    let id = format!("served-{from}");
    let mut served = 0;
    while !over.load(Ordering::Relaxed) {
        let put = client.call(PUT, &put(&id, b"k", vec![1; 100_000])).await;
        let get = client.call(GET, &get(&id)).await;
        for status in [put, get] {
            assert!(["0", "4", "5"].contains(&status.as_str()), "{status} from {from}");
            served += usize::from(status == "0");
        }
    }
    served
}

fn get(id: &str) -> GetRequest {
    GetRequest { namespace: "test".to_owned(), id: id.to_owned(), ..Default::default() }
}

/// All of them, again and again, from one peer.
fn attacks(address: SocketAddr, over: &Arc<AtomicBool>) -> JoinSet<()> {
    let mut attacks = JoinSet::new();
    for connection in 0..4 {
        attacks.spawn(again(over, move || unread_gets(address, connection)));
        attacks.spawn(again(over, move || queued_writes(address, connection)));
        attacks.spawn(again(over, move || half_sent(address, 1)));
        attacks.spawn(again(over, move || half_sent(address, 3_900_000)));
    }
    attacks.spawn(again(over, move || lists(address)));
    let wide = MatchKeys { keys: (0..WIDE_ITEMS).map(wide_key).collect() };
    let wide = KeyPredicate { predicate: Some(key_predicate::Predicate::MatchKeys(wide)) };
    let wide = GetRequest { predicate: Some(wide), ..get("wide") }.encode_to_vec();
    let user_id = "large-0".to_owned();
    let of_one = GetUserProfileRequest { user_id: user_id.clone() }.encode_to_vec();
    let renamed = UserProfile { user_id, country_code: "XX".to_owned(), ..Default::default() };
    let update_mask = Some(FieldMask { paths: vec!["country_code".to_owned()] });
    let update = UpdateUserProfileRequest { user_profile: Some(renamed), update_mask };
    let much_found = [
        (GET.to_owned(), wide),
        (GET.to_owned(), get("long-keys").encode_to_vec()),
        (format!("{PROFILES}GetUserProfile"), of_one),
        (format!("{PROFILES}UpdateUserProfile"), update.encode_to_vec()),
    ];
    for (path, request) in much_found {
        let request: Arc<[u8]> = request.into();
        attacks.spawn(again(over, move || many_calls(address, path.clone(), request.clone())));
    }
    // Two bytes for each element: items of a Put, paths of a mask, keys, a list that is stored as
    // JSON, elements of a nested message.
    let elements = |field: u8| [field, 0].repeat(2_000_000);
    let within = |field: u8, inner: Vec<u8>| {
        let mut outer = vec![field];
        prost::encoding::encode_varint(inner.len() as u64, &mut outer);
        outer.extend(inner);
        outer
    };
    let requests = [
        (PUT.to_owned(), elements(0x1a)),
        (format!("{PROFILES}UpdateUserProfile"), within(0x12, elements(0x0a))),
        (format!("{ORDERS}BatchGetOrders"), elements(0x0a)),
        (format!("{PROFILES}BatchGetUserProfiles"), elements(0x0a)),
        (format!("{PROFILES}CreateUserProfile"), within(0x0a, within(0x3a, elements(0x22)))),
        (format!("{ORDERS}CreateOrder"), within(0x0a, elements(0x22))),
    ];
    for (at, (path, request)) in requests.into_iter().enumerate() {
        let request: Arc<[u8]> = request.into();
        for _ in 0..if at == 0 { 16 } else { 2 } {
            let (path, request) = (path.clone(), Arc::clone(&request));
            attacks.spawn(again(over, move || {
                many_elements(address, path.clone(), Arc::clone(&request))
            }));
        }
    }
    attacks
}

/// Repeats an attack until it is over.
fn again<F: Future<Output = Option<()>> + Send + 'static>(
    over: &Arc<AtomicBool>,
    attack: impl Fn() -> F + Send + 'static,
) -> impl Future<Output = ()> + Send + 'static {
    let over = Arc::clone(over);
    async move {
        while !over.load(Ordering::Relaxed) {
            // A connection that the server has had enough of ends the turn.
            attack().await;
            // It is memory that is to be short, not time.
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    }
}

/// Gets of 1 MiB each, whose answers nobody reads.
async fn unread_gets(address: SocketAddr, connection: usize) -> Option<()> {
    let client = Client::connect(address, "127.0.0.1").await;
    let mut unread = Vec::new();
    for call in 0..250 {
        let id = format!("large-{}", (connection + call) % LARGE_ITEMS);
        unread.push(client.send(GET, &get(&id).encode_to_vec()).await?);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    Some(())
}

/// Small calls that come together, each of which finds much.
async fn many_calls(address: SocketAddr, path: String, request: Arc<[u8]>) -> Option<()> {
    let client = Client::connect(address, "127.0.0.1").await;
    let mut unread = Vec::new();
    for _ in 0..CALLS {
        unread.push(client.send(&path, &request).await?);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    Some(())
}

/// Pages of records with a large column.
async fn lists(address: SocketAddr) -> Option<()> {
    let client = Client::connect(address, "127.0.0.1").await;
    let country_code = Some("XX".to_owned());
    let request = ListUserProfilesRequest { page_size: 1000, country_code, ..Default::default() };
    let mut lists = Vec::new();
    for _ in 0..4 {
        let path = format!("{PROFILES}ListUserProfiles");
        lists.push(client.send(&path, &request.encode_to_vec()).await?);
    }
    for (answer, _) in lists {
        ended(answer).await?;
    }
    Some(())
}

/// Writes of a large column that wait for each other; half of them are given up at once.
async fn queued_writes(address: SocketAddr, connection: usize) -> Option<()> {
    let client = Client::connect(address, "127.0.0.1").await;
    let user_profile = Some(profile(&format!("written-{connection}"), "YY"));
    let request = PutUserProfileRequest { user_profile }.encode_to_vec();
    let mut writes = Vec::new();
    for write in 0..8 {
        let path = format!("{PROFILES}PutUserProfile");
        let (answer, mut body) = client.send(&path, &request).await?;
        if write % 2 == 0 {
            body.send_reset(h2::Reason::CANCEL);
        } else {
            writes.push(answer);
        }
    }
    for answer in writes {
        ended(answer).await?;
    }
    Some(())
}

/// Calls that announce a message of 4 MiB, and send the beginning of it.
async fn half_sent(address: SocketAddr, bytes: usize) -> Option<()> {
    let client = Client::connect(address, "127.0.0.1").await;
    let mut frame = [&[0], &(4_u32 << 20).to_be_bytes()[..]].concat();
    frame.resize(5 + bytes, 7);
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(client.begin(PUT, frame.clone(), false).await?);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    Some(())
}

async fn many_elements(address: SocketAddr, path: String, request: Arc<[u8]>) -> Option<()> {
    let client = Client::connect(address, "127.0.0.1").await;
    let (answer, _body) = client.send(&path, &request).await?;
    let status = ended(answer).await?;
    assert!(["3", "4", "8"].contains(&status.as_str()), "{path}: {status}");
    Some(())
}

/// A connection from an address of this machine.
struct Client(SendRequest<Bytes>);

impl Client {
    async fn connect(address: SocketAddr, from: &str) -> Client {
        static REFUSED: AtomicUsize = AtomicUsize::new(0);
        let started = Instant::now();
        loop {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
            let connected = async {
                let stream = socket.connect(address).await.ok()?;
                h2::client::handshake(stream).await.ok()
            };
            if let Some((sender, connection)) = connected.await {
                // Ends with its sender.
                tokio::spawn(async move { drop(connection.await) });
                return Client(sender);
            }
            REFUSED.fetch_add(1, Ordering::Relaxed);
            assert!(started.elapsed() < Duration::from_secs(30), "no connection");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Begins a call; nothing of its answer is read.
    async fn begin(
        &self,
        path: &str,
        data: Vec<u8>,
        end: bool,
    ) -> Option<(ResponseFuture, SendStream<Bytes>)> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("http://localhost{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .unwrap();
        let mut sender = self.0.clone().ready().await.ok()?;
        let (response, mut body) = sender.send_request(request, false).ok()?;
        body.send_data(data.into(), end).ok()?;
        Some((response, body))
    }

    async fn send(
        &self,
        path: &str,
        message: &[u8],
    ) -> Option<(ResponseFuture, SendStream<Bytes>)> {
        let frame = [&[0], &(message.len() as u32).to_be_bytes()[..], message].concat();
        self.begin(path, frame, true).await
    }

    /// A whole call. Answers with its status.
    async fn call(&self, path: &str, message: &impl Message) -> String {
        let (answer, _body) = self.send(path, &message.encode_to_vec()).await.unwrap();
        ended(answer).await.unwrap()
    }
}

/// Reads an answer to its end. Answers with its status.
async fn ended(answer: ResponseFuture) -> Option<String> {
    let (head, mut body): (_, RecvStream) = answer.await.ok()?.into_parts();
    let status = |headers: &HeaderMap| {
        headers.get("grpc-status").map(|status| status.to_str().unwrap().to_owned())
    };
    while let Some(chunk) = body.data().await {
        body.flow_control().release_capacity(chunk.ok()?.len()).ok()?;
    }
    let trailers = body.trailers().await.ok()?.unwrap_or_default();
    status(&head.headers).or_else(|| status(&trailers))
}
