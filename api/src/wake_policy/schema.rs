//! What the schema of the CRD takes beyond single attributes: durations with bounds, and patterns.

use std::ops::RangeInclusive;
use std::time::Duration;

use schemars::Schema;
use schemars::transform::Transform;
use serde_json::json;

/// Gateway API's (GEP-2257), as `parse_duration` reads it.
const DURATION: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";
/// The longest text of that form.
const MAX_DURATION: usize = 4 * "99999ms".len();

/// A DNS subdomain: the name of an object, of a rule or of a port.
pub(super) const NAME: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// As in the annotation `scale-target`: a group and a version, as in `apps/v1`.
pub(super) const API_VERSION: &str = "^[-.a-z0-9]+/[a-z0-9]+$";
/// As there, where it tells a kind from a group.
pub(super) const KIND: &str = "^[A-Z][A-Za-z0-9]*$";
/// RFC 9110's token, in CEL.
pub(super) const IS_TOKEN: &str = "self.matches(\"^[-!#$%&'*+.^_`|~0-9A-Za-z]+$\")";

/// A duration and its bounds.
pub(super) struct DurationWithin(pub(super) RangeInclusive<Duration>);

impl Transform for DurationWithin {
    fn transform(&mut self, schema: &mut Schema) {
        let (least, most) = (text(*self.0.start()), text(*self.0.end()));
        let rule = format!(
            "duration(self) >= duration('{least}') && duration(self) <= duration('{most}')"
        );
        let message = format!("must be a duration from {least} to {most}, such as 1m30s");
        schema.insert("pattern".to_owned(), DURATION.into());
        schema.insert("maxLength".to_owned(), MAX_DURATION.into());
        validate(schema, &rule, &message);
    }
}

/// A number with fractions and its bounds.
pub(super) struct NumberWithin(pub(super) RangeInclusive<f64>);

impl Transform for NumberWithin {
    fn transform(&mut self, schema: &mut Schema) {
        let (least, most) = (*self.0.start(), *self.0.end());
        schema.insert("minimum".to_owned(), least.into());
        schema.insert("maximum".to_owned(), most.into());
        // A whole number is held against the whole part of a minimum: 0 would do for 0.001.
        let message = format!("must be a number from {least} to {most}");
        validate(schema, &format!("self >= {least:?}"), &message);
    }
}

fn validate(schema: &mut Schema, rule: &str, message: &str) {
    let rules = json!([{ "rule": rule, "message": message }]);
    schema.insert("x-kubernetes-validations".to_owned(), rules);
}

/// As Go writes a duration, in its largest whole unit.
fn text(duration: Duration) -> String {
    let secs = duration.as_secs();
    if duration.subsec_nanos() > 0 {
        format!("{}ms", duration.as_millis())
    } else if secs > 0 && secs.is_multiple_of(3_600) {
        format!("{}h", secs / 3_600)
    } else {
        format!("{secs}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bounds, parse_duration};

    #[test]
    fn bounds_are_written_as_they_are_read() {
        for bounds in [bounds::HOLD_TIMEOUT, bounds::COOLDOWN, bounds::RATE_WINDOW] {
            for bound in [*bounds.start(), *bounds.end()] {
                assert_eq!(parse_duration(&text(bound)), Some(bound));
            }
        }
        assert_eq!(text(Duration::from_millis(1_500)), "1500ms");
    }
}
