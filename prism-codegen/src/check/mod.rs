//! Stage 3: what can only be judged with the whole model at hand.

mod conditions;
mod uniqueness;

use prism_options::Diagnostics;

use crate::model::Schema;

/// Everything that is wrong between the parts of a schema that was lowered without errors. The
/// caller knows the texts that the places are in: [`Diagnostics::extend`] joins them.
pub fn check(schema: &Schema) -> Diagnostics {
    let mut found = Diagnostics::default();
    uniqueness::check(schema, &mut found);
    conditions::check(schema, &mut found);
    found.sort();
    found
}
