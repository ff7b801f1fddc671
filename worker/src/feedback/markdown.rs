//! A stranger's text, made safe to stand in a comment on GitHub.
//!
//! It stays one line of plain text: it neither ends a table's cell, nor adds
//! Markdown or HTML, nor mentions anybody, nor refers to an issue. GitHub looks
//! for mentions and references after it has read the Markdown, so neither a
//! backslash nor an entity hides one. [`BREAK`] does, as in Renovate's comments.

/// A space without width. GitHub does not read a mention or a reference across it.
const BREAK: char = '\u{200b}';

/// The most digits that the number of a list's item has.
///
/// Source: `CommonMark`, "List items".
const ITEM_DIGITS_MAX: usize = 9;

/// `text` as one line that GitHub shows as it is.
///
/// The result is at most 5 times as long as `text`, in bytes.
pub(super) fn escape(text: &str) -> String {
    let line = one_line(text);
    let mut escaped = String::with_capacity(line.len());
    for (index, character) in line.char_indices() {
        let (before, after) = (&line[..index], &line[index + character.len_utf8()..]);
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            _ => {
                if is_markup(character) || begins_block(before, character) {
                    escaped.push('\\');
                }
                escaped.push(character);
            }
        }
        if begins_link(before, character, after) {
            escaped.push(BREAK);
        }
    }
    escaped
}

/// Without line ends and control characters: each run of them, with the white
/// space around it, becomes one space. What turns the direction of a line is
/// left out.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut is_gap = false;
    for character in text.chars().filter(|character| !turns_line(*character)) {
        if character.is_whitespace() || character.is_control() {
            is_gap = true;
            continue;
        }
        if is_gap && !line.is_empty() {
            line.push(' ');
        }
        is_gap = false;
        line.push(character);
    }
    line
}

/// Whether a character is a control of the bidirectional algorithm.
///
/// Source: Unicode Standard Annex 9, section 2.
const fn turns_line(character: char) -> bool {
    matches!(character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character means something to Markdown wherever it stands.
const fn is_markup(character: char) -> bool {
    matches!(
        character,
        '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '|' | '~' | '$' | '!' | '{' | '}'
    )
}

/// Whether a character makes the start of a text a heading, a rule, or a list's item.
fn begins_block(before: &str, character: char) -> bool {
    match character {
        '-' | '+' | '=' | '#' => before.is_empty(),
        '.' => {
            let digits = 1..=ITEM_DIGITS_MAX;
            digits.contains(&before.len()) && before.bytes().all(|byte| byte.is_ascii_digit())
        }
        _ => false,
    }
}

/// Whether GitHub would make a link, a mention or a reference of what follows: `@name`,
/// `#1`, `GH-1`, `https://…` or `www.…`.
///
/// Source: GitHub's documentation, "Autolinked references and URLs".
fn begins_link(before: &str, character: char, after: &str) -> bool {
    let (is_number, before) = (after.starts_with(char::is_numeric), before.as_bytes());
    match character {
        '@' => true,
        '#' => is_number,
        '-' => is_number && ends_with(before, b"gh"),
        '/' => ends_with(before, b":/"),
        '.' => ends_with(before, b"www"),
        _ => false,
    }
}

/// Whether `text` ends with `word`, in either case.
fn ends_with<const LENGTH: usize>(text: &[u8], word: &[u8; LENGTH]) -> bool {
    text.last_chunk::<LENGTH>()
        .is_some_and(|end| end.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::escape;

    /// Each text, and how it is written; `·` stands for the space without width.
    const EXAMPLES: &[(&str, &str)] = &[
        ("The server answers.", "The server answers."),
        ("é ✅ 日本", "é ✅ 日本"),
        ("", ""),
        // One line.
        (" a \r\n\t b\u{2028}c\u{2029}d\u{85}e\u{0}f ", "a b c d e f"),
        ("a\u{202e}b\u{2066}c\u{200f}d\u{61c}e", "abcde"),
        // HTML and entities.
        ("<!-- x -->", r"&lt;\!-- x --&gt;"),
        ("&lt;b&gt; &#64;all", "&amp;lt;b&amp;gt; &amp;#·64;all"),
        // Markdown.
        ("a|b", r"a\|b"),
        (r"a\|b", r"a\\\|b"),
        ("`c` *i* _u_ ~s~ $m$", r"\`c\` \*i\* \_u\_ \~s\~ \$m\$"),
        ("![i](u) {x}", r"\!\[i\]\(u\) \{x\}"),
        // The start of a text.
        ("- item", r"\- item"),
        ("+ item", r"\+ item"),
        ("=== a", r"\=== a"),
        ("# title", r"\# title"),
        ("12. item", r"12\. item"),
        ("12) item", r"12\) item"),
        ("1234567890. no item", "1234567890. no item"),
        ("a - b + c = d # e 1. f", "a - b + c = d # e 1. f"),
        // Mentions.
        ("@everyone", "@·everyone"),
        ("@org/team a@b.c", "@·org/team a@·b.c"),
        ("@\u{202e}all @@all", "@·all @·@·all"),
        // References.
        ("#1", r"\#·1"),
        ("o/r#12 and #x", "o/r#·12 and #x"),
        ("GH-12 gh-7 GH-x", "GH-·12 gh-·7 GH-x"),
        ("G\u{200e}H-1", "GH-·1"),
        (
            "https://github.com/o/r/issues/1",
            "https://·github.com/o/r/issues/1",
        ),
        ("www.a.b WWW.a.b", "www.·a.b WWW.·a.b"),
    ];

    #[test]
    fn what_means_something_to_github_is_shown_as_it_is() {
        for (text, written) in EXAMPLES {
            assert_eq!(escape(text).replace('\u{200b}', "·"), *written, "{text:?}");
        }
    }

    #[test]
    fn the_longest_escapes_stay_within_the_bound() {
        for text in ["&&&&", "@@@@", "|", "#1", "@", "://", "GH-1", "&"] {
            assert!(escape(text).len() <= 5 * text.len(), "{text}");
        }
    }

    /// Whether the character at `index` has an odd number of backslashes before it.
    fn is_escaped(text: &str, index: usize) -> bool {
        let backslashes = text[..index]
            .bytes()
            .rev()
            .take_while(|byte| *byte == b'\\');
        backslashes.count() % 2 == 1
    }

    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<String>(),
            r"[-#@|<>&.:/\\`*_()\[\]!~$+= \n\t0-9a-zA-Z]{0,40}",
            Just("\u{202e}".to_owned()),
            Just("GH-".to_owned()),
            Just("www.".to_owned()),
        ];
        prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn nothing_breaks_out_of_a_cell(text in hostile()) {
            let escaped = escape(&text);
            let ends_line = |one: char| one.is_control() || matches!(one, '\u{2028}' | '\u{2029}');
            prop_assert!(!escaped.contains(ends_line));
            prop_assert!(!escaped.contains(['<', '>']));
            prop_assert_eq!(escaped.trim(), &escaped);
            for (index, _) in escaped.match_indices(['|', '`', '*', '_', '[', ']', '$', '~']) {
                prop_assert!(is_escaped(&escaped, index), "{escaped:?}");
            }
            // No backslash is left that could escape what follows the text.
            prop_assert!(!is_escaped(&escaped, escaped.len()), "{escaped:?}");
        }

        #[test]
        fn nobody_is_mentioned_and_nothing_is_referred_to(text in hostile()) {
            let escaped = escape(&text);
            for (index, _) in escaped.match_indices('@') {
                prop_assert!(escaped[index + 1..].starts_with('\u{200b}'), "{escaped:?}");
            }
            for mark in ["#", "gh-", "GH-"] {
                for (index, mark) in escaped.match_indices(mark) {
                    let after = &escaped[index + mark.len()..];
                    prop_assert!(!after.starts_with(char::is_numeric), "{escaped:?}");
                }
            }
            let is_link = escaped.replace("://\u{200b}", "").contains("://");
            prop_assert!(!is_link);
        }

        #[test]
        fn a_text_grows_at_most_fivefold_also_when_it_is_escaped_again(text in hostile()) {
            let escaped = escape(&text);
            prop_assert!(escaped.len() <= 5 * text.len());
            prop_assert!(escape(&escaped).len() <= 5 * escaped.len());
        }
    }
}
