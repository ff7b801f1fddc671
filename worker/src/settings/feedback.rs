//! How the comments with feedback look.

use std::fs::{self, File};
use std::io::{self, Read};

use hookme_shared::settings::Mistakes;

use crate::feedback::template::{Template, TemplateError};

/// The largest file with a template, in bytes: as much as fills a comment.
const TEMPLATE_BYTES_MAX: u64 = 64 * 1024;

/// The variables about feedback, as they were given.
#[derive(Debug, Clone, clap::Args)]
pub struct FeedbackArguments {
    /// A file with the Jinja template of the comments on pull requests; the
    /// built-in one without it
    #[arg(long, env, value_name = "FILE")]
    pub feedback_template: Option<String>,
}

/// Checked settings about feedback.
#[derive(Debug, Clone)]
pub struct FeedbackSettings {
    /// The template of the comments.
    pub template: Template,
}

impl FeedbackArguments {
    /// Judges what was given. The result counts only if `mistakes` stays empty.
    #[must_use]
    pub fn check(&self, mistakes: &mut Mistakes) -> FeedbackSettings {
        let path = self.feedback_template.as_deref();
        let path = path.filter(|path| !path.is_empty());
        let template = path.map_or_else(|| Ok(Template::default()), read);
        let template = template.unwrap_or_else(|mistake| {
            let expected = "the path of a template that works";
            mistakes.add("FEEDBACK_TEMPLATE", format_args!("{expected}; {mistake}"));
            Template::default()
        });
        FeedbackSettings { template }
    }
}

/// Why a file is no template.
#[derive(Debug, thiserror::Error)]
enum FileMistake {
    #[error("this one cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("this is no regular file")]
    NoFile,
    #[error("this one is larger than {TEMPLATE_BYTES_MAX} bytes")]
    TooLarge,
    #[error("this one is not in UTF-8")]
    NotText,
    #[error("in this one, {0}")]
    Wrong(#[from] TemplateError),
}

fn read(path: &str) -> Result<Template, FileMistake> {
    // To open a pipe could wait for ever.
    if !fs::metadata(path)?.is_file() {
        return Err(FileMistake::NoFile);
    }
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(TEMPLATE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > TEMPLATE_BYTES_MAX) {
        return Err(FileMistake::TooLarge);
    }
    let source = str::from_utf8(&bytes).map_err(|_| FileMistake::NotText)?;
    Ok(Template::parse(source)?)
}

#[cfg(test)]
mod tests {
    use tempfile::NamedTempFile;

    use super::*;

    fn checked(path: Option<&str>) -> Result<FeedbackSettings, String> {
        let arguments = FeedbackArguments {
            feedback_template: path.map(str::to_owned),
        };
        let mut mistakes = Mistakes::default();
        let settings = arguments.check(&mut mistakes);
        mistakes.judge(settings).map_err(|wrong| wrong.to_string())
    }

    fn checked_file(bytes: &[u8]) -> Result<FeedbackSettings, String> {
        let file = NamedTempFile::new().unwrap();
        fs::write(&file, bytes).unwrap();
        checked(file.path().to_str())
    }

    #[test]
    fn without_a_file_the_built_in_template_is_used() {
        for path in [None, Some("")] {
            let template = checked(path).unwrap().template;
            assert_eq!(
                format!("{template:?}"),
                format!("{:?}", Template::default())
            );
        }
    }

    #[test]
    fn a_file_of_the_largest_size_is_used() {
        let mut source = b"{{ username }}".to_vec();
        source.resize(64 * 1024, b' ');
        let template = checked_file(&source).unwrap().template;
        assert_eq!(format!("{template:?}"), "Template { bytes: 65536 }");
    }

    #[test]
    fn what_is_no_template_is_told_with_what_to_do() {
        for (checked, told) in [
            (
                checked(Some("/none/such")),
                "this one cannot be read: No such file",
            ),
            (checked(Some("/")), "this is no regular file"),
            (checked(Some("/dev/zero")), "this is no regular file"),
            (
                checked_file(&vec![b'a'; 64 * 1024 + 1]),
                "this one is larger than 65536 bytes",
            ),
            (checked_file(b"\xff"), "this one is not in UTF-8"),
            (
                checked_file(b"a\n{{ usrname }}"),
                "in this one, line 2: `usrname` is undefined",
            ),
            (checked_file(b""), "in this one, the comment is empty"),
        ] {
            let mistakes = checked.unwrap_err();
            let start = "these settings cannot be used:\n  FEEDBACK_TEMPLATE must be the path of a template";
            assert!(mistakes.starts_with(start), "{mistakes}");
            assert!(
                mistakes.contains(told) && !mistakes.contains("/none"),
                "{mistakes}"
            );
        }
    }
}
