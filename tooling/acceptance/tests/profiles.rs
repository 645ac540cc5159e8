//! Every method of the demo's ProfileService, over the wire with the generated client, and
//! personal data that stays out of the log.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use prism_acceptance::backend::Backend;
use prism_acceptance::proxy::Proxy;
use prism_proxy::acme::orders::v1::{
    Address, CreateOrderRequest, Order, UpdateOrderRequest, order,
};
use prism_proxy::acme::profiles::v1::profile_service::ProfileServiceClient;
use prism_proxy::acme::profiles::v1::*;
use prism_runtime::proto::keyvalue::v1::PutResponse;
use prost_types::{FieldMask, Timestamp};
use support::{PUT, assert_fails, profiles};
use tonic::Code;

fn profile(id: &str, email: Option<&str>) -> UserProfile {
    UserProfile {
        user_id: id.to_owned(),
        email: email.map(str::to_owned),
        country_code: "PT".to_owned(),
        settings: Some(Settings {
            time_zone: "Europe/Lisbon".to_owned(),
            theme: 17,
            subscriptions: vec![String::new(), "☂\u{1}\"".to_owned()],
            ..Settings::default()
        }),
        labels: HashMap::from([(String::new(), String::new()), ("a".to_owned(), "b".to_owned())]),
        ..UserProfile::default()
    }
}

async fn create(service: &ProfileServiceClient, profile: UserProfile) -> UserProfile {
    let request =
        CreateUserProfileRequest { user_profile: Some(profile), request_id: String::new() };
    service.create_user_profile(request).await.unwrap().into_inner()
}

fn get(id: &str) -> GetUserProfileRequest {
    GetUserProfileRequest { user_id: id.to_owned() }
}

fn update(profile: UserProfile, paths: &[&str]) -> UpdateUserProfileRequest {
    let paths = paths.iter().map(|&path| path.to_owned()).collect();
    UpdateUserProfileRequest { user_profile: Some(profile), update_mask: Some(FieldMask { paths }) }
}

fn delete(id: &str, etag: &str) -> DeleteUserProfileRequest {
    let (user_id, etag) = (id.to_owned(), etag.to_owned());
    DeleteUserProfileRequest { user_id, etag }
}

on_every_backend! {
    a_profile_lives_through_every_method,
    expired_profiles_are_hidden_and_free_their_key_and_email,
    a_nul_in_a_text_is_kept_or_refused,
    list_refuses_what_is_no_page,
    personal_data_is_in_no_log_line_and_in_no_error,
    a_record_stays_within_what_clients_take,
}

/// Masked updates that fit one by one make no record that no default client can receive.
async fn a_record_stays_within_what_clients_take(backend: Backend) {
    let proxy = backend.start().unwrap();
    let service = profiles(&proxy).await;
    let sent = UserProfile { display_name: "x".repeat(2_500_000), ..profile("large", None) };
    let request = CreateUserProfileRequest { user_profile: Some(sent), ..Default::default() };
    let created = service.create_user_profile(request).await.unwrap().into_inner();
    let settings = Settings { language: "x".repeat(2_500_000), ..Default::default() };
    let change = UserProfile { settings: Some(settings), ..profile("large", None) };
    let refused = service.update_user_profile(update(change, &["settings"])).await;
    let field = "user_profile.settings";
    assert_fails(refused, Code::InvalidArgument, "VALUE_TOO_LARGE", &[field]);
    let request = GetUserProfileRequest { user_id: "large".to_owned() };
    let found = service.get_user_profile(request).await.unwrap().into_inner();
    assert!(found == created, "the update was made");
    let page = service.list_user_profiles(ListUserProfilesRequest::default()).await.unwrap();
    assert!(page.into_inner().user_profiles == [created], "the page is another");
}

async fn a_profile_lives_through_every_method(backend: Backend) {
    let proxy = backend.start().unwrap();
    let service = profiles(&proxy).await;
    let sent = UserProfile {
        recovery_phrase: "horse".to_owned(),
        signup_source: "friends".to_owned(),
        ..profile("", Some("a@acme.example"))
    };
    let created = create(&service, sent.clone()).await;
    assert_eq!((&created.settings, &created.labels), (&sent.settings, &sent.labels));
    assert_eq!(created.recovery_phrase, "", "input only");
    let found = service.get_user_profile(get(&created.user_id)).await.unwrap().into_inner();
    assert_eq!(found, created);

    // Immutable once written.
    let change = UserProfile { signup_source: "ads".to_owned(), ..created.clone() };
    let put = PutUserProfileRequest { user_profile: Some(change.clone()) };
    let refused = service.put_user_profile(put).await;
    let field = "user_profile.signup_source";
    assert_fails(refused, Code::InvalidArgument, "INVALID_REQUEST", &[field]);
    let refused = service.update_user_profile(update(change, &["signup_source"])).await;
    assert_fails(refused, Code::InvalidArgument, "INVALID_REQUEST", &["update_mask.paths[0]"]);

    let change = UserProfile { display_name: "Ann".to_owned(), settings: None, ..created.clone() };
    let put = PutUserProfileRequest { user_profile: Some(change) };
    let replaced = service.put_user_profile(put).await.unwrap().into_inner();
    assert_eq!((replaced.display_name.as_str(), &replaced.settings), ("Ann", &None));
    let change = UserProfile { user_id: created.user_id.clone(), ..UserProfile::default() };
    let updated = service.update_user_profile(update(change, &["email"])).await;
    let updated = updated.unwrap().into_inner();
    assert_eq!((&updated.email, updated.display_name.as_str()), (&None, "Ann"));

    let user_ids = vec!["none".to_owned(), created.user_id.clone(), created.user_id.clone()];
    let batch = BatchGetUserProfilesRequest { user_ids };
    let batch = service.batch_get_user_profiles(batch).await.unwrap().into_inner();
    assert_eq!(batch.user_profiles, std::slice::from_ref(&updated));
    let request = ListUserProfilesRequest { country_code: Some("PT".into()), ..Default::default() };
    let page = service.list_user_profiles(request).await.unwrap().into_inner();
    assert_eq!(page.user_profiles, std::slice::from_ref(&updated));

    let stale = service.delete_user_profile(delete(&created.user_id, &created.etag)).await;
    assert_fails(stale, Code::Aborted, "ETAG_MISMATCH", &[]);
    service.delete_user_profile(delete(&created.user_id, &updated.etag)).await.unwrap();
    let gone = service.get_user_profile(get(&created.user_id)).await;
    assert_fails(gone, Code::NotFound, "RECORD_NOT_FOUND", &[]);
    let gone = service.delete_user_profile(delete(&created.user_id, "")).await;
    assert_fails(gone, Code::NotFound, "RECORD_NOT_FOUND", &[]);
}

async fn expired_profiles_are_hidden_and_free_their_key_and_email(backend: Backend) {
    let proxy = backend.start().unwrap();
    let service = profiles(&proxy).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let expire_time = Some(Timestamp { seconds: now as i64 - 1, nanos: 0 });
    let expired = UserProfile { expire_time, ..profile("u", Some("a@acme.example")) };
    create(&service, expired).await;
    let gone = service.get_user_profile(get("u")).await;
    assert_fails(gone, Code::NotFound, "RECORD_NOT_FOUND", &[]);
    let page = service.list_user_profiles(ListUserProfilesRequest::default()).await.unwrap();
    assert!(page.into_inner().user_profiles.is_empty());
    let other = create(&service, profile("v", Some("a@acme.example"))).await;
    let again = create(&service, profile("u", None)).await;
    let page = service.list_user_profiles(ListUserProfilesRequest::default()).await.unwrap();
    assert_eq!(page.into_inner().user_profiles, [again, other]);
}

async fn a_nul_in_a_text_is_kept_or_refused(backend: Backend) {
    let proxy = backend.start().unwrap();
    let service = profiles(&proxy).await;
    let settings = Settings { time_zone: "a\0b".to_owned(), ..Settings::default() };
    let nested = UserProfile { settings: Some(settings), ..profile("nested", None) };
    let text = UserProfile { display_name: "a\0b".to_owned(), ..profile("text", None) };
    let fields = ["user_profile.settings.time_zone", "user_profile.display_name"];
    for (profile, field) in [nested, text].into_iter().zip(fields) {
        let request = CreateUserProfileRequest {
            user_profile: Some(profile.clone()),
            request_id: String::new(),
        };
        let answer = service.create_user_profile(request).await;
        match backend {
            Backend::Sqlite => {
                let created = answer.unwrap().into_inner();
                assert_eq!(created.settings, profile.settings);
                assert_eq!(created.display_name, profile.display_name);
            }
            Backend::Postgres(_) => {
                assert_fails(answer, Code::InvalidArgument, "INVALID_REQUEST", &[field]);
            }
        }
    }
}

async fn list_refuses_what_is_no_page(backend: Backend) {
    let proxy = backend.start().unwrap();
    let service = profiles(&proxy).await;
    let request = ListUserProfilesRequest { page_size: -1, ..Default::default() };
    let refused = service.list_user_profiles(request).await;
    assert_fails(refused, Code::InvalidArgument, "INVALID_REQUEST", &["page_size"]);
    let request = ListUserProfilesRequest { page_token: "x".to_owned(), ..Default::default() };
    let refused = service.list_user_profiles(request).await;
    assert_fails(refused, Code::InvalidArgument, "PAGE_TOKEN_INVALID", &["page_token"]);
}

/// Each value is in one place of one request.
const SECRETS: [&str; 16] = [
    "secret-email",
    "secret-name",
    "secret-phone",
    "secret-phrase",
    "secret-notification",
    "secret-recipient",
    "secret-line",
    "secret-postal",
    "secret-invoice",
    "secret-voucher",
    "secret-digits",
    "secret-token",
    "secret-kv-id",
    "secret-kv-key",
    "secret-kv-value",
    "secret-page-token",
];

fn personal() -> UserProfile {
    UserProfile {
        user_id: "u".to_owned(),
        email: Some("secret-email".to_owned()),
        display_name: "secret-name".to_owned(),
        phone: Some("secret-phone".to_owned()),
        recovery_phrase: "secret-phrase".to_owned(),
        settings: Some(Settings {
            notification_address: "secret-notification".to_owned(),
            ..Settings::default()
        }),
        ..UserProfile::default()
    }
}

fn private(payment: order::Payment) -> Order {
    Order {
        customer_id: "c".to_owned(),
        order_id: "o".to_owned(),
        shipping_address: Some(Address {
            recipient: "secret-recipient".to_owned(),
            lines: vec!["secret-line".to_owned()],
            postal_code: "secret-postal".to_owned(),
            ..Address::default()
        }),
        payment: Some(payment),
        ..Order::default()
    }
}

/// What succeeds and what fails, with personal data in it. Answers what failing callers were told.
async fn calls_with_secrets(proxy: &Proxy) -> Vec<tonic::Status> {
    let mut told = Vec::new();
    let service = profiles(proxy).await;
    create(&service, personal()).await;
    let request = |profile| CreateUserProfileRequest {
        user_profile: Some(profile),
        request_id: String::new(),
    };
    // The key, then the unique e-mail, is taken; then a value is wrong, and a key is too long.
    told.extend(service.create_user_profile(request(personal())).await.err());
    let twice = UserProfile { user_id: "v".to_owned(), ..personal() };
    told.extend(service.create_user_profile(request(twice)).await.err());
    let expire_time = Some(Timestamp { seconds: i64::MAX, nanos: -1 });
    let wrong = UserProfile { user_id: "w".to_owned(), expire_time, ..personal() };
    told.extend(service.create_user_profile(request(wrong)).await.err());
    let email = Some("secret-email".repeat(1000));
    let long = UserProfile { user_id: "x".to_owned(), email, ..personal() };
    told.extend(service.create_user_profile(request(long)).await.err());
    let stale = UserProfile { etag: "stale".to_owned(), ..personal() };
    told.extend(service.update_user_profile(update(stale, &["email"])).await.err());
    told.extend(service.update_user_profile(update(personal(), &["user_id"])).await.err());
    let page_token = "secret-page-token".to_owned();
    let list = ListUserProfilesRequest { page_token, ..Default::default() };
    told.extend(service.list_user_profiles(list).await.err());

    let orders = support::orders(proxy).await;
    let card = order::Card {
        last_four: "secret-digits".to_owned(),
        provider_token: "secret-token".to_owned(),
    };
    for payment in [
        order::Payment::Card(card),
        order::Payment::InvoiceEmail("secret-invoice".to_owned()),
        order::Payment::VoucherCode("secret-voucher".to_owned()),
    ] {
        let order = Some(private(payment));
        let create = CreateOrderRequest { order: order.clone(), request_id: "r".to_owned() };
        told.extend(orders.create_order(create).await.err());
        let update_mask = Some(FieldMask { paths: vec!["order_id".to_owned()] });
        let update = UpdateOrderRequest { order, update_mask, allow_missing: true };
        told.extend(orders.update_order(update).await.err());
    }

    let client = support::connect(proxy).await;
    let put = support::put("secret-kv-id", b"secret-kv-key", b"secret-kv-value".to_vec());
    client.unary::<_, PutResponse>(PUT, put.clone()).await.unwrap();
    let mut duplicate = put;
    duplicate.items.push(duplicate.items[0].clone());
    told.extend(client.unary::<_, PutResponse>(PUT, duplicate).await.err());
    told
}

async fn personal_data_is_in_no_log_line_and_in_no_error(backend: Backend) {
    for format in ["json", "text"] {
        let folder = tempfile::tempdir().unwrap();
        let flags = ["--log-level", "trace", "--log-format", format];
        let proxy = backend.another().unwrap().start_in(folder.path(), &flags).unwrap();
        let told = calls_with_secrets(&proxy).await;
        assert!(told.len() >= 12, "{} calls failed", told.len());
        let (code, log) = proxy.stop().unwrap();
        assert_eq!(code, Some(0), "{log}");
        assert!(log.matches("prism::access").count() > 12, "{log}");
        for secret in SECRETS {
            let line = log.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret} is in the log");
            for status in &told {
                let details = String::from_utf8_lossy(status.details());
                let text = format!("{} {details}", status.message());
                assert!(!text.contains(secret), "{secret} is in {text}");
            }
        }
    }
}
