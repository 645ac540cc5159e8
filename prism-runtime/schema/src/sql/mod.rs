//! SQL text: the one place that builds a statement.

pub mod alter;
pub mod ddl;
pub mod dialect;
pub mod ident;
mod many;
mod page;
pub mod rewrite;
pub mod shadow;
pub mod statement;
mod text;

pub use dialect::Dialect;
pub use ident::{prefixed, quote};
pub use statement::{ListShape, Parameter, Shape, Statement, Statements, Visibility};
