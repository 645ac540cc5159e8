//! Other spellings of a field of an index: those of SQL, of Django, of lists.

use crate::diagnostics::suggest;

/// What is wrong with the form of a text, and what to write in its place. `known` are the fields that
/// can be indexed.
pub(super) fn advice(text: &str, known: &[&str]) -> (&'static str, String) {
    if text.contains(',') {
        let parts: Vec<String> = text.split(',').map(|part| quoted(part, known)).collect();
        return ("several fields in one text", format!("write `fields: [{}]`", parts.join(", ")));
    }
    let form = match text.trim() {
        "" => "empty",
        signed if signed.starts_with(['-', '+']) => "a sign does not say the direction",
        called if called.contains('(') => "a field name, and no expression",
        _ => "a field name, or a field name and `desc`",
    };
    let help = match spelled(text, known) {
        Some(spelled) if spelled.ends_with(" desc") => {
            format!("write \"{spelled}\" for descending order")
        }
        Some(spelled) => format!("write \"{spelled}\": ascending order is the default"),
        None => format!("name one of {}, or remove it", known.join(", ")),
    };
    (form, help)
}

fn quoted(text: &str, known: &[&str]) -> String {
    format!("\"{}\"", spelled(text, known).unwrap_or_else(|| text.trim().to_owned()))
}

/// The field that a text names, with its direction, as it has to be written.
fn spelled(text: &str, known: &[&str]) -> Option<String> {
    let is_word = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let words: Vec<&str> = text.split(|it| !is_word(it)).filter(|it| !it.is_empty()).collect();
    let says = |word: &str, names: &[&str]| names.iter().any(|it| word.eq_ignore_ascii_case(it));
    let descends = |word: &&str| says(word, &["desc", "descending", "reverse"]);
    let ascends = |word: &&str| says(word, &["asc", "ascending"]);
    let descending = text.trim().starts_with('-') || words.iter().any(&descends);
    let field = words.iter().filter(|it| !descends(it) && !ascends(it)).find_map(|word| {
        let exact = known.iter().copied().find(|it| it == word);
        exact.or_else(|| suggest::closest(word, known.iter().copied()))
    })?;
    Some(if descending { format!("{field} desc") } else { field.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::advice;

    #[test]
    fn spellings_of_others_are_understood() {
        let help = |text| advice(text, &["author", "update_time"]).1;
        assert_eq!(help("update_time DESC"), "write \"update_time desc\" for descending order");
        assert_eq!(help("-update_time"), "write \"update_time desc\" for descending order");
        assert_eq!(help("desc update_tme"), "write \"update_time desc\" for descending order");
        assert_eq!(help("author:ASC"), "write \"author\": ascending order is the default");
        assert_eq!(help("lower(author)"), "write \"author\": ascending order is the default");
        assert_eq!(
            help("author, update_time Descending"),
            "write `fields: [\"author\", \"update_time desc\"]`"
        );
        assert_eq!(help(""), "name one of author, update_time, or remove it");
    }
}
