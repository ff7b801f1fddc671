//! A figure that was measured several times, and what it should be.

/// What was measured, one value a round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<f64>);

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    Below(f64),
}

impl Samples {
    pub(crate) fn add(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The middle one; the mean of the middle two; NaN without any.
    pub(crate) fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        match (self.0.len() % 2, self.0.get(middle)) {
            (0, Some(upper)) => f64::midpoint(self.0[middle - 1], *upper),
            (_, Some(value)) => *value,
            (_, None) => f64::NAN,
        }
    }

    /// `median [min-max]`, with this many decimals.
    pub(crate) fn show(&self, decimals: usize, unit: &str) -> String {
        let number = |value: f64| grouped(value, decimals);
        match (self.0.first(), self.0.last()) {
            (Some(min), Some(max)) if self.0.len() > 1 => format!(
                "{}{unit} [{}-{}]",
                number(self.median()),
                number(*min),
                number(*max)
            ),
            (Some(only), _) => format!("{}{unit}", number(*only)),
            _ => "-".to_owned(),
        }
    }
}

impl Goal {
    /// Whether the median meets it.
    pub(crate) fn is_met(self, samples: &Samples) -> bool {
        let value = samples.median();
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
            Self::Below(bound) => value < bound,
        }
    }

    pub(crate) fn show(self, decimals: usize, unit: &str) -> String {
        let (sign, bound) = match self {
            Self::AtLeast(bound) => (">=", bound),
            Self::AtMost(bound) => ("<=", bound),
            Self::Below(bound) => ("<", bound),
        };
        format!("{sign} {bound:.decimals$}{unit}")
    }
}

/// A number with a comma before each group of three digits.
fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let digits = text.find('.').unwrap_or(text.len());
    let mut grouped = String::new();
    for (place, letter) in text.char_indices() {
        let left = digits.saturating_sub(place);
        let before_is_digit = grouped.ends_with(|last: char| last.is_ascii_digit());
        if place < digits && left.is_multiple_of(3) && before_is_digit {
            grouped.push(',');
        }
        grouped.push(letter);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_in_the_middle_of_two() {
        let mut samples = Samples::default();
        for value in [4.0, 1.0, 3.0, 2.0] {
            samples.add(value);
        }
        assert_eq!(samples.show(1, " ms"), "2.5 ms [1.0-4.0]");
        assert!(Goal::AtMost(2.5).is_met(&samples) && !Goal::Below(2.5).is_met(&samples));
    }

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!(grouped(1_234_567.25, 1), "1,234,567.2");
        assert_eq!(grouped(-123.0, 0), "-123");
        assert_eq!(grouped(999.0, 2), "999.00");
    }
}
