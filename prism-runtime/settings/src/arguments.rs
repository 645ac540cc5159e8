//! Arguments of a command line.

use clap::error::{ContextKind, ContextValue};

use crate::shown;

/// Whether a text looks like a URL, or like user, password and host: it may have a password.
pub fn is_place(text: &str) -> bool {
    text.contains("://") || text.contains('@')
}

/// An error of the command line that shows no argument but a name or a path, and no part of a URL: it
/// may have a password, also if it was typed without the `=` before it or behind another flag.
#[must_use]
pub fn without_secrets(mut error: clap::Error) -> clap::Error {
    let hidden = || ContextValue::String("[not shown]".to_owned());
    let places: Vec<ContextKind> = error
        .context()
        .filter(|(_, value)| matches!(value, ContextValue::String(text) if is_place(text)))
        .map(|(kind, _)| kind)
        .collect();
    for kind in places {
        error.insert(kind, hidden());
    }
    if let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg)
        && !argument.starts_with("--")
        && shown(&argument.replace(['<', '>', '/'], "")).is_empty()
    {
        error.insert(ContextKind::InvalidArg, hidden());
    }
    error
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::Parser as _;

    use super::without_secrets;

    #[derive(Debug, clap::Parser)]
    struct Flags {
        #[arg(long)]
        count: Option<u32>,
    }

    fn error(argument: &str) -> String {
        without_secrets(Flags::try_parse_from(["program", argument]).unwrap_err()).to_string()
    }

    #[test]
    fn a_name_is_shown_and_a_place_is_not() {
        assert!(error("cuont").contains("'cuont'"));
        assert!(error("--cuont").contains("'--cuont'"));
        for argument in
            ["postgres://u:s3cret@h/d", "--count=postgres://u:s3cret@h/d", "u:s3cret@h", "p=s3cret"]
        {
            let text = error(argument);
            assert!(!text.contains("s3cret") && text.contains("[not shown]"), "{text}");
        }
    }
}
