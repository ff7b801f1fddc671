//! The text of one comment, which never grows beyond what GitHub takes.
//!
//! The one who writes is stopped when it is full, so that a template that writes
//! without end costs no memory.

use std::io;

use super::template::TemplateError;

/// The longest comment that GitHub takes, in characters. They are counted as in
/// UTF-16, the strictest way in which somebody may count them.
///
/// Source: GitHub's answer to a longer one, "body is too long (maximum is 65536
/// characters)".
pub const COMMENT_CHARS_MAX: usize = 65_536;

/// What stands at the end of a comment that was cut.
const CUT_NOTE: &str = "\n\n*The rest is left out: GitHub takes no longer comment.*";

/// How far back from the cut a row may begin, in bytes. A row with a description of
/// [`DESCRIPTION_CHARS_MAX`](super::template::DESCRIPTION_CHARS_MAX) has room in it.
const ROW_BYTES_MAX: usize = 4_096;

/// A comment as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The marker's line, then what the template wrote: at most [`COMMENT_CHARS_MAX`].
    pub text: String,
    /// Whether something is left out; the text says so itself.
    pub is_cut: bool,
}

/// A comment that is being written.
pub(super) struct Text {
    written: String,
    /// Where the template's own text starts, in bytes.
    start: usize,
    /// How many characters still have room.
    left: usize,
    is_full: bool,
}

impl Text {
    /// Starts with a line that holds `marker`.
    pub(super) fn start(marker: &str) -> Self {
        let written = format!("{marker}\n");
        Self {
            start: written.len(),
            left: COMMENT_CHARS_MAX.saturating_sub(chars(&written)),
            is_full: false,
            written,
        }
    }

    /// Whether more was written than has room.
    pub(super) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// The comment, cut if it is full.
    pub(super) fn finish(mut self) -> Result<Rendered, TemplateError> {
        if self.is_full {
            self.written.truncate(end_of_last_row(&self.written));
        }
        self.written.truncate(self.written.trim_end().len());
        if self.written.len() <= self.start {
            return Err(TemplateError::Empty);
        }
        if self.is_full {
            self.written.push_str(CUT_NOTE);
        }
        Ok(Rendered {
            text: self.written,
            is_cut: self.is_full,
        })
    }
}

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = str::from_utf8(bytes).map_err(io::Error::other)?;
        let fits = prefix(text, self.left);
        self.written.push_str(fits);
        self.left -= chars(fits);
        if fits.len() < text.len() {
            self.is_full = true;
            return Err(io::ErrorKind::WriteZero.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where to cut so that the note has room and no row is left in half. In a text
/// without line ends no word is left in half, and so no escape.
fn end_of_last_row(text: &str) -> usize {
    let text = prefix(text, COMMENT_CHARS_MAX.saturating_sub(chars(CUT_NOTE)));
    let is_near = |end: &usize| text.len() - end <= ROW_BYTES_MAX;
    let row = text.rfind('\n').filter(is_near);
    row.or_else(|| text.rfind(' ').filter(is_near))
        .unwrap_or(text.len())
}

/// The start of `text` that has room in `chars_max`.
fn prefix(text: &str, chars_max: usize) -> &str {
    let mut left = chars_max;
    let end = text.char_indices().find(|(_, character)| {
        let rest = left.checked_sub(character.len_utf16());
        left = rest.unwrap_or(0);
        rest.is_none()
    });
    end.map_or(text, |(end, _)| &text[..end])
}

fn chars(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const MARKER: &str = "<!-- m -->";

    fn rendered(text: &str) -> Result<Rendered, TemplateError> {
        let mut comment = Text::start(MARKER);
        let written = comment.write_all(text.as_bytes());
        assert_eq!(written.is_err(), comment.is_full());
        comment.finish()
    }

    #[test]
    fn a_comment_that_just_fits_is_whole_and_one_more_character_cuts_it() {
        let room = COMMENT_CHARS_MAX - MARKER.len() - 1;
        let whole = rendered(&"a".repeat(room)).unwrap();
        assert_eq!(whole.text.len(), COMMENT_CHARS_MAX);
        assert!(!whole.is_cut && whole.text.starts_with("<!-- m -->\naaa"));
        let cut = rendered(&"a".repeat(room + 1)).unwrap();
        assert!(cut.is_cut && cut.text.ends_with(CUT_NOTE));
        assert_eq!(cut.text.len(), COMMENT_CHARS_MAX);
    }

    #[test]
    fn a_character_outside_of_the_basic_plane_counts_twice() {
        let mut comment = Text::start(MARKER);
        let text = "🎉".repeat(COMMENT_CHARS_MAX / 4);
        comment.write_all(text.as_bytes()).unwrap();
        comment.write_all(text.as_bytes()).unwrap_err();
        let cut = comment.finish().unwrap();
        assert!(cut.text.encode_utf16().count() <= COMMENT_CHARS_MAX);
    }

    #[test]
    fn no_row_and_no_word_is_left_in_half() {
        for (row, separator) in [("| a row |", "\n"), ("a_word&amp;", " ")] {
            let cut = rendered(&format!("{row}{separator}").repeat(9_000)).unwrap();
            let body = cut.text.strip_suffix(CUT_NOTE).unwrap();
            assert!(body.ends_with(row), "{:?}", &body[body.len() - 20..]);
        }
    }

    #[test]
    fn a_line_that_began_long_ago_is_not_lost() {
        let text = format!("first\n{}", "a".repeat(COMMENT_CHARS_MAX));
        assert!(rendered(&text).unwrap().text.len() > COMMENT_CHARS_MAX / 2);
    }

    #[test]
    fn white_space_alone_is_no_comment() {
        for text in ["", " \n\t\u{2003}", &"\n".repeat(2 * COMMENT_CHARS_MAX)] {
            assert_eq!(rendered(text), Err(TemplateError::Empty));
        }
    }
}
