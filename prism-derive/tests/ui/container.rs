#[path = "../support/mod.rs"]
mod support;

use prism_derive::Entity;

#[derive(Clone, PartialEq, prost::Message, Entity)]
#[prism(crate = "crate::support", mesage = "a.Thing")]
#[prism(namespace = "things", backend = "oracle")]
#[prism(index(name = "by_size", fields("size", "weight", "9")))]
struct Thing {
    #[prost(string, tag = "1")]
    #[prism(key = "primary")]
    id: String,
    #[prost(message, optional, tag = "2")]
    size: Option<Size>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Size {}

fn main() {}
