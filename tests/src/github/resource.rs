//! What is asked for with GET, as a GitHub shows it that is well.

use hyper::StatusCode;
use hyper::header::{HeaderMap, LINK, USER_AGENT};

use super::access::Caller;
use super::accounts::Account;
use super::answer::{Answer, tag};
use super::catalog::{Catalog, Entry};
use super::comments::Comments;
use super::page::{Page, TooFar};
use super::refusal::requires_authentication;
use super::shape;
use super::target::{Query, Resource, Target};
use super::template::Template;

/// When anything was last changed that no test has changed: 2024, in seconds since
/// 1970. A change is a minute later.
const FIRST_MODIFIED: u64 = 1_704_067_320;
const ISSUES_PAGE: &str = "issues/issues#list-repository-issues";

/// Answers a GET.
pub(super) fn answer(
    (catalog, comments): (&Catalog, &Comments),
    target: &Target,
    caller: Caller,
    asked: &HeaderMap,
) -> Answer {
    if let Some(refusal) = nameless(asked) {
        return refusal;
    }
    let answer = match &target.resource {
        Resource::Unknown | Resource::Graphql => not_found(""),
        Resource::User(login) => user(catalog, &catalog.accounts.of_login(login)),
        Resource::Account(id) => match catalog.accounts.of_id(*id) {
            None => not_found("users/users#get-a-user-using-their-id"),
            Some(account) => user(catalog, &account),
        },
        Resource::Viewer => match caller {
            Caller::User(id) => user(catalog, &catalog.accounts.of_token_user(id)),
            Caller::Anonymous | Caller::Refused => {
                requires_authentication("users/users#get-the-authenticated-user")
            }
        },
        Resource::Repository(name)
        | Resource::Issues(name)
        | Resource::Contributors(name)
        | Resource::Comments(name, _) => match catalog.find(name) {
            Some(entry) => of_repository(catalog, comments, &entry, target),
            None => moved(catalog, target, StatusCode::MOVED_PERMANENTLY)
                .unwrap_or_else(|| not_found(documentation(&target.resource))),
        },
    };
    answer.conditional(asked)
}

/// The refusal of a client that does not say its name.
///
/// Source: GitHub's documentation, "User agent required".
pub(super) fn nameless(asked: &HeaderMap) -> Option<Answer> {
    let message = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.";
    let refusal = || Answer::error(StatusCode::FORBIDDEN, message, "");
    (!asked.contains_key(USER_AGENT)).then(refusal)
}

/// Sends the client to a repository that was renamed, by its id.
pub(super) fn moved(catalog: &Catalog, target: &Target, status: StatusCode) -> Option<Answer> {
    let name = target.resource.repository()?;
    let id = catalog.moved(name)?;
    let old = format!("/repos/{name}").to_ascii_lowercase();
    let rest = target.path.strip_prefix(&old)?;
    let query = target.query.text();
    let mark = if query.is_empty() { "" } else { "?" };
    let url = format!("{}/repositories/{id}{rest}{mark}{query}", catalog.api());
    Some(Answer::redirect(status, &url))
}

pub(super) fn not_found(documentation: &str) -> Answer {
    let mut answer = Answer::error(StatusCode::NOT_FOUND, "Not Found", documentation);
    tag(&mut answer, ("not found", documentation));
    answer
}

fn documentation(resource: &Resource) -> &'static str {
    match resource {
        Resource::Repository(_) => "repos/repos#get-a-repository",
        Resource::Issues(_) => ISSUES_PAGE,
        Resource::Contributors(_) => "repos/repos#list-repository-contributors",
        Resource::Comments(..) => "issues/comments#list-issue-comments",
        Resource::User(_)
        | Resource::Account(_)
        | Resource::Viewer
        | Resource::Graphql
        | Resource::Unknown => "",
    }
}

fn of_repository(catalog: &Catalog, comments: &Comments, entry: &Entry, target: &Target) -> Answer {
    match &target.resource {
        Resource::Issues(_) => issues(catalog, entry, &target.query),
        Resource::Contributors(_) => contributors(catalog, entry, &target.query),
        Resource::Comments(_, number) if entry.has_issue(*number) => {
            comments.list(catalog.api(), entry, *number, &target.query)
        }
        Resource::Comments(..) => not_found(documentation(&target.resource)),
        Resource::Repository(_)
        | Resource::User(_)
        | Resource::Account(_)
        | Resource::Viewer
        | Resource::Graphql
        | Resource::Unknown => repository(catalog, entry),
    }
}

fn user(catalog: &Catalog, account: &Account) -> Answer {
    let shape = shape::user(catalog.api(), account);
    let mut answer = Answer::json(StatusCode::OK, shape.to_string());
    tag(&mut answer, ("user", &account.login, &account.name));
    answer.modified(FIRST_MODIFIED + account.changes * 60)
}

fn repository(catalog: &Catalog, entry: &Entry) -> Answer {
    let issues = entry.content.issues.iter();
    let open = issues.filter(|issue| !issue.closed).count();
    let shape = shape::repository(catalog.api(), &entry.full_name, entry.id, open);
    let mut answer = Answer::json(StatusCode::OK, shape.to_string());
    let version = entry.content.version;
    tag(
        &mut answer,
        ("repository", entry.id, &entry.full_name, version),
    );
    answer.modified(FIRST_MODIFIED + version as u64 * 60)
}

fn issues(catalog: &Catalog, entry: &Entry, query: &Query) -> Answer {
    let wanted = |closed: bool| match query.get("state") {
        Some("all") => true,
        Some("closed") => closed,
        _ => !closed,
    };
    let all = entry.content.issues.iter();
    let items = all.filter(|issue| wanted(issue.closed));
    let items: Vec<_> = items.map(|issue| &issue.template).collect();
    let page = Page::by_cursor(query, items.len());
    page.map_or_else(too_far, |page| {
        list(catalog, entry, query, "issues", (&items, page))
    })
}

fn too_far(TooFar: TooFar) -> Answer {
    let message = "Pagination with the page parameter is not supported for large datasets, please use cursor based pagination (after/before)";
    Answer::error(StatusCode::UNPROCESSABLE_ENTITY, message, ISSUES_PAGE)
}

fn contributors(catalog: &Catalog, entry: &Entry, query: &Query) -> Answer {
    if entry.content.contributors.is_empty() {
        // An empty repository: no body and no `ETag`.
        return Answer::empty(StatusCode::NO_CONTENT);
    }
    let with_anonymous = matches!(query.get("anon"), Some("1" | "true"));
    let all = entry.content.contributors.iter();
    let items = all.filter(|(_, anonymous)| with_anonymous || !anonymous);
    let items: Vec<_> = items.map(|(item, _)| item).collect();
    let page = Page::of(query, items.len());
    list(catalog, entry, query, "contributors", (&items, page))
}

/// One page of `items`. Its links name the repository by its id, as GitHub's do.
fn list(
    catalog: &Catalog,
    entry: &Entry,
    query: &Query,
    segment: &str,
    (items, page): (&[&Template], Page),
) -> Answer {
    let mut body = String::from("[");
    for (index, item) in items[page.items()].iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        item.write(&entry.full_name, entry.id, &mut body);
    }
    body.push(']');
    let mut answer = Answer::json(StatusCode::OK, body);
    let asked = query.with_page(0);
    tag(
        &mut answer,
        (
            (segment, entry.id, &entry.full_name),
            entry.content.version,
            page.items(),
            asked,
        ),
    );
    let url = format!("{}/repositories/{}/{segment}", catalog.api(), entry.id);
    if let Some(link) = page.link(&url, query) {
        answer.set(LINK, &link);
    }
    answer
}
