//! The fetch against a real server that plays GitHub.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Mutex;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};

use super::stand_in::{CONTRIBUTORS, ISSUES, Reply, StandIn, json, moved, page, status};
use super::*;

async fn fetch(fetcher: &Fetcher) -> Result<Report, Failure> {
    let owner = Username::parse("octo").unwrap();
    fetcher
        .fetch(
            &owner,
            &RepositoryName::parse("hello").unwrap(),
            &mut Checkpoint::default(),
        )
        .await
}

async fn fetched(github: &StandIn) -> Report {
    fetch(&github.fetcher()).await.unwrap()
}

async fn final_reason(github: &StandIn) -> String {
    match fetch(&github.fetcher()).await {
        Err(Failure::Final { reason }) => reason,
        other => panic!("final, not {other:?}"),
    }
}

fn titles(report: &Report) -> Vec<&str> {
    report
        .issues
        .iter()
        .filter_map(|issue| issue.title.as_deref())
        .collect()
}

#[tokio::test]
async fn a_report_holds_what_github_listed_and_names_in_its_order() {
    let github = StandIn::answering(|asked| match asked {
        ISSUES => Some(json(
            r#"[{"title":"a","user":{"login":"ann"},"labels":[{"name":"x","id":1}],"body":"long"},
                {"title":"pr","user":{"login":"bo"},"labels":[],"pull_request":{"url":"u"}},
                {"title":"ghost","user":null,"labels":[],"pull_request":null},
                {}]"#,
        )),
        CONTRIBUTORS => Some(json(
            r#"[{"id":1,"node_id":"U_1","login":"ann","contributions":9,"type":"User"},
                {"type":"Anonymous","name":"Nemo","email":"n@example.org","contributions":3},
                {"id":2,"node_id":"U_2","login":"gone","contributions":2},{"id":3,"login":"bare","contributions":1},
                {"login":"no-id","contributions":1}]"#,
        )),
        "/user/1" => Some(json(r#"{"id":1,"login":"ann","name":"Ann A."}"#)),
        "/user/3" => Some(json(r#"{"id":3,"login":"bare","name":null}"#)),
        _ => None,
    })
    .await;
    let body = fetched(&github).await.into_body().unwrap();
    let expected = concat!(
        r#"{"contributors":[{"name":"Ann A.","qtd_commits":9,"user":"ann"},"#,
        r#"{"name":"Nemo","qtd_commits":3,"user":null},{"name":"gone","qtd_commits":2,"user":"gone"},"#,
        r#"{"name":"bare","qtd_commits":1,"user":"bare"},{"name":"no-id","qtd_commits":1,"user":"no-id"}],"#,
        r#""issues":[{"author":"ann","labels":[{"name":"x","id":1}],"title":"a"},"#,
        r#"{"author":null,"labels":[],"title":"ghost"},{"author":null,"labels":null,"title":null}],"#,
        r#""repository":"hello","user":"octo"}"#,
    );
    assert_eq!(body, expected);
    assert_eq!(
        github.asked(),
        [
            "/graphql",
            CONTRIBUTORS,
            ISSUES,
            "/user/1",
            "/user/2",
            "/user/3"
        ]
    );
}

#[tokio::test]
async fn every_request_carries_the_headers_that_github_asks_for() {
    let github = StandIn::answering(|_| None).await;
    fetched(&github).await;
    for (asked, headers) in github.seen.lock().unwrap().iter() {
        let header = |name| headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(
            header("accept"),
            Some("application/vnd.github+json"),
            "{asked}"
        );
        assert_eq!(
            header("x-github-api-version"),
            Some("2022-11-28"),
            "{asked}"
        );
        assert_eq!(header("authorization"), Some("Bearer t0ken"), "{asked}");
        assert_eq!(
            header("user-agent"),
            Some(crate::http::USER_AGENT),
            "{asked}"
        );
    }
}

#[tokio::test]
async fn pull_requests_are_reported_when_the_operator_wants_them() {
    let list = r#"[{"title":"pr","pull_request":{}},{"title":"issue"}]"#;
    let github = StandIn::answering(move |asked| (asked == ISSUES).then(|| json(list))).await;
    assert_eq!(titles(&fetched(&github).await), ["issue"]);
    let all = github.fetcher_with(|settings| settings.include_pull_requests = true);
    assert_eq!(titles(&fetch(&all).await.unwrap()), ["pr", "issue"]);
}

#[tokio::test]
async fn a_base_path_stands_before_every_address() {
    let github = StandIn::answering(|asked| match asked {
        "/api/v3/repos/octo/hello/issues?per_page=100" => Some(json(r#"[{"title":"a"}]"#)),
        "/api/v3/repos/octo/hello/contributors?per_page=100" => Some(json("[]")),
        _ => None,
    })
    .await;
    let fetcher = github.fetcher_with(|settings| settings.api_url.set_path("/api/v3"));
    assert_eq!(titles(&fetch(&fetcher).await.unwrap()), ["a"]);
}

#[tokio::test]
async fn pages_are_followed_by_the_links_as_github_gives_them() {
    let github = StandIn::answering(|asked| match asked {
        ISSUES => Some(page(
            r#"[{"title":"a"}]"#,
            "/repositories/1/issues?after=c%3D%3D",
        )),
        "/repositories/1/issues?after=c%3D%3D" => Some(page(r#"[{"title":"b"}]"#, "?page=last")),
        "/repositories/1/issues?page=last" => Some(json(r#"[{"title":"c"}]"#)),
        _ => None,
    })
    .await;
    let report = fetched(&github).await;
    assert_eq!(titles(&report), ["a", "b", "c"]);
    assert_eq!(report.truncated.names(), Vec::<&str>::new());
}

#[tokio::test]
async fn lists_without_end_stop_at_their_caps_and_the_report_says_so() {
    for (list, pages) in [("issues", 100), ("contributors", 10)] {
        let path = format!("/repos/octo/hello/{list}");
        let github = StandIn::answering(move |asked| {
            asked
                .starts_with(&path)
                .then(|| page(r#"[{"title":"a"}]"#, "?again"))
        })
        .await;
        let report = fetched(&github).await;
        assert_eq!(report.truncated.names(), [list]);
        assert_eq!(
            report.issues.len() + report.contributors.len(),
            pages,
            "{list}"
        );
        assert_eq!(github.asked().len(), pages + 1, "{list}");
    }
}

#[tokio::test]
async fn an_empty_repository_has_no_contributors() {
    let github = StandIn::answering(|asked| (asked == CONTRIBUTORS).then(|| status(204, ""))).await;
    let report = fetched(&github).await;
    assert!(report.contributors.is_empty() && !report.contributors_unavailable);
}

#[tokio::test]
async fn contributors_that_are_too_many_are_marked_as_unavailable() {
    let words = r#"{"message":"The history or contributor list is too large to list contributors for this repository via the API."}"#;
    let github = StandIn::answering(|asked| match asked {
        CONTRIBUTORS => Some(status(403, words)),
        ISSUES => Some(json(r#"[{"title":"a"}]"#)),
        _ => None,
    })
    .await;
    let report = fetched(&github).await;
    assert!(report.contributors.is_empty() && report.contributors_unavailable);
    assert_eq!(titles(&report), ["a"]);
}

#[tokio::test]
async fn a_missing_repository_ends_the_job_whichever_list_says_so() {
    for list in [ISSUES, CONTRIBUTORS] {
        let github =
            StandIn::answering(move |asked| (asked == list).then(|| status(404, "gone"))).await;
        let reason = final_reason(&github).await;
        assert_eq!(
            reason,
            "GitHub has no repository octo/hello, or the token may not see it (404)"
        );
    }
}

#[tokio::test]
async fn a_rename_is_followed_within_the_origin() {
    for code in [301, 302, 307, 308] {
        let github = StandIn::answering(move |asked| match asked {
            ISSUES => Some(moved(code, "/repositories/1/issues")),
            "/repositories/1/issues" => Some(json(r#"[{"title":"a"}]"#)),
            _ => None,
        })
        .await;
        assert_eq!(titles(&fetched(&github).await), ["a"], "{code}");
    }
}

#[tokio::test]
async fn three_redirects_are_followed_and_not_a_fourth() {
    for (steps, followed) in [(3, true), (4, false)] {
        let github = StandIn::answering(move |asked| {
            let step = if asked == ISSUES {
                0
            } else {
                asked.strip_prefix("/step/")?.parse().ok()?
            };
            let next = moved(301, format!("/step/{}", step + 1));
            Some(if step < steps { next } else { json("[]") })
        })
        .await;
        assert_eq!(fetch(&github.fetcher()).await.is_ok(), followed, "{steps}");
    }
}

#[tokio::test]
async fn neither_a_redirect_nor_a_link_leads_to_another_origin() {
    let stranger = StandIn::answering(|_| None).await;
    let there = stranger.server.url.join("/repositories/1/issues").unwrap();
    let target = there.clone();
    let redirects =
        StandIn::answering(move |asked| (asked == ISSUES).then(|| moved(301, target.as_str())))
            .await;
    let links =
        StandIn::answering(move |asked| (asked == ISSUES).then(|| page("[]", &there))).await;
    for github in [redirects, links] {
        let reason = final_reason(&github).await;
        assert!(reason.contains("outside of API_URL"), "{reason}");
    }
    assert_eq!(stranger.asked(), [""; 0]);
}

#[tokio::test]
async fn trouble_is_for_later() {
    // The pause lets the head and the first bytes leave before the connection breaks.
    let breaks = tokio::task::yield_now().map(|()| Err(std::io::Error::other("reset")));
    let start = stream::iter([Ok("[{")]);
    let cut = Body::from_stream(start.chain(breaks.into_stream()));
    let troubles: HashMap<&str, Mutex<Option<Reply>>> = HashMap::from([
        ("(502)", status(502, "<html>Unicorn!</html>")),
        (
            "could not be read at line 1",
            status(200, "<html>Sign in</html>"),
        ),
        ("could not be read at line 1, column 2", status(200, "[{")),
        (
            "GitHub's answer for repository octo/hello broke off",
            Reply(200, vec![], cut),
        ),
    ])
    .into_iter()
    .map(|(words, reply)| (words, Mutex::new(Some(reply))))
    .collect();
    for (words, reply) in troubles {
        let github = StandIn::answering(move |asked| {
            if asked == ISSUES {
                reply.lock().unwrap().take()
            } else {
                None
            }
        })
        .await;
        let Err(Failure::Later {
            reason,
            retry_after,
        }) = fetch(&github.fetcher()).await
        else {
            panic!("{words} is for later");
        };
        assert!(reason.contains(words), "{reason}");
        assert_eq!(retry_after, None, "{reason}");
    }
}

#[tokio::test]
async fn a_limit_makes_the_job_wait_and_not_fail() {
    let words = r#"{"message":"secondary rate limit"}"#;
    let github =
        StandIn::answering(move |asked| (asked == ISSUES).then(|| status(403, words))).await;
    let Err(Failure::Wait { delay, .. }) = fetch(&github.fetcher()).await else {
        panic!("a limit is no failure");
    };
    assert_eq!(delay, Duration::from_secs(60));
}

#[tokio::test]
async fn a_gigantic_page_ends_the_job_at_the_bound() {
    let endless = || {
        let spaces = Bytes::from(vec![b' '; 64 * 1024]);
        Body::from_stream(stream::repeat_with(move || {
            Ok::<_, Infallible>(spaces.clone())
        }))
    };
    let github =
        StandIn::answering(move |asked| (asked == ISSUES).then(|| Reply(200, vec![], endless())))
            .await;
    let reason = final_reason(&github).await;
    assert!(reason.contains("longer than 8388608 bytes"), "{reason}");
}

#[tokio::test]
async fn a_name_costs_the_report_only_if_asking_later_may_help() {
    let list = r#"[{"id":1,"login":"ann","contributions":1}]"#;
    for (code, kept) in [
        (404, true),
        (403, true),
        (451, true),
        (500, false),
        (429, false),
    ] {
        let github = StandIn::answering(move |asked| match asked {
            CONTRIBUTORS => Some(json(list)),
            "/user/1" => Some(status(code, "{}")),
            _ => None,
        })
        .await;
        match fetch(&github.fetcher()).await {
            Ok(report) => {
                let name = report.contributors[0].name.as_deref();
                assert!(kept && name == Some("ann"), "{code}");
            }
            Err(failure) => {
                let passes = matches!(failure, Failure::Later { .. } | Failure::Wait { .. });
                assert!(!kept && passes, "{code} {failure}");
            }
        }
    }
}

#[tokio::test]
async fn a_github_that_keeps_silent_is_for_later_by_request_and_as_a_whole() {
    let stuck = || {
        Reply(
            200,
            vec![],
            Body::from_stream(stream::pending::<Result<Bytes, Infallible>>()),
        )
    };
    let github = StandIn::answering(move |asked| (asked == ISSUES).then(stuck)).await;
    let short = Duration::from_millis(50);
    let one_request = github.fetcher_with(|settings| settings.timeout = short);
    let mut as_a_whole = github.fetcher();
    as_a_whole.time_max = short;
    let table = [
        (one_request, "broke off: no answer in time"),
        (as_a_whole, "took longer than 50ms"),
    ];
    for (fetcher, words) in table {
        let Err(Failure::Later { reason, .. }) = fetch(&fetcher).await else {
            panic!("silence is for later");
        };
        assert!(reason.contains(words), "{reason}");
    }
}

#[tokio::test]
async fn a_fetch_can_move_between_threads() {
    let github = StandIn::answering(|_| None).await;
    let fetcher = github.fetcher();
    assert!(fetch(&fetcher).boxed().await.is_ok());
}
