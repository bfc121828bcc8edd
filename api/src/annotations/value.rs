//! The values: one function per kind of value, with what it expects.

use std::{fmt, ops::RangeInclusive, time::Duration};

use crate::{bounds, parse_duration, wake_policy::ScaledObjectBy};

/// What a value is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected(pub(crate) &'static str);

/// The answer when there is no room to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// 503, as a gateway answers.
    ServiceUnavailable,
    /// 429, for clients that back off on nothing else.
    TooManyRequests,
}

/// What is scaled: `[group/version/]Kind/name`, in the Service's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScaleTarget {
    /// `group/version`, where it was given.
    pub api_version: Option<String>,
    /// Such as `Deployment` or `Rollout`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl Overflow {
    /// The status code.
    pub fn status(self) -> u16 {
        match self {
            Self::ServiceUnavailable => 503,
            Self::TooManyRequests => 429,
        }
    }
}

impl fmt::Display for ScaleTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

pub(super) fn bool(text: &str) -> Result<bool, Expected> {
    text.parse().map_err(|_| Expected("\"true\" or \"false\""))
}

pub(crate) fn replicas(text: &str, least: u32) -> Result<u32, Expected> {
    let expected = match least {
        0 => "a whole number from 0",
        _ => "a whole number from 1",
    };
    let bounds = least..=bounds::MOST_REPLICAS;
    within(text.parse().ok(), &bounds, expected)
}

pub(crate) fn max_held(text: &str) -> Result<u32, Expected> {
    within(
        text.parse().ok(),
        &bounds::MAX_HELD,
        "a whole number from 1 to 1000000",
    )
}

pub(crate) fn cooldown(text: &str) -> Result<Duration, Expected> {
    within(
        parse_duration(text),
        &bounds::COOLDOWN,
        "a duration of at most 24h, such as 300s or 5m",
    )
}

pub(crate) fn rate_window(text: &str) -> Result<Duration, Expected> {
    within(
        parse_duration(text),
        &bounds::RATE_WINDOW,
        "a duration from 1s to 1h, such as 60s or 1m30s",
    )
}

pub(crate) fn hold_timeout(text: &str) -> Result<Duration, Expected> {
    within(
        parse_duration(text),
        &bounds::HOLD_TIMEOUT,
        "a duration from 1ms to 1h, such as 90s, 1m30s or 500ms",
    )
}

pub(crate) fn target(text: &str) -> Result<f64, Expected> {
    within(
        text.parse().ok(),
        &bounds::TARGET,
        "a number above 0, such as 100 or 0.5",
    )
}

pub(crate) fn overflow(text: &str) -> Result<Overflow, Expected> {
    match text {
        "503" => Ok(Overflow::ServiceUnavailable),
        "429" => Ok(Overflow::TooManyRequests),
        _ => Err(Expected("the status 503 or 429")),
    }
}

pub(super) fn scaled_object(text: &str) -> Result<ScaledObjectBy, Expected> {
    match text {
        "external" => Ok(ScaledObjectBy::External),
        _ => Err(Expected("\"external\"")),
    }
}

pub(super) fn paths(text: &str) -> Result<Vec<String>, Expected> {
    let paths = text
        .split(',')
        .map(str::trim)
        .filter(|path| !path.is_empty());
    let paths: Vec<String> = paths.map(str::to_owned).collect();
    if !paths.is_empty() && paths.iter().all(|path| path.starts_with('/')) {
        return Ok(paths);
    }
    Err(Expected(
        "a comma-separated list of paths that begin with /, such as /healthz,/ping",
    ))
}

pub(crate) fn scale_target(text: &str) -> Result<ScaleTarget, Expected> {
    let parts: Vec<&str> = text.split('/').collect();
    let target = match *parts.as_slice() {
        [kind, name] => (None, kind, name),
        [group, version, kind, name] => (Some(format!("{group}/{version}")), kind, name),
        _ => (None, "", ""),
    };
    let (api_version, kind, name) = target;
    let is_kind = kind.starts_with(|first: char| first.is_ascii_uppercase());
    if parts.iter().any(|part| part.is_empty()) || !is_kind {
        let expected =
            "[group/version/]Kind/name, such as Deployment/web or argoproj.io/v1alpha1/Rollout/web";
        return Err(Expected(expected));
    }
    Ok(ScaleTarget {
        api_version,
        kind: kind.to_owned(),
        name: name.to_owned(),
    })
}

/// The name that differs in the fewest letters, if that is at most a third of them.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|known| (distance(name, known), *known))
        .min()
        .filter(|(distance, known)| *distance * 3 <= known.len().max(name.len()))
        .map(|(_, known)| known)
}

fn within<T: PartialOrd>(
    value: Option<T>,
    bounds: &RangeInclusive<T>,
    expected: &'static str,
) -> Result<T, Expected> {
    value
        .filter(|value| bounds.contains(value))
        .ok_or(Expected(expected))
}

/// Levenshtein's distance in bytes, row by row.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, a) in one.bytes().enumerate() {
        let (mut diagonal, mut left) = (above, above + 1);
        let mut next = vec![left];
        for (b, up) in other.bytes().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(a != b)).min(left + 1).min(up + 1);
            diagonal = *up;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
