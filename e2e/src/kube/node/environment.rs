//! The variables of a container, and their places in its arguments.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{Container, EnvVar, Pod};

/// Where the sample app listens, unless a pod says otherwise.
const LISTEN: &str = "SAMPLE_LISTEN";
const PORT: u16 = 8080;

/// The variables of a container.
#[derive(Debug)]
pub(super) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Those that the pod's spec gives, and those that every pod finds: its address, and where the API server is.
    pub(super) fn of(
        pod: &Pod,
        container: &Container,
        address: Ipv4Addr,
        (host, port): (&str, u16),
    ) -> Self {
        let found = [
            (LISTEN, format!("{address}:{PORT}")),
            ("HOSTNAME", pod.metadata.name.clone().unwrap_or_default()),
            ("KUBERNETES_SERVICE_HOST", host.to_owned()),
            ("KUBERNETES_SERVICE_PORT", port.to_string()),
        ];
        let mut environment = Self(found.map(|(name, value)| (name.to_owned(), value)).into());
        for variable in container.env.iter().flatten() {
            if let Some(value) = environment.value(variable, pod, address) {
                environment.0.insert(variable.name.clone(), value);
            }
        }
        environment
    }

    pub(super) fn variables(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Puts values in place of `$(NAME)`; what is not known stays, and `$$` is a dollar.
    pub(super) fn expand(&self, text: &str) -> String {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            expanded.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                expanded.push('$');
                rest = after;
                continue;
            }
            let named = after
                .strip_prefix('(')
                .and_then(|after| after.split_once(')'));
            let known = named.and_then(|(name, after)| Some((self.0.get(name)?.as_str(), after)));
            let (text, after) = known.unwrap_or(("$", after));
            expanded.push_str(text);
            rest = after;
        }
        expanded + rest
    }

    fn value(&self, variable: &EnvVar, pod: &Pod, address: Ipv4Addr) -> Option<String> {
        if let Some(value) = &variable.value {
            return Some(self.expand(value));
        }
        let field = variable.value_from.as_ref()?.field_ref.as_ref()?;
        match field.field_path.as_str() {
            "status.podIP" => Some(address.to_string()),
            "metadata.name" => pod.metadata.name.clone(),
            "metadata.namespace" => pod.metadata.namespace.clone(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_come_from_values_fields_and_each_other() {
        let pod = serde_json::from_value(json!({ "metadata": { "name": "shop-1" } })).unwrap();
        let field = |path: &str| json!({ "fieldRef": { "fieldPath": path } });
        let container = json!({ "name": "app", "env": [
            { "name": "IP", "valueFrom": field("status.podIP") },
            { "name": "NAME", "valueFrom": field("metadata.name") },
            { "name": "BOTH", "value": "$(NAME)@$(IP)" },
        ] });
        let container = serde_json::from_value(container).unwrap();
        let address = Ipv4Addr::new(198, 18, 1, 2);
        let environment = Environment::of(&pod, &container, address, ("10.0.0.1", 443));
        for (text, expanded) in [
            ("--listen=$(IP):80", "--listen=198.18.1.2:80"),
            ("$(BOTH)", "shop-1@198.18.1.2"),
            ("$(WHO) $$(IP) $", "$(WHO) $(IP) $"),
        ] {
            assert_eq!(environment.expand(text), expanded, "{text}");
        }
    }
}
