//! The parts of the demo: what is started before the first step, and how it ends.

use anyhow::{Context, ensure};
use hookme_tests::github::{Contributor, Fault, Issue, Repository};
use hookme_tests::site::{Site, SiteOptions};
use hookme_tests::{GithubStandIn, Program};

use crate::tour::PATIENCE;

/// Owns every repository of the demo.
pub(super) const OWNER: &str = "octocat";
/// Has some of everything; its report is shown at the end.
pub(super) const USUAL: &str = "hello-world";
/// Has no issue and no commit.
pub(super) const EMPTY: &str = "blank-page";
/// Does not exist.
pub(super) const MISSING: &str = "no-such-thing";
/// Is delivered at the second attempt.
pub(super) const UNLUCKY: &str = "spoon-knife";
/// Takes so long to fetch that its worker can be killed meanwhile.
pub(super) const SLOW: &str = "long-story";
/// Has a pull request that gets a comment.
pub(super) const GRADED: &str = "lab-1";
/// Has a pull request whose comment is made, though GitHub's answer says otherwise.
pub(super) const UNCLEAR: &str = "lab-2";
/// The number of the pull request that every made-up repository has.
pub(super) const PULL_REQUEST: usize = 4;

/// Starts all parts, with lively settings: what takes seconds in production takes
/// a fraction of one here.
pub(super) async fn set() -> anyhow::Result<Site> {
    let options = SiteOptions {
        workers: 2,
        ..SiteOptions::default()
    };
    let options = options
        .with("SCHEDULE_INTERVAL", "200")
        .with("RESCHEDULE_INTERVAL", "1000")
        .with("LEASE", "2000")
        // The made-up GitHub takes comments from any token, and at any pace.
        .with("API_TOKEN", "demo")
        .with("GITHUB_WRITE_GAP", "0")
        // So long after a lost answer a comment is looked for. If it were shorter, the
        // worker that GitHub keeps waiting could give up before it is killed.
        .with("GITHUB_TIMEOUT", "2000");
    let site = Site::start(options).await?;
    furnish(&site.github);
    Ok(site)
}

/// Makes up the repositories that are not like all others.
fn furnish(github: &GithubStandIn) {
    github.put_repository(OWNER, USUAL, &usual_repository());
    github.add_user("octocat", Some("The Octocat"));
    github.add_user("hubot", None);
    github.put_repository(OWNER, EMPTY, &Repository::default());
    let not_found = r#"{"message":"Not Found","status":"404"}"#;
    let not_found = Fault::Status(404, Vec::new(), not_found.to_owned());
    github.always(&format!("/repos/{OWNER}/{MISSING}"), not_found);
    github.script(&format!("/repos/{OWNER}/{SLOW}"), vec![Fault::Hang]);
    let made = Fault::CreatedThen(502);
    github.script(&comments_path(UNCLEAR), vec![made]);
}

/// Where GitHub has the comments on a repository's pull request.
pub(super) fn comments_path(repository: &str) -> String {
    format!("/repos/{OWNER}/{repository}/issues/{PULL_REQUEST}/comments")
}

fn usual_repository() -> Repository {
    let issue = |number, title: &str, author: Option<&str>, labels: &[&str]| Issue {
        number,
        title: title.to_owned(),
        author: author.map(str::to_owned),
        labels: labels.iter().map(ToString::to_string).collect(),
        pull_request: false,
        closed: false,
        body: None,
    };
    let user = |login: &str, contributions| Contributor::User {
        login: login.to_owned(),
        contributions,
    };
    Repository {
        issues: vec![
            issue(
                3,
                "Wave back \u{1f44b}",
                Some("hubot"),
                &["good first issue"],
            ),
            issue(2, "Greets the moon, too", None, &[]),
            issue(1, "The world does not answer", Some("octocat"), &[]),
        ],
        contributors: vec![user("octocat", 32), user("hubot", 4)],
    }
}

/// Ends everything in order: the workers, then the API; Redis goes with the site.
///
/// # Errors
///
/// When a program does not end in time, or not well.
pub(super) async fn clear(site: Site) -> anyhow::Result<()> {
    for worker in &site.workers {
        worker.terminate()?;
    }
    for worker in &site.workers {
        ended(worker).await?;
    }
    site.api.terminate()?;
    ended(&site.api).await
}

async fn ended(program: &Program) -> anyhow::Result<()> {
    let status = program.wait(PATIENCE).await?;
    ensure!(
        status.success(),
        "it ended with {status}:\n{}",
        program.log()
    );
    Ok(())
}

/// Where the API listens: it says so itself.
pub(super) async fn api_url(site: &Site) -> anyhow::Result<String> {
    let line = site.api.wait_for_log("taking tasks", PATIENCE).await?;
    let line: serde_json::Value = serde_json::from_str(&line)?;
    let address = line["address"].as_str();
    Ok(format!(
        "http://{}",
        address.context("the API does not say where")?
    ))
}
