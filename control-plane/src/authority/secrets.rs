//! What stands in the Secrets, and back. Asks nobody.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{
    ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use wakegate_runtime::tls::{AUTHORITIES, CERTIFICATE, KEY};

use super::{
    authorities::Authorities,
    certificates::{CertificateError, Issued, Known, Profile, Signer, digests},
    holders::Place,
    plan::{Held, Time},
};
use crate::writers::MANAGED_BY;

/// The Secret of the authorities' keys.
pub(super) const AUTHORITY: &str = "wakegate-ca";

/// The type of all of them.
const TYPE: &str = "kubernetes.io/tls";

const NEXT_CERTIFICATE: &str = "next.crt";
const NEXT_KEY: &str = "next.key";
const PREVIOUS: &str = "previous.crt";

/// Says to whoever looks that changes will not last. Without it a Secret is not ours.
const GENERATED: &str = "wakegate.dev/generated";
const BY_US: &str =
    "by Wakegate's control plane, which renews it: what is changed by hand is undone";
const WITH_KEYS: &str = "by Wakegate's control plane: what is changed by hand is not repaired";

/// Since when a Secret has had its `ca.crt`.
const BUNDLE_SINCE: &str = "wakegate.dev/bundle-since";

/// When what the authorities in `previous.crt` have signed has ended.
const PREVIOUS_UNTIL: &str = "wakegate.dev/previous-until";

/// What is in a Secret of authorities.
#[derive(Debug)]
pub(super) enum Found<T> {
    /// There is none.
    Absent,
    /// Somebody else made it.
    Foreign,
    /// We made it, and it cannot be used any more.
    Broken(SecretError),
    /// It is ours.
    Ours(T),
}

/// What is wrong with a Secret of ours.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretError {
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0} is no time")]
    Time(&'static str),
    #[error("{0}")]
    Certificate(&'static str, #[source] CertificateError),
}

impl Found<Authorities> {
    /// What a Secret says of authorities.
    pub(super) fn authorities(secret: Option<&Secret>) -> Self {
        match secret {
            None => Self::Absent,
            Some(secret) if !is_ours(secret) => Self::Foreign,
            Some(secret) => authorities(secret).map_or_else(Self::Broken, Self::Ours),
        }
    }
}

fn authorities(secret: &Secret) -> Result<Authorities, SecretError> {
    let current = signer(secret, CERTIFICATE, KEY)?;
    let current = current.ok_or(SecretError::Missing(CERTIFICATE))?;
    let next = signer(secret, NEXT_CERTIFICATE, NEXT_KEY)?;
    let (previous, previous_until) = match data(secret, PREVIOUS) {
        None => (Vec::new(), Time::ZERO),
        Some(text) => {
            let known = Known::all(text);
            let known = known.map_err(|error| SecretError::Certificate(PREVIOUS, error))?;
            (known, time(secret, PREVIOUS_UNTIL)?)
        }
    };
    Ok(Authorities {
        current,
        next,
        previous,
        previous_until,
    })
}

fn signer(
    secret: &Secret,
    certificate: &'static str,
    key: &'static str,
) -> Result<Option<Signer>, SecretError> {
    match (data(secret, certificate), data(secret, key)) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(SecretError::Missing(certificate)),
        (Some(_), None) => Err(SecretError::Missing(key)),
        (Some(pem), Some(key)) => {
            let signer = Signer::read(pem, key);
            let signer = signer.map_err(|error| SecretError::Certificate(certificate, error))?;
            Ok(Some(signer))
        }
    }
}

/// The Secret of the authorities; `before` keeps what others have put on it, and the version that it was read in.
pub(super) fn of_authorities(
    authorities: &Authorities,
    namespace: &str,
    before: Option<Secret>,
) -> Secret {
    let Authorities {
        current,
        next,
        previous,
        previous_until,
    } = authorities;
    let mut secret = before.unwrap_or_else(|| empty(namespace, AUTHORITY));
    mark(&mut secret, WITH_KEYS);
    let mut data = BTreeMap::from([
        (CERTIFICATE, current.known.pem.clone()),
        (KEY, current.key.reveal().to_owned()),
    ]);
    if let Some(next) = next {
        data.insert(NEXT_CERTIFICATE, next.known.pem.clone());
        data.insert(NEXT_KEY, next.key.reveal().to_owned());
    }
    let annotations = secret.metadata.annotations.get_or_insert_default();
    if previous.is_empty() {
        annotations.remove(PREVIOUS_UNTIL);
    } else {
        let known = previous.iter().map(|known| known.pem.as_str()).collect();
        data.insert(PREVIOUS, known);
        annotations.insert(PREVIOUS_UNTIL.to_owned(), written(*previous_until));
    }
    secret.data = Some(bytes(data));
    secret
}

/// What is in a Secret of a certificate of ours; none where that is nothing to go by.
pub(super) fn held(secret: &Secret, profile: &Profile, authorities: &Authorities) -> Option<Held> {
    let known = authorities.known();
    let (certificate, key) = (data(secret, CERTIFICATE)?, data(secret, KEY)?);
    let read = Issued::read(certificate, key, profile, known).ok()?;
    Some(Held {
        signer: read.signer,
        term: read.term,
        is_as_wanted: read.is_as_wanted,
        bundle: digests(data(secret, AUTHORITIES)?).ok()?,
        bundle_since: time(secret, BUNDLE_SINCE).ok()?,
    })
}

/// The Secret of a certificate, to be applied: all of it is ours. Not if it has another version than that.
pub(super) fn of_certificate(
    place: &Place,
    issued: &Issued,
    bundle: String,
    bundle_since: Time,
    version: Option<String>,
) -> Secret {
    let mut secret = empty(&place.namespace, place.name);
    mark(&mut secret, BY_US);
    secret.metadata.resource_version = version;
    let annotations = secret.metadata.annotations.get_or_insert_default();
    annotations.insert(BUNDLE_SINCE.to_owned(), written(bundle_since));
    secret.data = Some(bytes([
        (CERTIFICATE, issued.certificate.clone()),
        (KEY, issued.key.reveal().to_owned()),
        (AUTHORITIES, bundle),
    ]));
    secret
}

/// Whether we made it.
pub(super) fn is_ours(secret: &Secret) -> bool {
    let (label, value) = MANAGED_BY;
    let labels = secret.metadata.labels.as_ref();
    let is_labelled = labels
        .and_then(|labels| labels.get(label))
        .is_some_and(|it| it == value);
    is_labelled && annotation(secret, GENERATED).is_some() && secret.type_.as_deref() == Some(TYPE)
}

fn empty(namespace: &str, name: &str) -> Secret {
    Secret {
        metadata: ObjectMeta {
            namespace: Some(namespace.to_owned()),
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        type_: Some(TYPE.to_owned()),
        ..Secret::default()
    }
}

fn mark(secret: &mut Secret, generated: &str) {
    let labels = secret.metadata.labels.get_or_insert_default();
    for (label, value) in [MANAGED_BY, ("app.kubernetes.io/part-of", "wakegate")] {
        labels.insert(label.to_owned(), value.to_owned());
    }
    let annotations = secret.metadata.annotations.get_or_insert_default();
    annotations.insert(GENERATED.to_owned(), generated.to_owned());
}

/// What a Secret has under a name.
pub(super) fn data<'a>(secret: &'a Secret, key: &str) -> Option<&'a [u8]> {
    let ByteString(bytes) = secret.data.as_ref()?.get(key)?;
    Some(bytes)
}

fn bytes(data: impl IntoIterator<Item = (&'static str, String)>) -> BTreeMap<String, ByteString> {
    let data = data.into_iter();
    data.map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes())))
        .collect()
}

fn annotation<'a>(secret: &'a Secret, name: &str) -> Option<&'a str> {
    let annotations = secret.metadata.annotations.as_ref()?;
    annotations.get(name).map(String::as_str)
}

fn time(secret: &Secret, name: &'static str) -> Result<Time, SecretError> {
    let text = annotation(secret, name).ok_or(SecretError::Missing(name))?;
    let time: Timestamp = text.parse().map_err(|_| SecretError::Time(name))?;
    let seconds = u64::try_from(time.as_second()).map_err(|_| SecretError::Time(name))?;
    Ok(Duration::from_secs(seconds))
}

fn written(time: Time) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds)
        .unwrap_or(Timestamp::MAX)
        .to_string()
}

#[cfg(test)]
mod tests;
