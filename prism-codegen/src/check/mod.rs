//! Stage 3: what can only be judged with the whole model at hand.

use prism_options::Diagnostics;

use crate::model::Schema;

/// Everything that is wrong between the parts of a schema.
pub fn check(_schema: &Schema) -> Diagnostics {
    Diagnostics::default()
}
