//! What a request asks for: path and query, by GitHub's rules.

/// A query, in the order given and not decoded: nothing that is read here needs it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Self(
            pairs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    /// The query as it came.
    pub(super) fn text(&self) -> String {
        let pairs = self.0.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("&")
    }

    /// Whether each pair of `other` stands here too.
    pub(super) fn contains(&self, other: &Self) -> bool {
        other.0.iter().all(|pair| self.0.contains(pair))
    }

    /// The same query for another page; the page stands last, as in GitHub's links.
    pub(super) fn with_page(&self, page: usize) -> String {
        self.elsewhere([format!("page={page}")])
    }

    /// The same query for the page of this number, which lies in `direction`
    /// (`after` or `before`) of `cursor`.
    pub(super) fn with_cursor(&self, direction: &str, cursor: &str, page: usize) -> String {
        self.elsewhere([format!("{direction}={cursor}"), format!("page={page}")])
    }

    fn elsewhere<const N: usize>(&self, place: [String; N]) -> String {
        let is_place = |name: &str| ["page", "after", "before"].contains(&name);
        let others = self.0.iter().filter(|(name, _)| !is_place(name));
        let others = others.map(|(name, value)| format!("{name}={value}"));
        let pairs: Vec<String> = others.chain(place).collect();
        pairs.join("&")
    }
}

/// The resources that are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resource {
    /// `/repos/{owner}/{name}`
    Repository(String),
    /// `/repos/{owner}/{name}/issues`
    Issues(String),
    /// `/repos/{owner}/{name}/contributors`
    Contributors(String),
    /// `/repos/{owner}/{name}/issues/{number}/comments`
    Comments(String, usize),
    /// `/users/{login}`
    User(String),
    /// `/user/{id}`
    Account(u64),
    /// `/user`
    Viewer,
    /// `/graphql`
    Graphql,
    /// Anything else.
    Unknown,
}

/// A request's target, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The path in lower case, with `/repositories/{id}` put back to
    /// `/repos/{owner}/{name}`: one text per resource, however it was asked for.
    pub(super) path: String,
    pub(super) query: Query,
    pub(super) resource: Resource,
}

impl Resource {
    /// The repository that it is of, if it is of one that is known.
    pub(super) fn repository(&self) -> Option<&str> {
        match self {
            Self::Repository(name)
            | Self::Issues(name)
            | Self::Contributors(name)
            | Self::Comments(name, _) => Some(name),
            Self::User(_) | Self::Account(_) | Self::Viewer | Self::Graphql | Self::Unknown => None,
        }
    }
}

impl Target {
    /// Understands `path` and `query`; `name_of` knows repositories by their id.
    pub(super) fn parse(path: &str, query: &str, name_of: impl Fn(u64) -> Option<String>) -> Self {
        let segments: Vec<String> = path.split('/').skip(1).map(decode).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (repository, rest) = match segments.as_slice() {
            ["repos", owner, name, rest @ ..] => (Some(format!("{owner}/{name}")), rest),
            ["repositories", id, rest @ ..] => (id.parse().ok().and_then(name_of), rest),
            other => (None, other),
        };
        let query = Query::parse(query);
        let Some(repository) = repository else {
            let resource = match rest {
                ["users", login] => Resource::User((*login).to_owned()),
                ["user", id] => id.parse().map_or(Resource::Unknown, Resource::Account),
                ["user"] => Resource::Viewer,
                ["graphql"] => Resource::Graphql,
                _ => Resource::Unknown,
            };
            return Self {
                path: path.to_ascii_lowercase(),
                query,
                resource,
            };
        };
        let mut path = format!("/repos/{repository}").to_ascii_lowercase();
        for segment in rest {
            path.push('/');
            path.push_str(&segment.to_ascii_lowercase());
        }
        let resource = match rest {
            [] => Resource::Repository(repository),
            ["issues"] => Resource::Issues(repository),
            ["contributors"] => Resource::Contributors(repository),
            ["issues", number, "comments"] => number.parse().map_or(Resource::Unknown, |number| {
                Resource::Comments(repository, number)
            }),
            _ => Resource::Unknown,
        };
        Self {
            path,
            query,
            resource,
        }
    }
}

/// A choice of requests: a path with everything below it, and optionally what the
/// query must hold, as in `/repos/octocat/hello/issues?page=2`. Case does not
/// matter in the path. `/` chooses everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    path: String,
    query: Query,
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Self {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let path = path.trim_end_matches('/').to_ascii_lowercase();
        Self {
            path,
            query: Query::parse(query),
        }
    }

    pub(super) fn matches(&self, path: &str, query: &Query) -> bool {
        let below = path.strip_prefix(&self.path);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            && query.contains(&self.query)
    }
}

/// A part of a path or a query with its `%xx` decoded; what is no `%xx` stays.
pub(super) fn decode(segment: &str) -> String {
    let mut parts = segment.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).map(|hex| u8::from_str_radix(hex, 16)) {
            Some(Ok(byte)) => {
                bytes.push(byte);
                bytes.extend(&part.as_bytes()[2..]);
            }
            _ => bytes.extend([b"%", part.as_bytes()].concat()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(path: &str) -> Target {
        Target::parse(path, "", |id| (id == 7).then(|| "Octo/Cat".to_owned()))
    }

    #[test]
    fn a_repository_has_one_path_however_it_is_asked_for() {
        assert_eq!(
            target("/repositories/7/issues"),
            target("/repos/Octo/Cat/issues")
        );
        assert_eq!(
            target("/repos/Octo/Cat/issues").path,
            "/repos/octo/cat/issues"
        );
        assert_eq!(target("/repositories/8/issues").resource, Resource::Unknown);
        assert_eq!(target("/repos/o/r/").resource, Resource::Unknown);
        assert_eq!(
            target("/users/a%5Bbot%5D").resource,
            Resource::User("a[bot]".to_owned())
        );
        assert_eq!(target("/user/12").resource, Resource::Account(12));
        assert_eq!(target("/user").resource, Resource::Viewer);
        assert_eq!(
            target("/repositories/7/issues/3/comments").resource,
            Resource::Comments("Octo/Cat".to_owned(), 3)
        );
    }

    #[test]
    fn a_pattern_ends_at_a_segment() {
        let hit = |pattern: &str, path: &str| {
            Pattern::parse(pattern).matches(path, &Query::parse("page=2&a=b"))
        };
        assert!(hit("/", "/users/x"));
        assert!(hit("/repos/O/R", "/repos/o/r/issues"));
        assert!(hit("/repos/o/r/issues?page=2", "/repos/o/r/issues"));
        assert!(!hit("/repos/o/r/issues?page=3", "/repos/o/r/issues"));
        assert!(!hit("/repos/o/hello", "/repos/o/hello-world"));
    }
}
