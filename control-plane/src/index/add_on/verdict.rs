//! What becomes of an InterceptorRoute or HTTPScaledObject, for its status.

use std::collections::BTreeMap;

use crate::{
    index::{Index, workload::WorkloadId},
    object::{Code, Finding, ObjectId},
    wanted::{AddOnVerdict, Refusal},
};

impl Index {
    /// Says what became of an object of the add-on's kinds.
    pub(in crate::index) fn renew_verdict(&mut self, id: &ObjectId) {
        let verdict = self.add_on(id).map(|add_on| {
            let (mut not_in_force, mut wrong) = (BTreeMap::new(), None);
            let workload = format!("workload {}", WorkloadId::of_add_on(id).text());
            let found = [id.to_string(), workload];
            let found = found
                .iter()
                .flat_map(|about| self.table.findings_about(about));
            for finding in found.filter(|finding| finding.id.as_ref() == Some(id)) {
                let Finding {
                    code,
                    field,
                    reason,
                    ..
                } = finding;
                if *code == Code::NotInForce {
                    not_in_force.insert(field.clone(), reason.clone());
                } else {
                    wrong.get_or_insert_with(|| refusal(finding));
                }
            }
            let has_operator = self.objects.add_on_operator().is_some();
            AddOnVerdict {
                generation: add_on.metadata.generation.unwrap_or_default(),
                ready: (!has_operator).then(|| wrong.map_or(Ok(()), Err)),
                not_in_force,
                origins: self.origins_of_add_on(id),
            }
        });
        self.table.set_add_on(id, verdict);
    }
}

fn refusal(finding: &Finding) -> Refusal {
    let Finding {
        code,
        field,
        reason,
        ..
    } = finding;
    let message = if field.is_empty() {
        reason.clone()
    } else {
        format!("{field}: {reason}")
    };
    Refusal {
        reason: code.as_str(),
        message,
    }
}
