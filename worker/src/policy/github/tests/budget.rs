//! What is left of an hour, as headers tell it.

use super::*;

const WHOLE: [(&str, &str); 5] = [
    DATE,
    ("x-ratelimit-limit", "5000"),
    MANY_LEFT,
    RESET,
    ("x-ratelimit-resource", "core"),
];

/// The budget told by [`WHOLE`] with `name` set to `value`.
fn with(name: &str, value: &str) -> Option<Budget> {
    let mut headers = headers(&WHOLE);
    let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
    headers.insert(name, HeaderValue::from_str(value).unwrap());
    super::budget(&headers)
}

#[test]
fn a_budget_is_told_by_all_of_its_headers_together() {
    let expected = Budget {
        resource: "core".to_owned(),
        limit: 5_000,
        remaining: 4_771,
        reset_in: Duration::from_secs(3_000),
    };
    assert_eq!(super::budget(&headers(&WHOLE)), Some(expected));
    for (name, _) in WHOLE {
        let mut without = headers(&WHOLE);
        without.remove(name);
        assert_eq!(super::budget(&without), None, "without {name}");
        assert_eq!(with(name, "?"), None, "unreadable {name}");
        assert_eq!(with(name, ""), None, "empty {name}");
    }
    assert_eq!(super::budget(&HeaderMap::new()), None);
}

#[test]
fn odd_numbers_and_names_are_no_budget() {
    for odd in ["-1", "+1", "1.5", " 1", "1e3", "1000000000000000"] {
        assert_eq!(with("x-ratelimit-remaining", odd), None, "{odd}");
        assert_eq!(with("x-ratelimit-limit", odd), None, "{odd}");
        assert_eq!(with("x-ratelimit-reset", odd), None, "{odd}");
    }
    let most = with("x-ratelimit-remaining", "999999999999999").unwrap();
    assert_eq!(most.remaining, 999_999_999_999_999);
    for odd in ["Core", "a-b", "a}b", &"a".repeat(33)] {
        assert_eq!(with("x-ratelimit-resource", odd), None, "{odd}");
    }
}

#[test]
fn a_reset_that_has_passed_is_now_and_a_far_one_is_a_day_away() {
    let reset_in = |seconds: i64| {
        let reset = DATE_SECONDS.saturating_add_signed(seconds).to_string();
        with("x-ratelimit-reset", &reset)
            .unwrap()
            .reset_in
            .as_secs()
    };
    assert_eq!(reset_in(0), 0);
    assert_eq!(reset_in(-500), 0);
    assert_eq!(reset_in(1), 1);
    assert_eq!(reset_in(400_000_000), 86_400);
}
