//! Characters that a reader does not see, or that change how others are read.

/// Whether a character is a control or turns the direction of text: in generated code it would end
/// a comment or a line, or show something else than there is.
/// <https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>
pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
        )
}

/// A text that somebody else chose, for one line of a finding: hidden characters as their escapes,
/// and not all of a long one.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut shown = String::new();
    for character in text.chars().take(LONGEST) {
        match is_hidden(character) {
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn what_is_hidden_is_escaped() {
        assert_eq!(shown("a\nb\u{202e}é"), "a\\nb\\u{202e}é");
        assert_eq!(shown(&"é".repeat(81)), "é".repeat(80) + "…");
    }
}
