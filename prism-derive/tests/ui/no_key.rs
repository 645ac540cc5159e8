#[path = "../support/mod.rs"]
mod support;

use prism_derive::Entity;

#[derive(Clone, PartialEq, prost::Message, Entity)]
#[prism(crate = "crate::support", message = "a.Thing", namespace = "things")]
struct Thing {
    #[prost(string, tag = "1")]
    id: String,
}

fn main() {
    // The stub: no second error for the use.
    let _ = <Thing as support::codegen::Entity>::schema();
}
