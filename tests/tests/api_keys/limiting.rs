//! How fast a key's requests may come.

use hookme_tests::eventually;
use hookme_tests::redis_server::namespace;
use hookme_tests::site::{Answer, ApiClient};
use reqwest::Method;

use super::{DESK, Door, PATIENCE, SHOP, assert_problem};

/// So slow that a test on a busy machine is faster.
const SLOW: (&str, &str) = ("REQUESTS_PER_KEY", "2");
/// So many requests that the limit is met long before.
const MANY: usize = 10_000;

async fn get(api: &ApiClient, path: &str, key: Option<&str>) -> Answer {
    let mut request = api.request(Method::GET, path);
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    api.send(request).await.unwrap()
}

/// Asks until the limit is met, and returns that answer. A path that needs no Redis.
async fn until_too_fast(api: &ApiClient, key: Option<&str>) -> Answer {
    for _ in 0..MANY {
        let answer = get(api, "/tasks?state=none", key).await;
        if answer.status != 400 {
            return answer;
        }
    }
    panic!("{MANY} requests were let through");
}

#[tokio::test]
async fn a_key_that_asks_too_fast_waits_a_second_and_no_other_key_waits_for_it() {
    let door = Door::with_keys(&[SLOW]).await;
    let refused = until_too_fast(&door.clients, Some(SHOP)).await;
    assert_problem(&refused, 429, "request-limit");
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(
        get(&door.clients, "/tasks?state=none", Some(DESK))
            .await
            .status,
        400
    );
    assert_eq!(get(&door.clients, "/livez", None).await.status, 200);

    let again = eventually(PATIENCE, "another request that passes", async || match get(
        &door.clients,
        "/tasks?state=none",
        Some(SHOP),
    )
    .await
    {
        passed if passed.status == 400 => Ok(()),
        refused => Err(format!("{refused:?}")),
    });
    again.await.unwrap();
}

#[tokio::test]
async fn a_wrong_key_uses_up_nobody_s_requests() {
    let door = Door::with_keys(&[SLOW]).await;
    for _ in 0..50 {
        assert_eq!(
            get(&door.clients, "/tasks", Some("wrong")).await.status,
            401
        );
        assert_eq!(get(&door.clients, "/tasks", None).await.status, 401);
    }
    for key in [SHOP, DESK] {
        assert_eq!(
            get(&door.clients, "/tasks?state=none", Some(key))
                .await
                .status,
            400
        );
    }
}

#[tokio::test]
async fn without_keys_all_callers_share_one_limit_and_operators_have_none() {
    let door = Door::start(&namespace(), &[SLOW, ("OPERATOR_LISTEN", "127.0.0.1:0")]).await;
    let refused = until_too_fast(&door.clients, None).await;
    assert_problem(&refused, 429, "request-limit");
    for _ in 0..50 {
        let answer = get(door.operators(), "/tasks?state=none", None).await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
}

#[tokio::test]
async fn a_limit_of_zero_or_less_is_none() {
    for none in ["0", "-1"] {
        let door = Door::with_keys(&[("REQUESTS_PER_KEY", none)]).await;
        for _ in 0..200 {
            let answer = get(&door.clients, "/tasks?state=none", Some(SHOP)).await;
            assert_eq!(answer.status, 400, "{answer:?}");
        }
    }
}
