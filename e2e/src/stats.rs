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

/// Values of one kind, and how sure their median is.
#[derive(Debug, Clone, Serialize)]
pub struct Spread {
    /// How many.
    pub n: usize,
    /// The middle one.
    pub median: f64,
    /// The median of all such values lies in here with at least 95 %; nothing is assumed about how they
    /// are spread.
    pub low: f64,
    /// The other end.
    pub high: f64,
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

impl Spread {
    /// Of values in any order.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut all: Vec<_> = values.into_iter().collect();
        all.sort_by(f64::total_cmp);
        let n_outside = n_outside(all.len());
        Self {
            n: all.len(),
            median: median(&all),
            low: all.get(n_outside).copied().unwrap_or(f64::NAN),
            high: all.iter().rev().nth(n_outside).copied().unwrap_or(f64::NAN),
        }
    }

    /// Of the ratios of pairs (measured, compared with) that were measured in turns.
    pub fn of_ratios(pairs: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self::of(pairs.into_iter().map(|(a, b)| a / b))
    }

    /// Of the differences of pairs (measured, compared with) that were measured in turns.
    pub fn of_differences(pairs: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self::of(pairs.into_iter().map(|(a, b)| a - b))
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

/// How much y grows for each unit of x: the slope of the straight line that fits best.
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let n: f64 = points.iter().map(|_| 1.0).sum();
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / n;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / n;
    let covariance: f64 = points
        .iter()
        .map(|(x, y)| (x - mean_x) * (y - mean_y))
        .sum();
    let variance: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    covariance / variance
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
    fn pairs_are_compared_one_by_one() {
        let pairs = [(1.0, 2.0), (3.0, 2.0), (2.0, 2.0)];
        let ratios = Spread::of_ratios(pairs);
        assert_eq!((ratios.median, ratios.low, ratios.high), (1.0, 0.5, 1.5));
        let differences = Spread::of_differences(pairs);
        let Spread {
            median, low, high, ..
        } = differences;
        assert_eq!((median, low, high), (0.0, -1.0, 1.0));
    }

    #[test]
    fn a_slope_is_found_through_noise_and_is_none_for_one_point() {
        let points = [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0)];
        assert!((slope(&points) - 1.0).abs() < 1e-9);
        let noisy = [(0.0, 5.0), (1.0, 7.0), (2.0, 5.0), (3.0, 7.0), (4.0, 5.0)];
        assert!(slope(&noisy).abs() < 1e-9);
        assert!(slope(&[(1.0, 1.0)]).is_nan());
    }
}
