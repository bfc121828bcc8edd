//! Static answers that several policies have, kept once.

use std::{collections::BTreeSet, sync::Arc};

use wakegate_core::{Policy, StaticAnswer};

/// Each answer once, over all updates: one may have a megabyte, and many routes the same.
#[derive(Debug, Default)]
pub(super) struct Answers(BTreeSet<Arc<StaticAnswer>>);

impl Answers {
    /// Makes `policy` share its answers with all that have the same.
    pub(super) fn share(&mut self, policy: &mut Policy) {
        let placeholder = policy.placeholder.iter_mut();
        let placeholder = placeholder.map(|placeholder| &mut placeholder.answer);
        let routes = policy.static_routes.iter_mut();
        for answer in placeholder.chain(routes.map(|route| &mut route.answer)) {
            if let Some(same) = self.0.get(&**answer) {
                *answer = Arc::clone(same);
            } else {
                self.0.insert(Arc::clone(answer));
            }
        }
    }

    /// Forgets what nobody else has any more.
    pub(super) fn forget_unused(&mut self) {
        self.0.retain(|answer| Arc::strong_count(answer) > 1);
    }
}
