//! The comments on issues: what was posted is kept and can be listed.

use std::collections::HashMap;
use std::sync::Mutex;

use hyper::StatusCode;
use hyper::header::{LINK, LOCATION};
use serde_json::{Value, json};

use super::accounts::Account;
use super::answer::{Answer, tag};
use super::catalog::Entry;
use super::date::iso_date;
use super::page::Page;
use super::shape;
use super::target::{Query, decode};
use crate::lock::lock;

/// The longest text of a comment, in characters.
const BODY_MAX_CHARS: usize = 65_536;
const CREATE_PAGE: &str = "issues/comments#create-an-issue-comment";

/// All comments, by the repository's id and the issue's number.
#[derive(Debug, Default)]
pub(super) struct Comments(Mutex<Stored>);

#[derive(Debug, Default)]
struct Stored {
    by_issue: HashMap<(u64, usize), Vec<Comment>>,
    count: u64,
}

#[derive(Debug, Clone)]
struct Comment {
    id: u64,
    author: Account,
    body: String,
    created_at: String,
}

impl Comments {
    /// Creates what a POST asks for, at `now_ms`.
    pub(super) fn post(
        &self,
        api: &str,
        (entry, number): (&Entry, usize),
        author: Account,
        asked: &[u8],
        now_ms: u64,
    ) -> Answer {
        let Ok(asked) = serde_json::from_slice::<Value>(asked) else {
            return Answer::error(
                StatusCode::BAD_REQUEST,
                "Problems parsing JSON",
                CREATE_PAGE,
            );
        };
        let body = asked["body"].as_str().unwrap_or_default();
        if body.trim().is_empty() || body.chars().count() > BODY_MAX_CHARS {
            return invalid();
        }
        let mut stored = lock(&self.0);
        stored.count += 1;
        let comment = Comment {
            id: stored.count,
            author,
            body: body.to_owned(),
            created_at: iso_date(now_ms / 1_000),
        };
        let shape = shape_of(api, entry, number, &comment);
        stored
            .by_issue
            .entry((entry.id, number))
            .or_default()
            .push(comment);
        let mut answer = Answer::json(StatusCode::CREATED, shape.to_string());
        answer.set(LOCATION, shape["url"].as_str().unwrap_or_default());
        answer
    }

    /// A page of an issue's comments, the oldest first; with `since`, of those that
    /// are not older.
    pub(super) fn list(&self, api: &str, entry: &Entry, number: usize, query: &Query) -> Answer {
        let since = query.get("since").map(decode).unwrap_or_default();
        let stored = lock(&self.0);
        let all = stored
            .by_issue
            .get(&(entry.id, number))
            .map_or(&[][..], Vec::as_slice);
        // Dates of this form are in the order of their text.
        let wanted: Vec<&Comment> = all.iter().filter(|one| one.created_at >= since).collect();
        let page = Page::of(query, wanted.len());
        let shown = wanted[page.items()].iter();
        let shapes: Vec<Value> = shown
            .map(|comment| shape_of(api, entry, number, comment))
            .collect();
        let mut answer = Answer::json(StatusCode::OK, Value::Array(shapes).to_string());
        tag(
            &mut answer,
            ("comments", entry.id, number, all.len(), page.items()),
        );
        let url = format!("{api}/repositories/{}/issues/{number}/comments", entry.id);
        if let Some(link) = page.link(&url, query) {
            answer.set(LINK, &link);
        }
        answer
    }

    /// The texts of an issue's comments, the oldest first.
    pub(super) fn bodies(&self, repository_id: u64, number: usize) -> Vec<String> {
        let stored = lock(&self.0);
        let comments = stored.by_issue.get(&(repository_id, number));
        comments
            .into_iter()
            .flatten()
            .map(|comment| comment.body.clone())
            .collect()
    }
}

fn shape_of(api: &str, entry: &Entry, number: usize, comment: &Comment) -> Value {
    let (id, repository) = (comment.id, &entry.full_name);
    let site = shape::SITE;
    json!({
        "id": id, "node_id": format!("IC_kwDO{id:08}"),
        "url": format!("{api}/repos/{repository}/issues/comments/{id}"),
        "html_url": format!("{site}/{repository}/issues/{number}#issuecomment-{id}"),
        "issue_url": format!("{api}/repos/{repository}/issues/{number}"),
        "body": comment.body, "user": shape::simple_user(api, comment.author.id, &comment.author.login),
        "created_at": comment.created_at, "updated_at": comment.created_at,
        "author_association": "NONE", "performed_via_github_app": null,
    })
}

fn invalid() -> Answer {
    let body = json!({
        "message": "Validation Failed", "status": "422",
        "errors": [{ "resource": "IssueComment", "code": "invalid", "field": "body" }],
        "documentation_url": format!("https://docs.github.com/rest/{CREATE_PAGE}"),
    });
    Answer::json(StatusCode::UNPROCESSABLE_ENTITY, body.to_string())
}
