//! How far a share in a few cases may be from the share in many.

use serde::{Deserialize, Serialize};

/// A share of `of` cases, with the interval of Wilson (1927) at 95 %: unlike the usual one it is right for small
/// numbers, and for shares near 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Cases of which it holds.
    pub count: usize,
    /// All cases.
    pub of: usize,
    /// None where there is no case.
    pub share: Option<f64>,
    /// What chance alone leaves open: from here.
    pub low: Option<f64>,
    /// To here.
    pub high: Option<f64>,
}

/// Of the normal distribution: 95 % are within this many deviations.
const Z: f64 = 1.959_963_984_540_054;

impl Rate {
    /// The rate of `count` cases of `of`.
    pub fn new(count: usize, of: usize) -> Self {
        if of == 0 {
            return Self { count, of, share: None, low: None, high: None };
        }
        let (cases, share) = (of as f64, count as f64 / of as f64);
        let z2 = Z * Z;
        let middle = (share + z2 / (2.0 * cases)) / (1.0 + z2 / cases);
        let half = Z / (1.0 + z2 / cases) * (share * (1.0 - share) / cases + z2 / (4.0 * cases * cases)).sqrt();
        let round = |value: f64| Some((value.clamp(0.0, 1.0) * 10_000.0).round() / 10_000.0);
        Self { count, of, share: round(share), low: round(middle - half), high: round(middle + half) }
    }

    /// As in `95.0 %`.
    pub fn in_words(self) -> String {
        self.share.map_or("–".into(), percent)
    }

    /// As in `76.4 to 99.1 %`.
    pub fn interval(self) -> String {
        match (self.low, self.high) {
            (Some(low), Some(high)) => format!("{:.1} to {}", low * 100.0, percent(high)),
            _ => "–".into(),
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of the literature (Newcombe 1998, method 3) and of `binom.confint` in R.
    #[test]
    fn intervals_are_those_of_the_literature() {
        for (count, of, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
            (10, 10, 0.7225, 1.0),
        ] {
            let rate = Rate::new(count, of);
            assert_eq!((rate.low, rate.high), (Some(low), Some(high)), "{count} of {of}");
        }
        assert_eq!(Rate::new(19, 20).in_words(), "95.0 %");
        assert_eq!(Rate::new(0, 0).interval(), "–");
    }
}
