//! The text of every finding: code, message, label and help, one table a stage or topic.
//!
//! P00xx are about reading files, P01xx about entities, P02xx about fields, P03xx about indexes,
//! P04xx about services, P05xx about the fields of requests and responses, P09xx are warnings. A
//! code is never given to another finding.

pub mod entity;
pub mod evolve;
pub mod field;
pub mod index;
pub mod load;
pub mod role;
pub mod service;
pub mod warning;
