#[path = "../support/mod.rs"]
mod support;

use prism_derive::Entity;

#[derive(Clone, PartialEq, prost::Message, Entity)]
#[prism(crate = "crate::support", message = "a.Two", namespace = "two")]
struct Two {
    #[prost(string, tag = "1")]
    #[prism(key = "primary")]
    id: String,
    #[prost(double, tag = "2")]
    #[prism(key = "primary")]
    weight: f64,
}

#[derive(Clone, PartialEq, prost::Message, Entity)]
#[prism(crate = "crate::support", message = "a.Clustered", namespace = "clustered")]
struct Clustered {
    #[prost(string, optional, tag = "1")]
    #[prism(key = "clustering")]
    id: Option<String>,
    #[prost(string, tag = "2")]
    #[prism(key = "main")]
    other: String,
}

fn main() {}
