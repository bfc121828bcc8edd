//! Numbers from numbers: medians, percentiles, and how sure a median is.

use serde::Serialize;

/// Times of one kind, in milliseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Times {
    /// How many.
    pub n: usize,
    /// Their median.
    pub p50_ms: f64,
    /// What 99 % of them do not exceed.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// The ratio of two things that were measured in turns.
#[derive(Debug, Clone, Serialize)]
pub struct Ratio {
    /// How many pairs.
    pub n_pairs: usize,
    /// The middle of their ratios.
    pub median: f64,
    /// The median of all such pairs lies in here with at least 95 %; nothing is assumed about how the
    /// ratios are spread.
    pub low: f64,
    /// The other end.
    pub high: f64,
    /// The ratio of each pair, sorted.
    pub all: Vec<f64>,
}

impl Times {
    /// Of times in milliseconds, in any order.
    pub fn of(mut millis: Vec<f64>) -> Self {
        millis.sort_by(f64::total_cmp);
        Self {
            n: millis.len(),
            p50_ms: percentile(&millis, 50),
            p99_ms: percentile(&millis, 99),
            max_ms: percentile(&millis, 100),
        }
    }
}

impl Ratio {
    /// Of pairs (measured, compared with).
    pub fn of(pairs: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut all: Vec<_> = pairs.into_iter().map(|(a, b)| a / b).collect();
        all.sort_by(f64::total_cmp);
        let n_outside = n_outside(all.len());
        Self {
            n_pairs: all.len(),
            median: median(&all),
            low: all.get(n_outside).copied().unwrap_or(f64::NAN),
            high: all.iter().rev().nth(n_outside).copied().unwrap_or(f64::NAN),
            all,
        }
    }
}

/// The middle of sorted values.
pub fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle).copied().unwrap_or(f64::NAN);
    if sorted.len() % 2 == 1 {
        return upper;
    }
    let lower = middle.checked_sub(1).and_then(|index| sorted.get(index));
    f64::midpoint(lower.copied().unwrap_or(f64::NAN), upper)
}

/// The smallest of the sorted values that at least `percent` of them do not exceed.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

/// How many of `n` sorted values may be left out at each end, so that what is left still spans the
/// true median with 95 %: each value is below it with probability 1/2, so their number is binomial.
fn n_outside(n: usize) -> usize {
    let mut probability = (0..n).fold(1.0, |p, _| p / 2.0);
    let mut both_tails = 2.0 * probability;
    let mut outside = 0;
    let mut n_below = 0.0;
    let mut n_above: f64 = (0..n).map(|_| 1.0).sum();
    while both_tails <= 0.05 && outside < n / 2 {
        n_below += 1.0;
        probability *= n_above / n_below;
        n_above -= 1.0;
        both_tails += 2.0 * probability;
        if both_tails <= 0.05 {
            outside += 1;
        }
    }
    outside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_median_leaves_out_what_tables_say() {
        // From any table of confidence intervals by order statistics: ranks 2..9 of 10, 3..10 of 12.
        assert_eq!(
            [3, 5, 6, 8, 9, 10, 12, 20].map(n_outside),
            [0, 0, 0, 0, 1, 1, 2, 5]
        );
    }

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let times = Times::of((1..=200).rev().map(f64::from).collect());
        assert_eq!(
            (times.p50_ms, times.p99_ms, times.max_ms),
            (100.0, 198.0, 200.0)
        );
    }

    #[test]
    fn a_ratio_is_the_median_of_its_pairs() {
        let ratio = Ratio::of([(1.0, 2.0), (3.0, 2.0), (2.0, 2.0)]);
        assert_eq!((ratio.median, ratio.low, ratio.high), (1.0, 0.5, 1.5));
    }
}
