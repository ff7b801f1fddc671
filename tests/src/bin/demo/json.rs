//! JSON for the eye: the same text with line breaks.
//!
//! It works on the text and not on a parsed value, because a parsed object forgets
//! the order of its keys, and what is shown should be what was sent.

/// How wide a line may be before a list or an object is broken up.
const WIDTH: usize = 92;
const INDENT: usize = 2;

/// Breaks `text`, which must be JSON without white space around its values, into
/// lines. What fits into one line stays in one.
pub(super) fn lay_out(text: &str) -> String {
    let mut page = String::new();
    write_value(text, 0, 0, &mut page);
    page
}

/// - `indent`: where the lines of this value begin.
/// - `used`: how much of the first line stands before it.
fn write_value(value: &str, indent: usize, used: usize, page: &mut String) {
    let Some((open, inner, close)) = parts(value) else {
        page.push_str(value);
        return;
    };
    let members = split(inner, ',');
    // The spaces that are added after commas and colons are few; they may stick out.
    if indent + used + value.len() <= WIDTH || members.is_empty() {
        page.push_str(&in_one_line(value));
        return;
    }
    page.push_str(open);
    for (index, member) in members.iter().enumerate() {
        page.push_str(if index == 0 { "\n" } else { ",\n" });
        page.push_str(&" ".repeat(indent + INDENT));
        match split(member, ':')[..] {
            [key, value] => {
                page.push_str(key);
                page.push_str(": ");
                write_value(value, indent + INDENT, key.len() + 2, page);
            }
            _ => write_value(member, indent + INDENT, 0, page),
        }
    }
    page.push('\n');
    page.push_str(&" ".repeat(indent));
    page.push_str(close);
}

/// The brackets of a list or an object, and what is between them.
fn parts(value: &str) -> Option<(&str, &str, &str)> {
    let is_compound = value.starts_with(['[', '{']) && value.len() >= 2;
    is_compound.then(|| {
        (
            &value[..1],
            &value[1..value.len() - 1],
            &value[value.len() - 1..],
        )
    })
}

/// The same value with a space after each comma and colon.
fn in_one_line(value: &str) -> String {
    let mut line = String::with_capacity(value.len());
    for (letter, place) in places(value) {
        line.push(letter);
        if !place.in_string && [',', ':'].contains(&letter) {
            line.push(' ');
        }
    }
    line
}

/// Splits at each `separator` that stands in no string and no brackets.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut index) = (0, 0);
    for (letter, place) in places(text) {
        if letter == separator && !place.in_string && place.depth == 0 {
            pieces.push(&text[start..index]);
            start = index + letter.len_utf8();
        }
        index += letter.len_utf8();
    }
    if !text.is_empty() {
        pieces.push(&text[start..]);
    }
    pieces
}

/// Where a letter stands.
#[derive(Clone, Copy, Default)]
struct Place {
    in_string: bool,
    escaped: bool,
    depth: usize,
}

/// Each letter with its place, the quotes as parts of their string.
fn places(text: &str) -> impl Iterator<Item = (char, Place)> {
    text.chars().scan(Place::default(), |place, letter| {
        let was_in_string = place.in_string;
        match letter {
            _ if place.escaped => place.escaped = false,
            '\\' => place.escaped = true,
            '"' => place.in_string = !place.in_string,
            _ if place.in_string => {}
            '[' | '{' => place.depth += 1,
            ']' | '}' => place.depth = place.depth.saturating_sub(1),
            _ => {}
        }
        let in_string = was_in_string || place.in_string;
        Some((
            letter,
            Place {
                in_string,
                ..*place
            },
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_into_a_line_stays_in_one_and_keeps_its_order() {
        assert_eq!(
            lay_out(r#"{"b":[1,2],"a":"x,y:\"z\""}"#),
            r#"{"b": [1, 2], "a": "x,y:\"z\""}"#
        );
        assert_eq!(lay_out("[]"), "[]");
        assert_eq!(lay_out("null"), "null");
    }

    #[test]
    fn what_does_not_fit_is_broken_up_and_still_says_the_same() {
        let long = "é,:{".repeat(30);
        let text = format!(r#"{{"list":[{{"a":"{long}"}},{{"b":{{}}}}],"c":1}}"#);
        let page = lay_out(&text);
        assert_eq!(
            page,
            format!(
                "{{\n  \"list\": [\n    {{\n      \"a\": \"{long}\"\n    }},\n    {{\"b\": {{}}}}\n  ],\n  \"c\": 1\n}}"
            )
        );
        let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(parse(&page), parse(&text));
    }
}
