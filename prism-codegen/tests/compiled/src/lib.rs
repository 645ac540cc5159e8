//! What the generated crates say of themselves when they run, against what the generator knows.
#![cfg(test)]
#![allow(clippy::unwrap_used)]

mod served;

use std::path::{Path, PathBuf};

use prism_codegen::pipeline::Checked;
use prism_runtime::codegen::Entity;
use prism_schema::Service;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

/// The model of the `.proto` files below a folder.
fn model(root: &str, files: &[&str]) -> Checked {
    let root = repository().join(root);
    let files: Vec<PathBuf> = files.iter().map(|file| root.join(file)).collect();
    prism_codegen::configure().include(root).check(&files).unwrap()
}

fn demo() -> Checked {
    model(
        "examples/acme/proto",
        &[
            "acme/orders/v1/order.proto",
            "acme/orders/v1/order_service.proto",
            "acme/profiles/v1/user_profile.proto",
            "acme/profiles/v1/profile_service.proto",
        ],
    )
}

fn types() -> Checked {
    model("prism-codegen/tests/goldens/types/proto", &["golden/types/v1/types.proto"])
}

fn hostile() -> Checked {
    model(
        "prism-codegen/tests/goldens/hostile/proto",
        &[
            "a/legacy.proto",
            "a/select.proto",
            "b/inner/inner.proto",
            "b/select.proto",
            "found.proto",
        ],
    )
}

#[track_caller]
fn assert_entity<E: Entity>(checked: &Checked) {
    let derived = E::schema();
    let mut entities = checked.schema.entities.iter().map(|entity| &entity.schema);
    let modelled = entities.find(|entity| entity.message == derived.message).unwrap();
    assert_eq!(derived, modelled);
}

#[track_caller]
fn assert_service(service: &Service, checked: &Checked) {
    let mut services = checked.schema.services.iter().map(|service| &service.schema);
    assert_eq!(Some(service), services.find(|other| other.name == service.name));
}

#[test]
fn derived_entities_are_those_of_the_model() {
    let checked = demo();
    assert_entity::<prism_proxy::acme::orders::v1::Order>(&checked);
    assert_entity::<prism_proxy::acme::profiles::v1::UserProfile>(&checked);
    assert_eq!(checked.schema.entities.len(), 2);

    assert_entity::<golden_types::golden::types::v1::Everything>(&types());

    let checked = hostile();
    assert_entity::<golden_hostile::a::r#type::self_::Select>(&checked);
    assert_entity::<golden_hostile::a::r#type::self_::select::Group>(&checked);
    assert_entity::<golden_hostile::a::r#type::self_::Legacy>(&checked);
    assert_entity::<golden_hostile::b::Select>(&checked);
    assert_entity::<golden_hostile::package::bool_package::Schema>(&checked);
    assert_eq!(checked.schema.entities.len(), 5);
}

#[test]
fn generated_services_are_those_of_the_model() {
    let checked = demo();
    assert_service(prism_proxy::acme::orders::v1::order_service::service(), &checked);
    assert_service(prism_proxy::acme::profiles::v1::profile_service::service(), &checked);
    assert_service(golden_types::golden::types::v1::everything_service::service(), &types());
    assert_service(golden_hostile::a::r#type::self_::r#loop::service(), &hostile());
    use golden_hostile::package::bool_package::{http_gateway, http_gateway2, send};
    for service in [http_gateway::service(), http_gateway2::service(), send::service()] {
        assert_service(service, &hostile());
    }
}

#[test]
fn personal_data_does_not_print() {
    use prism_proxy::acme::orders::v1::{Order, order};
    use prism_proxy::acme::profiles::v1::{Settings, UserProfile};

    let profile = UserProfile {
        user_id: "u1".to_owned(),
        email: Some("ann@acme.example".to_owned()),
        display_name: "Ann Example".to_owned(),
        recovery_phrase: "correct horse".to_owned(),
        state: 2,
        settings: Some(Settings {
            notification_address: "@ann".to_owned(),
            theme: 1,
            ..Settings::default()
        }),
        ..UserProfile::default()
    };
    let printed = format!("{profile:?}");
    for secret in ["ann@", "Ann Ex", "horse", "@ann"] {
        assert!(!printed.contains(secret), "{printed}");
    }
    assert!(printed.contains("user_id: \"u1\""), "{printed}");
    assert!(printed.contains("state: Active") && printed.contains("theme: Light"), "{printed}");

    let order = Order {
        payment: Some(order::Payment::Card(order::Card {
            last_four: "4242".to_owned(),
            provider_token: "tok_1".to_owned(),
        })),
        status: 99,
        ..Order::default()
    };
    let printed = format!("{order:?}");
    assert!(!printed.contains("4242") && !printed.contains("tok_1"), "{printed}");
    assert!(printed.contains("status: 99"), "an unknown value shows its number: {printed}");
}

#[test]
fn enum_values_keep_their_protobuf_names() {
    use golden_hostile::a::r#type::self_::Kind;

    for name in ["KIND_UNSPECIFIED", "KIND_FOO_BAR", "KIND_FooBar", "KIND_SELF"] {
        let value = Kind::from_str_name(name).unwrap();
        assert_eq!(value.as_str_name(), name);
    }
}

#[test]
fn the_first_migration_makes_the_tables() {
    let crates = [prism_proxy::MIGRATIONS, golden_types::MIGRATIONS, golden_hostile::MIGRATIONS];
    for migrations in crates {
        let database = rusqlite::Connection::open_in_memory().unwrap();
        for migration in migrations.sqlite {
            database.execute_batch(migration.sql).unwrap();
        }
        assert_eq!(migrations.sqlite.len(), migrations.postgres.len());
    }
}

#[test]
fn statements_run_on_the_tables_of_the_migration() {
    use prism_schema::sql::{Dialect, Statements, Visibility};

    let cases = [
        (prism_proxy::MIGRATIONS, demo()),
        (golden_types::MIGRATIONS, types()),
        (golden_hostile::MIGRATIONS, hostile()),
    ];
    for (migrations, checked) in cases {
        let database = rusqlite::Connection::open_in_memory().unwrap();
        database.execute_batch(migrations.sqlite[0].sql).unwrap();
        for entity in checked.schema.entities.iter().map(|entity| &entity.schema) {
            let sql = Statements::new(entity, Dialect::Sqlite);
            let unique = entity.indexes.iter().filter(|index| index.unique);
            let mut statements: Vec<_> = unique.map(|index| sql.unique_conflict(index)).collect();
            statements.extend([sql.get(Visibility::Live), sql.insert(), sql.replace()]);
            statements.extend(sql.sweep());
            for statement in statements {
                database.prepare(&statement.sql).unwrap();
            }
        }
    }
}
