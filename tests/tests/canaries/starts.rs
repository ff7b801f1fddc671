//! Programs that do not start, and say why.

use std::process::Command;

use hookme_shared::digest::sha256;
use hookme_tests::process::find_binary;
use hookme_tests::redis_server::RedisOptions;
use hookme_tests::{Program, RedisServer};

use super::search::found_in;
use super::{CLIENT_QUERY, KEY, OPERATOR_QUERY, PASSWORD, PATIENCE, TOKEN, signing_secret};

/// What a program says that ends with these variables; it does not succeed.
async fn last_words(name: &str, variables: &[(&str, &str)]) -> String {
    let all = [
        &[("RUST_LOG", "trace"), ("LISTEN", "127.0.0.1:0")],
        variables,
    ]
    .concat();
    let program = Program::start(name, &all).unwrap();
    let status = program.wait(PATIENCE).await.unwrap();
    assert!(!status.success(), "{}", program.log());
    program.log()
}

fn assert_clean(said: &str) {
    let found = found_in("what was said", said);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn a_password_that_redis_refuses_is_not_shown() {
    let redis = RedisServer::start(RedisOptions {
        arguments: vec!["--requirepass".to_owned(), "another".to_owned()],
        login: Some("default:another".to_owned()),
        ..RedisOptions::default()
    })
    .await
    .unwrap();
    let url = redis.url_of(&format!("default:{PASSWORD}"));
    let variables = [
        ("REDIS_URL", &*url),
        ("WEBHOOK_URL", "none"),
        ("API_TOKEN", TOKEN),
    ];
    for program in ["api", "worker"] {
        let said = last_words(program, &variables).await;
        assert!(said.contains("refuses the user or the password"), "{said}");
        assert_clean(&said);
    }
}

#[tokio::test]
async fn a_setting_with_a_mistake_is_named_and_not_shown() {
    let redis_url = format!("redis://me:{PASSWORD}@host:port/");
    let webhook_url = format!("ftp://host/?key={OPERATOR_QUERY}");
    let (secret, token) = (format!("{}!", signing_secret()), format!("{TOKEN} {TOKEN}"));
    let variables = [
        ("REDIS_URL", &*redis_url),
        ("WEBHOOK_URL", &*webhook_url),
        ("WEBHOOK_SECRETS", &*secret),
        ("API_TOKEN", &*token),
        ("API_KEYS", KEY),
        ("LISTEN", KEY),
        ("LOG_FORMAT", KEY),
        ("WEBHOOK_TIMEOUT", TOKEN),
        ("WEBHOOK_ALLOWED_CIDRS", CLIENT_QUERY),
        ("OPERATOR_LISTEN", PASSWORD),
    ];
    for (program, named) in [
        ("api", ["REDIS_URL", "API_KEYS", "LISTEN"]),
        ("worker", ["REDIS_URL", "WEBHOOK_SECRETS", "API_TOKEN"]),
    ] {
        let said = last_words(program, &variables).await;
        for name in named {
            assert!(said.contains(&format!("{name} must be")), "{said}");
        }
        assert_clean(&said);
    }
}

#[test]
fn the_help_shows_no_secret_that_is_set() {
    let redis_url = format!("redis://me:{PASSWORD}@host/");
    let webhook_url = format!("http://host/?key={OPERATOR_QUERY}");
    for program in ["api", "worker"] {
        let mut command = Command::new(find_binary(program).unwrap());
        let help = command
            .arg("--help")
            .env("REDIS_URL", &redis_url)
            .env("WEBHOOK_URL", &webhook_url)
            .env("WEBHOOK_SECRETS", signing_secret())
            .env("API_TOKEN", TOKEN)
            .env("API_KEYS", format!("shop:{}", sha256(KEY)))
            .output()
            .unwrap();
        let said = String::from_utf8(help.stdout).unwrap();
        assert!(said.contains("--redis-url"), "{said}");
        assert_clean(&said);
    }
}
