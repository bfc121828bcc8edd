//! The annotations by name, as a user reads of them: `docs/annotations.md` is written of this table.

use super::{AnnotationError, PREFIX, Settings};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// Without the prefix.
    pub name: &'static str,
    /// What is so without it.
    pub default: &'static str,
    /// What it does.
    pub text: &'static str,
    /// A value.
    pub example: &'static str,
}

/// All of them, in the order of the page.
pub const ANNOTATIONS: [Annotation; 15] = [
    Annotation {
        name: "scale-to-zero",
        default: "false",
        text: "this object is Wakegate's",
        example: "true",
    },
    Annotation {
        name: "hold-timeout",
        default: "60s",
        text: "a held request is answered with 504 after this",
        example: "90s",
    },
    Annotation {
        name: "max-held",
        default: "1000",
        text: "requests held at once, per route and worker",
        example: "500",
    },
    Annotation {
        name: "overflow",
        default: "503",
        text: "the answer when there is no room to hold",
        example: "429",
    },
    Annotation {
        name: "no-wake-paths",
        default: "none",
        text: "path prefixes, by whole segments, that wake nothing and keep nothing awake; health checkers (kube-probe, GoogleHC, \
               ELB-HealthChecker) never do",
        example: "/healthz,/ping",
    },
    Annotation {
        name: "target-concurrency",
        default: "100, or none with a `target-rate`",
        text: "requests at once for each replica",
        example: "20",
    },
    Annotation {
        name: "target-rate",
        default: "none",
        text: "requests per second for each replica",
        example: "50",
    },
    Annotation {
        name: "rate-window",
        default: "60s",
        text: "what the rate is averaged over; the scaler remembers 10 min, and takes more for that",
        example: "2m",
    },
    Annotation {
        name: "paused",
        default: "false",
        text: "nothing wakes it: 503 at once while it is at zero",
        example: "true",
    },
    Annotation {
        name: "scale-target",
        default: "found: the one Deployment or StatefulSet whose pods the Service selects",
        text: "what is scaled",
        example: "argoproj.io/v1alpha1/Rollout/shop",
    },
    Annotation {
        name: "min-replicas",
        default: "0",
        text: "the fewest replicas, on the ScaledObject",
        example: "1",
    },
    Annotation {
        name: "max-replicas",
        default: "100",
        text: "the most replicas, on the ScaledObject; at least `min-replicas`",
        example: "20",
    },
    Annotation {
        name: "cooldown",
        default: "300s",
        text: "how long without demand before zero",
        example: "10m",
    },
    Annotation {
        name: "initial-cooldown",
        default: "as `cooldown`",
        text: "the same, after the ScaledObject was made",
        example: "1h",
    },
    Annotation {
        name: "scaled-object",
        default: "Wakegate writes it",
        text: "you write the ScaledObject yourself",
        example: "external",
    },
];

impl Annotation {
    /// What its value has to be, in the words of whoever refuses another.
    pub fn expected(&self) -> Option<&'static str> {
        let key = format!("{PREFIX}{}", self.name);
        // No annotation has this value.
        let (_, errors) = Settings::parse([(key.as_str(), "?")]);
        errors.into_iter().find_map(|error| match error {
            AnnotationError::Value { expected, .. } => Some(expected),
            AnnotationError::Unknown { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refuses_what_is_wrong_and_takes_its_example() {
        for annotation in ANNOTATIONS {
            assert!(annotation.expected().is_some(), "{}", annotation.name);
            let key = format!("{PREFIX}{}", annotation.name);
            let (settings, errors) = Settings::parse([(key.as_str(), annotation.example)]);
            assert_eq!(errors, [], "{}", annotation.name);
            assert_ne!(settings, Settings::default(), "{}", annotation.name);
        }
    }
}
