//! Whatever happens in whatever order, every hold ends in exactly one way, and nothing piles up.

#[cfg(test)]
#[path = "hold_always_ends/events.rs"]
mod events;
#[cfg(test)]
#[path = "hold_always_ends/model.rs"]
mod model;

use std::time::Duration;

use proptest::prelude::*;

use self::{
    events::{Event, event},
    model::Model,
};

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn every_hold_ends_in_exactly_one_way(events in prop::collection::vec(event(), 0..300)) {
        let mut model = Model::new();
        for event in events {
            model.on(event);
        }
        // Even if nothing else ever happens, each meets its deadline.
        model.run(false);
        prop_assert_eq!(model.gate.n_held(), 0);
        prop_assert!(model.held.is_empty());
        for id in 0..model.n_ids {
            model.end(id);
        }
    }

    #[test]
    fn what_is_held_drains_in_order_once_its_backend_answers(
        events in prop::collection::vec(event(), 0..300),
        n in 1..300_u32,
    ) {
        let mut model = Model::new();
        for event in events {
            model.on(event);
        }
        for id in 0..model.n_ids {
            model.end(id);
        }
        let first = model.n_ids;
        for _ in 0..n {
            model.hold("a", 60_000, false);
        }
        model.on(Event::Word { ready: 1, paused: false, probe: true, max: 0 });
        let start = model.now;
        model.run(true);
        prop_assert_eq!(model.gate.n_held(), 0);
        prop_assert!(model.gate.admits());
        prop_assert!(model.gate.is_idle());
        prop_assert!(model.now < start + Duration::from_mins(1), "one timed out");
        prop_assert_eq!(model.n_ids, first + n);
    }
}
