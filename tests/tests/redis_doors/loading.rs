//! Functions are loaded by somebody who may, and programs say who that is.

use hookme_tests::{Program, eventually};

use super::PATIENCE;
use super::users::{Guarded, PASSWORD, send};

const NO_WEBHOOK: (&str, &str) = ("WEBHOOK_URL", "none");

fn load_functions(url: &str) -> std::process::Output {
    let program = hookme_tests::process::find_binary("api").unwrap();
    std::process::Command::new(program)
        .arg("--load-functions")
        .env_clear()
        .env("REDIS_URL", url)
        .output()
        .unwrap()
}

async fn refusal(name: &str, url: &str) -> String {
    let environment = [("REDIS_URL", url), NO_WEBHOOK, ("LISTEN", "127.0.0.1:0")];
    let program = Program::start(name, &environment).unwrap();
    let status = program.wait(PATIENCE).await.unwrap();
    assert_eq!(status.code(), Some(1), "{}", program.log());
    assert!(!program.log().contains(PASSWORD), "{}", program.log());
    program.log()
}

#[tokio::test]
async fn a_program_that_may_not_load_the_functions_says_how_they_are_loaded_and_that_works() {
    let guarded = Guarded::start().await;
    for (name, user) in [("api", "hookme_api"), ("worker", "hookme_worker")] {
        let log = refusal(name, &guarded.url_of(user)).await;
        let told = format!(
            "REDIS_URL='redis://hookme_deploy:PASSWORD@127.0.0.1:{}/' api --load-functions",
            guarded.redis.port()
        );
        assert!(log.contains(&told), "{log}");
    }
    for _ in ["the first time", "again"] {
        let output = load_functions(&guarded.url_of("hookme_deploy"));
        assert!(output.status.success(), "{output:?}");
    }
    let environment = [("REDIS_URL", &*guarded.url_of("hookme_worker")), NO_WEBHOOK];
    let worker = Program::start("worker", &environment).unwrap();
    worker.wait_for_log("taking jobs", PATIENCE).await.unwrap();
    // People have theirs, too.
    let mut metrics = guarded.connection_of("hookme_metrics").await;
    let counts = send(&mut metrics, "FCALL_RO hookme_counts 1 {hookme}").await;
    let explained = send(&mut metrics, "FCALL_RO hookme_explain 1 {hookme} x").await;
    assert!(
        counts.is_ok() && explained.is_ok(),
        "{counts:?} {explained:?}"
    );
}

#[tokio::test]
async fn whoever_may_not_load_functions_is_told_which_right_that_takes() {
    let guarded = Guarded::start().await;
    let output = load_functions(&guarded.url_of("hookme_api"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        said.contains("hookme_deploy:PASSWORD@") && said.contains("may not load"),
        "{said}"
    );
    assert!(!said.contains(PASSWORD), "{said}");
}

#[tokio::test]
async fn the_functions_for_people_are_loaded_by_the_next_start_if_a_load_was_cut_off() {
    let guarded = Guarded::start().await;
    let mut admin = guarded.redis.connection().await.unwrap();
    for lost in ["FUNCTION DELETE hookme_people", "FUNCTION FLUSH"] {
        let url = guarded.redis.url();
        assert!(load_functions(&url).status.success());
        send(&mut admin, lost).await.unwrap();
        let environment = [("REDIS_URL", &*url), NO_WEBHOOK];
        let worker = Program::start("worker", &environment).unwrap();
        worker.wait_for_log("taking jobs", PATIENCE).await.unwrap();
        let counts = send(&mut admin, "FCALL_RO hookme_counts 1 {hookme}").await;
        assert!(counts.is_ok(), "{lost}: {counts:?}");
    }
}

#[tokio::test]
async fn the_functions_for_people_are_those_of_the_program_that_started_last() {
    let guarded = Guarded::start().await;
    let mut admin = guarded.redis.connection().await.unwrap();
    let older = "#!lua name=hookme_people\nredis.register_function{function_name='hookme_version', callback=function() return 'older' end, flags={'no-writes'}}";
    let mut load = redis::cmd("FUNCTION");
    load.arg("LOAD").arg(older);
    load.exec_async(&mut admin).await.unwrap();
    assert!(load_functions(&guarded.redis.url()).status.success());
    let counts = send(&mut admin, "FCALL_RO hookme_counts 1 {hookme}").await;
    assert!(counts.is_ok(), "{counts:?}");
}

#[tokio::test]
async fn a_right_that_is_missing_keeps_a_program_from_starting_even_with_an_unsafe_redis() {
    let guarded = Guarded::start().await;
    assert!(
        load_functions(&guarded.url_of("hookme_deploy"))
            .status
            .success()
    );
    let mut admin = guarded.redis.connection().await.unwrap();
    send(&mut admin, "ACL SETUSER hookme_worker -zremrangebyscore")
        .await
        .unwrap();
    let environment = [
        ("REDIS_URL", &*guarded.url_of("hookme_worker")),
        ("ALLOW_UNSAFE_REDIS", "true"),
        NO_WEBHOOK,
    ];
    let worker = Program::start("worker", &environment).unwrap();
    assert_eq!(worker.wait(PATIENCE).await.unwrap().code(), Some(1));
    let remedy = "ACL SETUSER hookme_worker +zremrangebyscore";
    assert!(worker.log().contains(remedy), "{}", worker.log());
}

#[tokio::test]
async fn a_wrong_password_is_told_at_once_and_not_waited_for() {
    let guarded = Guarded::start().await;
    for url in [
        guarded.redis.url_of(&format!("hookme_api:{PASSWORD}x")),
        format!("redis://127.0.0.1:{}", guarded.redis.port()),
    ] {
        let log = refusal("api", &url).await;
        assert!(
            log.contains("refuses the user or the password of REDIS_URL"),
            "{log}"
        );
        assert!(!log.contains("waiting for redis"), "{log}");
    }
}

#[tokio::test]
async fn functions_that_are_lost_while_a_worker_runs_can_be_loaded_again() {
    let guarded = Guarded::start().await;
    assert!(
        load_functions(&guarded.url_of("hookme_deploy"))
            .status
            .success()
    );
    let environment = [
        ("REDIS_URL", &*guarded.url_of("hookme_api")),
        ("LISTEN", "127.0.0.1:0"),
        ("LOG_FORMAT", "json"),
    ];
    let api = Program::start("api", &environment).unwrap();
    let line = api.wait_for_log("taking tasks", PATIENCE).await.unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = line["address"].as_str().unwrap();
    let client = hookme_tests::site::ApiClient::new(address).unwrap();
    let mut admin = guarded.redis.connection().await.unwrap();
    send(&mut admin, "FUNCTION FLUSH").await.unwrap();
    let task = serde_json::json!({"username": "octocat", "repository": "hello-world"});
    let refused = client.post_task(&task, None).await.unwrap();
    assert_eq!(refused.status.as_u16(), 503, "{refused:?}");
    assert!(
        load_functions(&guarded.url_of("hookme_deploy"))
            .status
            .success()
    );
    let taken = eventually(PATIENCE, "a task that is taken", async || {
        let answer = client.post_task(&task, None).await;
        let answer = answer.map_err(|error| error.to_string())?;
        match answer.status.as_u16() {
            202 => Ok(()),
            _ => Err(format!("{answer:?}")),
        }
    });
    taken.await.unwrap();
}
