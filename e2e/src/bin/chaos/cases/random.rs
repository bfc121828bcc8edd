//! Faults at random, from a seed that brings the same ones again.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use wakegate_e2e::Conduct;

use crate::case::Case;
use crate::faults::configuration::Change;
use crate::faults::{Fault, Part};
use crate::scene::{Configuration, Setup};

/// Those that one scene can have one after the other.
const FAULTS: [Fault; 18] = [
    Fault::Kill(Part::ControlPlane),
    Fault::Kill(Part::Scaler),
    Fault::Kill(Part::Pods),
    Fault::Stop(Part::ControlPlane),
    Fault::Stop(Part::Scaler),
    Fault::Stop(Part::Pods),
    Fault::Network(Part::ControlPlane, Conduct::Stall),
    Fault::Network(Part::ControlPlane, Conduct::Cut),
    Fault::Network(Part::ControlPlane, DELAY),
    Fault::Network(Part::Scaler, Conduct::Stall),
    Fault::Network(Part::Scaler, Conduct::Cut),
    Fault::Network(Part::Pods, Conduct::Cut),
    Fault::Network(Part::Pods, Conduct::Stall),
    Fault::Network(Part::AllPods, DELAY),
    Fault::OwnErrors,
    Fault::Extension(Change::Settings),
    Fault::Extension(Change::Version),
    Fault::Odd,
];
const DELAY: Conduct = Conduct::Delay(Duration::from_millis(150));
/// How long one lasts.
const SPAN_MS: std::ops::Range<u64> = 500..6_000;

/// So many of them, on one stack and under one traffic; none is no case.
pub(super) fn case(seed: u64, n_faults: usize) -> Option<Case> {
    let mut dice = StdRng::seed_from_u64(seed);
    let faults: Vec<_> = (0..n_faults)
        .filter_map(|_| {
            let fault = *FAULTS.choose(&mut dice)?;
            let span = Duration::from_millis(dice.random_range(SPAN_MS));
            Some((fault, span))
        })
        .collect();
    let names = faults
        .iter()
        .map(|(fault, span)| format!("{fault} ({:.1} s)", span.as_secs_f64()));
    let names = names.collect::<Vec<_>>().join(", ");
    (n_faults > 0).then(|| Case {
        name: "random".to_owned(),
        about: format!("at random from seed {seed}: {names}"),
        setup: Setup {
            is_relayed: true,
            configuration: Configuration::Extension,
            ..Setup::default()
        },
        faults,
        drains_early: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_brings_the_same_faults_again() {
        let faults = |seed| case(seed, 20).map(|case| case.faults);
        assert_eq!(faults(7), faults(7));
        assert_ne!(faults(7), faults(8));
        assert!(case(7, 0).is_none());
    }
}
