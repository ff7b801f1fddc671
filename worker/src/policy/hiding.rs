//! What we sent to a stranger, taken out of what the stranger says.
//!
//! An answer's words go into reasons, which people read and Redis keeps. Who answers
//! with what was asked, as many do in errors, would carry our secrets there.
//!
//! Only what was sent is found, as it was sent: not in another alphabet, and not in
//! pieces.

use url::Url;

/// What stands in a secret's place.
const HIDDEN: &[u8] = b"[hidden]";
/// The shortest text that is taken for a secret, in bytes. Shorter ones are words like
/// `true`, which an answer may well hold by itself.
const SECRET_MIN: usize = 8;

/// `text` with each of `secrets` replaced that has at least [`SECRET_MIN`] bytes.
pub(crate) fn hide(text: &[u8], secrets: &[Vec<u8>]) -> Vec<u8> {
    let mut shown = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.first() {
        let hit = secrets
            .iter()
            .filter(|secret| secret.len() >= SECRET_MIN && rest.starts_with(secret));
        // The longest, so that nothing is left of one that begins like another.
        if let Some(length) = hit.map(Vec::len).max() {
            shown.extend_from_slice(HIDDEN);
            rest = &rest[length..];
        } else {
            shown.push(*first);
            rest = &rest[1..];
        }
    }
    shown
}

/// What a URL's query may hold that is nobody else's: the whole query, and each value, as
/// it is written and as it is meant.
pub(crate) fn secrets_of(url: &Url) -> Vec<Vec<u8>> {
    let Some(query) = url.query() else {
        return Vec::new();
    };
    let written = query
        .split('&')
        .map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value))
        .map(str::to_owned);
    let meant = url
        .query_pairs()
        .map(|(name, value)| if value.is_empty() { name } else { value }.into_owned());
    let all = written.chain(meant).chain([query.to_owned()]);
    all.map(String::into_bytes).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hidden(text: &str, url: &str) -> String {
        let secrets = secrets_of(&Url::parse(url).unwrap());
        String::from_utf8(hide(text.as_bytes(), &secrets)).unwrap()
    }

    #[test]
    fn a_query_is_found_whole_and_by_its_values_in_both_spellings() {
        let url = "https://h/p?key=sec%2Fret-1&more=true";
        let table = [
            ("no /p?key=sec%2Fret-1&more=true", "no /p?[hidden]"),
            ("no sec%2Fret-1 nor sec/ret-1.", "no [hidden] nor [hidden]."),
            ("true is a word", "true is a word"),
            ("sec/ret", "sec/ret"),
        ];
        for (text, shown) in table {
            assert_eq!(hidden(text, url), shown);
        }
        assert_eq!(
            hidden("a bare-secret", "https://h/?bare-secret"),
            "a [hidden]"
        );
        assert_eq!(hidden("nothing to hide", "https://h/"), "nothing to hide");
        assert_eq!(hidden("nothing to hide", "https://h/?"), "nothing to hide");
    }

    #[test]
    fn of_two_secrets_that_begin_alike_the_longer_one_is_hidden() {
        let secrets = [b"a-secret".to_vec(), b"a-secret-and-more".to_vec()];
        assert_eq!(hide(b"no a-secret-and-more", &secrets), b"no [hidden]");
    }

    proptest! {
        #[test]
        fn no_secret_is_left(before in "[ab]{0,9}", secret in "[ab]{8,12}", after in "[ab]{0,9}") {
            let text = format!("{before}{secret}{after}");
            let shown = hide(text.as_bytes(), &[secret.clone().into_bytes()]);
            let shown = String::from_utf8(shown).unwrap();
            prop_assert!(!shown.contains(&secret), "{shown}");
        }
    }
}
