//! What the section says that a reader can find out.

use hookme_shared::destination::DEFAULT_ID;
use hookme_shared::job::JobId;
use hookme_tests::by_hand;

use super::IDENTITY;
use super::jobs::{COMMENT_URL, Jobs};

/// What can be found out: what, by which command, about
/// which job, and what is printed then.
pub(crate) type Finding = (&'static str, &'static str, JobId, Vec<String>);

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn its_id(id: JobId) -> Vec<String> {
    vec![id.to_string()]
}

fn findings_of_jobs(jobs: &Jobs) -> Vec<Finding> {
    let (waiting, retried, running, dead) = (jobs.waiting, jobs.retried, jobs.running, jobs.dead);
    let happened = ["retry deliver by-hand", "the webhook answered 503"];
    vec![
        ("what waits", "scheduled:fetch", waiting, its_id(waiting)),
        (
            "what is to be delivered",
            "scheduled:deliver",
            retried,
            its_id(retried),
        ),
        ("what runs", ":running", running, its_id(running)),
        (
            "who holds it",
            ":job:",
            running,
            words(&["running", by_hand::WORKER]),
        ),
        ("who works", ":worker", running, words(&[by_hand::WORKER])),
        (
            "why it waits",
            "hookme_explain",
            waiting,
            words(&["as its task asked"]),
        ),
        (
            "why it waits again",
            "hookme_explain",
            retried,
            words(&["to try again: the webhook answered 503"]),
        ),
        (
            "what happened to it",
            ":history:",
            retried,
            words(&happened),
        ),
        ("what died", ":dead", dead, its_id(dead)),
        (
            "why it died",
            ":job:",
            dead,
            words(&["GitHub has no repository octocat/dead"]),
        ),
        (
            "who has a repository",
            ":lock:octocat/hello-world",
            waiting,
            its_id(waiting),
        ),
        (
            "how many there are",
            "hookme_counts",
            waiting,
            words(&["scheduled:fetch\n1\n", "running\n1\n"]),
        ),
    ]
}

/// What is known of GitHub and of receivers.
fn findings_of_others(jobs: &Jobs) -> Vec<Finding> {
    let waiting = jobs.waiting;
    vec![
        (
            "whose limits count",
            ":github:identities",
            waiting,
            words(&[IDENTITY]),
        ),
        (
            "what GitHub refused",
            "HGETALL \"{hookme}:github:limits",
            waiting,
            words(&["token:fingerprint:until_ms", ":request_id\n5AFE:1D00"]),
        ),
        (
            "where results go",
            ":destinations'",
            waiting,
            words(&[DEFAULT_ID]),
        ),
        (
            "why nothing is sent there",
            ":destination:default",
            waiting,
            words(&["https://hooks.example.com/in", "the webhook answered 410"]),
        ),
    ]
}

fn findings_of_feedback(jobs: &Jobs) -> Vec<Finding> {
    vec![
        (
            "what is to be graded",
            "scheduled:grade",
            jobs.ungraded,
            its_id(jobs.ungraded),
        ),
        (
            "whose comment is to be made",
            "scheduled:comment",
            jobs.graded,
            its_id(jobs.graded),
        ),
        (
            "what a commit came to",
            ":job:",
            jobs.commented,
            words(&["1\n2\n", COMMENT_URL]),
        ),
        (
            "what was found",
            ":evaluation:",
            jobs.ungraded,
            words(&["\"description\""]),
        ),
        (
            "the jobs of a pull request",
            ":pull_request:",
            jobs.ungraded,
            its_id(jobs.ungraded),
        ),
    ]
}

/// All of it.
pub(crate) fn findings(jobs: &Jobs) -> Vec<Finding> {
    [
        findings_of_jobs(jobs),
        findings_of_others(jobs),
        findings_of_feedback(jobs),
    ]
    .concat()
}
