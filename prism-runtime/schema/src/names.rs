//! Names: the one that JSON has for a field, and the one that a user may have meant.

/// The name that JSON has for a field that does not say:
/// <https://protobuf.dev/programming-guides/json/>.
pub fn json_name(name: &str) -> String {
    let mut json = String::with_capacity(name.len());
    let mut upper = false;
    for character in name.chars() {
        match character {
            '_' => upper = true,
            _ if upper => {
                json.push(character.to_ascii_uppercase());
                upper = false;
            }
            _ => json.push(character),
        }
    }
    json
}

/// The candidate that is closest to `name`, if any is close.
pub fn closest<'a>(
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
    let limit = (name.len() / 3).max(if name.len() < 4 { 1 } else { 2 });
    let distances = candidates.map(|it| (distance(name, it), it));
    distances.filter(|(distance, _)| *distance <= limit).min().map(|(_, it)| it)
}

/// The candidate that `name` is with a typing error or in another case: unlike [`closest`], no word
/// more or less.
pub fn misspelt<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    let distances =
        candidates.into_iter().map(|it| (distance(&name, &it.to_ascii_lowercase()), it));
    distances.filter(|(distance, _)| *distance <= 2).min().map(|(_, it)| it)
}

/// Levenshtein's distance, with two neighbours that changed places counted as one error.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut last = None;
    for (i, from) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let replace = row[j] + usize::from(from != *to);
            let mut best = replace.min(next[j] + 1).min(row[j + 1] + 1);
            if j > 0 && last == Some(*to) && b[j - 1] == from {
                best = best.min(before[j - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
        last = Some(from);
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
        assert_eq!(misspelt("listthigns", ["ListThings"]), Some("ListThings"));
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("Pgaes", "Pages"), 1);
        let names = ["listen", "threads", "token_keys"];
        assert_eq!(closest("listne", names), Some("listen"));
        assert_eq!(closest("token_key", names), Some("token_keys"));
        assert_eq!(closest("database", names), None);
    }

    #[test]
    fn json_has_no_underscores() {
        for (field, json) in [
            ("id", "id"),
            ("user_id", "userId"),
            ("userId", "userId"),
            ("_id", "Id"),
            ("id_", "id"),
            ("a__b", "aB"),
            ("line_2", "line2"),
            ("user_éa", "useréa"),
        ] {
            assert_eq!(json_name(field), json, "{field}");
        }
    }
}
