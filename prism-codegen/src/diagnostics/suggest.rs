//! Names that the user may have meant.

/// The candidate that is closest to `name`, if any is close.
pub(crate) fn closest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str, IntoIter: Clone>,
) -> Option<&'a str> {
    let candidates = candidates.into_iter();
    // A word that was left out, or one too many.
    let longer = |it: &&str| name.len() > 2 && it.starts_with(name);
    let shorter = |it: &&str| it.len() > 2 && name.starts_with(*it);
    if let Some(part) = candidates.clone().find(|it| longer(it) || shorter(it)) {
        return Some(part);
    }
    // Two letters that changed places count as two.
    let limit = (name.len() / 3).max(if name.len() < 4 { 1 } else { 2 });
    let distances = candidates.map(|it| (distance(name, it), it));
    distances.filter(|(distance, _)| *distance <= limit).min().map(|(_, it)| it)
}

/// The candidate that `name` is with a typing error: unlike [`closest`], no word more or less.
pub(crate) fn misspelt<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let distances = candidates.into_iter().map(|it| (distance(name, it), it));
    distances.filter(|(distance, _)| *distance <= 2).min().map(|(_, it)| it)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replace = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_its_name() {
        assert_eq!(closest("emial", ["id", "email", "name"]), Some("email"));
        assert_eq!(closest("view", ["id", "label"]), None);
        assert_eq!(closest("emails", ["id", "email", "name"]), Some("email"));
        assert_eq!(closest("user_nme", ["username", "user_name"]), Some("user_name"));
        assert_eq!(misspelt("GteThing", ["GetThing", "PutThing"]), Some("GetThing"));
        assert_eq!(misspelt("GetThings", ["UndeleteThing"]), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
