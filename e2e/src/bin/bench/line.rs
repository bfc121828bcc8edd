//! One line of the table: what was measured, its figures, and whether they are what the design asks for.

use serde::Serialize;
use wakegate_e2e::stats::{Spread, Times};

/// All of six values lie on one side of the true median in 3 of 100 cases; of five, in 6.
const LEAST_VALUES: usize = 6;

/// One line of the table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    /// The part it belongs to: a heading in the table.
    pub(crate) part: &'static str,
    /// What was measured, with its sizes.
    pub(crate) what: String,
    /// The figures, in the order in which they are printed.
    pub(crate) figures: Vec<Figure>,
    /// What the design asks for, if anything: of one figure or of several.
    pub(crate) aims: Vec<Aim>,
}

/// One number with its name.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    /// What it is: "p50", "ratio".
    pub(crate) name: String,
    /// How much.
    pub(crate) value: f64,
    /// Of what: "ms"; empty for what is a mere number.
    pub(crate) unit: &'static str,
    /// Where the true value is with 95 %, when it was measured several times.
    pub(crate) interval: Option<Interval>,
}

/// How sure a figure is.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Interval {
    /// Its lower end.
    pub(crate) low: f64,
    /// Its upper end.
    pub(crate) high: f64,
    /// How many values, or pairs of values, it comes from.
    pub(crate) n: usize,
}

/// What one of the figures is to be.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Aim {
    /// The name of that figure.
    pub(crate) figure: &'static str,
    /// Which way.
    pub(crate) direction: Direction,
    /// The last value that will do.
    pub(crate) bound: f64,
    /// Whether to miss it is a fault and not a matter of speed: then the bench fails.
    pub(crate) is_promise: bool,
}

/// The side of the bound on which all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Direction {
    AtLeast,
    AtMost,
}

/// What a line says of its aims, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// The figure, with all of its interval, is on the right side of the bound.
    Met,
    /// The bound lies within the interval: more rounds, or a quieter machine, would tell.
    Unresolved,
    /// The figure, with all of its interval, is on the wrong side.
    Missed,
}

impl Line {
    pub(crate) fn new(part: &'static str, what: impl Into<String>) -> Self {
        Self {
            part,
            what: what.into(),
            figures: Vec::new(),
            aims: Vec::new(),
        }
    }

    /// Adds a figure that was measured once, or that has no interval.
    pub(crate) fn figure(
        mut self,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) -> Self {
        self.figures.push(Figure {
            name: name.into(),
            value,
            unit,
            interval: None,
        });
        self
    }

    /// Adds a whole number.
    pub(crate) fn count(self, name: impl Into<String>, n: usize) -> Self {
        self.figure(name, as_f64(n), "")
    }

    /// Adds a median with its interval.
    pub(crate) fn spread(
        mut self,
        name: impl Into<String>,
        spread: &Spread,
        unit: &'static str,
    ) -> Self {
        self.figures.push(Figure {
            name: name.into(),
            value: spread.median,
            unit,
            interval: Some(Interval {
                low: spread.low,
                high: spread.high,
                n: spread.n,
            }),
        });
        self
    }

    /// Adds p50, p99, max and how many there were.
    pub(crate) fn times(self, times: &Times) -> Self {
        self.figure("p50", times.p50_ms, "ms")
            .figure("p99", times.p99_ms, "ms")
            .figure("max", times.max_ms, "ms")
            .count("n", times.n)
    }

    /// The named figure is to be `bound` or more.
    pub(crate) fn at_least(self, figure: &'static str, bound: f64) -> Self {
        self.aim(figure, Direction::AtLeast, bound, false)
    }

    /// The named figure is to be `bound` or less.
    pub(crate) fn at_most(self, figure: &'static str, bound: f64) -> Self {
        self.aim(figure, Direction::AtMost, bound, false)
    }

    /// The named figure must be zero: anything else is a fault, and fails the bench.
    pub(crate) fn must_be_zero(self, figure: &'static str) -> Self {
        self.aim(figure, Direction::AtMost, 0.0, true)
    }

    fn aim(
        mut self,
        figure: &'static str,
        direction: Direction,
        bound: f64,
        is_promise: bool,
    ) -> Self {
        self.aims.push(Aim {
            figure,
            direction,
            bound,
            is_promise,
        });
        self
    }

    /// The worst that can be said of its aims; none without an aim.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        self.aims.iter().map(|aim| self.against(aim)).max()
    }

    /// Whether it says that something is wrong, not merely slow.
    pub(crate) fn is_fault(&self) -> bool {
        let mut promises = self.aims.iter().filter(|aim| aim.is_promise);
        promises.any(|aim| self.against(aim) != Verdict::Met)
    }

    /// A figure that is missing misses its aim.
    fn against(&self, aim: &Aim) -> Verdict {
        let mut figures = self.figures.iter();
        let figure = figures.find(|figure| figure.name == aim.figure);
        figure.map_or(Verdict::Missed, |figure| figure.against(aim))
    }
}

impl Figure {
    fn against(&self, aim: &Aim) -> Verdict {
        // Fewer leave the true median outside of all of them too often to say anything.
        if self.interval.is_some_and(|it| it.n < LEAST_VALUES) {
            return Verdict::Unresolved;
        }
        let (low, high) = self
            .interval
            .map_or((self.value, self.value), |it| (it.low, it.high));
        match (aim.allows(low), aim.allows(high)) {
            (true, true) => Verdict::Met,
            (false, false) => Verdict::Missed,
            (true, false) | (false, true) => Verdict::Unresolved,
        }
    }
}

impl Aim {
    fn allows(&self, value: f64) -> bool {
        match self.direction {
            Direction::AtLeast => value >= self.bound,
            Direction::AtMost => value <= self.bound,
        }
    }
}

impl Verdict {
    /// As people read it.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "**missed**",
            Self::Unresolved => "unresolved",
        }
    }
}

/// A count as a figure.
pub(crate) fn as_f64(n: usize) -> f64 {
    // No count here comes near 2^32.
    u32::try_from(n).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(low: f64, high: f64) -> Spread {
        Spread {
            n: 10,
            median: f64::midpoint(low, high),
            low,
            high,
        }
    }

    #[test]
    fn an_interval_meets_an_aim_as_a_whole_or_not_at_all() {
        let verdict = |low, high| {
            let line = Line::new("part", "what").spread("ratio", &spread(low, high), "");
            line.at_least("ratio", 0.97).verdict()
        };
        assert_eq!(verdict(0.97, 1.0), Some(Verdict::Met));
        assert_eq!(verdict(0.96, 0.98), Some(Verdict::Unresolved));
        assert_eq!(verdict(0.90, 0.96), Some(Verdict::Missed));
    }

    #[test]
    fn a_few_values_resolve_nothing() {
        let few = Spread {
            n: 5,
            ..spread(0.99, 1.0)
        };
        let line = Line::new("part", "what").spread("ratio", &few, "");
        let line = line.at_least("ratio", 0.97);
        assert_eq!(line.verdict(), Some(Verdict::Unresolved));
    }

    #[test]
    fn an_upper_bound_is_cleared_by_the_upper_end() {
        let verdict = |low, high| {
            let line = Line::new("part", "what").spread("ratio", &spread(low, high), "");
            line.at_most("ratio", 1.03).verdict()
        };
        assert_eq!(verdict(1.0, 1.03), Some(Verdict::Met));
        assert_eq!(verdict(1.0, 1.04), Some(Verdict::Unresolved));
        assert_eq!(verdict(1.04, 1.05), Some(Verdict::Missed));
    }

    #[test]
    fn only_a_broken_promise_is_a_fault() {
        let slow = Line::new("part", "what").figure("p99", 9.0, "ms");
        assert!(!slow.at_most("p99", 5.0).is_fault());
        let unanswered = |n| Line::new("part", "what").count("unanswered", n);
        assert!(unanswered(1).must_be_zero("unanswered").is_fault());
        assert!(!unanswered(0).must_be_zero("unanswered").is_fault());
    }

    #[test]
    fn a_figure_that_is_no_number_or_not_there_misses_its_aim() {
        let line = Line::new("part", "what").figure("p99", f64::NAN, "ms");
        assert_eq!(line.at_most("p99", 5.0).verdict(), Some(Verdict::Missed));
        let line = Line::new("part", "what").at_most("p99", 5.0);
        assert_eq!(line.verdict(), Some(Verdict::Missed));
    }

    #[test]
    fn a_line_is_as_good_as_the_worst_of_its_aims() {
        let line = Line::new("part", "what")
            .count("errors", 0)
            .figure("ratio", 0.7, "")
            .must_be_zero("errors");
        assert_eq!(line.verdict(), Some(Verdict::Met));
        let line = line.at_least("ratio", 0.8);
        assert_eq!(line.verdict(), Some(Verdict::Missed));
        assert!(!line.is_fault(), "slow is no fault");
    }

    #[test]
    fn a_line_without_an_aim_has_no_verdict() {
        assert_eq!(Line::new("part", "what").count("n", 1).verdict(), None);
    }
}
