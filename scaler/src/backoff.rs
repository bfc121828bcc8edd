//! How long to wait before the next try.

use std::time::Duration;

/// The pause after so many failures in a row: `first` doubled with each, `longest` at most, half of it fixed and half by
/// chance, so that those that failed together do not come back together.
pub(crate) fn pause(n_failures: u32, first: Duration, longest: Duration) -> Duration {
    let pause = first.saturating_mul(1 << n_failures.min(6)).min(longest);
    let share: f64 = rand::random();
    pause.mul_f64(0.5 + share / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_jitter_only_shortens() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(5));
        for (n_failures, whole) in [
            (0, 100),
            (1, 200),
            (5, 3_200),
            (6, 5_000),
            (u32::MAX, 5_000),
        ] {
            let whole = Duration::from_millis(whole);
            let pause = pause(n_failures, first, longest);
            assert!(
                (whole / 2..=whole).contains(&pause),
                "{n_failures}: {pause:?}"
            );
        }
    }
}
