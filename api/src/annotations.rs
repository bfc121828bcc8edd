//! The annotations `wakegate.dev/…`: their names, what their values mean, and what is wrong with one
//! that is not understood. Which object's annotations count for what is the control plane's to say.

mod table;
pub(crate) mod value;

use std::time::Duration;

use thiserror::Error;

pub use self::table::{ANNOTATIONS, Annotation};
pub use self::value::{Overflow, ScaleTarget};

use self::value::Expected;
use crate::wake_policy::ScaledObjectBy;

/// What all our annotations begin with.
pub const PREFIX: &str = "wakegate.dev/";

/// What the annotations of one object say. What is not said is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// `scale-to-zero`: the object is ours.
    pub scale_to_zero: Option<bool>,
    /// `min-replicas`.
    pub min_replicas: Option<u32>,
    /// `max-replicas`, at least 1.
    pub max_replicas: Option<u32>,
    /// `cooldown`: how long without demand before zero.
    pub cooldown: Option<Duration>,
    /// `initial-cooldown`: the same, after the ScaledObject was made.
    pub initial_cooldown: Option<Duration>,
    /// `target-concurrency`: requests at once for each replica.
    pub target_concurrency: Option<f64>,
    /// `target-rate`: requests per second for each replica.
    pub target_rate: Option<f64>,
    /// `rate-window`: what the rate is averaged over.
    pub rate_window: Option<Duration>,
    /// `hold-timeout`: the longest that a request is held.
    pub hold_timeout: Option<Duration>,
    /// `max-held`: requests held at once, per route and worker.
    pub max_held: Option<u32>,
    /// `overflow`: the answer when there is no room to hold.
    pub overflow: Option<Overflow>,
    /// `no-wake-paths`: path prefixes that wake nothing.
    pub no_wake_paths: Option<Vec<String>>,
    /// `paused`: nothing wakes it.
    pub paused: Option<bool>,
    /// `scaled-object`: who writes the ScaledObject.
    pub scaled_object: Option<ScaledObjectBy>,
    /// `scale-target`: what is scaled.
    pub scale_target: Option<ScaleTarget>,
}

/// An annotation that is not understood; the others count all the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum AnnotationError {
    /// The value does not parse or is out of bounds.
    #[error("{value:?} is not {expected}")]
    Value {
        /// With its prefix.
        key: String,
        /// As it stands there.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// No such annotation.
    #[error("no such annotation (its value is {value:?}){}", did_you_mean(*.nearest))]
    Unknown {
        /// With its prefix.
        key: String,
        /// As it stands there.
        value: String,
        /// The known name that looks most like it.
        nearest: Option<&'static str>,
    },
}

/// Every name, without the prefix.
fn names() -> [&'static str; ANNOTATIONS.len()] {
    ANNOTATIONS.map(|annotation| annotation.name)
}

impl Settings {
    /// Reads the annotations of one object; those of others are passed over.
    pub fn parse<'a>(
        annotations: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> (Self, Vec<AnnotationError>) {
        let (mut settings, mut errors) = (Self::default(), Vec::new());
        for (key, value) in annotations {
            let Some(name) = key.strip_prefix(PREFIX) else {
                continue;
            };
            match settings.set(name, value.trim()) {
                Ok(()) => {}
                Err(Refusal::Value(Expected(expected))) => errors.push(AnnotationError::Value {
                    key: key.to_owned(),
                    value: value.to_owned(),
                    expected,
                }),
                Err(Refusal::Name) => errors.push(AnnotationError::Unknown {
                    key: key.to_owned(),
                    value: value.to_owned(),
                    nearest: value::nearest(name, &names()),
                }),
            }
        }
        settings.check_bounds(&mut errors);
        (settings, errors)
    }

    fn set(&mut self, name: &str, text: &str) -> Result<(), Refusal> {
        match name {
            "scale-to-zero" => self.scale_to_zero = Some(value::bool(text)?),
            "min-replicas" => self.min_replicas = Some(value::replicas(text, 0)?),
            "max-replicas" => self.max_replicas = Some(value::replicas(text, 1)?),
            "cooldown" => self.cooldown = Some(value::cooldown(text)?),
            "initial-cooldown" => self.initial_cooldown = Some(value::cooldown(text)?),
            "target-concurrency" => self.target_concurrency = Some(value::target(text)?),
            "target-rate" => self.target_rate = Some(value::target(text)?),
            "rate-window" => self.rate_window = Some(value::rate_window(text)?),
            "hold-timeout" => self.hold_timeout = Some(value::hold_timeout(text)?),
            "max-held" => self.max_held = Some(value::max_held(text)?),
            "overflow" => self.overflow = Some(value::overflow(text)?),
            "no-wake-paths" => self.no_wake_paths = Some(value::paths(text)?),
            "paused" => self.paused = Some(value::bool(text)?),
            "scaled-object" => self.scaled_object = Some(value::scaled_object(text)?),
            "scale-target" => self.scale_target = Some(value::scale_target(text)?),
            _ => return Err(Refusal::Name),
        }
        Ok(())
    }

    /// Two values that are well by themselves and not together: the upper one gives way.
    fn check_bounds(&mut self, errors: &mut Vec<AnnotationError>) {
        let (Some(min), Some(max)) = (self.min_replicas, self.max_replicas) else {
            return;
        };
        if max < min {
            self.max_replicas = None;
            errors.push(AnnotationError::Value {
                key: format!("{PREFIX}max-replicas"),
                value: max.to_string(),
                expected: "at least min-replicas",
            });
        }
    }
}

impl AnnotationError {
    /// The annotation, with its prefix.
    pub fn key(&self) -> &str {
        match self {
            Self::Value { key, .. } | Self::Unknown { key, .. } => key,
        }
    }
}

/// Why one annotation was not taken.
enum Refusal {
    /// The value is not this.
    Value(Expected),
    /// The name is not known.
    Name,
}

impl From<Expected> for Refusal {
    fn from(expected: Expected) -> Self {
        Self::Value(expected)
    }
}

fn did_you_mean(nearest: Option<&'static str>) -> String {
    nearest.map_or_else(
        || format!("; known are {}", names().join(", ")),
        |name| format!("; did you mean {PREFIX}{name}?"),
    )
}

#[cfg(test)]
mod tests;
