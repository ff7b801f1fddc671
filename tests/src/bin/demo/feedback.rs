//! The steps about feedback: a commit is graded, and its pull request gets a comment.

use anyhow::ensure;
use reqwest::StatusCode;
use serde_json::Value;

use crate::screen::Style;
use crate::stage::{GRADED, OWNER, PULL_REQUEST, UNCLEAR, comments_path};
use crate::tour::{PATIENCE, Tour};

/// A student's commit, and the one that mends it.
const OLDER: &str = "0d1c2b3a49586776859403120f1e2d3c4b5a6978";
pub(super) const NEWER: &str = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d";

pub(super) async fn replace_an_older_commit(tour: &mut Tour) -> anyhow::Result<()> {
    tour.screen
        .step("Feedback on two commits of a pull request: the newer one gets the comment")?;
    let before = tour.site.receiver.count();
    // Without the delay it could have its comment before the newer one is there.
    let delay = r#", "delay_ms": 2000"#;
    let grades = [("It says hello", 3), ("The world answers", 1)];
    let older = post(tour, GRADED, &members(OLDER, &grades, delay)).await?;
    tour.screen
        .say("\nBefore it is that one's turn, a newer commit is evaluated.")?;
    let grades = [
        ("It says hello", 3),
        ("The world answers", 3),
        ("It greets the moon, too", 1),
    ];
    let newer = post(tour, GRADED, &members(NEWER, &grades, "")).await?;
    let task = tour.task_in(&older, "cancelled").await?;
    tour.show(&older, &task, &["state", "reason"])?;
    ensure!(
        task["superseded_by"] == newer,
        "not replaced by {newer}: {task}"
    );
    let task = tour.task_in(&newer, "succeeded").await?;
    tour.show(&newer, &task, &["state", "grade"])?;

    let comments = tour.site.github.comments(OWNER, GRADED, PULL_REQUEST);
    show_comments(tour, GRADED, "-r '.[].body'", &comments.join("\n"))?;
    ensure!(
        comments.len() == 1 && comments[0].contains(NEWER),
        "not one comment, on the newer commit: {comments:?}"
    );
    let deliveries = tour.site.receiver.wait_for(before + 1, PATIENCE).await?;
    tour.screen.say("\nThis is what the receiver got.")?;
    let body = &deliveries[before].body;
    Ok(tour.screen.json(std::str::from_utf8(body)?)?)
}

pub(super) async fn lose_an_answer(tour: &mut Tour) -> anyhow::Result<()> {
    tour.screen
        .step("GitHub makes a comment but answers 502: it is found, and not made again")?;
    let grades = [("It says hello", 3)];
    let id = post(tour, UNCLEAR, &members(NEWER, &grades, "")).await?;
    // It was graded, and tried.
    let waits = |task: &Value| task["state"] == "scheduled" && task["attempts"] == 2;
    let task = tour
        .task_when(&id, "waiting to look for its comment", waits)
        .await?;
    tour.show(&id, &task, &["state", "stage", "why"])?;
    let task = tour.task_in(&id, "succeeded").await?;
    tour.show(&id, &task, &["state", "failures", "comment_url"])?;

    let asked = tour.site.github.requests().into_iter();
    let path = comments_path(UNCLEAR);
    let asked = asked.filter(|request| request.target.starts_with(&path));
    let asked: Vec<_> = asked
        .map(|request| format!("{} {}", request.method, request.target))
        .collect();
    tour.screen
        .say("\nThis is what GitHub was asked about its comments.")?;
    tour.screen.lines(Style::Faint, asked.join("\n"))?;
    let posts = asked.iter().filter(|asked| asked.starts_with("POST"));
    let posts = posts.count();

    let comments = tour.site.github.comments(OWNER, UNCLEAR, PULL_REQUEST);
    show_comments(tour, UNCLEAR, "length", &comments.len().to_string())?;
    ensure!(
        (posts, comments.len()) == (1, 1) && comments[0].contains(&id),
        "{posts} requests made these comments: {comments:?}"
    );
    Ok(tour.screen.say(
        "\nThe first line of a comment names its job. A worker that does not know\n\
         whether the comment was made looks for that line, and makes the comment\n\
         again only if it is not there.",
    )?)
}

/// What a task of feedback has beside what every task has: a commit, with a grade for
/// each of its requirements.
///
/// `more` is what else it shall have, after a comma.
pub(super) fn members(commit: &str, grades: &[(&str, u32)], more: &str) -> String {
    let one = |(description, grade): &(&str, u32)| {
        format!("\n    {{\"description\": \"{description}\", \"grade\": {grade}}}")
    };
    let grades: Vec<_> = grades.iter().map(one).collect();
    let grades = grades.join(",");
    format!(
        ",\n  \"kind\": \"feedback\", \"pull_request\": {PULL_REQUEST}{more},\n  \
         \"commit\": \"{commit}\",\n  \
         \"evaluation\": {{\"github_username\": \"hubot\", \"evaluations\": [{grades}]}}"
    )
}

/// Posts feedback that is taken, and returns its id.
async fn post(tour: &mut Tour, repository: &str, members: &str) -> anyhow::Result<String> {
    let answer = tour.post(repository, members).await?;
    ensure!(answer.status == StatusCode::ACCEPTED, "{}", answer.text);
    answer.id()
}

/// Shows a command about a repository's comments, and what `jq` makes of them.
fn show_comments(tour: &mut Tour, repository: &str, jq: &str, shown: &str) -> anyhow::Result<()> {
    let path = comments_path(repository);
    let command = format!("curl -s $GITHUB{path} | jq {jq}");
    tour.screen.command(command)?;
    Ok(tour.screen.say(shown)?)
}
