//! What a correct schema becomes.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::time::Duration;

use prism_codegen::check::check;
use prism_codegen::descriptors::{Inputs, load};
use prism_codegen::diagnostics::{Format, render};
use prism_codegen::lower::lower;
use prism_codegen::model::{FieldPath, Mask, Schema};
use prism_schema::{
    Access, Backend, Binding, Cardinality, FieldType, Managed, Operation, Permission, Response,
    Role, Storage,
};

const ORDERS: &str = include_str!("schemas/orders.proto");

fn orders() -> Schema {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("orders.proto"), ORDERS).unwrap();
    let inputs = Inputs {
        includes: vec![folder.path().to_owned()],
        files: vec!["orders.proto".into()],
        descriptor_set: None,
    };
    let loaded = load(&inputs).unwrap();
    let (schema, mut found) = lower(&loaded);
    found.extend(check(&schema));
    assert!(!found.has_errors(), "{}", render(&found, Format::Plain));
    schema
}

#[test]
fn an_entity_is_resolved() {
    let schema = orders();
    let entity = &schema.entities[0];
    let order = &entity.schema;
    assert_eq!((order.namespace.as_str(), order.table.as_str()), ("shop-orders", "shop_orders"));
    assert_eq!((order.backend, order.retention_days), (Backend::Postgres, 30));
    assert_eq!((order.key.as_slice(), order.partition), ([1, 2].as_slice(), 1));
    assert_eq!(entity.owner, "team-shop");
    assert_eq!(entity.reserved.names, ["old"]);
    assert_eq!(entity.reserved.numbers, [(20, 22), (30, 30)]);

    let indexes = order.indexes.iter().map(|index| {
        let columns = index.columns.iter().map(|it| (it.number, it.descending));
        (index.name.as_str(), index.unique, columns.collect::<Vec<_>>())
    });
    assert_eq!(
        indexes.collect::<Vec<_>>(),
        [
            ("idx_shop_orders_status", false, vec![(3, false)]),
            ("idx_shop_orders_email", true, vec![(12, false)]),
            ("idx_shop_orders_customer_id_create_time_desc", false, vec![(1, false), (9, true)]),
        ]
    );
    let numbers: Vec<u32> = order.columns.iter().map(|column| column.number).collect();
    assert_eq!(numbers, (1..=14).collect::<Vec<u32>>());
    assert_eq!(entity.fields.len(), order.columns.len());
    assert_eq!(entity.fields[11].pii.as_deref(), Some("email"));
}

#[test]
fn columns_have_type_presence_storage_and_name() {
    let schema = orders();
    let order = &schema.entities[0].schema;
    let column = |number| order.column(number).unwrap();
    let shape = |number| (column(number).cardinality, column(number).storage);
    assert_eq!(shape(1), (Cardinality::Implicit, Storage::Native));
    assert_eq!(column(3).ty, FieldType::Enum("acme.orders.v1.Order.Status".to_owned()));
    assert_eq!(shape(4), (Cardinality::Repeated, Storage::Binary));
    assert_eq!((&column(5).ty, column(5).wrapper), (&FieldType::String, true));
    assert_eq!(shape(5), (Cardinality::Optional, Storage::Native));
    assert_eq!(column(6).oneof.as_deref(), Some("payment"));
    assert_eq!((column(6).access, column(6).masked), (Access::InputOnly, true));
    assert_eq!(shape(7), (Cardinality::Optional, Storage::Json));
    assert_eq!(column(8).cardinality, Cardinality::Map);
    assert_eq!(column(8).ty, FieldType::Message("acme.orders.v1.Order.LabelsEntry".to_owned()));
    assert_eq!(
        (&column(9).ty, column(9).managed),
        (&FieldType::Timestamp, Some(Managed::CreateTime))
    );
    assert_eq!(shape(12), (Cardinality::Optional, Storage::Native));
    assert_eq!(column(12).oneof, None);
    let names: Vec<&str> = [3, 13, 14].map(|number| column(number).name.as_str()).to_vec();
    assert_eq!(names, ["status_3", "ctid_13", "STATUS"]);
}

fn binding<'a>(schema: &'a Schema, method: &str) -> &'a Binding {
    let methods = &schema.services[0].schema.methods;
    methods.iter().find(|it| it.name == method).unwrap().binding.as_ref().unwrap()
}

fn roles(binding: &Binding) -> Vec<(u32, Role, u32, bool)> {
    binding.request.iter().map(|it| (it.number, it.role, it.field, it.presence)).collect()
}

#[test]
fn methods_are_bound() {
    let schema = orders();
    let get = binding(&schema, "GetOrder");
    assert_eq!((get.operation, get.response), (Operation::Get, Response::Entity));
    assert_eq!(
        roles(get),
        [(1, Role::Key, 1, false), (2, Role::Key, 2, false), (3, Role::ShowDeleted, 0, false)]
    );
    let batch = binding(&schema, "BatchGetOrders");
    assert_eq!(batch.response, Response::List { items: 1, next_page_token: 0 });
    assert_eq!(batch.request[0].parts, [(1, 1), (2, 2)]);
    let list = binding(&schema, "ListOrders");
    assert_eq!(list.response, Response::List { items: 1, next_page_token: 2 });
    assert_eq!(
        roles(list)[4..],
        [(5, Role::Equals, 12, true), (6, Role::AtLeast, 9, true), (7, Role::AnyOf, 3, false),]
    );
    assert_eq!(binding(&schema, "UpdateOrder").response, Response::Field(4));
    assert_eq!(binding(&schema, "DeleteOrder").response, Response::Empty);
    assert_eq!(binding(&schema, "UndeleteOrder").operation, Operation::Undelete);
}

#[test]
fn behaviour_comes_from_method_service_and_operation() {
    let schema = orders();
    let service = &schema.services[0];
    let [get, .., custom] = service.schema.methods.as_slice() else { panic!() };
    assert_eq!(get.timeout, Some(Duration::from_secs(2)));
    assert!(get.idempotent && get.require_auth);
    assert_eq!(get.permissions, [Permission::Read]);
    let create = &service.schema.methods[3];
    assert_eq!(create.timeout, Some(Duration::from_millis(500)));
    assert_eq!(create.permissions, [Permission::Read, Permission::Write]);
    assert!(create.idempotent && !service.schema.methods[4].idempotent);
    assert!(custom.binding.is_none() && custom.server_streaming);
    assert_eq!(custom.permissions, [Permission::Read, Permission::Admin]);
    assert_eq!((service.package.as_str(), service.name.as_str()), ("acme.orders.v1", "Orders"));
    assert_eq!(service.comment, " Orders of a shop.\n");
    assert_eq!(service.method_comments[0], " One order.\n");
    assert_eq!(service.deprecated[..2], [true, false]);
}

#[test]
fn masks_reach_nested_messages_and_requests() {
    let schema = orders();
    let mask = |message: &str, number| {
        let message = format!("acme.orders.v1.{message}");
        schema.masked.get(&FieldPath { message, number }).cloned()
    };
    assert_eq!(mask("Order", 12), Some(Mask::Pii("email".to_owned())));
    assert_eq!(mask("Order.Item", 2), Some(Mask::Pii("address".to_owned())));
    assert_eq!(mask("Order", 6), Some(Mask::Masked));
    assert_eq!(mask("ListOrdersRequest", 5), Some(Mask::Pii("email".to_owned())));
    assert_eq!(mask("ListOrdersRequest", 1), None);
}
