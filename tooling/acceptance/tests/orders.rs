//! Every method of the demo's OrderService, over the wire with the generated client.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use prism_acceptance::backend::Backend;
use prism_proxy::acme::orders::v1::order_service::OrderServiceClient;
use prism_proxy::acme::orders::v1::*;
use prost_types::FieldMask;
use support::{assert_fails, orders, violations};
use tonic::Code;

fn order(customer: &str, id: &str) -> Order {
    Order {
        customer_id: customer.to_owned(),
        order_id: id.to_owned(),
        status: order::Status::Placed.into(),
        line_items: vec![LineItem {
            sku: "A-1".to_owned(),
            quantity: u32::MAX,
            unit_price: Some(Money { currency_code: "EUR".to_owned(), cents: i64::MIN }),
        }],
        payment: Some(order::Payment::VoucherCode("V".to_owned())),
        ..Order::default()
    }
}

fn key(order: &Order) -> OrderKey {
    OrderKey { customer_id: order.customer_id.clone(), order_id: order.order_id.clone() }
}

fn get(order: &Order) -> GetOrderRequest {
    let OrderKey { customer_id, order_id } = key(order);
    GetOrderRequest { customer_id, order_id, show_deleted: false }
}

fn delete(order: &Order, etag: &str) -> DeleteOrderRequest {
    let OrderKey { customer_id, order_id } = key(order);
    DeleteOrderRequest { customer_id, order_id, etag: etag.to_owned(), allow_missing: false }
}

fn undelete(order: &Order, etag: &str) -> UndeleteOrderRequest {
    let OrderKey { customer_id, order_id } = key(order);
    UndeleteOrderRequest { customer_id, order_id, etag: etag.to_owned() }
}

fn update(order: Order, paths: &[&str]) -> UpdateOrderRequest {
    let paths = paths.iter().map(|&path| path.to_owned()).collect();
    UpdateOrderRequest {
        order: Some(order),
        update_mask: Some(FieldMask { paths }),
        allow_missing: false,
    }
}

fn put(order: Order) -> PutOrderRequest {
    PutOrderRequest { order: Some(order) }
}

fn list(customer: &str) -> ListOrdersRequest {
    ListOrdersRequest { customer_id: customer.to_owned(), ..ListOrdersRequest::default() }
}

async fn create(service: &OrderServiceClient, order: Order) -> Order {
    let request = CreateOrderRequest { order: Some(order), request_id: String::new() };
    service.create_order(request).await.unwrap().into_inner()
}

on_every_backend! {
    an_order_lives_through_every_method,
    a_deleted_order_is_hidden_until_it_is_undeleted,
    an_etag_guards_every_write,
    a_request_id_makes_a_create_happen_once,
    a_request_id_is_remembered_after_a_crash,
    pages_follow_the_order_and_end,
    page_tokens_that_are_not_of_this_list_are_refused,
    lists_refuse_what_they_cannot_serve,
    writes_refuse_what_is_wrong_and_say_where,
    an_update_may_create_and_may_replace,
    a_custom_method_is_unimplemented_in_the_stand_alone_proxy,
    unknown_fields_are_refused_at_any_depth,
}

async fn an_order_lives_through_every_method(backend: Backend) {
    let proxy = backend.start().unwrap();
    let service = orders(&proxy).await;

    let created = create(&service, order("c", "")).await;
    assert_eq!(created.order_id.len(), 36);
    assert!(!created.etag.is_empty() && created.create_time.is_some());
    assert_eq!(created.create_time, created.update_time);
    assert_eq!(created.line_items, order("", "").line_items);
    assert_eq!(service.get_order(get(&created)).await.unwrap().into_inner(), created);

    let replacement = Order { note: Some(String::new()), payment: None, ..created.clone() };
    let replaced = service.put_order(put(replacement)).await.unwrap().into_inner();
    assert_eq!((&replaced.note, &replaced.payment), (&Some(String::new()), &None));
    assert_eq!(replaced.create_time, created.create_time);
    assert_ne!(replaced.etag, created.etag);

    let change = Order {
        payment: Some(order::Payment::InvoiceEmail("a@b.example".to_owned())),
        status: 4711,
        note: Some("not in the mask".to_owned()),
        ..key_only(&created)
    };
    let updated = service.update_order(update(change, &["invoice_email", "status"])).await;
    let updated = updated.unwrap().into_inner();
    assert_eq!(updated.payment, Some(order::Payment::InvoiceEmail("a@b.example".to_owned())));
    assert_eq!((updated.status, &updated.note), (4711, &Some(String::new())));

    let keys = vec![key(&order("c", "none")), key(&created), key(&created)];
    let found = service.batch_get_orders(BatchGetOrdersRequest { keys }).await.unwrap();
    assert_eq!(found.into_inner().orders, std::slice::from_ref(&updated));
    let page = service.list_orders(list("c")).await.unwrap().into_inner();
    assert_eq!((page.orders, page.next_page_token.as_str()), (vec![updated.clone()], ""));

    service.delete_order(delete(&created, &updated.etag)).await.unwrap();
    let restored = service.undelete_order(undelete(&created, "")).await.unwrap().into_inner();
    assert_eq!(restored.delete_time, None);
    assert_eq!(service.get_order(get(&created)).await.unwrap().into_inner(), restored);
}

fn key_only(order: &Order) -> Order {
    let OrderKey { customer_id, order_id } = key(order);
    Order { customer_id, order_id, ..Order::default() }
}

async fn a_deleted_order_is_hidden_until_it_is_undeleted(backend: Backend) {
    let proxy = backend.start().unwrap();
    let service = orders(&proxy).await;
    let referenced = |id| Order { external_reference: Some("R".to_owned()), ..order("c", id) };
    let first = create(&service, referenced("1")).await;
    assert_fails(
        service.undelete_order(undelete(&first, "")).await,
        Code::AlreadyExists,
        "RECORD_EXISTS",
        &[],
    );
    service.delete_order(delete(&first, "")).await.unwrap();

    let gone = |answer| assert_fails(answer, Code::NotFound, "RECORD_NOT_FOUND", &[]);
    gone(service.get_order(get(&first)).await);
    gone(service.update_order(update(key_only(&first), &["note"])).await);
    let mut missing = update(key_only(&first), &["note"]);
    missing.allow_missing = true;
    gone(service.update_order(missing).await);
    let again = service.delete_order(delete(&first, "")).await;
    assert_fails(again, Code::NotFound, "RECORD_NOT_FOUND", &[]);
    let allowed = DeleteOrderRequest { allow_missing: true, ..delete(&first, "") };
    service.delete_order(allowed).await.unwrap();
    let request = CreateOrderRequest { order: Some(order("c", "1")), ..Default::default() };
    let kept = service.create_order(request).await;
    assert_fails(kept, Code::AlreadyExists, "RECORD_EXISTS", &[]);

    let seen = GetOrderRequest { show_deleted: true, ..get(&first) };
    let deleted = service.get_order(seen).await.unwrap().into_inner();
    assert!(deleted.delete_time.is_some());
    assert!(service.list_orders(list("c")).await.unwrap().into_inner().orders.is_empty());
    let all = ListOrdersRequest { show_deleted: true, ..list("c") };
    assert_eq!(
        service.list_orders(all).await.unwrap().into_inner().orders,
        std::slice::from_ref(&deleted)
    );

    // A unique value is free while its record is hidden, and holds the record back afterwards.
    let second = create(&service, referenced("2")).await;
    let back = service.undelete_order(undelete(&first, &deleted.etag)).await;
    // The request has no such field that a violation could name.
    assert_fails(back, Code::AlreadyExists, "UNIQUE_VIOLATION", &[]);
    service.delete_order(delete(&second, "")).await.unwrap();
    let stale = service.undelete_order(undelete(&first, "stale")).await;
    assert_fails(stale, Code::Aborted, "ETAG_MISMATCH", &[]);
    service.undelete_order(undelete(&first, &deleted.etag)).await.unwrap();
    gone(service.undelete_order(undelete(&order("c", "none"), "")).await);
}

async fn an_etag_guards_every_write(backend: Backend) {
    let proxy = backend.start().unwrap();
    let service = orders(&proxy).await;
    // Create ignores it.
    let created = create(&service, Order { etag: "mine".to_owned(), ..order("c", "1") }).await;
    assert_ne!(created.etag, "mine");
    let stale = Order { etag: "stale".to_owned(), ..created.clone() };
    let nobody = Order { etag: "some".to_owned(), ..order("c", "none") };
    for wrong in [stale, nobody] {
        let refused = service.put_order(put(wrong.clone())).await;
        assert_fails(refused, Code::Aborted, "ETAG_MISMATCH", &[]);
        let refused = service.update_order(update(wrong, &["note"])).await;
        assert_fails(refused, Code::Aborted, "ETAG_MISMATCH", &[]);
    }
    let refused = service.delete_order(delete(&created, "stale")).await;
    assert_fails(refused, Code::Aborted, "ETAG_MISMATCH", &[]);

    let next = service.put_order(put(created.clone())).await.unwrap().into_inner();
    let next = service.update_order(update(next, &["note"])).await.unwrap().into_inner();
    // None sent is unconditional.
    let blind = Order { etag: String::new(), ..next };
    let last = service.put_order(put(blind)).await.unwrap().into_inner();
    service.delete_order(delete(&created, &last.etag)).await.unwrap();
}

async fn a_request_id_makes_a_create_happen_once(backend: Backend) {
    let proxy = backend.start().unwrap();
    let service = orders(&proxy).await;
    let request = |note: &str| CreateOrderRequest {
        order: Some(Order { note: Some(note.to_owned()), ..order("c", "") }),
        request_id: "r-1".to_owned(),
    };
    let first = service.create_order(request("a")).await.unwrap().into_inner();
    let again = service.create_order(request("a")).await.unwrap().into_inner();
    assert_eq!(first, again);
    let other = service.create_order(request("b")).await;
    assert_fails(other, Code::InvalidArgument, "REQUEST_ID_REUSED", &["request_id"]);
    let page = service.list_orders(list("c")).await.unwrap().into_inner();
    assert_eq!(page.orders.len(), 1);

    // A repeat answers the current record, or that it is gone.
    let change = Order { note: Some("changed".to_owned()), ..key_only(&first) };
    let changed = service.update_order(update(change, &["note"])).await.unwrap().into_inner();
    assert_eq!(service.create_order(request("a")).await.unwrap().into_inner(), changed);
    service.delete_order(delete(&first, "")).await.unwrap();
    let gone = service.create_order(request("a")).await;
    assert_fails(gone, Code::NotFound, "RECORD_NOT_FOUND", &[]);

    let long = CreateOrderRequest { request_id: "x".repeat(65), ..request("a") };
    assert_fails(
        service.create_order(long).await,
        Code::InvalidArgument,
        "VALUE_TOO_LARGE",
        &["request_id"],
    );
    // A first try that failed is not remembered.
    let failing =
        |id: &str| CreateOrderRequest { order: Some(order("c", id)), request_id: "r-2".to_owned() };
    let taken = service.create_order(failing(&first.order_id)).await;
    assert_fails(taken, Code::AlreadyExists, "RECORD_EXISTS", &[]);
    service.create_order(failing("free")).await.unwrap();
}

async fn a_request_id_is_remembered_after_a_crash(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let request = CreateOrderRequest { order: Some(order("c", "")), request_id: "r-1".to_owned() };
    let proxy = backend.start_in(folder.path(), &[]).unwrap();
    let first = orders(&proxy).await.create_order(request.clone()).await.unwrap().into_inner();
    proxy.kill().unwrap();
    let proxy = backend.start_in(folder.path(), &[]).unwrap();
    let again = orders(&proxy).await.create_order(request).await.unwrap().into_inner();
    assert_eq!(first, again);
}

async fn pages_follow_the_order_and_end(backend: Backend) {
    let proxy = backend.start().unwrap();
    let service = orders(&proxy).await;
    let mut created = Vec::new();
    for id in 0..7 {
        created.push(create(&service, order("c", &format!("{id}"))).await);
    }
    create(&service, order("d", "0")).await;
    for (order_by, reversed) in
        [("", false), ("order_id desc", true), ("create_time desc", true), ("create_time", false)]
    {
        let mut request =
            ListOrdersRequest { order_by: order_by.to_owned(), page_size: 3, ..list("c") };
        let mut seen = Vec::new();
        let mut sizes = Vec::new();
        loop {
            let page = service.list_orders(request.clone()).await.unwrap().into_inner();
            sizes.push(page.orders.len());
            seen.extend(page.orders);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let mut expected = created.clone();
        if reversed {
            expected.reverse();
        }
        assert_eq!(sizes, [3, 3, 1], "{order_by}");
        assert_eq!(seen, expected, "{order_by}");
    }
    let since = ListOrdersRequest { created_since: created[5].create_time, ..list("c") };
    let page = service.list_orders(since).await.unwrap().into_inner();
    assert_eq!(page.orders, created[5..]);
    let status = order::Status::Paid.into();
    let none = ListOrdersRequest { status: Some(status), ..list("c") };
    assert!(service.list_orders(none).await.unwrap().into_inner().orders.is_empty());
}

async fn page_tokens_that_are_not_of_this_list_are_refused(backend: Backend) {
    let proxy = backend.start().unwrap();
    let service = orders(&proxy).await;
    for id in 0..3 {
        create(&service, order("c", &format!("{id}"))).await;
    }
    let first = ListOrdersRequest { page_size: 1, ..list("c") };
    let token = service.list_orders(first.clone()).await.unwrap().into_inner().next_page_token;
    let with = |token: &str| ListOrdersRequest { page_token: token.to_owned(), ..first.clone() };
    service.list_orders(with(&token)).await.unwrap();

    let mut flipped = token.clone().into_bytes();
    let middle = flipped.len() / 2;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    let mut refused = vec![
        with(&String::from_utf8(flipped).unwrap()),
        with(&token[..token.len() - 1]),
        with(&token[..10]),
        with(&format!("{token}A")),
        with("not base64 at all ☂"),
        with(&"A".repeat(100_000)),
        ListOrdersRequest { customer_id: "d".to_owned(), ..with(&token) },
        ListOrdersRequest { order_by: "order_id desc".to_owned(), ..with(&token) },
        ListOrdersRequest { show_deleted: true, ..with(&token) },
        ListOrdersRequest { status: Some(1), ..with(&token) },
    ];
    // Of another method.
    let profiles = support::profiles(&proxy).await;
    for _ in 0..2 {
        use prism_proxy::acme::profiles::v1::{CreateUserProfileRequest, UserProfile};
        let user_profile = Some(UserProfile::default());
        let request = CreateUserProfileRequest { user_profile, request_id: String::new() };
        profiles.create_user_profile(request).await.unwrap();
    }
    let request = prism_proxy::acme::profiles::v1::ListUserProfilesRequest {
        page_size: 1,
        ..Default::default()
    };
    let answer = profiles.list_user_profiles(request.clone()).await.unwrap().into_inner();
    refused.push(with(&answer.next_page_token));
    for request in refused {
        assert_fails(
            service.list_orders(request).await,
            Code::InvalidArgument,
            "PAGE_TOKEN_INVALID",
            &["page_token"],
        );
    }
    let swapped =
        prism_proxy::acme::profiles::v1::ListUserProfilesRequest { page_token: token, ..request };
    let answer = profiles.list_user_profiles(swapped).await;
    assert_fails(answer, Code::InvalidArgument, "PAGE_TOKEN_INVALID", &["page_token"]);
}

async fn lists_refuse_what_they_cannot_serve(backend: Backend) {
    let proxy = backend.start().unwrap();
    let service = orders(&proxy).await;
    let invalid = |answer, field: &str| {
        assert_fails(answer, Code::InvalidArgument, "INVALID_REQUEST", &[field])
    };
    for page_size in [-1, i32::MIN] {
        let request = ListOrdersRequest { page_size, ..list("c") };
        invalid(service.list_orders(request).await, "page_size");
    }
    for order_by in ["note", "nothing", "create_time sideways", "etag", ",", "total desc"] {
        let request = ListOrdersRequest { order_by: order_by.to_owned(), ..list("c") };
        let status = invalid(service.list_orders(request).await, "order_by");
        // It says what it takes.
        let told = &violations(&status)[0].1;
        assert!(told.contains("create_time desc") && told.contains("order_id"), "{told}");
    }
    let huge = ListOrdersRequest { page_size: i32::MAX, ..list("c") };
    service.list_orders(huge).await.unwrap();
}

async fn writes_refuse_what_is_wrong_and_say_where(backend: Backend) {
    let proxy = backend.start().unwrap();
    let service = orders(&proxy).await;
    let created = create(&service, order("c", "1")).await;
    let invalid = |answer, fields: &[&str]| {
        assert_fails(answer, Code::InvalidArgument, "INVALID_REQUEST", fields)
    };
    // Keys that are none.
    invalid(service.get_order(GetOrderRequest::default()).await, &["customer_id", "order_id"]);
    invalid(service.put_order(put(order("c", ""))).await, &["order.order_id"]);
    invalid(service.put_order(PutOrderRequest::default()).await, &["order"]);
    invalid(service.create_order(CreateOrderRequest::default()).await, &["order"]);
    let keys = vec![key(&created), OrderKey::default()];
    let answer = service.batch_get_orders(BatchGetOrdersRequest { keys }).await;
    let expected = ["keys[1].customer_id", "keys[1].order_id"];
    assert_fails(answer, Code::InvalidArgument, "INVALID_REQUEST", &expected);
    let keys = vec![key(&created); 1001];
    let answer = service.batch_get_orders(BatchGetOrdersRequest { keys }).await;
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    // Masks.
    invalid(service.update_order(update(created.clone(), &[])).await, &["update_mask"]);
    for (paths, field) in [
        (&["none"][..], "update_mask.paths[0]"),
        (&["note", "order_id"], "update_mask.paths[1]"),
        (&["total.cents"], "update_mask.paths[0]"),
        (&["payment"], "update_mask.paths[0]"),
        (&["*", "note"], "update_mask.paths[0]"),
    ] {
        let answer = service.update_order(update(created.clone(), paths)).await;
        assert_eq!(answer.as_ref().unwrap_err().code(), Code::InvalidArgument, "{paths:?}");
        invalid(answer, &[field]);
    }
    // Sizes of the key and of unique values.
    let long = order("c", &"x".repeat(3000));
    let status = service.put_order(put(long)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    // What another order has.
    let referenced = |id| Order { external_reference: Some("R".to_owned()), ..order("c", id) };
    create(&service, referenced("2")).await;
    let answers = [
        service.put_order(put(referenced("1"))).await,
        service.update_order(update(referenced("1"), &["external_reference"])).await,
    ];
    for answer in answers {
        let field = "order.external_reference";
        assert_fails(answer, Code::AlreadyExists, "UNIQUE_VIOLATION", &[field]);
    }
    // Nothing of this was written.
    assert_eq!(service.get_order(get(&created)).await.unwrap().into_inner(), created);
}

async fn an_update_may_create_and_may_replace(backend: Backend) {
    let proxy = backend.start().unwrap();
    let service = orders(&proxy).await;
    let absent = update(order("c", "1"), &["note"]);
    let answer = service.update_order(absent.clone()).await;
    assert_fails(answer, Code::NotFound, "RECORD_NOT_FOUND", &[]);
    let allowed = UpdateOrderRequest { allow_missing: true, ..absent };
    let created = service.update_order(allowed).await.unwrap().into_inner();
    assert_eq!(created.line_items, order("", "").line_items, "the whole entity is created");
    let replaced = service.update_order(update(key_only(&created), &["*"])).await.unwrap();
    let replaced = replaced.into_inner();
    assert!(replaced.line_items.is_empty() && replaced.payment.is_none());
    assert_eq!(replaced.create_time, created.create_time);
}

async fn a_custom_method_is_unimplemented_in_the_stand_alone_proxy(backend: Backend) {
    let proxy = backend.start().unwrap();
    let answer = orders(&proxy).await.cancel_order(CancelOrderRequest::default()).await;
    let status = assert_fails(answer, Code::Unimplemented, "METHOD_UNIMPLEMENTED", &[]);
    assert!(status.message().contains("CancelOrder"), "{status:?}");
    assert!(proxy.log().contains("CancelOrder"), "the start-up table says so: {}", proxy.log());
}

async fn unknown_fields_are_refused_at_any_depth(backend: Backend) {
    let proxy = backend.start().unwrap();
    let client = support::connect(&proxy).await;
    // CreateOrderRequest { order: Order { line_items[1].unit_price: Money { 99: 1 } } }.
    let money = b"\x98\x06\x01".to_vec();
    let nested = |tag: u8, inner: &[u8]| [&[tag, inner.len() as u8], inner].concat();
    let item = nested(0x1a, &money);
    let order = [nested(0x22, b""), nested(0x22, &item)].concat();
    let request = nested(0x0a, &order);
    let path = "/acme.orders.v1.OrderService/CreateOrder";
    let answer = client.unary::<_, Order>(path, Bytes(request)).await;
    let field = "order.line_items[1].unit_price";
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let details = tonic_types::StatusExt::get_error_details(&status);
    assert_eq!(details.error_info().unwrap().reason, "UNKNOWN_FIELD");
    let told = violations(&status);
    assert!(told[0].0.starts_with(field), "{told:?}");
    assert!(format!("{told:?}").contains("99"), "{told:?}");
}

/// A message that is already encoded.
#[derive(Debug, Default)]
struct Bytes(Vec<u8>);

impl prost::Message for Bytes {
    fn encode_raw(&self, buffer: &mut impl bytes::BufMut) {
        buffer.put_slice(&self.0);
    }

    fn merge_field(
        &mut self,
        _: u32,
        _: prost::encoding::WireType,
        _: &mut impl bytes::Buf,
        _: prost::encoding::DecodeContext,
    ) -> Result<(), prost::DecodeError> {
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}
