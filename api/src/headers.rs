//! What a request's header fields may say. Rules only: text in, verdict out.

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN};

use crate::problem::Problem;

/// The header field that makes repeating a request safe.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The longest `Idempotency-Key`, in characters.
const IDEMPOTENCY_KEY_MAX: usize = 255;

/// Refuses a body that is not declared to be JSON.
///
/// One that declares nothing is taken for JSON, as Hookme did, unless a browser
/// sends it: a page can make a browser send an untyped body to any address, this
/// machine's own included, without asking first; a typed one it cannot. (Fetch
/// Standard, "CORS-safelisted request-header".)
pub(crate) fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let is_json = match headers.get(CONTENT_TYPE) {
        Some(declared) => declared.to_str().is_ok_and(is_json),
        None => !headers.contains_key(ORIGIN),
    };
    if is_json {
        Ok(())
    } else {
        Err(Problem::ContentType)
    }
}

/// Whether a media type is JSON: `application/json`, or one with the suffix
/// `+json` (RFC 6839, section 3.1). Parameters are ignored.
fn is_json(declared: &str) -> bool {
    let media_type = declared
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match media_type.strip_prefix("application/") {
        Some(subtype) => subtype == "json" || subtype.ends_with("+json"),
        None => false,
    }
}

/// The `Idempotency-Key`, if the request has one: 1 to 255 visible ASCII
/// characters, taken as they are.
///
/// The IETF draft "The Idempotency-Key HTTP Header Field" makes it a quoted
/// string, but most clients send a bare one. Quotes are part of the key here,
/// so either works as long as a client does not change its mind between tries.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = keys.next() else {
        return Ok(None);
    };
    let key = key.to_str().ok().filter(|key| {
        (1..=IDEMPOTENCY_KEY_MAX).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_graphic())
    });
    if key.is_none() || keys.next().is_some() {
        return Err(Problem::Invalid(
            format!("header Idempotency-Key must be one value of 1 to {IDEMPOTENCY_KEY_MAX} visible ASCII characters").into(),
        ));
    }
    Ok(key)
}

/// The key of a request that has one `Authorization: Bearer <key>`, of whatever bytes;
/// `None` if it has none, several, an empty one or one of another scheme.
///
/// The scheme's case does not matter (RFC 9110, section 11.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (first, None) = (given.next()?.as_bytes(), given.next()) else {
        return None;
    };
    let end = first.iter().position(|byte| *byte == b' ')?;
    let (scheme, key) = first.split_at(end);
    let key = key.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer") && !key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(fields: &[(&'static str, &[u8])]) -> HeaderMap {
        let fields = fields.iter().map(|(name, value)| {
            (
                name.parse().unwrap(),
                HeaderValue::from_bytes(value).unwrap(),
            )
        });
        fields.collect()
    }

    #[test]
    fn json_by_any_name_or_by_none_is_taken() {
        assert_eq!(check_content_type(&HeaderMap::new()), Ok(()));
        for declared in [
            "application/json",
            "application/json; charset=utf-8",
            "Application/JSON ;x=y",
            "application/vnd.api+json",
        ] {
            let fields = headers(&[
                ("content-type", declared.as_bytes()),
                ("origin", b"http://x"),
            ]);
            assert_eq!(check_content_type(&fields), Ok(()), "{declared}");
        }
    }

    #[test]
    fn what_a_form_or_a_foreign_page_can_send_is_refused() {
        for declared in [
            "",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/plain",
            "text/json",
            "application/jsonp",
            "json",
            "text/plain; application/json",
            "\u{e9}",
        ] {
            let fields = headers(&[("content-type", declared.as_bytes())]);
            assert_eq!(
                check_content_type(&fields),
                Err(Problem::ContentType),
                "{declared}"
            );
        }
        let from_a_page = headers(&[("origin", b"https://example.com")]);
        assert_eq!(check_content_type(&from_a_page), Err(Problem::ContentType));
    }

    #[test]
    fn a_key_is_one_to_255_visible_characters() {
        assert_eq!(idempotency_key(&HeaderMap::new()), Ok(None));
        let longest = "k".repeat(255);
        for key in [
            "a",
            "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"",
            "~!{}",
            &longest,
        ] {
            let fields = headers(&[(IDEMPOTENCY_KEY, key.as_bytes())]);
            assert_eq!(idempotency_key(&fields), Ok(Some(key)));
        }
        let too_long = "k".repeat(256);
        for key in ["", "a b", "a\tb", "\u{e9}", &too_long] {
            let fields = headers(&[(IDEMPOTENCY_KEY, key.as_bytes())]);
            assert!(
                matches!(idempotency_key(&fields), Err(Problem::Invalid(_))),
                "{key:?}"
            );
        }
    }

    #[test]
    fn two_keys_are_not_a_key() {
        let mut fields = headers(&[(IDEMPOTENCY_KEY, b"a")]);
        fields.append(IDEMPOTENCY_KEY, HeaderValue::from_static("a"));
        assert!(idempotency_key(&fields).is_err());
    }

    #[test]
    fn a_key_comes_alone_and_as_a_bearer_s() {
        for (given, key) in [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("BEARER   a/b+c= ", Some("a/b+c=")),
            ("Bearer a b", Some("a b")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Bearerabc", None),
            ("abc", None),
            (" abc", None),
            ("", None),
            ("Basic abc", None),
        ] {
            let fields = headers(&[("authorization", given.as_bytes())]);
            assert_eq!(bearer(&fields), key.map(str::as_bytes), "{given:?}");
        }
        let mut twice = headers(&[("authorization", b"Bearer abc")]);
        twice.append(AUTHORIZATION, HeaderValue::from_static("Bearer abc"));
        assert_eq!(bearer(&twice), None);
        assert_eq!(bearer(&HeaderMap::new()), None);
        let bytes = headers(&[("authorization", b"Bearer \xff")]);
        assert_eq!(bearer(&bytes), Some(&b"\xff"[..]));
    }
}
