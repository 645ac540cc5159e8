//! What to write in place of text that is not valid protobuf. protox says what its parser expected; the
//! text around the place says what the author probably meant.

use std::ops::Range;

/// The place of a syntax error.
pub(super) struct Place<'a> {
    pub text: &'a str,
    pub range: Range<usize>,
}

impl<'a> Place<'a> {
    /// What was found there.
    fn found(&self) -> &'a str {
        self.text.get(self.range.clone()).unwrap_or_default()
    }

    /// The text of its line.
    fn line(&self) -> &'a str {
        let start = self.before().rfind('\n').map_or(0, |at| at + 1);
        self.text.get(start..).unwrap_or_default().lines().next().unwrap_or_default()
    }

    /// The text before it.
    fn before(&self) -> &'a str {
        self.text.get(..self.range.start).unwrap_or_default()
    }

    /// The statement that it is in, as far as it has been read.
    fn statement(&self) -> &'a str {
        let before = self.before();
        let start = before.rfind([';', '{', '}']).map_or(0, |at| at + 1);
        before[start..].trim().lines().last().unwrap_or_default().trim_start()
    }

    /// Whether the statement before it ended on a line above, maybe without its semicolon.
    fn begins_line(&self) -> bool {
        let before = self.before();
        before.trim_end_matches([' ', '\t']).ends_with('\n')
    }

    /// A number that nothing within the innermost braces has.
    fn free_number(&self) -> u64 {
        let (before, after) = self.text.split_at(self.range.start.min(self.text.len()));
        let start = unmatched(before.char_indices().rev(), '}', '{').map_or(0, |at| at + 1);
        let end = unmatched(after.char_indices(), '{', '}').unwrap_or(after.len());
        let body = &self.text[start..before.len() + end];
        let numbers = body.split('=').skip(1).filter_map(|after| {
            let digits = after.trim_start();
            let end = digits.find(|it: char| !it.is_ascii_digit()).unwrap_or(digits.len());
            digits[..end].parse::<u64>().ok()
        });
        numbers.max().map_or(1, |highest| highest + 1)
    }
}

/// Where the first brace stands that the ones passed by do not balance.
fn unmatched(
    characters: impl Iterator<Item = (usize, char)>,
    opening: char,
    closing: char,
) -> Option<usize> {
    let mut open = 0_usize;
    for (at, character) in characters {
        if character == opening {
            open += 1;
        } else if character == closing {
            match open.checked_sub(1) {
                Some(left) => open = left,
                None => return Some(at),
            }
        }
    }
    None
}

/// What the parser calls the file's outermost statements.
fn is_outermost(message: &str) -> bool {
    message.contains("'import', 'message'")
}

/// What to write instead.
pub(super) fn advice(message: &str, place: &Place) -> String {
    let fixed = FIXED.iter().find(|(start, _)| message.starts_with(start));
    if let Some((_, advice)) = fixed {
        return (*advice).to_owned();
    }
    if message.starts_with("invalid token") {
        return invalid_token(place);
    }
    if message.starts_with("fields must have a label") {
        return "write `optional`, `repeated` or `required` before the type".to_owned();
    }
    if message.ends_with("reached end of file") {
        return match message.contains("comment terminator") {
            true => "close the comment with `*/`".to_owned(),
            false => "close every `{`, `[`, comment and string that the file opens".to_owned(),
        };
    }
    unexpected(message, place)
}

/// Errors whose text says all.
const FIXED: &[(&str, &str)] = &[
    ("unknown syntax", "write `syntax = \"proto3\";`"),
    ("unterminated string", "close every string of the line with the quote that it begins with"),
    ("'#' comments", "begin the comment with `//`"),
    (
        "required fields are not allowed in proto3",
        "remove `required`; to refuse a request without the field, mark it \
         `[(google.api.field_behavior) = REQUIRED]`",
    ),
    (
        "default values are not allowed in proto3",
        "remove `default`: in proto3 a field that is not set is zero or empty",
    ),
    ("map fields cannot have labels", "remove the label: a map holds any number of entries"),
    (
        "oneof fields cannot have labels",
        "remove the label; a list in a oneof has to be a field of a message of its own",
    ),
    ("groups are not allowed", "declare a message, and a field of it"),
    ("message numbers must be", "write a number from 1 on that no other field of the message has"),
    ("multiple package names", "remove one of the two"),
    ("a oneof must have", "remove the oneof, or declare a field in it"),
    ("nested block comments", "close the outer comment before this one, or remove this one"),
    ("a map field key type", "declare the key as `string`, an integer or `bool`"),
    ("map fields are not allowed in a oneof", "move the map out of the oneof"),
];

fn invalid_token(place: &Place) -> String {
    match place.text.get(place.range.start..).and_then(|rest| rest.chars().next()) {
        Some('“' | '”' | '„' | '‘' | '’' | '«' | '»') => {
            "write straight quotes: `\"`".to_owned()
        }
        _ => "remove this character".to_owned(),
    }
}

fn unexpected(message: &str, place: &Place) -> String {
    let found = place.found();
    let statement = place.statement();
    let word = found.starts_with(|it: char| it.is_ascii_alphabetic());
    let nested = statement.starts_with("service ") || statement.starts_with("rpc ");
    if is_outermost(message) {
        return match found {
            "}" => "remove this `}`, or one above it: it closes nothing".to_owned(),
            _ => "move it into a message or service: all braces above it are closed".to_owned(),
        };
    }
    if message.starts_with("expected '='") && nested {
        return format!("close the message above `{statement}` with `}}`");
    }
    if message.starts_with("expected '='") && found == ";" {
        return format!("write `{statement} = {};`: every field has a number", place.free_number());
    }
    if message.starts_with("expected '='") && found == "-" {
        return "write `_` in the place of `-`: names are letters, digits and underscores"
            .to_owned();
    }
    if message.starts_with("expected '='") {
        return "write `=` before it".to_owned();
    }
    if found == "<" {
        return format!(
            "write `repeated` and the type for a list; protobuf has no type `{statement}<…>`"
        );
    }
    if found == ":" && message.contains("identifier") {
        return "write the type, the name, `=` and a number, as in `string name = 1;`".to_owned();
    }
    if found == "(" && message.contains("option") {
        return format!("write `option {}`", place.line().trim());
    }
    if found == "{" && place.line().contains("{(") {
        return "put the options of a field in brackets: `[` and `]`".to_owned();
    }
    if message.contains("a string literal") && word {
        return "put the name of the file between quotes".to_owned();
    }
    if message.contains("'returns'") {
        return "write `returns` before the response".to_owned();
    }
    if message.contains("an integer") && found.starts_with(['"', '\'']) {
        return "reserve numbers and names in two statements".to_owned();
    }
    separator(message, place)
}

/// Help where a separator or a brace is missing.
fn separator(message: &str, place: &Place) -> String {
    let found = place.found();
    let expected = message.trim_start_matches("expected ");
    let expected = expected.split(", but found").next().unwrap_or_default();
    let semicolon = expected.contains("';'");
    if semicolon && place.begins_line() && place.before().trim_end().ends_with([';', '}']) {
        return "close every `{` and `[` of the statement before it".to_owned();
    }
    if semicolon && (place.begins_line() || found == "}") {
        return "end the statement before it with `;`".to_owned();
    }
    if semicolon {
        return format!("write `;` in the place of `{found}`, or before it");
    }
    match expected {
        "'{'" | "'='" | "'('" | "')'" | "'}'" | "']'" => {
            format!("write `{}` before it", expected.trim_matches('\''))
        }
        _ => format!("write {expected} in the place of `{found}`"),
    }
}

/// Whether an error at `later` follows from one at `earlier`: the parser finds its way again at the
/// next message, enum or service.
pub(super) fn follows(text: &str, earlier: usize, later: usize) -> bool {
    let between = text.get(earlier..later).unwrap_or_default();
    let declares =
        |line: &str| ["message ", "enum ", "service "].iter().any(|word| line.starts_with(word));
    !between.lines().skip(1).any(declares)
}

/// Whether a file says which syntax it has.
pub(super) fn says_syntax(text: &str) -> bool {
    text.lines().any(|line| line.trim_start().starts_with("syntax"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The advice for a message about the part of a text between `«` and `»`.
    fn advise(message: &str, marked: &str) -> String {
        let start = marked.find('«').unwrap();
        let end = marked.find('»').unwrap() - '«'.len_utf8();
        let text = marked.replace(['«', '»'], "");
        advice(message, &Place { text: &text, range: start..end })
    }

    #[test]
    fn a_field_without_a_number_gets_one() {
        let text = "message A {\n  option (x) = {y: 1};\n  // The name.\n  string name«;»\n  \
                    int32 size = 7;\n  message B {\n  }\n}\n";
        let help = advise("expected '=', but found ';'", text);
        assert_eq!(help, "write `string name = 8;`: every field has a number");
    }

    #[test]
    fn a_semicolon_is_put_where_it_is_missing() {
        let message = "expected ';' or '[', but found 'string'";
        let help = advise(message, "message A {\n  string id = 1\n  «string» name = 2;\n}\n");
        assert_eq!(help, "end the statement before it with `;`");
        let message = "expected ';' or '[', but found ','";
        let help = advise(message, "message A {\n  string id = 1«,»\n}\n");
        assert_eq!(help, "write `;` in the place of `,`, or before it");
    }

    #[test]
    fn an_error_in_the_next_message_is_another_one() {
        let text = "message A {\n  x\n  y\n}\nmessage B {\n  z\n}\n";
        let at = |it: char| text.find(it).unwrap();
        assert!(follows(text, at('x'), at('y')));
        assert!(!follows(text, at('x'), at('z')));
    }
}
