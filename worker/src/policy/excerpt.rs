//! The start of a stranger's text, made safe to show in a reason or a log line.

use hookme_shared::hiding::hide;

/// The start of `bytes` as at most `chars_max` characters, with `…` after it if
/// something was left out. Secrets of settings are [hidden](hookme_shared::hiding) first,
/// as a piece of one would not be found later.
///
/// Control characters, line separators and characters that turn the direction of
/// a line are escaped as Rust writes them (`\n`, `\u{202e}`), so that one reason
/// stays one line wherever it is shown. An escape counts as the characters that
/// it is written with, and is never cut in half. Quotes stay as they are.
pub(crate) fn excerpt(bytes: &[u8], chars_max: usize) -> String {
    let mut shown = String::new();
    let mut left = chars_max;
    let hidden = hide(bytes, &[]);
    for character in String::from_utf8_lossy(&hidden).trim().chars() {
        let escaped = character.escape_debug();
        let plain = matches!(character, '"' | '\'');
        let width = if plain { 1 } else { escaped.len() };
        if width > left {
            shown.push('…');
            break;
        }
        left -= width;
        if plain {
            shown.push(character);
        } else {
            shown.extend(escaped);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::excerpt;

    #[test]
    fn what_could_break_out_of_a_line_is_escaped() {
        assert_eq!(excerpt(b"say \"no\"\n", 99), "say \"no\"");
        assert_eq!(excerpt(b"a\r\nb\x1b[2J", 99), "a\\r\\nb\\u{1b}[2J");
        assert_eq!(
            excerpt("a\u{2028}b\u{202e}c".as_bytes(), 99),
            "a\\u{2028}b\\u{202e}c"
        );
        assert_eq!(excerpt(b"\xff!", 99), "\u{fffd}!");
    }

    #[test]
    fn a_text_that_fits_is_whole_and_a_longer_one_says_that_it_was_cut() {
        assert_eq!(excerpt(b"abc", 3), "abc");
        assert_eq!(excerpt(b"abcd", 3), "abc…");
        assert_eq!(excerpt(b"ab\n\n.", 3), "ab…");
    }

    proptest! {
        #[test]
        fn an_excerpt_is_one_short_line(bytes: Vec<u8>, chars_max in 0_usize..64) {
            let shown = excerpt(&bytes, chars_max);
            prop_assert!(shown.chars().count() <= chars_max + 1);
            prop_assert!(!shown.chars().any(char::is_control));
        }
    }
}
