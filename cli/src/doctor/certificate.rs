//! Certificates in Secrets: which Secrets have ours, and what is in them.
//!
//! Of these Secrets alone more than the name is looked at, and never the key. `wakegate-ca`, which has the keys that sign,
//! is not among them: what it signs with stands in the `ca.crt` of the others.

use std::{collections::BTreeSet, ops::Range, time::Duration};

use k8s_openapi::ByteString;
use serde_json::Value;
use x509_parser::{pem::Pem, time::ASN1Time};

use super::{
    attachment::attachments,
    objects::{Object, Objects, SECRET, list_at, text_at},
    part,
};

/// The own certificate.
pub(crate) const OWN: &str = "tls.crt";

/// The authorities that are trusted.
pub(crate) const AUTHORITIES: &str = "ca.crt";

/// The Secrets of the own authority, with what the control plane and the chart call them.
const NAMES: [&str; 4] = [
    "wakegate-control-plane-tls",
    "wakegate-scaler-tls",
    FILTER,
    OF_KEDA,
];

const FILTER: &str = "wakegate-filter-tls";

const OF_KEDA: &str = "wakegate-keda-tls";

/// When a certificate is good, in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Term(Range<i64>);

/// What a term is at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    NotYet,
    Good,
    EndsSoon,
    Ended,
}

/// What is left of a certificate when it has to have been renewed, if it lasts for long. The own authority renews with
/// ten days left, and cert-manager with a third.
const SOON: Duration = Duration::from_hours(7 * 24);

/// Whether a Secret has a certificate of ours by its name.
pub(crate) fn is_ours(secret: &Object) -> bool {
    NAMES.contains(&&*secret.id.name)
}

/// The Secrets of a cluster that are to be looked into: by their names, and by the pods of ours that have them.
pub(crate) fn wanted(objects: &Objects) -> BTreeSet<(String, String)> {
    let listed = objects.all(SECRET).iter().filter(|it| is_ours(it));
    let listed = listed.map(|it| (it.id.namespace.clone(), it.id.name.clone()));
    let mut wanted: BTreeSet<_> = listed.chain(mounted(objects)).collect();
    if !objects.lists(SECRET) {
        // There may be others: they are asked for where they would be.
        let of_parts = part::parts(objects).map(|it| it.id.namespace.clone());
        wanted.extend(of_parts.flat_map(|namespace| {
            let names = NAMES.into_iter().take(2);
            names.map(move |name| (namespace.clone(), name.to_owned()))
        }));
        if part::parts(objects).next().is_some() {
            wanted.insert((part::KEDA.to_owned(), OF_KEDA.to_owned()));
        }
        let attached = attachments(objects).into_iter();
        wanted.extend(attached.map(|it| (it.object.id.namespace.clone(), FILTER.to_owned())));
    }
    wanted
}

/// The Secrets that pods of the daemons have as files.
pub(crate) fn mounted(objects: &Objects) -> BTreeSet<(String, String)> {
    let mut secrets = BTreeSet::new();
    for deployment in part::parts(objects) {
        let volumes = list_at(&deployment.value, "/spec/template/spec/volumes").iter();
        let names = volumes.filter_map(|it| text_at(it, "/secret/secretName"));
        secrets.extend(names.map(|it| (deployment.id.namespace.clone(), it.to_owned())));
    }
    secrets
}

/// The Secret with its certificates and without all else that is secret.
pub(crate) fn without_keys(mut secret: Value) -> Value {
    if let Some(fields) = secret.as_object_mut() {
        fields.remove("stringData");
        // It may have what was applied, with the keys.
        if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut)
            && let Some(annotations) = metadata.get_mut("annotations")
            && let Some(annotations) = annotations.as_object_mut()
        {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
        if let Some(data) = fields.get_mut("data").and_then(Value::as_object_mut) {
            data.retain(|key, _| key == OWN || key == AUTHORITIES);
        }
    }
    secret
}

/// The terms of all certificates at a key of a Secret; `None` where there is no such key, or where it was not read.
pub(crate) fn terms(secret: &Object, key: &str) -> Option<Result<Vec<Term>, &'static str>> {
    let data = secret.at("/data")?.get(key)?;
    let bytes: Result<ByteString, _> = serde_json::from_value(data.clone());
    Some(match bytes {
        Ok(ByteString(bytes)) => in_pem(&bytes),
        Err(_) => Err("no base64"),
    })
}

fn in_pem(bytes: &[u8]) -> Result<Vec<Term>, &'static str> {
    let blocks: Result<Vec<_>, _> = Pem::iter_from_buffer(bytes).collect();
    let blocks = blocks.map_err(|_| "no PEM")?;
    let terms = blocks.iter().map(|block| {
        let certificate = block.parse_x509().map_err(|_| "no certificate")?;
        let validity = certificate.validity();
        let (from, until) = (validity.not_before, validity.not_after);
        Ok(Term(from.timestamp()..until.timestamp()))
    });
    let terms: Result<Vec<_>, &'static str> = terms.collect();
    terms.and_then(|terms| {
        if terms.is_empty() {
            Err("empty")
        } else {
            Ok(terms)
        }
    })
}

impl Term {
    /// At so many seconds since 1970.
    pub(crate) fn standing(&self, now: i64) -> Standing {
        let Range { start, end } = self.0;
        let life = end.saturating_sub(start);
        let soon = i64::try_from(SOON.as_secs()).unwrap_or(i64::MAX);
        let left = end.saturating_sub(now);
        if now < start {
            Standing::NotYet
        } else if left <= 0 {
            Standing::Ended
        } else if left < soon.min(life / 3) {
            Standing::EndsSoon
        } else {
            Standing::Good
        }
    }

    /// When it ends.
    pub(crate) fn end(&self) -> i64 {
        self.0.end
    }

    /// When it begins.
    pub(crate) fn start(&self) -> i64 {
        self.0.start
    }
}

/// For people.
pub(crate) fn shown(seconds: i64) -> String {
    ASN1Time::from_timestamp(seconds).map_or_else(|_| seconds.to_string(), |it| it.to_string())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use serde_json::json;

    use super::*;

    const DAY: i64 = 24 * 60 * 60;

    #[test]
    fn a_certificate_is_warned_of_a_week_before_its_end_or_in_its_last_third() {
        let check = |life: i64, left: i64, expected| {
            let term = Term(0..life);
            assert_eq!(term.standing(life - left), expected, "{life} {left}");
        };
        check(365 * DAY, 8 * DAY, Standing::Good);
        check(365 * DAY, 7 * DAY - 1, Standing::EndsSoon);
        check(30 * DAY, 10 * DAY, Standing::Good);
        check(3 * DAY, 2 * DAY, Standing::Good);
        check(3 * DAY, DAY - 1, Standing::EndsSoon);
        check(3 * DAY, 0, Standing::Ended);
        check(3 * DAY, 4 * DAY, Standing::NotYet);
    }

    #[test]
    fn terms_are_read_of_what_is_in_a_secret() {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, 1, 31);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let terms = in_pem(format!("{pem}{pem}").as_bytes()).unwrap();
        let [one, other] = &*terms else {
            panic!("{terms:?}")
        };
        assert_eq!(one, other);
        assert_eq!((one.end() - one.start()) / DAY, 30);
        assert_eq!(shown(one.end()), "Jan 31 00:00:00 2026 +00:00");
    }

    #[test]
    fn what_is_no_certificate_is_told_apart() {
        let key = KeyPair::generate().unwrap().serialize_pem();
        assert_eq!(in_pem(key.as_bytes()), Err("no certificate"));
        assert_eq!(in_pem(b""), Err("empty"));
        let cut = "-----BEGIN CERTIFICATE-----\nAAAA";
        assert_eq!(in_pem(cut.as_bytes()), Err("no PEM"));
    }

    #[test]
    fn of_a_secret_no_key_is_kept() {
        let secret = json!({
            "metadata": { "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "x" } },
            "data": { "tls.crt": "a", "tls.key": "x", "ca.crt": "b", "ca.key": "x" },
            "stringData": { "tls.key": "x" },
        });
        let kept = without_keys(secret).to_string();
        assert!(!kept.contains('x') && kept.contains("ca.crt"), "{kept}");
    }
}
