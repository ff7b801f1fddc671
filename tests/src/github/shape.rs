//! GitHub's JSON for issues, contributors, users and repositories.
//!
//! The fields are those of REST API version 2022-11-28; what GitHub leaves out for
//! want of a value is left out here too. Node ids are opaque and made up.
//!
//! Source: GitHub's description of its REST API, schemas `issue`, `contributor`,
//! `simple-user`, `public-user` and `minimal-repository`.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use super::accounts::Account;
use super::repository::{Contributor, Issue};
use super::template::{FULL_NAME, id};

/// Where people look at GitHub.
pub(super) const SITE: &str = "https://github.com";

/// An issue of the repository that fills the template's gaps.
pub(super) fn issue(api: &str, issue: &Issue) -> Value {
    let number = issue.number;
    let repository_url = format!("{api}/repos/{FULL_NAME}");
    let url = format!("{repository_url}/issues/{number}");
    let section = if issue.pull_request { "pull" } else { "issues" };
    let prefix = if issue.pull_request {
        "PR_kwDO"
    } else {
        "I_kwDO"
    };
    let created_at = timestamp(number);
    let closed_at = issue.closed.then_some(&created_at);
    let labels: Vec<Value> = issue
        .labels
        .iter()
        .map(|name| label(&repository_url, name))
        .collect();
    let mut shape = json!({
        "url": url, "repository_url": repository_url,
        "labels_url": format!("{url}/labels{{/name}}"),
        "comments_url": format!("{url}/comments"), "events_url": format!("{url}/events"),
        "html_url": format!("{SITE}/{FULL_NAME}/{section}/{number}"),
        "id": id(number), "node_id": format!("{prefix}{number:08}"), "number": number,
        "title": issue.title, "labels": labels,
        "user": issue.author.as_deref().map(|login| simple_user(api, number_of(login), login)),
        "state": if issue.closed { "closed" } else { "open" },
        "state_reason": issue.closed.then_some("completed"),
        "locked": false, "assignee": null, "assignees": [], "milestone": null,
        "comments": number % 4, "created_at": created_at, "updated_at": created_at,
        "closed_at": closed_at, "author_association": "CONTRIBUTOR",
        "active_lock_reason": null, "body": issue.body, "performed_via_github_app": null,
        "reactions": {
            "url": format!("{url}/reactions"), "total_count": 0, "+1": 0, "-1": 0, "laugh": 0,
            "hooray": 0, "confused": 0, "heart": 0, "rocket": 0, "eyes": 0,
        },
        "timeline_url": format!("{url}/timeline"),
    });
    if issue.pull_request {
        let page = format!("{SITE}/{FULL_NAME}/pull/{number}");
        shape["draft"] = json!(false);
        shape["pull_request"] = json!({
            "url": format!("{repository_url}/pulls/{number}"), "html_url": page,
            "diff_url": format!("{page}.diff"), "patch_url": format!("{page}.patch"),
            "merged_at": null,
        });
    }
    shape
}

fn label(repository_url: &str, name: &str) -> Value {
    let id = number_of(name);
    json!({
        "id": id, "node_id": format!("LA_kwDO{id:08}"),
        "url": format!("{repository_url}/labels/{}", name.replace(' ', "%20")),
        "name": name, "color": format!("{:06x}", id & 0x00ff_ffff),
        "default": name == "bug", "description": null,
    })
}

/// A contributor; an anonymous one has neither login nor id.
pub(super) fn contributor(api: &str, contributor: &Contributor) -> Value {
    match contributor {
        Contributor::User {
            login,
            contributions,
        } => {
            let mut shape = simple_user(api, number_of(login), login);
            shape["contributions"] = json!(contributions);
            shape
        }
        Contributor::Anonymous {
            name,
            email,
            contributions,
        } => json!({
            "email": email, "name": name, "type": "Anonymous", "contributions": contributions,
        }),
    }
}

/// An account as it stands inside other objects.
pub(super) fn simple_user(api: &str, id: u64, login: &str) -> Value {
    let bot = login.ends_with("[bot]");
    let kind = if bot { "BOT" } else { "U" };
    let url = format!(
        "{api}/users/{}",
        login.replace('[', "%5B").replace(']', "%5D")
    );
    json!({
        "login": login, "id": id, "node_id": format!("{kind}_kgDO{id:08}"),
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"),
        "gravatar_id": "", "url": url, "html_url": format!("{SITE}/{login}"),
        "followers_url": format!("{url}/followers"),
        "following_url": format!("{url}/following{{/other_user}}"),
        "gists_url": format!("{url}/gists{{/gist_id}}"),
        "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{url}/subscriptions"),
        "organizations_url": format!("{url}/orgs"), "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events{{/privacy}}"),
        "received_events_url": format!("{url}/received_events"),
        "type": if bot { "Bot" } else { "User" },
        "user_view_type": "public", "site_admin": false,
    })
}

/// An account asked for by itself.
pub(super) fn user(api: &str, account: &Account) -> Value {
    let mut shape = simple_user(api, account.id, &account.login);
    let more = json!({
        "name": account.name, "company": null, "blog": "", "location": null, "email": null,
        "hireable": null, "bio": null, "twitter_username": null, "public_repos": 2,
        "public_gists": 0, "followers": 1, "following": 0,
        "created_at": timestamp(1), "updated_at": timestamp(2),
    });
    if let (Value::Object(shape), Value::Object(more)) = (&mut shape, more) {
        shape.extend(more);
    }
    shape
}

/// A repository asked for by itself; of its many URLs only a few.
pub(super) fn repository(api: &str, full_name: &str, id: u64, open_issues: usize) -> Value {
    let (owner, name) = full_name.split_once('/').unwrap_or((full_name, ""));
    let url = format!("{api}/repos/{full_name}");
    json!({
        "id": id, "node_id": format!("R_kgDO{id:08}"), "name": name, "full_name": full_name,
        "private": false, "owner": simple_user(api, number_of(owner), owner),
        "html_url": format!("{SITE}/{full_name}"), "description": null, "fork": false,
        "url": url, "contributors_url": format!("{url}/contributors"),
        "issues_url": format!("{url}/issues{{/number}}"), "created_at": timestamp(1),
        "updated_at": timestamp(2), "pushed_at": timestamp(2), "has_issues": true,
        "archived": false, "disabled": false, "visibility": "public",
        "open_issues_count": open_issues, "open_issues": open_issues, "default_branch": "main",
    })
}

/// An error. Newer answers carry the status as a string too.
pub(super) fn error(status: u16, message: &str, documentation: &str) -> Value {
    let url = format!("https://docs.github.com/rest/{documentation}");
    json!({ "message": message, "documentation_url": url, "status": status.to_string() })
}

/// A made-up but fixed id for a name; case does not matter, as on GitHub.
pub(super) fn number_of(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.to_ascii_lowercase().hash(&mut hasher);
    hasher.finish() % 100_000_000 + 1
}

/// A moment of 2024 that grows by a minute with each number.
fn timestamp(number: usize) -> String {
    let (minute, hour) = (number % 60, number / 60 % 24);
    let (day, month) = (number / 1_440 % 28 + 1, number / 40_320 % 12 + 1);
    format!("2024-{month:02}-{day:02}T{hour:02}:{minute:02}:00Z")
}
