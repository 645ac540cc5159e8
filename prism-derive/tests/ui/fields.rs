#[path = "../support/mod.rs"]
mod support;

use prism_derive::Entity;

#[derive(Clone, PartialEq, prost::Message, Entity)]
#[prism(crate = "crate::support", message = "a.Thing", namespace = "things")]
struct Thing {
    #[prost(string, tag = "1")]
    #[prism(key = "primary", managed = "create_time")]
    id: String,
    #[prost(int64, tag = "2")]
    #[prism(managed = "etag", storage = "json")]
    number: i64,
    #[prost(string, tag = "3")]
    #[prism(access = "secret", hidden)]
    text: String,
    #[prost(string, repeated, tag = "4")]
    #[prism(index)]
    list: Vec<String>,
    #[prost(string, tag = "5")]
    #[prism(index, unique)]
    twice: String,
}

fn main() {}
