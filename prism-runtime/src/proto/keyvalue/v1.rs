// @generated from proto/ by `cargo xtask protos`. Do not edit.
/// One entry of a record: a record is a sorted map from key to value.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Item {
    /// Orders the items of a record, byte by byte. May be empty.
    #[prost(bytes = "vec", tag = "1")]
    pub key: ::prost::alloc::vec::Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub value: ::prost::alloc::vec::Vec<u8>,
    /// Replaced by every write of the item, also where it is absent.
    #[prost(message, optional, tag = "3")]
    pub metadata: ::core::option::Option<super::super::common::ItemMetadata>,
}
/// Which items of a record. A predicate in which nothing is set is refused: it
/// may come from a newer client.
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
    /// 1 to 1000.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub keys: ::prost::alloc::vec::Vec<::prost::alloc::vec::Vec<u8>>,
}
/// A range that ends before it starts is empty.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct MatchRange {
    /// Inclusive; absent: from the first key.
    #[prost(bytes = "vec", optional, tag = "1")]
    pub start_key: ::core::option::Option<::prost::alloc::vec::Vec<u8>>,
    /// Exclusive, at most one byte longer than a key; absent: to the last key.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub end_key: ::core::option::Option<::prost::alloc::vec::Vec<u8>>,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PutRequest {
    #[prost(string, tag = "1")]
    pub namespace: ::prost::alloc::string::String,
    /// The record.
    #[prost(string, tag = "2")]
    pub id: ::prost::alloc::string::String,
    /// Written together or not at all. 1 to 1000, each key once.
    #[prost(message, repeated, tag = "3")]
    pub items: ::prost::alloc::vec::Vec<Item>,
    /// Orders writes to the same key: microseconds since the Unix epoch at which
    /// the client made the write. An item whose stored token is the same or
    /// larger stays as it is, so a write can be sent again, late or twice. Refused
    /// where it is ahead of the server's clock by more than the permitted skew, or
    /// older than deletes are remembered. 0: the server takes its own clock, or
    /// the stored token plus one if that is larger, and this write wins; such a
    /// write is not safe to send again where others write too.
    #[prost(int64, tag = "4")]
    pub item_priority_token: i64,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct PutResponse {
    /// True, also where stored items with a larger token stayed as they are.
    #[prost(bool, tag = "1")]
    pub success: bool,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PutBatchRequest {
    #[prost(string, tag = "1")]
    pub namespace: ::prost::alloc::string::String,
    /// Each one is written whole or not at all. 1 to 1000, each id once.
    #[prost(message, repeated, tag = "2")]
    pub writes: ::prost::alloc::vec::Vec<RecordWrite>,
}
/// A PutRequest in the namespace of its batch.
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
    /// In the order of the writes. The call itself succeeds where some of them
    /// fail; it fails for the namespace, the number of writes or an id given twice.
    #[prost(message, repeated, tag = "1")]
    pub results: ::prost::alloc::vec::Vec<RecordWriteResult>,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct RecordWriteResult {
    #[prost(bool, tag = "1")]
    pub success: bool,
    /// Absent where the write succeeded.
    #[prost(message, optional, tag = "2")]
    pub error: ::core::option::Option<super::super::common::BatchError>,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetRequest {
    #[prost(string, tag = "1")]
    pub namespace: ::prost::alloc::string::String,
    #[prost(string, tag = "2")]
    pub id: ::prost::alloc::string::String,
    /// Absent: all items.
    #[prost(message, optional, tag = "3")]
    pub predicate: ::core::option::Option<KeyPredicate>,
    /// At most this many items in the page. 0: as many as fit.
    #[prost(int32, tag = "4")]
    pub limit: i32,
    /// From an earlier response to the same request.
    #[prost(bytes = "vec", tag = "5")]
    pub page_token: ::prost::alloc::vec::Vec<u8>,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetResponse {
    /// In key order. Empty where the record does not exist.
    #[prost(message, repeated, tag = "1")]
    pub items: ::prost::alloc::vec::Vec<Item>,
    /// Empty on the last page. A page ends at its size in bytes, not only at
    /// `limit`, and may hold fewer items than there are.
    #[prost(bytes = "vec", tag = "2")]
    pub next_page_token: ::prost::alloc::vec::Vec<u8>,
}
/// Either `keys` or `predicate` says what is deleted, and the whole record is
/// deleted with `match_all`: a request with neither, or with both, is refused.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct DeleteRequest {
    #[prost(string, tag = "1")]
    pub namespace: ::prost::alloc::string::String,
    #[prost(string, tag = "2")]
    pub id: ::prost::alloc::string::String,
    /// At most 1000.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub keys: ::prost::alloc::vec::Vec<::prost::alloc::vec::Vec<u8>>,
    #[prost(message, optional, tag = "4")]
    pub predicate: ::core::option::Option<KeyPredicate>,
    /// Orders the delete among writes, as in PutRequest; with the same token a
    /// delete wins over a put. A delete is remembered, with its token or the one
    /// that the server took, for every key that it names, stored or not, and for
    /// every stored item that its predicate covers, so that a put with the same or
    /// a smaller token that arrives later does not bring the item back. A key that
    /// a range covers but that was not stored is not remembered.
    #[prost(int64, tag = "5")]
    pub item_priority_token: i64,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct DeleteResponse {
    /// True, also where nothing was there.
    #[prost(bool, tag = "1")]
    pub success: bool,
    /// Items that were there and are gone. Absent where the backend deletes
    /// without reading.
    #[prost(int64, optional, tag = "2")]
    pub deleted_count: ::core::option::Option<i64>,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ScanRequest {
    #[prost(string, tag = "1")]
    pub namespace: ::prost::alloc::string::String,
    /// Absent: every record of the namespace. The items of a record come together
    /// and in key order; the order of the records is the backend's own, and the
    /// same for as long as a page token lives.
    #[prost(string, optional, tag = "2")]
    pub id: ::core::option::Option<::prost::alloc::string::String>,
    #[prost(message, optional, tag = "3")]
    pub predicate: ::core::option::Option<KeyPredicate>,
    /// At most this many items in the whole call. 0: no limit.
    #[prost(int64, tag = "4")]
    pub limit: i64,
    /// Continues after the last item of an earlier scan.
    #[prost(bytes = "vec", tag = "5")]
    pub page_token: ::prost::alloc::vec::Vec<u8>,
}
/// A scan is no snapshot: an item that is written or deleted meanwhile may be
/// missed or seen, none is seen twice.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ScanResponse {
    #[prost(message, repeated, tag = "1")]
    pub items: ::prost::alloc::vec::Vec<ScannedItem>,
    /// Where a new scan would go on, should this one break off here. Empty in the
    /// last response of a scan that reached the end.
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
    /// Absent: expects that the item does not exist.
    #[prost(bytes = "vec", optional, tag = "4")]
    pub old_value: ::core::option::Option<::prost::alloc::vec::Vec<u8>>,
    /// Absent: deletes the item.
    #[prost(bytes = "vec", optional, tag = "5")]
    pub new_value: ::core::option::Option<::prost::alloc::vec::Vec<u8>>,
    /// Of the new value, as in Put.
    #[prost(message, optional, tag = "6")]
    pub metadata: ::core::option::Option<super::super::common::ItemMetadata>,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct CompareAndSwapResponse {
    /// False where the item was not as expected.
    #[prost(bool, tag = "1")]
    pub success: bool,
    /// The current value, where the swap failed and the item exists.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub actual_value: ::core::option::Option<::prost::alloc::vec::Vec<u8>>,
}
