//! Logs, ids, and the one place that decides what of a stored value may be shown.

pub(crate) mod access;
mod filter;
mod ids;
mod logs;
pub mod redact;

pub(crate) use filter::check as check_filter;
pub use ids::new_id;
pub use logs::init;
pub(crate) use logs::is_json;
