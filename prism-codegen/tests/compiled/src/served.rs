//! The goldens' schemas, served from a SQLite file: every type of field and every hostile name,
//! through the wire into columns and back.

use golden_hostile::a::r#type::self_::{self as hostile, legacies, r#loop, select};
use golden_types::golden::types::v1::everything::{Choice, Part};
use golden_types::golden::types::v1::{
    CreateEverythingRequest, Everything, GetEverythingRequest, ListEverythingsRequest, Tree,
    everything_service::EverythingServiceClient,
};
use prism_runtime::Proxy;
use prism_runtime::codegen::prost::Message;
use prism_runtime::codegen::prost_types::value::Kind;
use prism_runtime::codegen::prost_types::{
    Any, Duration, FieldMask, ListValue, Struct, Timestamp, Value,
};
use prism_runtime::codegen::{Client, Schema};
use prism_runtime::config::Config;

/// A proxy on a database file of its own.
struct Running {
    proxy: Proxy,
    schema: fn() -> Schema,
    folder: tempfile::TempDir,
}

impl Running {
    fn start(schema: fn() -> Schema) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let proxy = serve(schema, &folder);
        Running { proxy, schema, folder }
    }

    async fn client(&self) -> Client {
        Client::connect(format!("http://{}", self.proxy.local_addr())).await.unwrap()
    }

    /// What is read is in the file, not in memory.
    async fn restart(self) -> Self {
        let Running { proxy, schema, folder } = self;
        proxy.shutdown().await;
        Running { proxy: serve(schema, &folder), schema, folder }
    }
}

fn serve(schema: fn() -> Schema, folder: &tempfile::TempDir) -> Proxy {
    let mut config = Config::default();
    config.server.listen = "127.0.0.1:0".to_owned();
    config.database = folder.path().join("test.db").to_str().unwrap().to_owned();
    Proxy::builder(schema()).config(config).start().unwrap()
}

const KEY_LOW: &[u8] = b"\xff\x00\xfe";

/// NaNs that are not the usual one.
const QUIET: u64 = 0x7ff8_0000_dead_beef;
const NEGATIVE_NAN: u64 = 0xfff8_0000_0000_0001;

const YEAR_1: Timestamp = Timestamp { seconds: -62_135_596_800, nanos: 0 };
/// To the microsecond, as a column has it.
const YEAR_9999: Timestamp = Timestamp { seconds: 253_402_300_799, nanos: 999_999_000 };
const FINEST: Timestamp = Timestamp { seconds: 253_402_300_799, nanos: 999_999_999 };

fn part(weight: f64) -> Part {
    Part { name: "☂\u{0}\u{10ffff}".to_owned(), weight }
}

/// Every number as large as it goes.
fn largest() -> Everything {
    Everything {
        a_bool: true,
        an_int32: i32::MAX,
        an_int64: i64::MAX,
        a_uint32: u32::MAX,
        a_uint64: u64::MAX,
        a_sint32: i32::MAX,
        a_sint64: i64::MAX,
        a_fixed32: u32::MAX,
        a_fixed64: u64::MAX,
        a_sfixed32: i32::MAX,
        a_sfixed64: i64::MAX,
        a_float: f32::MAX,
        a_double: f64::MAX,
        level: i32::MAX,
        maybe_bool: Some(true),
        maybe_uint64: Some(u64::MAX),
        maybe_double: Some(f64::INFINITY),
        maybe_level: Some(i32::MAX),
        wrapped_int32: Some(i32::MAX),
        wrapped_int64: Some(i64::MAX),
        wrapped_uint32: Some(u32::MAX),
        wrapped_uint64: Some(u64::MAX),
        wrapped_float: Some(f32::INFINITY),
        wrapped_double: Some(f64::MAX),
        when_it_was: Some(YEAR_9999),
        how_long: Some(Duration { seconds: 315_576_000_000, nanos: 0 }),
        choice: Some(Choice::ChosenNumber(u64::MAX)),
        ..Everything::default()
    }
}

/// Every number as small as it goes, and floats that are no numbers.
fn smallest() -> Everything {
    Everything {
        an_int32: i32::MIN,
        an_int64: i64::MIN,
        a_sint32: i32::MIN,
        a_sint64: i64::MIN,
        a_sfixed32: i32::MIN,
        a_sfixed64: i64::MIN,
        a_uint64: 1 << 63,
        a_fixed64: (1 << 63) - 1,
        a_float: f32::from_bits(0x7fc0_beef),
        a_double: f64::from_bits(QUIET),
        level: -1,
        maybe_uint64: Some(1 << 63),
        maybe_double: Some(f64::from_bits(NEGATIVE_NAN)),
        maybe_level: Some(i32::MIN),
        wrapped_float: Some(f32::from_bits(0xffc0_0001)),
        wrapped_double: Some(f64::from_bits(QUIET)),
        doubles: vec![-0.0, f64::from_bits(NEGATIVE_NAN), f64::NEG_INFINITY, f64::MIN_POSITIVE],
        when_it_was: Some(YEAR_1),
        how_long: Some(Duration { seconds: -315_576_000_000, nanos: 0 }),
        choice: Some(Choice::ChosenLevel(-1)),
        ..Everything::default()
    }
}

/// All that has presence is there, and zero.
fn present_zeros() -> Everything {
    Everything {
        maybe_bool: Some(false),
        maybe_uint64: Some(0),
        maybe_double: Some(-0.0),
        maybe_bytes: Some(Vec::new()),
        maybe_level: Some(0),
        wrapped_bool: Some(false),
        wrapped_int32: Some(0),
        wrapped_int64: Some(0),
        wrapped_uint32: Some(0),
        wrapped_uint64: Some(0),
        wrapped_float: Some(-0.0),
        wrapped_double: Some(-0.0),
        wrapped_string: Some(String::new()),
        wrapped_bytes: Some(Vec::new()),
        when_it_was: Some(Timestamp::default()),
        how_long: Some(Duration::default()),
        any: Some(Any::default()),
        struct_value: Some(Struct::default()),
        nothing: Some(()),
        mask: Some(FieldMask::default()),
        part: Some(Part::default()),
        tree: Some(Tree::default()),
        choice: Some(Choice::ChosenNumber(0)),
        ..Everything::default()
    }
}

/// Repeated fields, maps and messages, with their own extremes. A map has one entry: prost's own
/// order of more is random.
fn nested() -> Everything {
    let mut tree = Tree::default();
    for depth in 0..40 {
        let label = format!("{depth}");
        let children = vec![Tree::default(), tree.clone()];
        tree = Tree { label, children, parent: None };
        tree.children.truncate(1 + usize::from(depth > 30));
    }
    let number = Value { kind: Some(Kind::NumberValue(-0.0)) };
    let list = Value { kind: Some(Kind::ListValue(ListValue { values: vec![number] })) };
    Everything {
        strings: vec![String::new(), "☂\u{0}".to_owned(), String::new()],
        doubles: vec![0.0, -0.0, f64::from_bits(QUIET)],
        levels: vec![0, 4711, -1, 2],
        parts: vec![Part::default(), part(f64::from_bits(QUIET))],
        times: vec![YEAR_1, FINEST, Timestamp::default()],
        wrapped_strings: vec![String::new(), "x".to_owned()],
        names: [(String::new(), "\u{0}".to_owned())].into(),
        parts_by_number: [(i64::MIN, part(f64::NEG_INFINITY))].into(),
        levels_by_truth: [(false, 4711)].into(),
        any: Some(Any { type_url: "x/y".to_owned(), value: vec![0xff, 0] }),
        struct_value: Some(Struct { fields: [("☂".to_owned(), list)].into() }),
        mask: Some(FieldMask { paths: vec!["a.b".to_owned(), String::new()] }),
        part: Some(part(-0.0)),
        tree: Some(tree),
        choice: Some(Choice::ChosenPart(part(f64::from_bits(NEGATIVE_NAN)))),
        ..Everything::default()
    }
}

fn cases() -> Vec<Everything> {
    let choice = |choice| Everything { choice: Some(choice), ..Everything::default() };
    let mut cases = vec![
        Everything::default(),
        largest(),
        smallest(),
        present_zeros(),
        nested(),
        Everything { a_string: "☂".repeat((1 << 20) / 3), ..Everything::default() },
        Everything { some_bytes: vec![0; 1 << 20], ..Everything::default() },
        choice(Choice::ChosenString(String::new())),
        choice(Choice::ChosenString("s".repeat(1 << 20))),
        choice(Choice::ChosenPart(Part::default())),
        choice(Choice::ChosenLevel(0)),
        choice(Choice::ChosenTime(YEAR_1)),
        choice(Choice::ChosenTime(YEAR_9999)),
    ];
    let last = cases.len() - 1;
    for (index, case) in cases.iter_mut().enumerate() {
        case.key_low = KEY_LOW.to_vec();
        // In the order of unsigned numbers, over the sign's bit.
        case.key_high = if index == last { u64::MAX } else { (index as u64) << 60 };
    }
    cases
}

/// NaN is unequal to itself: what prost makes of both must be the same bytes.
#[track_caller]
fn assert_same(read: &Everything, written: &Everything) {
    if read.encode_to_vec() != written.encode_to_vec() {
        assert_eq!(read, written);
        panic!("the bits differ: {read:?}");
    }
}

#[tokio::test]
async fn every_extreme_comes_back_as_it_was_sent() {
    let running = Running::start(golden_types::schema);
    let service = EverythingServiceClient::new(running.client().await);
    let cases = cases();
    for case in &cases {
        let request = CreateEverythingRequest { everything: Some(case.clone()) };
        assert_same(&service.create_everything(request).await.unwrap().into_inner(), case);
    }
    let running = running.restart().await;
    let service = EverythingServiceClient::new(running.client().await);
    for case in &cases {
        let key_low = KEY_LOW.to_vec();
        let request = GetEverythingRequest { key_low, key_high: case.key_high };
        let found = service.get_everything(request).await.unwrap().into_inner();
        assert_same(&found.everything.unwrap(), case);
    }
    let mut request =
        ListEverythingsRequest { key_low: KEY_LOW.to_vec(), page_size: 4, ..Default::default() };
    let mut listed = Vec::new();
    loop {
        let page = service.list_everythings(request.clone()).await.unwrap().into_inner();
        listed.extend(page.everythings);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(listed.len(), cases.len());
    for (read, written) in listed.iter().zip(&cases) {
        assert_same(read, written);
    }
    running.proxy.shutdown().await;
}

#[tokio::test]
async fn times_in_columns_are_cut_to_microseconds_and_checked() {
    let running = Running::start(golden_types::schema);
    let service = EverythingServiceClient::new(running.client().await);
    let create = |when_it_was, key_high| {
        let key_low = KEY_LOW.to_vec();
        let everything =
            Everything { key_low, key_high, when_it_was: Some(when_it_was), ..Default::default() };
        service.create_everything(CreateEverythingRequest { everything: Some(everything) })
    };
    let cut = create(FINEST, 1).await.unwrap().into_inner();
    assert_eq!(cut.when_it_was, Some(YEAR_9999));
    // Towards minus infinity, before the epoch too.
    let cut = create(Timestamp { seconds: -1, nanos: 999_999_999 }, 2).await.unwrap().into_inner();
    assert_eq!(cut.when_it_was, Some(Timestamp { seconds: -1, nanos: 999_999_000 }));
    for (seconds, nanos) in [
        (YEAR_1.seconds - 1, 999_999_999),
        (YEAR_9999.seconds + 1, 0),
        (0, -1),
        (0, 1_000_000_000),
        (i64::MIN, i32::MIN),
    ] {
        let refused = create(Timestamp { seconds, nanos }, 3).await.unwrap_err();
        assert_eq!(i32::from(refused.code()), 3, "{refused:?}");
        assert!(refused.message().contains("when_it_was"), "{refused:?}");
    }
}

fn hostile_select(order: &str) -> hostile::Select {
    hostile::Select {
        order: order.to_owned(),
        r#type: "t".to_owned(),
        self_: "s".to_owned(),
        r#async: "a".to_owned(),
        rowid: "r".to_owned(),
        ctid: "c".to_owned(),
        a_name_of_eighty_characters_that_begins_as_another_one_does_and_goes_on_to_its_e: "e"
            .to_owned(),
        a_name_of_eighty_characters_that_begins_as_another_one_does_and_goes_on_to_its_f: "f"
            .to_owned(),
        r#match: Some(select::Match::Crate("k".to_owned())),
        f: "f".to_owned(),
        option: Some(String::new()),
        r_gen: "rg".to_owned(),
        r#gen: "g".to_owned(),
        ..hostile::Select::default()
    }
}

#[tokio::test]
async fn hostile_names_are_stored_and_found() {
    let running = Running::start(golden_hostile::schema);
    let service = r#loop::LoopClient::new(running.client().await);
    let mut written = Vec::new();
    for order in ["1", "2", "select"] {
        let select = hostile_select(order);
        let request = hostile::SelfRequest { select: Some(select.clone()) };
        assert_eq!(service.self_(request).await.unwrap().into_inner(), select);
        written.push(select);
    }
    let from = Some(golden_hostile::b::Select { key: "k".to_owned() });
    let group = select::Group { select: "order by".to_owned(), from };
    let request = hostile::CreateGroupRequest { group: Some(group.clone()) };
    assert_eq!(service.create_group(request).await.unwrap().into_inner(), group);

    let running = running.restart().await;
    let service = r#loop::LoopClient::new(running.client().await);
    for select in &written {
        let request = hostile::NewRequest { order: select.order.clone() };
        assert_eq!(&service.new2(request).await.unwrap().into_inner(), select);
    }
    let request = hostile::GetGroupRequest { select: "order by".to_owned() };
    assert_eq!(service.get_group(request).await.unwrap().into_inner(), group);
    // By the index on `async`.
    let r#async = Some("a".to_owned());
    let request = hostile::AsyncRequest { r#async, page_size: 2, ..Default::default() };
    let page = service.r#async(request.clone()).await.unwrap().into_inner();
    assert_eq!(page.r#type, written[..2]);
    let request = hostile::AsyncRequest { page_token: page.next_page_token, ..request };
    assert_eq!(service.r#async(request).await.unwrap().into_inner().r#type, written[2..]);
}

#[tokio::test]
async fn names_that_differ_in_case_and_groups_of_proto2_are_stored_and_found() {
    let running = Running::start(golden_hostile::schema);
    let service = legacies::LegaciesClient::new(running.client().await);
    let legacy = |key: &str, pick| hostile::Legacy {
        key: key.to_owned(),
        foo_bar: Some("7".to_owned()),
        foo_bar_8: None,
        foobar: Some(String::new()),
        foo_bar_9: Some("9".to_owned()),
        mode: 2,
        other_mode: None,
        packed: vec![0, -1, i32::MIN],
        inside: Some(hostile::legacy::Inside { depth: Some(0) }),
        pick: Some(pick),
    };
    let written = [
        legacy("1", hostile::legacy::Pick::Super("s".to_owned())),
        legacy("2", hostile::legacy::Pick::Super2(String::new())),
    ];
    for legacy in &written {
        let request = hostile::PutLegacyRequest { legacy: Some(legacy.clone()) };
        assert_eq!(&service.put_legacy(request).await.unwrap().into_inner(), legacy);
    }
    let running = running.restart().await;
    let service = legacies::LegaciesClient::new(running.client().await);
    for legacy in &written {
        let request = hostile::GetLegacyRequest { key: Some(legacy.key.clone()) };
        assert_eq!(&service.get_legacy(request).await.unwrap().into_inner(), legacy);
    }
    let foo_bar = Some("9".to_owned());
    let request = hostile::ListLegaciesRequest { foo_bar, ..Default::default() };
    let page = service.list_legacies(request).await.unwrap().into_inner();
    assert_eq!(page.legacies, written);
    let foo_bar = Some("7".to_owned());
    let request = hostile::ListLegaciesRequest { foo_bar, ..Default::default() };
    assert!(service.list_legacies(request).await.unwrap().into_inner().legacies.is_empty());
}
