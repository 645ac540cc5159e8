//! Settings by the names of environment variables: two underscores between levels.

use super::Config;

/// What the name of a variable that is a setting begins with.
pub(super) const PREFIX: &str = "PRISM_";

/// What stands between two levels of a setting's name.
const LEVEL: &str = "__";

/// The levels of a setting that a variable names, without the prefix. Backends and namespaces are the
/// user's names, of letters, digits and hyphens: a shell's variable has an underscore in place of the
/// hyphen.
pub(super) fn path_of(name: &str) -> Vec<String> {
    let mut path: Vec<String> = name.to_lowercase().split(LEVEL).map(str::to_owned).collect();
    if let [first, second, ..] = path.as_mut_slice()
        && ["backends", "namespaces"].contains(&first.as_str())
    {
        *second = second.replace('_', "-");
    }
    path
}

/// The variable that was meant by one, without the prefix, that has another number of underscores
/// between its levels.
pub(super) fn meant(name: &str) -> Option<String> {
    let name = name.to_lowercase();
    let words: Vec<&str> = name.split('_').filter(|word| !word.is_empty()).collect();
    let settings = prism_settings::settings::<Config>();
    let meant = settings.iter().find_map(|path| spelt(path, &words))?;
    (meant != name).then(|| format!("{PREFIX}{}", meant.to_uppercase()))
}

/// A setting as a variable's name, if it is made of these words. `*` stands for one or more.
fn spelt(path: &[String], words: &[&str]) -> Option<String> {
    let words_of = |name: &String| name.split('_').map(str::to_owned).collect::<Vec<_>>();
    let own = path.iter().position(|name| name == "*");
    let Some(own) = own else {
        let all: Vec<String> = path.iter().flat_map(words_of).collect();
        return (all == words).then(|| path.join(LEVEL));
    };
    let before: Vec<String> = path[..own].iter().flat_map(words_of).collect();
    let after: Vec<String> = path[own + 1..].iter().flat_map(words_of).collect();
    let end = words.len().checked_sub(after.len())?;
    let name = words.get(before.len()..end).filter(|name| !name.is_empty())?;
    let is_meant = words[..before.len()] == before[..] && words[end..] == after[..];
    is_meant.then(|| {
        let levels = path.iter().enumerate().map(|(index, level)| match index == own {
            true => name.join("_"),
            false => level.clone(),
        });
        levels.collect::<Vec<_>>().join(LEVEL)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn underscores_between_levels_are_found() {
        for (name, expected) in [
            ("SERVER_LISTEN", Some("PRISM_SERVER__LISTEN")),
            ("SERVER___LISTEN", Some("PRISM_SERVER__LISTEN")),
            ("SERVER_MAX_CONNECTIONS", Some("PRISM_SERVER__MAX_CONNECTIONS")),
            ("SERVER__MAX__CONNECTIONS", Some("PRISM_SERVER__MAX_CONNECTIONS")),
            ("LOG_LEVEL", Some("PRISM_LOG__LEVEL")),
            ("BACKENDS_MAIN_URL", Some("PRISM_BACKENDS__MAIN__URL")),
            (
                "BACKENDS_COLD_STORE_MAX_CONNECTIONS",
                Some("PRISM_BACKENDS__COLD_STORE__MAX_CONNECTIONS"),
            ),
            ("NAMESPACES_USER_PROFILES", Some("PRISM_NAMESPACES__USER_PROFILES")),
            ("SERVER__LISTEN", None),
            ("SERVICE_HOST", None),
            ("", None),
        ] {
            assert_eq!(meant(name).as_deref(), expected, "{name}");
        }
    }
}
