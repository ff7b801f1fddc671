//! The `Link` header, as far as GitHub sends it: the address of the next page.
//!
//! The address is used as it is given and never made up from a page number:
//! GitHub names pages by cursors where numbers would not reach (GitHub Docs,
//! "Using pagination in the REST API").

use reqwest::header::{HeaderMap, LINK};

/// The first target whose `rel` is `next`, not yet resolved or judged.
///
/// Reads several links in one header and several headers, quoted and bare values,
/// and commas within a target. A header that is not a list of links ends there.
///
/// Source: RFC 8288, section 3.
pub(super) fn next(headers: &HeaderMap) -> Option<String> {
    let values = headers
        .get_all(LINK)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut links = values.flat_map(Links);
    links
        .find(|(_, parameters)| leads_to_next(parameters))
        .map(|(target, _)| target.to_owned())
}

/// The links of one header value: each one's target and its parameters.
struct Links<'a>(&'a str);

impl<'a> Iterator for Links<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self
            .0
            .trim_start_matches([' ', '\t', ','])
            .strip_prefix('<')?;
        let (target, rest) = start.split_once('>')?;
        let (parameters, following) = split_unquoted(rest, ',');
        self.0 = following;
        Some((target, parameters))
    }
}

/// What stands before the first `separator` that is not quoted, and what after it.
fn split_unquoted(text: &str, separator: char) -> (&str, &str) {
    let mut quoted = false;
    let found = text.char_indices().find(|&(_, character)| {
        quoted ^= character == '"';
        character == separator && !quoted
    });
    found.map_or((text, ""), |(index, _)| {
        let (before, after) = text.split_at(index);
        (before, &after[separator.len_utf8()..])
    })
}

/// Whether `rel` with `next` among its words is one of the parameters.
fn leads_to_next(mut parameters: &str) -> bool {
    while !parameters.is_empty() {
        let (parameter, following) = split_unquoted(parameters, ';');
        if is_rel_next(parameter) {
            return true;
        }
        parameters = following;
    }
    false
}

/// Whether a parameter is `rel` with `next` among its words.
fn is_rel_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else {
        return false;
    };
    let words = value.trim().trim_matches('"');
    name.trim().eq_ignore_ascii_case("rel")
        && words
            .split_ascii_whitespace()
            .any(|word| word.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    fn next_of(values: &[&str]) -> Option<String> {
        let header = |value: &&str| (LINK, HeaderValue::from_str(value).unwrap());
        next(&values.iter().map(header).collect())
    }

    #[test]
    fn the_next_page_is_found_in_every_form_of_the_header() {
        let table = [
            (
                vec![r#"<https://h/1?page=2>; rel="next", <https://h/1?page=9>; rel="last""#],
                Some("https://h/1?page=2"),
            ),
            (
                vec![r#"<u1>; rel="prev", <u2>; rel="next", <u3>; rel="last""#],
                Some("u2"),
            ),
            (vec![r#"<u1>; rel="prev",<u2>;rel=next"#], Some("u2")),
            (
                vec![r#"<u1>; rel="prev""#, r#"<u2>; rel="next""#],
                Some("u2"),
            ),
            (
                vec![r#"<u1>; title="a, <b>; rel=next"; rel="last", <u2>; REL="Last NEXT""#],
                Some("u2"),
            ),
            (vec![r#"<u,1?a=b,c>; rel="next""#], Some("u,1?a=b,c")),
            (vec![r#", <u1>; rel="next""#], Some("u1")),
            (vec![r#"<u1>; rel="prev", <u2>; rel="first""#], None),
            (vec![r#"<u1>; rel="nextish""#], None),
            (vec![r#"<u1>; other="next""#], None),
            (vec!["<u1>"], None),
            (vec!["<u1; rel=next"], None),
            (vec!["next"], None),
            (vec![""], None),
            (vec![], None),
        ];
        for (values, expected) in table {
            assert_eq!(next_of(&values).as_deref(), expected, "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn no_header_panics(value in "[ -~]{0,80}") {
            drop(next_of(&[&value]));
        }

        #[test]
        fn a_target_is_found_as_it_was_sent(target in "[!-;=?-~]{1,40}", others in 0_usize..4) {
            let before = r#"<u>; rel="prev", "#.repeat(others);
            let value = format!(r#"{before}<{target}>; rel="next", <u>; rel="last""#);
            prop_assert_eq!(next_of(&[&value]), Some(target));
        }
    }
}
