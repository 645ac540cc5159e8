//! Stage 2: descriptors and options in, the model out.

use prism_options::Diagnostics;

use crate::descriptors::Loaded;
use crate::model::Schema;

/// Lowers the files to generate for, and reports everything that is wrong in them.
pub fn lower(loaded: &Loaded) -> (Schema, Diagnostics) {
    (Schema::default(), Diagnostics::new(loaded.sources.clone()))
}
