//! What the index says of a policy, and its status so far -> its next status.

use std::collections::BTreeSet;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};
use wakegate_api::wake_policy::{AncestorRef, PolicyAncestor, TargetRef};

use super::super::{CONTROLLER, conditions::Said};
use crate::{
    push::Applied,
    wanted::{AncestorVerdict, PolicyVerdict, Refusal},
};

/// Ancestors of one status, of all controllers together, as GEP-713 bounds them.
const MAX_ANCESTORS: usize = 16;

const ACCEPTED: &str = "Accepted";
const RESOLVED_REFS: &str = "ResolvedRefs";
const PROGRAMMED: &str = "Programmed";

/// The ancestors as they are to stand in the status of a policy of `namespace`. Those of other controllers
/// stay as they are, and a condition keeps its time while its status is the same.
pub(super) fn ancestors(
    namespace: &str,
    verdict: &PolicyVerdict,
    before: &[PolicyAncestor],
    applied: impl Fn(&AncestorVerdict) -> Applied,
    now: Timestamp,
) -> Vec<PolicyAncestor> {
    let is_ours = |ancestor: &&PolicyAncestor| ancestor.controller_name == CONTROLLER;
    let mut next: Vec<PolicyAncestor> = before
        .iter()
        .filter(|ancestor| !is_ours(ancestor))
        .cloned()
        .collect();
    let n_free = MAX_ANCESTORS.saturating_sub(next.len());
    let mut named = BTreeSet::new();
    let verdicts = verdict.ancestors.iter();
    let verdicts = verdicts.map(|ancestor| (ancestor_ref(namespace, &ancestor.target), ancestor));
    let verdicts = verdicts.filter(|(name, _)| named.insert(name.clone()));
    for (name, ancestor) in verdicts.take(n_free) {
        let so_far = before.iter().filter(is_ours);
        let so_far = so_far
            .filter(|so_far| so_far.ancestor_ref == name)
            .flat_map(|so_far| &so_far.conditions);
        let so_far: Vec<&Condition> = so_far.collect();
        let said = Said {
            generation: verdict.generation,
            so_far: &so_far,
            now,
        };
        next.push(PolicyAncestor {
            ancestor_ref: name,
            controller_name: CONTROLLER.to_owned(),
            conditions: conditions(&said, ancestor, applied(ancestor)),
        });
    }
    next
}

/// The conditions of one target.
fn conditions(said: &Said<'_>, verdict: &AncestorVerdict, applied: Applied) -> Vec<Condition> {
    let AncestorVerdict {
        target: _,
        accepted,
        resolved_refs,
        loses,
        origins: _,
    } = verdict;
    let programmed = match (accepted, resolved_refs, loses) {
        (Ok(()), Ok(()), None) => said.programmed(PROGRAMMED, applied),
        (Ok(()), Ok(()), Some(Refusal { reason, message })) => Err((*reason, &**message)),
        (Err(_), _, _) => Err(("NotAccepted", "it is not in force")),
        (Ok(()), Err(_), _) => Err(("RefNotResolved", "what it names is not there")),
    };
    let programmed = match programmed {
        Ok(text) => ("True", PROGRAMMED, text),
        Err((reason, text)) => ("False", reason, text),
    };
    vec![
        said.of_result(ACCEPTED, accepted, "it is in force"),
        said.of_result(RESOLVED_REFS, resolved_refs, "all that it names is there"),
        said.condition(PROGRAMMED, programmed),
    ]
}

fn ancestor_ref(namespace: &str, target: &TargetRef) -> AncestorRef {
    let TargetRef {
        group,
        kind,
        name,
        section_name,
    } = target;
    AncestorRef {
        group: group.clone(),
        kind: kind.clone(),
        namespace: namespace.to_owned(),
        name: name.clone(),
        section_name: section_name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(name: &str) -> TargetRef {
        TargetRef {
            kind: "Service".to_owned(),
            name: name.to_owned(),
            ..TargetRef::default()
        }
    }

    fn verdict(generation: i64, accepted: Result<(), Refusal>) -> PolicyVerdict {
        let ancestor = AncestorVerdict {
            target: target("web"),
            accepted,
            resolved_refs: Ok(()),
            loses: None,
            origins: Vec::new(),
        };
        PolicyVerdict {
            generation,
            ancestors: vec![ancestor],
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn merge(
        verdict: &PolicyVerdict,
        before: &[PolicyAncestor],
        applied: Applied,
        second: i64,
    ) -> Vec<PolicyAncestor> {
        ancestors("shop", verdict, before, |_| applied, at(second))
    }

    /// Type, status, reason, generation and second of each condition.
    fn shown(ancestors: &[PolicyAncestor]) -> Vec<String> {
        let conditions = ancestors.iter().flat_map(|ancestor| &ancestor.conditions);
        let show = |condition: &Condition| {
            let Condition {
                type_,
                status,
                reason,
                observed_generation,
                ..
            } = condition;
            let (generation, second) = (
                observed_generation.unwrap(),
                condition.last_transition_time.0.as_second(),
            );
            format!("{type_} {status} {reason} {generation} {second}")
        };
        conditions.map(show).collect()
    }

    const WAITING: Applied = Applied::Waiting { n_behind: 1 };

    #[test]
    fn a_policy_is_programmed_when_all_filters_have_it() {
        let verdict = verdict(3, Ok(()));
        let first = merge(&verdict, &[], WAITING, 1);
        let expected = [
            "Accepted True Accepted 3 1",
            "ResolvedRefs True ResolvedRefs 3 1",
            "Programmed False Pending 3 1",
        ];
        assert_eq!(shown(&first), expected);
        let second = merge(&verdict, &first, Applied::All, 2);
        assert_eq!(shown(&second)[2], "Programmed True Programmed 3 2");
        // The table changes with every pod.
        assert_eq!(merge(&verdict, &second, WAITING, 3), second);
        let third = merge(&verdict, &second, Applied::NoWorker, 4);
        assert_eq!(shown(&third)[2], "Programmed False NoWorker 3 4");
        assert_eq!(shown(&third)[0], "Accepted True Accepted 3 1");
    }

    #[test]
    fn a_new_generation_has_to_be_programmed_anew() {
        let programmed = merge(&verdict(3, Ok(())), &[], Applied::All, 1);
        let next = merge(&verdict(4, Ok(())), &programmed, WAITING, 2);
        let expected = [
            "Accepted True Accepted 4 1",
            "ResolvedRefs True ResolvedRefs 4 1",
            "Programmed False Pending 4 2",
        ];
        assert_eq!(shown(&next), expected);
    }

    #[test]
    fn what_is_refused_says_why_and_is_not_programmed() {
        let refusal = Refusal {
            reason: "Conflicted",
            message: "WakePolicy shop/older has the Service already".to_owned(),
        };
        let next = merge(&verdict(1, Err(refusal)), &[], Applied::All, 1);
        let expected = [
            "Accepted False Conflicted 1 1",
            "ResolvedRefs True ResolvedRefs 1 1",
            "Programmed False NotAccepted 1 1",
        ];
        assert_eq!(shown(&next), expected);
        assert!(next[0].conditions[0].message.contains("shop/older"));
    }

    #[test]
    fn ancestors_of_others_stay_and_old_ones_of_ours_go() {
        let of = |controller: &str, name: &str| PolicyAncestor {
            ancestor_ref: ancestor_ref("shop", &target(name)),
            controller_name: controller.to_owned(),
            conditions: Vec::new(),
        };
        let before = [of("example.com/other", "web"), of(CONTROLLER, "gone")];
        let next = merge(&verdict(1, Ok(())), &before, Applied::All, 1);
        let names: Vec<(&str, &str)> = next
            .iter()
            .map(|it| (it.controller_name.as_str(), it.ancestor_ref.name.as_str()))
            .collect();
        assert_eq!(names, [("example.com/other", "web"), (CONTROLLER, "web")]);
    }

    #[test]
    fn there_are_sixteen_ancestors_at_most_and_each_target_once() {
        let mut many = verdict(1, Ok(()));
        for n in 0..20 {
            let mut ancestor = many.ancestors[0].clone();
            ancestor.target = target(&format!("web-{}", n / 2));
            many.ancestors.push(ancestor);
        }
        assert_eq!(merge(&many, &[], Applied::All, 1).len(), 11);
        let other = PolicyAncestor {
            controller_name: "example.com/other".to_owned(),
            ..PolicyAncestor::default()
        };
        let before = vec![other; 10];
        assert_eq!(merge(&many, &before, Applied::All, 1).len(), 16);
    }
}
