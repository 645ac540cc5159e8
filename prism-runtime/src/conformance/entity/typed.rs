//! A part of `Order` as a struct, for the typed store.

use std::sync::OnceLock;

use super::schema;
use crate::schema::Entity;

/// What handlers see of an order; other fields are cut off.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Order {
    /// First part of the key.
    #[prost(string, tag = "1")]
    pub customer_id: String,
    /// Second part of the key, managed.
    #[prost(string, tag = "2")]
    pub order_id: String,
    /// Indexed.
    #[prost(int64, tag = "4")]
    pub total: i64,
    /// Managed.
    #[prost(string, tag = "11")]
    pub etag: String,
    /// Output only.
    #[prost(int32, tag = "13")]
    pub score: i32,
    /// Input only.
    #[prost(string, tag = "14")]
    pub secret: String,
}

impl crate::entity::Entity for Order {
    fn schema() -> &'static Entity {
        static SCHEMA: OnceLock<Entity> = OnceLock::new();
        SCHEMA.get_or_init(|| schema::order(&schema::pool()))
    }
}
