//! Pages and the `Link` header that joins them.
//!
//! Source: GitHub's documentation, "Using pagination in the REST API".

use std::ops::Range;

use super::target::Query;

/// The size of a page that was asked for without one.
const SIZE_DEFAULT: usize = 30;
/// The largest size; more is cut down to it.
const SIZE_MAX: usize = 100;

/// One page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    number: usize,
    size: usize,
    total: usize,
}

impl Page {
    /// The page that `query` asks for, of a list of `total` items. What is no
    /// sensible number counts as not given.
    pub(super) fn of(query: &Query, total: usize) -> Self {
        let asked = |name| {
            query
                .get(name)
                .and_then(|text| text.parse().ok())
                .filter(|n| *n > 0)
        };
        let size = asked("per_page").unwrap_or(SIZE_DEFAULT).min(SIZE_MAX);
        Self {
            number: asked("page").unwrap_or(1),
            size,
            total,
        }
    }

    /// Which items stand on it; none, beyond the last page.
    pub(super) fn items(self) -> Range<usize> {
        let start = (self.number - 1).saturating_mul(self.size).min(self.total);
        start..(start + self.size).min(self.total)
    }

    /// The header's value: previous and first page unless this is the first, next
    /// and last unless it is the last. None for the only page.
    pub(super) fn link(self, url: &str, query: &Query) -> Option<String> {
        let last = self.total.div_ceil(self.size).max(1);
        let mut parts = Vec::new();
        let mut add = |page: usize, relation: &str| {
            parts.push(format!(
                "<{url}?{}>; rel=\"{relation}\"",
                query.with_page(page)
            ));
        };
        if self.number > 1 {
            add((self.number - 1).min(last), "prev");
        }
        if self.number < last {
            add(self.number + 1, "next");
            add(last, "last");
        }
        if self.number > 1 {
            add(1, "first");
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(query: &str, total: usize) -> Option<String> {
        let query = Query::parse(query);
        Page::of(&query, total).link("u", &query)
    }

    #[test]
    fn links_name_the_pages_around() {
        let table = [
            (
                "per_page=3",
                Some(r#"<u?per_page=3&page=2>; rel="next", <u?per_page=3&page=5>; rel="last""#),
            ),
            (
                "per_page=3&page=3",
                Some(
                    r#"<u?per_page=3&page=2>; rel="prev", <u?per_page=3&page=4>; rel="next", <u?per_page=3&page=5>; rel="last", <u?per_page=3&page=1>; rel="first""#,
                ),
            ),
            (
                "per_page=3&page=5",
                Some(r#"<u?per_page=3&page=4>; rel="prev", <u?per_page=3&page=1>; rel="first""#),
            ),
            ("", None),
        ];
        for (query, expected) in table {
            assert_eq!(link(query, 13).as_deref(), expected, "{query}");
        }
    }

    #[test]
    fn pages_hold_every_item_once() {
        for (total, size) in [(0, 30), (1, 30), (30, 30), (31, 30), (250, 100)] {
            let pages = (1..=total / size + 2).map(|page| format!("per_page={size}&page={page}"));
            let items = pages.flat_map(|query| Page::of(&Query::parse(&query), total).items());
            assert!(items.eq(0..total), "{total} by {size}");
        }
        assert_eq!(
            Page::of(&Query::parse("per_page=1000"), 500).items(),
            0..100
        );
        assert_eq!(
            Page::of(&Query::parse("page=99999999999999999999"), 5).items(),
            0..5
        );
    }
}
