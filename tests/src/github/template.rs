//! JSON that was rendered once and is copied for every repository of one spec.
//!
//! A benchmark asks for tens of thousands of repositories; rendering each would
//! measure the stand-in. So an item is kept as text with gaps, and a gap is filled
//! with what differs: the repository's name, and the ids that follow from it.

/// Stands in rendered JSON for `owner/name`. Of the private use area, so that it
/// occurs in no sensible title.
pub(super) const FULL_NAME: &str = "\u{e000}";
/// Stands on both sides of a number that is to become an id.
const ID: char = '\u{e001}';

/// What fills a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    FullName,
    Id(u64),
}

/// Text with gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    /// Each text stands before its gap.
    pieces: Vec<(String, Gap)>,
    rest: String,
}

/// A JSON string that becomes the `index`-th id of the repository, a number.
pub(super) fn id(index: usize) -> String {
    format!("{ID}{index}{ID}")
}

impl Template {
    /// Finds the gaps in rendered JSON.
    pub(super) fn parse(json: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = json;
        while let Some(start) = rest.find([ID, '\u{e000}']) {
            let (before, gap) = rest.split_at(start);
            let (before, gap, after) = match parse_id(gap) {
                // The quotes around an id go, because ids are numbers.
                Some((id, after)) => (before.trim_end_matches('"'), Gap::Id(id), after),
                None => (before, Gap::FullName, &gap[ID.len_utf8()..]),
            };
            pieces.push((before.to_owned(), gap));
            rest = after;
        }
        Self {
            pieces,
            rest: rest.to_owned(),
        }
    }

    /// Writes the text for one repository.
    pub(super) fn write(&self, full_name: &str, repository_id: u64, to: &mut String) {
        for (before, gap) in &self.pieces {
            to.push_str(before);
            match gap {
                Gap::FullName => to.push_str(full_name),
                // Far apart enough that two repositories never share an id.
                Gap::Id(index) => to.push_str(&(repository_id * 1_000_000 + index).to_string()),
            }
        }
        to.push_str(&self.rest);
    }
}

/// The number between the marks at the start of `text`, and what follows its quote.
fn parse_id(text: &str) -> Option<(u64, &str)> {
    let (digits, after) = text.strip_prefix(ID)?.split_once(ID)?;
    Some((digits.parse().ok()?, after.strip_prefix('"')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_with_the_name_and_the_ids() {
        let json = serde_json::json!({ "id": id(3), "url": format!("x/{FULL_NAME}/y") });
        let mut text = String::new();
        Template::parse(&json.to_string()).write("octo/cat", 7, &mut text);
        assert_eq!(text, r#"{"id":7000003,"url":"x/octo/cat/y"}"#);
    }

    #[test]
    fn text_without_gaps_stays_as_it_is() {
        let mut text = String::new();
        Template::parse(r#"["é"]"#).write("o/r", 1, &mut text);
        assert_eq!(text, r#"["é"]"#);
    }
}
