//! What a ScaledObject's trigger says.

use std::{collections::HashMap, num::NonZeroU32, time::Duration};

use thiserror::Error;
use wakegate_core::{Key, Targets, Workload, active_window};
use wakegate_wire::externalscaler::ScaledObjectRef;

/// A trigger of a ScaledObject.
#[derive(Clone, Debug)]
pub(crate) struct Trigger {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) metadata: HashMap<String, String>,
    /// How long a start is activity.
    pub(crate) window: Duration,
    /// What counts as long as the control plane says nothing.
    pub(crate) targets: Targets,
}

/// The metadata says what it cannot say.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the trigger's metadata has {field}: {value:?}; give {expected}")]
pub(crate) struct TriggerError {
    field: &'static str,
    value: String,
    expected: &'static str,
}

const SECONDS: &str = "a whole number of seconds above zero";
const NUMBER: &str = "a number above zero";
const TIME: &str = "a time such as 30s, 1m30s or 500ms";

impl TryFrom<ScaledObjectRef> for Trigger {
    type Error = TriggerError;

    fn try_from(object: ScaledObjectRef) -> Result<Self, TriggerError> {
        let ScaledObjectRef {
            name,
            namespace,
            scaler_metadata: metadata,
        } = object;
        let get = Fields(&metadata);
        let polling: Option<NonZeroU32> =
            get.parsed("pollingInterval", SECONDS, |text| text.parse().ok())?;
        let default = Targets::default();
        let targets = Targets {
            concurrency: get.parsed("targetConcurrency", NUMBER, number)?,
            rate: get.parsed("targetRate", NUMBER, number)?,
            rate_window: get
                .parsed("rateWindow", TIME, time)?
                .unwrap_or(default.rate_window),
            rate_granularity: get
                .parsed("rateGranularity", TIME, time)?
                .unwrap_or(default.rate_granularity),
        };
        Ok(Self {
            name,
            namespace,
            window: active_window(polling),
            targets,
            metadata,
        })
    }
}

impl Trigger {
    /// The ScaledObject.
    pub(crate) fn scaled_object(&self) -> (String, String) {
        (self.namespace.clone(), self.name.clone())
    }

    /// What can be said of the workload from the trigger alone: the key of the Service that it names.
    /// Its id is that key.
    pub(crate) fn provisional(&self) -> Option<Workload> {
        let service = self
            .metadata
            .get("service")
            .filter(|name| !name.is_empty())?;
        let key = Key::service(&self.namespace, service);
        Some(Workload {
            id: key.as_str().to_owned(),
            namespace: self.namespace.clone(),
            keys: vec![key],
            aliases: Vec::new(),
            targets: Targets::default(),
            ready_endpoints: 0,
            replicas: None,
        })
    }
}

struct Fields<'a>(&'a HashMap<String, String>);

impl Fields<'_> {
    fn parsed<T>(
        &self,
        field: &'static str,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, TriggerError> {
        let Some(value) = self.0.get(field).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let parsed = parse(value.trim());
        let wrong = || TriggerError {
            field,
            value: value.clone(),
            expected,
        };
        parsed.map(Some).ok_or_else(wrong)
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse()
        .ok()
        .filter(|number: &f64| number.is_finite() && *number > 0.0)
}

/// A time as Go and Kubernetes write it, from a millisecond to a day.
fn time(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let n_digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at_checked(n_digits)?;
        let n_letters = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(n_letters)?;
        let secs = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            _ => return None,
        };
        let number: f64 = number.parse().ok()?;
        sum = sum.checked_add(Duration::try_from_secs_f64(number * secs).ok()?)?;
        rest = tail;
    }
    (Duration::from_millis(1)..=Duration::from_hours(24))
        .contains(&sum)
        .then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trigger(metadata: &[(&str, &str)]) -> Result<Trigger, String> {
        let scaler_metadata = metadata
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let object = ScaledObjectRef {
            name: "web".to_owned(),
            namespace: "shop".to_owned(),
            scaler_metadata,
        };
        Trigger::try_from(object).map_err(|error| error.to_string())
    }

    #[test]
    fn a_trigger_may_bring_targets_and_its_polling_interval() {
        let plain = trigger(&[("service", "web")]).unwrap();
        assert_eq!(
            (plain.window, plain.targets),
            (Duration::from_secs(35), Targets::default())
        );
        let full = trigger(&[
            ("pollingInterval", "15"),
            ("targetConcurrency", "2.5"),
            ("targetRate", "7"),
            ("rateWindow", "1m30s"),
            ("rateGranularity", "500ms"),
        ]);
        let full = full.unwrap();
        assert_eq!(full.window, Duration::from_secs(20));
        assert_eq!(
            (full.targets.concurrency, full.targets.rate),
            (Some(2.5), Some(7.0))
        );
        assert_eq!(full.targets.rate_window, Duration::from_secs(90));
        assert_eq!(full.targets.rate_granularity, Duration::from_millis(500));
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_field() {
        let check = |field: &str, value: &str, expected: &str| {
            let text = format!("the trigger's metadata has {field}: {value:?}; give {expected}");
            assert_eq!(trigger(&[(field, value)]).unwrap_err(), text);
        };
        check("pollingInterval", "0", SECONDS);
        check("pollingInterval", "15s", SECONDS);
        check("targetConcurrency", "-1", NUMBER);
        check("targetRate", "NaN", NUMBER);
        check("rateWindow", "60", TIME);
        check("rateWindow", "s", TIME);
        check("rateWindow", "0s", TIME);
        check("rateGranularity", "1d", TIME);
    }
}
