//! A choice of namespaces by their labels.

use std::collections::BTreeMap;

use gateway_api::apis::standard::gateways::{
    GatewayAllowedListenersNamespacesSelector as OfListeners,
    GatewayListenersAllowedRoutesNamespacesSelector as Selector,
    GatewayListenersAllowedRoutesNamespacesSelectorMatchExpressions as Expression,
};

/// The choice of a Gateway for ListenerSets, which has the fields of its choice for routes.
pub(super) fn of_listeners(selector: &OfListeners) -> Selector {
    let expressions = selector.match_expressions.iter().flatten();
    let expressions = expressions.map(|it| Expression {
        key: it.key.clone(),
        operator: it.operator.clone(),
        values: it.values.clone(),
    });
    Selector {
        match_labels: selector.match_labels.clone(),
        match_expressions: Some(expressions.collect()),
    }
}

/// Whether labels are among those that are chosen. A choice that is wrong chooses nothing.
pub(super) fn matches(selector: &Selector, labels: &BTreeMap<String, String>) -> bool {
    let mut wanted = selector.match_labels.iter().flatten();
    wanted.all(|(key, value)| labels.get(key) == Some(value))
        && expressions(selector).all(|expression| is_met(expression, labels) == Some(true))
}

/// The field that is wrong, and why.
pub(super) fn wrong(selector: &Selector) -> Option<(String, String)> {
    let labels = BTreeMap::new();
    let mut expressions = expressions(selector).enumerate();
    let (at, wrong) = expressions.find(|(_, expression)| is_met(expression, &labels).is_none())?;
    let reason = format!(
        "{} with {} values is not In or NotIn with some, Exists or DoesNotExist with none",
        wrong.operator,
        values(wrong).len()
    );
    Some((format!("matchExpressions[{at}]"), reason))
}

fn expressions(selector: &Selector) -> impl Iterator<Item = &Expression> {
    selector.match_expressions.iter().flatten()
}

fn values(expression: &Expression) -> &[String] {
    expression.values.as_deref().unwrap_or_default()
}

/// Whether labels are as an expression has it; none where it means nothing.
fn is_met(expression: &Expression, labels: &BTreeMap<String, String>) -> Option<bool> {
    let (value, values) = (labels.get(&expression.key), values(expression));
    let is_among = value.is_some_and(|value| values.contains(value));
    match (&*expression.operator, values.is_empty()) {
        ("In", false) => Some(is_among),
        ("NotIn", false) => Some(!is_among),
        ("Exists", true) => Some(value.is_some()),
        ("DoesNotExist", true) => Some(value.is_none()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(selector: serde_json::Value, expected: bool) {
        let selector: Selector = serde_json::from_value(selector).unwrap();
        let labels = [("team", "red"), ("tier", "web")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(matches(&selector, &labels.into()), expected, "{selector:?}");
    }

    #[test]
    fn namespaces_are_chosen_by_all_that_is_said() {
        let expression = |key: &str, operator: &str, values: &[&str]| serde_json::json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        check(serde_json::json!({}), true);
        check(serde_json::json!({"matchLabels": {"team": "red"}}), true);
        check(
            serde_json::json!({"matchLabels": {"team": "red", "tier": "db"}}),
            false,
        );
        check(expression("team", "In", &["blue", "red"]), true);
        check(expression("team", "In", &["blue"]), false);
        check(expression("gone", "In", &["red"]), false);
        check(expression("team", "NotIn", &["red"]), false);
        check(expression("gone", "NotIn", &["red"]), true);
        check(expression("team", "Exists", &[]), true);
        check(expression("gone", "Exists", &[]), false);
        check(expression("gone", "DoesNotExist", &[]), true);
        check(expression("team", "DoesNotExist", &[]), false);
        // Wrong ones choose nothing.
        check(expression("team", "In", &[]), false);
        check(expression("team", "Exists", &["red"]), false);
        check(expression("team", "Is", &["red"]), false);
    }
}
