//! Errors in words, for logs.

use std::error::Error;

/// An error and its causes in one line. Some libraries repeat a cause's words as
/// their own; those are shown once.
#[must_use]
pub fn causes(error: &dyn Error) -> String {
    let mut words = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push(error.to_string());
        cause = error.source();
    }
    words.dedup();
    words.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_named_once() {
        #[derive(Debug)]
        struct Layer(&'static str, Option<Box<Layer>>);

        impl std::fmt::Display for Layer {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.0)
            }
        }

        impl Error for Layer {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                self.1
                    .as_deref()
                    .map(|layer| -> &(dyn Error + 'static) { layer })
            }
        }

        let cause = Layer("timed out", Some(Box::new(Layer("timed out", None))));
        assert_eq!(
            causes(&Layer("no answer", Some(Box::new(cause)))),
            "no answer: timed out"
        );
    }
}
