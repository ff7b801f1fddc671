//! Single rules; `tests/tests/keyless` tries whole requests at the programs.

use axum::http::request::Builder;
use proptest::prelude::*;

use super::*;

fn allowed(text: &str) -> AllowedHosts {
    text.parse().unwrap()
}

fn post() -> Builder {
    Request::builder().method(Method::POST).uri("/")
}

fn judge(request: Builder) -> Result<(), Refusal> {
    allowed("hookme.internal").judge(&request.body(()).unwrap())
}

#[test]
fn an_address_in_any_spelling_of_its_own_and_localhost_are_allowed_and_no_name_is() {
    let hosts = AllowedHosts::default();
    for authority in [
        "127.0.0.1",
        "127.0.0.1.",
        "192.168.0.1:4001",
        "0.0.0.0:",
        "[::]",
        "[::1]:4001",
        "[::ffff:127.0.0.1]",
        "[FE80::1]:",
        "localhost",
        "LOCALHOST.:65536",
    ] {
        assert!(hosts.allows(authority), "{authority}");
    }
    for authority in [
        "",
        ".",
        ":4001",
        "example",
        "localhos",
        "localhost.example",
        "a.localhost",
        "localhost..",
        ".localhost",
        "localhost:4001:1",
        "localhost:+1",
        "localhost ",
        "localhost\0",
        "local_host",
        "user@localhost",
        "::1",
        "[::1",
        "[::1]4001",
        "[::1]:x",
        "[::1%25eth0]",
        "[127.0.0.1]",
        "[localhost]",
        "127.0.0.1.example",
        "256.0.0.1",
        "127.1",
        "0x7f.0.0.1",
        "1.2.3.4/24",
    ] {
        assert!(!hosts.allows(authority), "{authority:?}");
    }
}

#[test]
fn an_allowed_name_is_compared_whole_without_case_port_and_last_dot() {
    let hosts = allowed(" Api, my_worker.:4002 ,,[::1],hookme.example.,");
    for authority in [
        "api",
        "API:4001",
        "api.",
        "my_worker",
        "my_worker:1",
        "hookme.example",
        "HOOKME.EXAMPLE.:443",
    ] {
        assert!(hosts.allows(authority), "{authority}");
    }
    for authority in ["ap", "apii", "x.api", "api.example", "example", "my-worker"] {
        assert!(!hosts.allows(authority), "{authority}");
    }
}

#[test]
fn what_names_no_host_cannot_be_allowed() {
    for text in [
        "*",
        "*.example",
        "http://example",
        "example/",
        "a b",
        "a;b",
        "[::1",
        "::1",
        "ex\u{e4}mple",
        "a..b",
        ".",
        "user@example",
        &"a".repeat(254),
    ] {
        assert!(text.parse::<AllowedHosts>().is_err(), "{text}");
    }
}

#[test]
fn several_hosts_are_none_unless_the_target_says_which() {
    let twice = |request: Builder| {
        let request = request.header(HOST, "localhost");
        request.header(HOST, "localhost")
    };
    assert_eq!(judge(twice(post())), Err(Refusal::Host));
    let with_target = post().uri("http://hookme.internal/");
    assert_eq!(judge(twice(with_target)), Ok(()));
    assert_eq!(judge(post()), Ok(()));
}

#[test]
fn every_method_but_three_may_change_something() {
    let from_a_page = |method: &str| {
        let request = Request::builder().method(method).uri("/");
        let request = request.header(HOST, "localhost");
        judge(request.header(SEC_FETCH_SITE, "cross-site"))
    };
    for method in ["GET", "HEAD", "OPTIONS"] {
        assert_eq!(from_a_page(method), Ok(()), "{method}");
    }
    for method in [
        "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PURGE", "get",
    ] {
        assert_eq!(from_a_page(method), Err(Refusal::CrossOrigin), "{method}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let bytes = || HeaderValue::from_bytes(b"localhost\xff").unwrap();
    assert_eq!(judge(post().header(HOST, bytes())), Err(Refusal::Host));
    let request = || post().header(HOST, "localhost");
    for name in [SEC_FETCH_SITE, ORIGIN] {
        let refused = judge(request().header(name, bytes()));
        assert_eq!(refused, Err(Refusal::CrossOrigin));
    }
}

#[test]
fn each_refusal_says_first_what_it_is_about() {
    assert!(Refusal::Host.detail().starts_with("ALLOWED_HOSTS "));
    assert!(Refusal::CrossOrigin.detail().contains("another origin"));
}

proptest! {
    /// Whatever a page is called, its name does not let it in, nor does a name that
    /// begins or ends with an allowed one.
    #[test]
    fn no_other_name_is_allowed(name in "[a-zA-Z0-9_.:@/-]{0,20}", end in "[a-z]{1,9}") {
        let hosts = allowed("hookme.internal");
        let page = format!("{name}.{end}");
        let is_allowed = page.eq_ignore_ascii_case("hookme.internal");
        prop_assert_eq!(hosts.allows(&page), is_allowed);
        let longer = ["hookme.internal", &page].join(".");
        prop_assert!(!hosts.allows(&longer));
    }

    /// A page of another origin changes nothing, whatever `Origin` says.
    #[test]
    fn no_other_origin_changes_something(origin in "[ -~]{1,40}") {
        let is_own = ["http://localhost:1", "x://localhost:1"].contains(&&*origin);
        prop_assume!(!is_own && !origin.trim().is_empty());
        prop_assume!(!origin.to_ascii_lowercase().ends_with("://localhost:1"));
        let request = post().header(HOST, "localhost:1").header(ORIGIN, &*origin);
        prop_assert_eq!(judge(request), Err(Refusal::CrossOrigin));
    }
}
