//! Pages and the `Link` header that joins them.
//!
//! Most lists are joined by page numbers. The list of issues is joined by cursors:
//! its links lead to the page after (or before) an item, beside which the page's
//! number stands without a meaning of its own, and a number alone leads only so far.
//!
//! Source: GitHub's documentation, "Using pagination in the REST API".

use std::ops::Range;

use super::target::Query;

/// The size of a page that was asked for without one.
const SIZE_DEFAULT: usize = 30;
/// The largest size; more is cut down to it.
const SIZE_MAX: usize = 100;
/// Where page numbers end in a list with cursors, in items. Users report it for page
/// 100 of 100 items each; that it is about the items is a guess.
const NUMBERED_ITEMS_MAX: usize = 10_000;
/// Stands around a cursor's number, so that nobody takes it for one. Like GitHub's,
/// a cursor ends in what a link has to encode.
const CURSOR: (&str, &str) = ("Y3Vyc29yOnYy", "%3D%3D");

/// One page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    number: usize,
    /// Where it begins, in items.
    start: usize,
    size: usize,
    total: usize,
    by_cursor: bool,
}

/// So many items cannot be skipped by a page number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooFar;

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
        let number = asked("page").unwrap_or(1);
        Self {
            number,
            start: (number - 1).saturating_mul(size).min(total),
            size,
            total,
            by_cursor: false,
        }
    }

    /// The same for a list with cursors.
    pub(super) fn by_cursor(query: &Query, total: usize) -> Result<Self, TooFar> {
        let numbered = Self {
            by_cursor: true,
            ..Self::of(query, total)
        };
        let cursor = |name| query.get(name).and_then(parse_cursor);
        let start = match (cursor("after"), cursor("before")) {
            (Some(after), _) => after.min(total),
            (None, Some(before)) => before.saturating_sub(numbered.size).min(total),
            (None, None) => {
                let end = numbered.number.saturating_mul(numbered.size);
                return (end < NUMBERED_ITEMS_MAX).then_some(numbered).ok_or(TooFar);
            }
        };
        let number = start.div_ceil(numbered.size) + 1;
        Ok(Self {
            number,
            start,
            ..numbered
        })
    }

    /// Which items stand on it; none, beyond the last page.
    pub(super) fn items(self) -> Range<usize> {
        self.start..(self.start + self.size).min(self.total)
    }

    /// The header's value. By number: previous and first page unless this is the
    /// first, next and last unless it is the last. By cursor: the neighbours only.
    /// None for the only page.
    pub(super) fn link(self, url: &str, query: &Query) -> Option<String> {
        let last = self.total.div_ceil(self.size).max(1);
        let mut parts = Vec::new();
        let mut add = |query: String, relation: &str| {
            parts.push(format!("<{url}?{query}>; rel=\"{relation}\""));
        };
        if self.by_cursor {
            if self.start > 0 {
                let cursor = cursor(self.start);
                add(
                    query.with_cursor("before", &cursor, self.number - 1),
                    "prev",
                );
            }
            if self.items().end < self.total {
                let cursor = cursor(self.items().end);
                add(query.with_cursor("after", &cursor, self.number + 1), "next");
            }
            return (!parts.is_empty()).then(|| parts.join(", "));
        }
        if self.number > 1 {
            add(query.with_page((self.number - 1).min(last)), "prev");
        }
        if self.number < last {
            add(query.with_page(self.number + 1), "next");
            add(query.with_page(last), "last");
        }
        if self.number > 1 {
            add(query.with_page(1), "first");
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// The cursor that stands before the item of this index.
fn cursor(index: usize) -> String {
    format!("{}{index:08}{}", CURSOR.0, CURSOR.1)
}

/// Reads what [`cursor`] writes, encoded or not.
fn parse_cursor(text: &str) -> Option<usize> {
    let digits = text.strip_prefix(CURSOR.0)?;
    digits
        .trim_end_matches(CURSOR.1)
        .trim_end_matches('=')
        .parse()
        .ok()
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

    /// The query of the link with this relation.
    fn follow(page: Page, query: &Query, relation: &str) -> Option<Query> {
        let link = page.link("u", query)?;
        let part = link
            .split(", ")
            .find(|part| part.ends_with(&format!("rel=\"{relation}\"")))?;
        Some(Query::parse(part.split(['?', '>']).nth(1)?))
    }

    #[test]
    fn cursors_lead_over_every_item_once_and_back() {
        for total in [0, 1, 3, 4, 13, 31_000] {
            let mut query = Query::parse("per_page=3&state=all");
            let (mut seen, mut number) = (0, 1);
            let last = loop {
                let page = Page::by_cursor(&query, total).unwrap();
                assert_eq!((page.items().start, page.number), (seen, number));
                seen = page.items().end;
                match follow(page, &query, "next") {
                    Some(next) => query = next,
                    None => break page,
                }
                number += 1;
                assert!(query.get("after").is_some() && query.get("page").is_some());
            };
            assert_eq!(seen, total);
            if let Some(before) = follow(last, &query, "prev") {
                let page = Page::by_cursor(&before, total).unwrap();
                assert_eq!(page.items().end, last.items().start);
            }
        }
    }

    #[test]
    fn a_page_number_alone_leads_to_the_ten_thousandth_item_and_no_further() {
        let page = |text: &str| Page::by_cursor(&Query::parse(text), 20_000);
        assert_eq!(page("per_page=100&page=99").unwrap().items(), 9_800..9_900);
        assert_eq!(page("per_page=100&page=100"), Err(TooFar));
        let after = format!("per_page=100&after={}&page=100", cursor(9_900));
        assert_eq!(page(&after).unwrap().items(), 9_900..10_000);
        let decoded = after.replace("%3D", "=");
        assert_eq!(page(&decoded), page(&after));
    }
}
