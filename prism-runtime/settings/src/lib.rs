//! What people type for a program: settings in YAML, and arguments of a command line. The proxy and
//! the `prism` command read both, and say in the same words what is wrong with them.
//!
//! No error shows a value, or a name that no setting could have: it may be a secret that stands in the
//! wrong place.

mod arguments;
mod fault;
mod names;
mod tree;

pub use arguments::{is_place, without_secrets};
pub use fault::{Fault, read};
pub use names::{settings, shown, shown_path};
