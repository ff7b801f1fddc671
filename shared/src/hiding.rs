//! What this process keeps to itself, taken out of what strangers say.
//!
//! The words of an answer go into reasons, which people read, logs show and Redis keeps.
//! Who answers with what was asked, as many do in errors, or with what it learned
//! elsewhere, would carry secrets there. So every secret of a setting is known here, by
//! being read: each [`Secret`](crate::secret::Secret) is, addresses too. Three places ask:
//! whoever makes words of an answer, before they are cut; the queue, for each reason that
//! it stores; and the logs, for each message and each value.
//!
//! What the URL of a task keeps to itself is its client's choice, who could blank any word
//! with it. So it is hidden in what is said of that task alone.
//!
//! Data is left as it is: a report, a name, the address of a comment. Somebody's data may
//! hold any word, and is not ours to change.
//!
//! A secret is found as it is written, decoded, and quoted as Rust does: not in another
//! alphabet, and not in pieces.

use std::sync::{PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::Url;

/// What stands in a secret's place.
const HIDDEN: &[u8] = b"[hidden]";
/// The shortest text that is taken for a secret, in bytes. Shorter ones are words like
/// `true`, which an answer may well hold by itself.
const SECRET_MIN: usize = 8;
/// What a secret for signatures begins with.
const SIGNING_PREFIX: &str = "whsec_";

static KNOWN: RwLock<Vec<Vec<u8>>> = RwLock::new(Vec::new());

/// Words for a person, without any secret of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// `text` with every known secret replaced.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(hide_in_text(text, &[]))
    }

    /// The words.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Learns the value of a secret setting: what it is made of, with commas between, each with
/// and without the prefix of a secret for signatures, and decoded. Of an address only
/// what stands before the host and in the query is a secret.
pub(crate) fn learn(text: &str) {
    let mut found = Vec::new();
    if let Some((_, rest)) = text.split_once("://") {
        found.extend(login_of(rest));
        found.extend(Url::parse(text).iter().flat_map(secrets_of));
    } else {
        for one in text.split(',').map(str::trim) {
            found.push(one.as_bytes().to_vec());
            if let Some(encoded) = one.strip_prefix(SIGNING_PREFIX) {
                found.push(encoded.as_bytes().to_vec());
                found.extend(STANDARD.decode(encoded));
            }
        }
    }
    let texts = found.iter().filter_map(|one| str::from_utf8(one).ok());
    let quoted = texts.map(|text| text.escape_debug().to_string().into_bytes());
    let quoted: Vec<_> = quoted.collect();
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    for secret in found.into_iter().chain(quoted) {
        if secret.len() >= SECRET_MIN && !known.contains(&secret) {
            known.push(secret);
        }
    }
}

/// `text` with each known secret replaced, and each of `more` that has at least eight bytes.
#[must_use]
pub fn hide(text: &[u8], more: &[Vec<u8>]) -> Vec<u8> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let more = more.iter().filter(|secret| secret.len() >= SECRET_MIN);
    let all = known.iter().chain(more);
    let mut by_first = vec![Vec::new(); 256];
    for secret in all {
        by_first[usize::from(secret[0])].push(secret);
    }
    let mut shown = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.first() {
        let hit = by_first[usize::from(*first)]
            .iter()
            .filter(|secret| rest.starts_with(secret));
        // The longest, so that nothing is left of one that begins like another.
        if let Some(length) = hit.map(|secret| secret.len()).max() {
            shown.extend_from_slice(HIDDEN);
            rest = &rest[length..];
        } else {
            shown.push(*first);
            rest = &rest[1..];
        }
    }
    shown
}

/// The same for a text.
#[must_use]
pub fn hide_in_text(text: &str, more: &[Vec<u8>]) -> String {
    let shown = hide(text.as_bytes(), more);
    String::from_utf8_lossy(&shown).into_owned()
}

/// The password before a host, as it is written and as it is meant; a bare user, which may
/// be a token, too.
fn login_of(rest: &str) -> Vec<Vec<u8>> {
    let place = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((login, _)) = place.rsplit_once('@') else {
        return Vec::new();
    };
    let secret = login
        .split_once(':')
        .map_or(login, |(_, password)| password);
    // A plus is a plus outside of a query.
    let query = format!("{}=", secret.replace('+', "%2B"));
    let meant = url::form_urlencoded::parse(query.as_bytes()).next();
    let meant = meant.map(|(name, _)| name.into_owned());
    [Some(secret.to_owned()), meant]
        .into_iter()
        .flatten()
        .map(String::into_bytes)
        .collect()
}

/// What a URL may hold that is nobody else's: what stands before its host, the whole query,
/// and each value of it, as it is written and as it is meant.
#[must_use]
pub fn secrets_of(url: &Url) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    if let Some((_, rest)) = url.as_str().split_once("://") {
        all = login_of(rest);
    }
    let Some(query) = url.query() else {
        return all;
    };
    let written = query
        .split('&')
        .map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value))
        .map(str::to_owned);
    let meant = url
        .query_pairs()
        .map(|(name, value)| if value.is_empty() { name } else { value }.into_owned());
    let values = written.chain(meant).chain([query.to_owned()]);
    all.extend(values.map(String::into_bytes));
    all
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

    #[test]
    fn every_form_of_a_secret_is_known_once_it_was_read_and_an_address_is_none() {
        let table = [
            ("whsec_bm90LWZvci1hbnlib2R5LWVsc2U=", "not-for-anybody-else"),
            (
                "whsec_bm90LWZvci1hbnlib2R5LWVsc2U=",
                "bm90LWZvci1hbnlib2R5LWVsc2U=",
            ),
            ("ghp_first1, ghp_second", "ghp_second"),
            (r#"a "quoted" one"#, r#"a \"quoted\" one"#),
            (
                "rediss+sentinel://me:pass%2Fword-1@a:1,b:2/main",
                "pass/word-1",
            ),
            ("redis://me:pass%2Fword-2@a:1", "pass%2Fword-2"),
            (
                "https://bare-token-1@host/?a=secret-in-query",
                "bare-token-1",
            ),
            ("https://host/path?a=secret-in-query", "secret-in-query"),
        ];
        for (setting, secret) in table {
            drop(crate::secret::Secret::from(setting.to_owned()));
            let shown = Reason::of(&format!("no {secret}."));
            assert_eq!(shown.as_str(), "no [hidden].", "{setting}");
        }
        for text in ["https://host/path", "a:1,b:2/main", "redis://me"] {
            assert_eq!(Reason::of(text).as_str(), text);
        }
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
