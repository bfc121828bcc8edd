use std::collections::BTreeSet;

use super::{
    super::plan::{Lifetimes, Step},
    *,
};

const NOW: Time = Duration::from_secs(1_790_000_000);

fn keda() -> Profile {
    Profile {
        common_name: "keda",
        uri: "spiffe://wakegate.dev/keda",
        names: BTreeSet::new(),
        is_server: false,
    }
}

fn place() -> Place {
    Place {
        namespace: "keda".to_owned(),
        name: "wakegate-keda-tls",
    }
}

/// One of each: current, next and previous.
fn authorities() -> Authorities {
    let lifetimes = Lifetimes::default();
    let steps = [
        Step::Prepare,
        Step::Promote {
            previous_until: NOW,
        },
        Step::Prepare,
    ];
    let first = Authorities::create(lifetimes, NOW).unwrap();
    let after = |authorities: Authorities, step| authorities.after(step, lifetimes, NOW).unwrap();
    steps.into_iter().fold(first, after)
}

fn written(authorities: &Authorities) -> Secret {
    of_authorities(authorities, "wakegate", None)
}

#[track_caller]
fn broken(secret: &Secret, reason: &str) {
    match Found::authorities(Some(secret)) {
        Found::Broken(error) => assert!(error.to_string().contains(reason), "{error}"),
        Found::Absent | Found::Foreign | Found::Ours(_) => panic!("{reason} does not break it"),
    }
}

#[test]
fn authorities_are_read_back_whole() {
    let authorities = authorities();
    let secret = written(&authorities);
    let Found::Ours(again) = Found::authorities(Some(&secret)) else {
        panic!("it is ours");
    };
    assert_eq!(again.state(), authorities.state());
    assert_eq!(again.bundle(), authorities.bundle());
    assert_eq!(written(&again), secret);
}

#[test]
fn what_was_forgotten_is_not_in_the_secret_any_more() {
    let before = written(&authorities());
    let lifetimes = Lifetimes::default();
    let promoted = authorities()
        .after(
            Step::Promote {
                previous_until: NOW,
            },
            lifetimes,
            NOW,
        )
        .unwrap();
    let forgotten = promoted.after(Step::Forget, lifetimes, NOW).unwrap();
    let secret = of_authorities(&forgotten, "wakegate", Some(before));
    let keys: Vec<_> = secret.data.as_ref().unwrap().keys().collect();
    assert_eq!(keys, [CERTIFICATE, KEY]);
    assert_eq!(annotation(&secret, PREVIOUS_UNTIL), None);
}

#[test]
fn a_secret_of_others_is_not_taken_for_ours() {
    let ours = written(&authorities());
    assert!(is_ours(&ours));
    assert!(matches!(Found::authorities(None), Found::Absent));
    let changes: [fn(&mut Secret); 3] = [
        |secret| secret.metadata.labels = None,
        |secret| secret.metadata.annotations = None,
        |secret| secret.type_ = Some("Opaque".to_owned()),
    ];
    for change in changes {
        let mut theirs = ours.clone();
        change(&mut theirs);
        assert!(matches!(Found::authorities(Some(&theirs)), Found::Foreign));
    }
}

#[test]
fn a_secret_that_somebody_edited_is_broken_and_says_where() {
    let ours = written(&authorities());
    let without = |key: &str| {
        let mut secret = ours.clone();
        secret.data.as_mut().unwrap().remove(key);
        secret
    };
    for key in [CERTIFICATE, KEY, NEXT_CERTIFICATE, NEXT_KEY] {
        broken(&without(key), &format!("{key} is missing"));
    }
    let mut nothing = ours.clone();
    nothing.data = None;
    broken(&nothing, "tls.crt is missing");
    let mut mixed = ours.clone();
    let data = mixed.data.as_mut().unwrap();
    let other = data.get(NEXT_KEY).cloned().unwrap();
    data.insert(KEY.to_owned(), other);
    broken(&mixed, "tls.crt");
    let mut untimed = ours.clone();
    untimed
        .metadata
        .annotations
        .as_mut()
        .unwrap()
        .remove(PREVIOUS_UNTIL);
    broken(&untimed, PREVIOUS_UNTIL);
}

#[test]
fn a_certificate_is_read_back_with_what_it_came_with() {
    let authorities = authorities();
    let term = Lifetimes::default().of_certificate(authorities.current.known.ca.term, NOW);
    let issued = authorities.current.issue(&keda(), term).unwrap();
    let since = NOW.saturating_sub(Duration::from_hours(1));
    let version = Some("7".to_owned());
    let secret = of_certificate(&place(), &issued, authorities.bundle(), since, version);
    assert!(is_ours(&secret));
    let read = held(&secret, &keda(), &authorities).unwrap();
    let expected = Held {
        signer: Some(authorities.current.known.ca.id),
        term,
        bundle: authorities.state().bundle(),
        bundle_since: since,
        is_as_wanted: true,
    };
    assert_eq!(read, expected);
    assert_eq!(authorities.state().renewal(Some(&read), NOW), None);

    for key in [CERTIFICATE, KEY, AUTHORITIES] {
        let mut torn = secret.clone();
        torn.data.as_mut().unwrap().remove(key);
        assert_eq!(held(&torn, &keda(), &authorities), None);
    }
}
