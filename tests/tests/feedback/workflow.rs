//! The workflow step of README.md is run as a CI runner would run it, but for the
//! command `curl`, in whose place the test sends what it was given.

use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hookme_tests::House;
use hookme_tests::by_hand::{evaluation, sha};
use hookme_tests::site::{Answer, ApiClient};
use reqwest::{Method, StatusCode};

const HEADING: &str = "## Coming from Trybe's delivery processor";
/// Writes its arguments, a line each, and then what it is told to send.
const CURL: &str = r#"curl() { printf '%s\n' "$@" "--"; cat; }"#;
const ORIGIN: &str = "http://hookme.example";

/// The step's script.
fn script() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (_, section) = readme.split_once(HEADING).unwrap();
    let (_, step) = section.split_once("```yaml\n").unwrap();
    let (step, _) = step.split_once("```").unwrap();
    let (variables, script) = step.split_once("  run: |\n").unwrap();
    for variable in ["HOOKME", "EVALUATION", "PULL_REQUEST", "COMMIT"] {
        let line = format!("\n    {variable}: ${{{{ ");
        assert!(
            variables.contains(&line),
            "{variable} is not set: {variables}"
        );
    }
    let lines = script
        .lines()
        .map(|line| line.strip_prefix("    ").unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

/// What the step gives `curl` in this attempt of the run: arguments and body.
fn run(script: &str, evaluation: &str, attempt: &str) -> (Vec<String>, String) {
    let output = Command::new("sh")
        .args(["-ec", &format!("{CURL}\n{script}")])
        .env("HOOKME", ORIGIN)
        .env("EVALUATION", evaluation)
        .env("PULL_REQUEST", "4")
        .env("COMMIT", sha(1))
        .env("GITHUB_REPOSITORY", "octocat/hello-world")
        .env("GITHUB_RUN_ID", "17")
        .env("GITHUB_RUN_ATTEMPT", attempt)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let (arguments, body) = printed.split_once("\n--\n").unwrap();
    (
        arguments.lines().map(str::to_owned).collect(),
        body.to_owned(),
    )
}

async fn send(client: &ApiClient, (arguments, body): (Vec<String>, String)) -> Answer {
    let path = arguments
        .iter()
        .find_map(|argument| argument.strip_prefix(ORIGIN));
    let mut request = client.request(Method::POST, path.unwrap());
    for pair in arguments.windows(2).filter(|pair| pair[0] == "-H") {
        let (name, value) = pair[1].split_once(": ").unwrap();
        request = request.header(name, value);
    }
    client.send(request.body(body)).await.unwrap()
}

#[tokio::test]
async fn the_workflow_step_of_the_readme_makes_a_task_once_an_attempt() {
    let mut house = House::start().await.unwrap();
    let client = house.api(&[]).await.unwrap();
    let (script, found) = (script(), STANDARD.encode(evaluation().to_json()));
    let first = send(&client, run(&script, &found, "1")).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{first:?}");
    let job = house.job(first.id().unwrap()).await.unwrap().job;
    let feedback = job.feedback.unwrap();
    assert_eq!(
        (&*job.username, &*job.repository),
        ("octocat", "hello-world")
    );
    assert_eq!((feedback.pull_request, feedback.commit), (4, sha(1)));

    let repeated = send(&client, run(&script, &found, "1")).await;
    assert_eq!(
        (repeated.status, repeated.id().unwrap()),
        (StatusCode::ACCEPTED, job.id)
    );
    house.queue.cancel(job.id).await.unwrap();
    let again = send(&client, run(&script, &found, "2")).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    assert_ne!(again.id().unwrap(), job.id);

    // For an evaluator that puts out the object itself.
    house.queue.cancel(again.id().unwrap()).await.unwrap();
    let bare = script.replace("\"$EVALUATION\"", "$EVALUATION");
    assert_ne!(bare, script);
    let plain = send(&client, run(&bare, &evaluation().to_json(), "3")).await;
    assert_eq!(plain.status, StatusCode::ACCEPTED, "{plain:?}");
}
