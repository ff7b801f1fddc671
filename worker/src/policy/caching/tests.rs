//! Answers with every `Cache-Control` that matters, and how each is kept.

use proptest::prelude::*;
use reqwest::header::HeaderValue;

use super::*;

const TAG: &str = "W/\"a1b7dbc652ab\"";
const CHANGED: &str = "Thu, 03 Oct 2019 09:41:10 GMT";

fn kept(status: u16, pairs: &[(&str, &str)]) -> Option<Keeping> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    keeping(StatusCode::from_u16(status).unwrap(), &headers)
}

fn fresh_seconds(status: u16, control: &str) -> Option<u64> {
    let keeping = kept(status, &[("cache-control", control), ("etag", TAG)]);
    keeping.map(|keeping| keeping.fresh_for.as_secs())
}

#[test]
fn an_answer_is_fresh_for_its_max_age_and_never_longer_than_an_hour() {
    let table = [
        ("private, max-age=60, s-maxage=600", Some(60)),
        ("max-age=3600", Some(3_600)),
        ("max-age=3601", Some(3_600)),
        ("max-age=99999999999999999999999999", Some(3_600)),
        ("Public,MAX-AGE = 60", Some(60)),
        ("max-age=\"60\"", Some(60)),
        ("max-age=60, max-age=5", Some(5)),
        ("max-age=60, max-age=soon", Some(0)),
        ("max-age", Some(0)),
        ("max-age=-1", Some(0)),
        ("max-age=1.5", Some(0)),
        ("s-maxage=60", Some(0)),
        ("no-cache, max-age=60", Some(0)),
        ("max-age=60, no-cache=\"set-cookie\"", Some(0)),
        ("no-store, max-age=60", None),
        ("max-age=60, No-Store", None),
        ("", Some(0)),
    ];
    for (control, seconds) in table {
        assert_eq!(fresh_seconds(200, control), seconds, "200 {control:?}");
        assert_eq!(fresh_seconds(304, control), seconds, "304 {control:?}");
    }
    let twice = [("cache-control", "private"), ("cache-control", "no-store")];
    assert_eq!(kept(304, &twice), None, "the second line counts too");
}

#[test]
fn a_body_that_is_neither_fresh_nor_can_be_asked_for_on_a_condition_is_not_kept() {
    assert_eq!(kept(200, &[]), None);
    assert_eq!(kept(200, &[("cache-control", "max-age=0")]), None);
    assert!(kept(200, &[("cache-control", "max-age=1")]).is_some());
    assert!(kept(200, &[("etag", TAG)]).is_some());
    let dated = kept(200, &[("last-modified", CHANGED)]).unwrap();
    assert_eq!(dated.last_modified.as_deref(), Some(CHANGED));
    assert_eq!(dated.etag, None);
}

#[test]
fn a_304_renews_what_is_stored_even_if_it_names_no_validator() {
    let bare = kept(304, &[]).unwrap();
    assert_eq!(bare, Keeping::without_validators(Duration::ZERO));
    let told = kept(304, &[("cache-control", "max-age=60"), ("etag", TAG)]).unwrap();
    assert_eq!(told.fresh_for, Duration::from_secs(60));
    assert_eq!(told.etag.as_deref(), Some(TAG));
}

#[test]
fn an_empty_answer_is_fresh_for_a_minute_unless_it_says_otherwise() {
    let minute = Keeping::without_validators(Duration::from_secs(60));
    assert_eq!(kept(204, &[]), Some(minute));
    assert_eq!(fresh_seconds(204, "private, max-age=7"), Some(7));
    assert_eq!(fresh_seconds(204, "private"), Some(60));
    for control in ["max-age=0", "no-cache", "no-store"] {
        assert_eq!(fresh_seconds(204, control), None, "{control}");
    }
}

#[test]
fn what_moved_for_good_or_is_not_there_is_remembered_briefly_and_without_validators() {
    let all = [("cache-control", "private, max-age=60"), ("etag", TAG)];
    let brief = Some(Keeping::without_validators(Duration::from_secs(300)));
    for status in [301, 308, 404, 410, 451] {
        assert_eq!(kept(status, &[]), brief, "{status}");
        assert_eq!(kept(status, &all), brief, "{status}");
        assert_eq!(fresh_seconds(status, "no-store"), None, "{status}");
    }
}

#[test]
fn nothing_else_is_kept_whatever_it_says() {
    let all = [("cache-control", "max-age=60"), ("etag", TAG)];
    let others = [
        201, 202, 206, 302, 303, 307, 400, 401, 403, 422, 429, 500, 502, 503,
    ];
    for status in others {
        assert_eq!(kept(status, &all), None, "{status}");
    }
}

#[test]
fn a_validator_that_could_not_be_sent_back_is_no_validator() {
    let most = "x".repeat(256);
    let usable = kept(200, &[("etag", &most)]).unwrap();
    assert_eq!(usable.etag, Some(most));
    let unusable: [&[u8]; 4] = [b"", &[b'x'; 257], b"\"\xe9\"", b"\"a\tb\""];
    for value in unusable {
        let value = HeaderValue::from_bytes(value).unwrap();
        let headers = HeaderMap::from_iter([(ETAG, value)]);
        assert_eq!(keeping(StatusCode::OK, &headers), None, "{headers:?}");
    }
}

proptest! {
    #[test]
    fn nothing_is_kept_that_is_neither_fresh_nor_renewable_nor_for_longer_than_an_hour(
        status in 100_u16..600, control: Vec<u8>, tag: Vec<u8>, age: u64,
    ) {
        let lines = [control, format!("max-age={age}").into_bytes()];
        let mut headers = HeaderMap::new();
        for line in lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok()) {
            headers.append(CACHE_CONTROL, line);
        }
        headers.extend(HeaderValue::from_bytes(&tag).ok().map(|tag| (ETAG, tag)));
        if let Some(keeping) = keeping(StatusCode::from_u16(status).unwrap(), &headers) {
            prop_assert!(keeping.fresh_for <= Duration::from_secs(3_600));
            prop_assert!(keeping.is_of_use() || status == 304, "{keeping:?}");
            for sent in [keeping.etag, keeping.last_modified].into_iter().flatten() {
                prop_assert!(HeaderValue::from_str(&sent).is_ok() && sent.len() <= 256);
            }
        }
    }
}
