// @generated from proto/ by `cargo xtask protos`. Do not edit.
/// One entry of a record. A record is a sorted map from key to value.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Item {
    /// The items of a record are ordered by key, byte by byte. The key may be
    /// empty.
    #[prost(bytes = "vec", tag = "1")]
    pub key: ::prost::alloc::vec::Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub value: ::prost::alloc::vec::Vec<u8>,
    /// Every write of the item replaces the metadata, even if this field is absent
    /// from the request.
    #[prost(message, optional, tag = "3")]
    pub metadata: ::core::option::Option<super::super::common::ItemMetadata>,
}
/// Selects items of a record. A predicate in which nothing is set is refused,
/// because it may come from a newer client.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct KeyPredicate {
    #[prost(oneof = "key_predicate::Predicate", tags = "1, 2, 3")]
    pub predicate: ::core::option::Option<key_predicate::Predicate>,
}
/// Nested message and enum types in `KeyPredicate`.
pub mod key_predicate {
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Oneof)]
    pub enum Predicate {
        #[prost(message, tag = "1")]
        MatchAll(super::MatchAll),
        #[prost(message, tag = "2")]
        MatchKeys(super::MatchKeys),
        #[prost(message, tag = "3")]
        MatchRange(super::MatchRange),
    }
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct MatchAll {}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct MatchKeys {
    /// 1 to 1000 keys.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub keys: ::prost::alloc::vec::Vec<::prost::alloc::vec::Vec<u8>>,
}
/// A range of keys. A range that ends before it starts is empty.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct MatchRange {
    /// Inclusive. If absent, the range starts at the first key.
    #[prost(bytes = "vec", optional, tag = "1")]
    pub start_key: ::core::option::Option<::prost::alloc::vec::Vec<u8>>,
    /// Exclusive. May be at most one byte longer than a key. If absent, the range
    /// ends after the last key.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub end_key: ::core::option::Option<::prost::alloc::vec::Vec<u8>>,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PutRequest {
    #[prost(string, tag = "1")]
    pub namespace: ::prost::alloc::string::String,
    /// Identifies the record.
    #[prost(string, tag = "2")]
    pub id: ::prost::alloc::string::String,
    /// 1 to 1000 items. Each key must occur only once. Either all items are
    /// written or none.
    #[prost(message, repeated, tag = "3")]
    pub items: ::prost::alloc::vec::Vec<Item>,
    /// Orders writes to the same key. The token is the time at which the client
    /// made the write, in microseconds since the Unix epoch.
    ///
    /// An item whose stored token is the same or larger is not changed, so a write
    /// can be retried, late or twice.
    ///
    /// The server refuses a token that is ahead of its clock by more than the
    /// permitted skew, or that is older than deletes are remembered.
    ///
    /// If 0, the server uses its own clock, or the stored token plus one if that
    /// is larger, and this write wins. Such a write is not safe to retry if other
    /// clients also write.
    #[prost(int64, tag = "4")]
    pub item_priority_token: i64,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct PutResponse {
    /// True, even if stored items with a larger token were not changed.
    #[prost(bool, tag = "1")]
    pub success: bool,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PutBatchRequest {
    #[prost(string, tag = "1")]
    pub namespace: ::prost::alloc::string::String,
    /// 1 to 1000 writes. Each id must occur only once. Each write is made as a
    /// whole or not at all.
    #[prost(message, repeated, tag = "2")]
    pub writes: ::prost::alloc::vec::Vec<RecordWrite>,
}
/// A PutRequest in the namespace of the batch.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct RecordWrite {
    #[prost(string, tag = "1")]
    pub id: ::prost::alloc::string::String,
    #[prost(message, repeated, tag = "2")]
    pub items: ::prost::alloc::vec::Vec<Item>,
    #[prost(int64, tag = "3")]
    pub item_priority_token: i64,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PutBatchResponse {
    /// One result per write, in the order of the writes. The call itself succeeds
    /// even if some writes fail. It fails because of the namespace or the number
    /// of writes, or if an id is given twice.
    #[prost(message, repeated, tag = "1")]
    pub results: ::prost::alloc::vec::Vec<RecordWriteResult>,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct RecordWriteResult {
    #[prost(bool, tag = "1")]
    pub success: bool,
    /// Absent if the write succeeded.
    #[prost(message, optional, tag = "2")]
    pub error: ::core::option::Option<super::super::common::BatchError>,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetRequest {
    #[prost(string, tag = "1")]
    pub namespace: ::prost::alloc::string::String,
    #[prost(string, tag = "2")]
    pub id: ::prost::alloc::string::String,
    /// If absent, all items are returned.
    #[prost(message, optional, tag = "3")]
    pub predicate: ::core::option::Option<KeyPredicate>,
    /// The maximum number of items in the page. If 0, the page contains as many
    /// items as fit.
    #[prost(int32, tag = "4")]
    pub limit: i32,
    /// The next_page_token of an earlier response to the same request.
    #[prost(bytes = "vec", tag = "5")]
    pub page_token: ::prost::alloc::vec::Vec<u8>,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetResponse {
    /// In key order. Empty if the record does not exist.
    #[prost(message, repeated, tag = "1")]
    pub items: ::prost::alloc::vec::Vec<Item>,
    /// Empty on the last page. A page ends at its size in bytes, not only at
    /// `limit`, so it may contain fewer items than exist.
    #[prost(bytes = "vec", tag = "2")]
    pub next_page_token: ::prost::alloc::vec::Vec<u8>,
}
/// Deletes the items that either `keys` or `predicate` selects. `match_all`
/// deletes the whole record. A request with neither or both is refused.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct DeleteRequest {
    #[prost(string, tag = "1")]
    pub namespace: ::prost::alloc::string::String,
    #[prost(string, tag = "2")]
    pub id: ::prost::alloc::string::String,
    /// At most 1000 keys.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub keys: ::prost::alloc::vec::Vec<::prost::alloc::vec::Vec<u8>>,
    #[prost(message, optional, tag = "4")]
    pub predicate: ::core::option::Option<KeyPredicate>,
    /// Orders the delete among writes, as in PutRequest. With equal tokens, a
    /// delete wins over a put.
    ///
    /// A delete is remembered with its token, or with the token that the server
    /// chose. It is remembered for every key that the request names, whether it is
    /// stored or not, and for every stored item that the predicate covers. A put
    /// with the same or a smaller token that arrives later therefore does not
    /// restore the item. If a range covers a key that was not stored, the delete
    /// of this key is not remembered.
    #[prost(int64, tag = "5")]
    pub item_priority_token: i64,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct DeleteResponse {
    /// True, even if nothing was stored.
    #[prost(bool, tag = "1")]
    pub success: bool,
    /// The number of items that existed and were deleted. Absent if the backend
    /// deletes without reading.
    #[prost(int64, optional, tag = "2")]
    pub deleted_count: ::core::option::Option<i64>,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ScanRequest {
    #[prost(string, tag = "1")]
    pub namespace: ::prost::alloc::string::String,
    /// If absent, every record of the namespace is scanned. The items of a record
    /// are returned together and in key order. The backend determines the order of
    /// the records. This order does not change while a page token is valid.
    #[prost(string, optional, tag = "2")]
    pub id: ::core::option::Option<::prost::alloc::string::String>,
    #[prost(message, optional, tag = "3")]
    pub predicate: ::core::option::Option<KeyPredicate>,
    /// The maximum number of items in the whole call. If 0, there is no limit.
    #[prost(int64, tag = "4")]
    pub limit: i64,
    /// The next_page_token of an earlier ScanResponse. The scan continues after
    /// the last item of that response.
    #[prost(bytes = "vec", tag = "5")]
    pub page_token: ::prost::alloc::vec::Vec<u8>,
}
/// A scan is not a snapshot. An item that is written or deleted during the scan
/// may or may not be returned. No item is returned twice.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ScanResponse {
    #[prost(message, repeated, tag = "1")]
    pub items: ::prost::alloc::vec::Vec<ScannedItem>,
    /// The position at which a new scan continues if this scan is interrupted
    /// here. Empty in the last response of a scan that reached the end.
    #[prost(bytes = "vec", tag = "2")]
    pub next_page_token: ::prost::alloc::vec::Vec<u8>,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ScannedItem {
    #[prost(string, tag = "1")]
    pub id: ::prost::alloc::string::String,
    #[prost(message, optional, tag = "2")]
    pub item: ::core::option::Option<Item>,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct CompareAndSwapRequest {
    #[prost(string, tag = "1")]
    pub namespace: ::prost::alloc::string::String,
    #[prost(string, tag = "2")]
    pub id: ::prost::alloc::string::String,
    #[prost(bytes = "vec", tag = "3")]
    pub key: ::prost::alloc::vec::Vec<u8>,
    /// If absent, the item is expected not to exist.
    #[prost(bytes = "vec", optional, tag = "4")]
    pub old_value: ::core::option::Option<::prost::alloc::vec::Vec<u8>>,
    /// If absent, the item is deleted.
    #[prost(bytes = "vec", optional, tag = "5")]
    pub new_value: ::core::option::Option<::prost::alloc::vec::Vec<u8>>,
    /// The metadata of the new value, as in Put.
    #[prost(message, optional, tag = "6")]
    pub metadata: ::core::option::Option<super::super::common::ItemMetadata>,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct CompareAndSwapResponse {
    /// False if the item was not as expected.
    #[prost(bool, tag = "1")]
    pub success: bool,
    /// The current value. Present if the swap failed and the item exists.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub actual_value: ::core::option::Option<::prost::alloc::vec::Vec<u8>>,
}
