//! Writes that Postgres would not take, among others at the same moment: each is refused for its
//! own reason, and the others are made.
#![allow(clippy::unwrap_used)]

mod support;

use futures_util::future::{join, join_all};
use prism_proxy::acme::orders::v1::order_service::OrderServiceClient;
use prism_proxy::acme::orders::v1::{CreateOrderRequest, GetOrderRequest, Order, order};
use prism_proxy::acme::profiles::v1::profile_service::ProfileServiceClient;
use prism_proxy::acme::profiles::v1::{PutUserProfileRequest, Settings, UserProfile};
use prism_runtime::Proxy;
use prism_runtime::codegen::Client;
use prism_runtime::config::Config;
use prism_runtime::proto::keyvalue::v1::{GetRequest, GetResponse, PutResponse};
use support::{GET, PUT, assert_fails, put};
use tonic::Code;

/// None where there is no Postgres.
async fn proxy() -> Option<(Proxy, Client)> {
    let database = prism_postgres::for_test()?;
    let mut config = Config::default();
    config.server.listen = "127.0.0.1:0".to_owned();
    config.database = database.url();
    config.migrate = Some(true);
    let proxy = Proxy::builder(prism_proxy::schema()).config(config).start().unwrap();
    let client = Client::connect(format!("http://{}", proxy.local_addr())).await.unwrap();
    Some((proxy, client))
}

fn order(id: &str) -> Order {
    Order { customer_id: "c".to_owned(), order_id: id.to_owned(), ..Order::default() }
}

fn create(order: Order) -> CreateOrderRequest {
    CreateOrderRequest { order: Some(order), ..CreateOrderRequest::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_that_are_refused_do_not_stop_the_others() {
    let Some((proxy, client)) = proxy().await else { return };
    let service = OrderServiceClient::new(client);
    let reference = |id: &str| Order { external_reference: Some("taken".to_owned()), ..order(id) };
    service.create_order(create(reference("first"))).await.unwrap();

    let voucher = order::Payment::VoucherCode("a\0".to_owned());
    let refused = [
        reference("second"),
        Order { note: Some("a\0b".to_owned()), ..order("nul") },
        Order { payment: Some(voucher), ..order("nul-in-a-oneof") },
        Order { external_reference: Some("x".repeat(3_000)), ..order("large") },
        order("nul-in-a-key\0"),
    ];
    let expected = [
        (Code::AlreadyExists, "RECORD_EXISTS", ""),
        (Code::InvalidArgument, "INVALID_REQUEST", "order.note"),
        (Code::InvalidArgument, "INVALID_REQUEST", "order.voucher_code"),
        (Code::InvalidArgument, "VALUE_TOO_LARGE", "order.external_reference"),
        (Code::InvalidArgument, "INVALID_REQUEST", "order.order_id"),
    ];
    let others: Vec<Order> = (0..100).map(|number| order(&format!("other-{number}"))).collect();
    let send = |order: &Order| {
        let (service, request) = (service.clone(), create(order.clone()));
        async move { service.create_order(request).await }
    };
    let (refusals, made) =
        join(join_all(refused.iter().map(send)), join_all(others.iter().map(send))).await;
    for (refusal, (code, reason, field)) in refusals.into_iter().zip(expected) {
        let fields: &[&str] = if field.is_empty() { &[] } else { &[field] };
        let fails = refusal.unwrap_err();
        if code == Code::AlreadyExists {
            assert_eq!(fails.code(), code, "{fails:?}");
        } else {
            assert_fails::<()>(Err(fails), code, reason, fields);
        }
    }
    made.into_iter().for_each(|made| drop(made.unwrap()));
    let get = |id: &str| GetOrderRequest {
        customer_id: "c".to_owned(),
        order_id: id.to_owned(),
        show_deleted: false,
    };
    for other in &others {
        service.get_order(get(&other.order_id)).await.unwrap();
    }
    for id in ["second", "nul", "large"] {
        assert_eq!(service.get_order(get(id)).await.unwrap_err().code(), Code::NotFound);
    }
    let read = service.get_order(get("nul\0")).await;
    assert_fails(read, Code::InvalidArgument, "INVALID_REQUEST", &["order_id"]);
    proxy.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nul_in_json_is_refused_and_an_escaped_backslash_is_not() {
    let Some((proxy, client)) = proxy().await else { return };
    let service = ProfileServiceClient::new(client);
    let with = |language: &str| {
        let settings = Settings { language: language.to_owned(), ..Settings::default() };
        let user_id = "u".to_owned();
        let profile = UserProfile { user_id, settings: Some(settings), ..UserProfile::default() };
        PutUserProfileRequest { user_profile: Some(profile) }
    };
    let refused = service.put_user_profile(with("a\0")).await;
    let fields = ["user_profile.settings.language"];
    assert_fails(refused, Code::InvalidArgument, "INVALID_REQUEST", &fields);
    let text = "a\\u0000";
    let stored = service.put_user_profile(with(text)).await.unwrap().into_inner();
    assert_eq!(stored.settings.unwrap().language, text);
    proxy.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_value_items_hold_any_bytes() {
    let Some((proxy, client)) = proxy().await else { return };
    let ids = ["a\0b", "\0", &"x\0".repeat(256)];
    let keys = [&b"\0"[..], b"a\0", &[0xFF; 1024]];
    for id in ids {
        for key in keys {
            let request = put(id, key, b"v\0".to_vec());
            client.unary::<_, PutResponse>(PUT, request).await.unwrap();
        }
        let request =
            GetRequest { namespace: "test".to_owned(), id: id.to_owned(), ..GetRequest::default() };
        let items = client.unary::<_, GetResponse>(GET, request).await.unwrap().into_inner().items;
        let found: Vec<&[u8]> = items.iter().map(|item| item.key.as_slice()).collect();
        assert_eq!(found, keys);
        assert!(items.iter().all(|item| item.value == b"v\0"));
    }
    let mut request = put("id", b"k", Vec::new());
    request.namespace = "a\0".to_owned();
    let refused = client.unary::<_, PutResponse>(PUT, request).await;
    assert_fails(refused, Code::InvalidArgument, "INVALID_REQUEST", &["namespace"]);
    proxy.shutdown().await;
}
