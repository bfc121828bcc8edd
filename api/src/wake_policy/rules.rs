//! A policy's spec -> what it says, in the annotations' terms where these have a word for it.
//!
//! The API server holds a policy to its schema before anyone reads it. A file has nobody else, and what is
//! refused here is refused there: the bounds are the annotations'.

mod no_wake;

use std::{collections::BTreeSet, num::NonZeroU32};

use thiserror::Error;

pub use self::no_wake::{NoWakeRequest, NoWakeRule};

use super::{Hold, Scale, TargetRef, TargetWorkload, Thaw, WakePolicySpec};
use crate::annotations::{
    Settings,
    value::{self, Expected},
};

/// The most that one policy is about, as GEP-713 bounds the ancestors of its status.
pub const MAX_TARGETS: usize = 16;

/// The group and kind of everything that a policy may be about.
const TARGETS: [(&str, &str); 4] = [
    ("gateway.networking.k8s.io", "HTTPRoute"),
    ("gateway.networking.k8s.io", "GRPCRoute"),
    ("networking.k8s.io", "Ingress"),
    ("", "Service"),
];

/// What a policy says. Its targets are ours by it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// What it is about.
    pub targets: Vec<TargetRef>,
    /// What annotations could say as well.
    pub settings: Settings,
    /// Requests that wake nothing; the first that matches counts.
    pub no_wake: Vec<NoWakeRule>,
    /// Whether a browser that waited in vain gets a page that tries again.
    pub waiting_page: Option<bool>,
    /// How held requests are let go on.
    pub thaw: ThawRules,
}

/// How held requests are let go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThawRules {
    /// Requests under way for each ready endpoint meanwhile.
    pub max_in_flight_per_endpoint: Option<NonZeroU32>,
    /// Whether Envoy's own way to the backend is tried first.
    pub probe: Option<bool>,
}

/// A field that is not understood. The whole policy is not taken then: its parts may lean on each other.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct FieldError {
    /// Its path, such as `spec.hold.timeout`.
    pub field: String,
    /// What is wrong with it, and what it should be.
    pub reason: String,
}

impl Rules {
    /// Reads a spec.
    ///
    /// # Errors
    /// The first field that is not understood.
    pub fn parse(spec: &WakePolicySpec) -> Result<Self, FieldError> {
        let WakePolicySpec {
            target_refs,
            hold,
            no_wake,
            thaw,
            scale,
        } = spec;
        let mut rules = Self {
            targets: target_refs.clone(),
            settings: Settings {
                scale_to_zero: Some(true),
                ..Settings::default()
            },
            ..Self::default()
        };
        check_targets(target_refs, scale.is_some())?;
        if let Some(hold) = hold {
            rules.read_hold(hold)?;
        }
        rules.no_wake = no_wake::read(no_wake)?;
        if let Some(thaw) = thaw {
            rules.thaw = read_thaw(thaw)?;
        }
        if let Some(scale) = scale {
            read_scale(scale, &mut rules.settings)?;
        }
        Ok(rules)
    }

    /// Whether it is about this part of this object.
    pub fn is_about(&self, kind: &str, name: &str, section: Option<&str>) -> bool {
        self.targets.iter().any(|target| {
            target.kind == kind && target.name == name && target.section_name.as_deref() == section
        })
    }

    fn read_hold(&mut self, hold: &Hold) -> Result<(), FieldError> {
        let Hold {
            timeout,
            max_held,
            overflow_status,
            waiting_page,
        } = hold;
        let settings = &mut self.settings;
        settings.hold_timeout = said("spec.hold.timeout", timeout.as_ref(), value::hold_timeout)?;
        settings.max_held = said("spec.hold.maxHeld", max_held.as_ref(), value::max_held)?;
        let status = overflow_status.as_ref();
        settings.overflow = said("spec.hold.overflowStatus", status, value::overflow)?;
        self.waiting_page = *waiting_page;
        Ok(())
    }
}

impl FieldError {
    fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            reason: reason.into(),
        }
    }
}

/// A value with the bounds of the annotation that says the same.
fn said<T>(
    field: &str,
    value: Option<&impl ToString>,
    parse: impl FnOnce(&str) -> Result<T, Expected>,
) -> Result<Option<T>, FieldError> {
    let Some(value) = value.map(ToString::to_string) else {
        return Ok(None);
    };
    match parse(&value) {
        Ok(parsed) => Ok(Some(parsed)),
        Err(Expected(expected)) => {
            let reason = format!("{value:?} is not {expected}");
            Err(FieldError::new(field, reason))
        }
    }
}

fn check_targets(targets: &[TargetRef], scales: bool) -> Result<(), FieldError> {
    if !(1..=MAX_TARGETS).contains(&targets.len()) {
        let reason = format!(
            "{} targets: name at least 1 and at most {MAX_TARGETS}",
            targets.len()
        );
        return Err(FieldError::new("spec.targetRefs", reason));
    }
    let mut seen = BTreeSet::new();
    for (at, target) in targets.iter().enumerate() {
        let field = format!("spec.targetRefs[{at}]");
        let TargetRef {
            group,
            kind,
            name,
            section_name,
        } = target;
        if !TARGETS.contains(&(group, kind)) {
            let known = TARGETS.map(|(group, kind)| format!("{kind} of group {group:?}"));
            let reason = format!("{kind} of group {group:?} is none of {}", known.join(", "));
            return Err(FieldError::new(format!("{field}.kind"), reason));
        }
        if name.is_empty() {
            return Err(FieldError::new(format!("{field}.name"), "it is empty"));
        }
        if section_name.is_some() && kind == "Ingress" {
            let reason = "no part of an Ingress has a name: leave it away";
            return Err(FieldError::new(format!("{field}.sectionName"), reason));
        }
        if scales && (kind != "Service" || section_name.is_some()) {
            let reason = "a policy with spec.scale is about whole Services alone: move spec.scale into a \
                          policy on the Service";
            return Err(FieldError::new(field, reason));
        }
        if !seen.insert(target) {
            return Err(FieldError::new(field, "it stands here twice"));
        }
    }
    Ok(())
}

fn read_thaw(thaw: &Thaw) -> Result<ThawRules, FieldError> {
    let Thaw {
        max_in_flight_per_endpoint,
        probe,
    } = *thaw;
    let most = max_in_flight_per_endpoint.map(|most| {
        let reason = "0 would let nothing go on: name at least 1";
        let refused = || FieldError::new("spec.thaw.maxInFlightPerEndpoint", reason);
        NonZeroU32::new(most).ok_or_else(refused)
    });
    Ok(ThawRules {
        max_in_flight_per_endpoint: most.transpose()?,
        probe,
    })
}

fn read_scale(scale: &Scale, settings: &mut Settings) -> Result<(), FieldError> {
    let Scale {
        min_replicas,
        max_replicas,
        cooldown,
        initial_cooldown,
        target_concurrency,
        target_rate,
        rate_window,
        paused,
        scaled_object,
        target,
    } = scale;
    let field = |name: &str| format!("spec.scale.{name}");
    let (least, most) = (min_replicas.as_ref(), max_replicas.as_ref());
    settings.min_replicas = said(&field("minReplicas"), least, |it| value::replicas(it, 0))?;
    settings.max_replicas = said(&field("maxReplicas"), most, |it| value::replicas(it, 1))?;
    if let (Some(least), Some(most)) = (settings.min_replicas, settings.max_replicas)
        && most < least
    {
        let reason = format!("{most} is below minReplicas, which is {least}");
        return Err(FieldError::new(field("maxReplicas"), reason));
    }
    settings.cooldown = said(&field("cooldown"), cooldown.as_ref(), value::cooldown)?;
    let initial = initial_cooldown.as_ref();
    settings.initial_cooldown = said(&field("initialCooldown"), initial, value::cooldown)?;
    let concurrency = target_concurrency.as_ref();
    settings.target_concurrency = said(&field("targetConcurrency"), concurrency, value::target)?;
    settings.target_rate = said(&field("targetRate"), target_rate.as_ref(), value::target)?;
    let window = rate_window.as_ref();
    settings.rate_window = said(&field("rateWindow"), window, value::rate_window)?;
    settings.paused = *paused;
    settings.scaled_object = *scaled_object;
    let target = target.as_ref().map(|workload| {
        let TargetWorkload {
            api_version,
            kind,
            name,
        } = workload;
        let api_version = api_version
            .as_ref()
            .map_or_else(String::new, |version| format!("{version}/"));
        format!("{api_version}{kind}/{name}")
    });
    settings.scale_target = said(&field("target"), target.as_ref(), value::scale_target)?;
    Ok(())
}

#[cfg(test)]
mod tests;
