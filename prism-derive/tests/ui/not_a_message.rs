#[path = "../support/mod.rs"]
mod support;

use prism_derive::Entity;

#[derive(Entity)]
#[prism(crate = "crate::support", message = "a.Thing", namespace = "things")]
struct Thing {
    id: String,
}

#[derive(Entity)]
#[prism(crate = "crate::support")]
struct Pair(String, String);

#[derive(Clone, PartialEq, prost::Oneof, Entity)]
#[prism(crate = "crate::support")]
enum Choice {
    #[prost(string, tag = "1")]
    Text(String),
}

fn main() {}
