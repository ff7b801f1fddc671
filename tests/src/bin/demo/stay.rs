//! The demo that stays up, to be played with.

use std::time::Duration;

use hookme_tests::Receiver;
use hookme_tests::receiver::Delivery;
use hookme_tests::site::Site;

use crate::feedback::{NEWER, members};
use crate::screen::Style;
use crate::stage::{MISSING, PULL_REQUEST};
use crate::tour::Tour;

/// How long to wait for a delivery before waiting again.
const ROUND: Duration = Duration::from_secs(60 * 60);

/// Says what there is to play with, and shows each delivery as it comes. Never
/// ends by itself.
pub(super) async fn show_deliveries(tour: &mut Tour) -> anyhow::Result<()> {
    let worker = tour.site.start_worker(&[])?;
    Site::ready(&worker).await?;
    tour.site.workers.push(worker);
    introduce(tour)?;
    let mut seen = tour.site.receiver.count();
    loop {
        for delivery in arrived(&tour.site.receiver, seen).await {
            seen += 1;
            let id = delivery.id().unwrap_or("no webhook-id");
            tour.screen
                .lines(Style::Good, format_args!("delivered under {id}:"))?;
            tour.screen.json(std::str::from_utf8(&delivery.body)?)?;
        }
    }
}

fn introduce(tour: &mut Tour) -> anyhow::Result<()> {
    tour.screen
        .headline("It stays up until you press Ctrl-C.")?;
    let row = |name: &str, value: String| [name.to_owned(), value];
    let rows = [
        row("API", tour.url.clone()),
        row("its description", format!("{}/docs/", tour.url)),
        row("metrics", format!("{}/metrics", tour.url)),
        row("Redis", tour.redis_cli("")),
        row("GitHub's stand-in", tour.site.github.url()),
        row("receiver", tour.site.receiver.url()),
    ];
    tour.screen.table(&rows)?;
    let (api, github) = (&tour.url, tour.site.github.url());
    let body = r#"{"username": "you", "repository": "anything"}"#;
    tour.screen.say(format_args!(
        "\nEvery repository exists here, except {MISSING}. Ask for one in another terminal:"
    ))?;
    tour.screen
        .command(format_args!("curl -i {api}/tasks --json '{body}'"))?;
    tour.screen.say(format_args!(
        "\nOr give feedback on its pull request {PULL_REQUEST}, and read the comment:"
    ))?;
    let more = members(NEWER, &[("It works", 3), ("It is fast", 1)], "");
    let body = format!(r#"{{"username": "you", "repository": "anything"{more}}}"#);
    tour.screen
        .command(format_args!("curl -i {api}/tasks --json '{body}'"))?;
    let comments = format!("{github}/repos/you/anything/issues/{PULL_REQUEST}/comments");
    tour.screen
        .command(format_args!("curl -s {comments} | jq -r '.[].body'"))?;
    tour.screen
        .say("\nEach delivery is shown below as it comes.")?;
    Ok(())
}

/// Waits for deliveries after the first `seen`; maybe in vain.
async fn arrived(receiver: &Receiver, seen: usize) -> Vec<Delivery> {
    let all = receiver.wait_for(seen + 1, ROUND).await;
    all.unwrap_or_default().into_iter().skip(seen).collect()
}
