//! Line ends: a checkout may turn those of a committed text into CR LF, which changes nothing that
//! the text says.

use std::borrow::Cow;

/// A text with LF at the end of each line that ends with CR LF.
pub fn with_lf(text: &str) -> Cow<'_, str> {
    match text.contains("\r\n") {
        true => Cow::Owned(text.replace("\r\n", "\n")),
        false => Cow::Borrowed(text),
    }
}
