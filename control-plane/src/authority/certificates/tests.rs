//! What is made is read back as it was meant, and real handshakes succeed with it.

use std::sync::Arc;

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    server::WebPkiClientVerifier,
    version::TLS13,
};

use super::{
    super::{
        authorities::Authorities,
        plan::{Lifetimes, Step},
    },
    *,
};

fn now() -> Time {
    Duration::from_secs(UnixTime::now().as_secs())
}

fn authorities() -> Authorities {
    Authorities::create(Lifetimes::default(), now()).unwrap()
}

fn after(authorities: Authorities, step: Step) -> Authorities {
    authorities
        .after(step, Lifetimes::default(), now())
        .unwrap()
}

fn promote() -> Step {
    Step::Promote {
        previous_until: now(),
    }
}

fn scaler() -> Profile {
    let names = ["localhost", "wakegate-scaler.wakegate"].map(|name| Name::Dns(name.to_owned()));
    let addresses = ["10.0.0.9", "::1"].map(|address| Name::Ip(address.parse().unwrap()));
    Profile {
        common_name: "scaler",
        uri: "spiffe://wakegate.dev/scaler",
        names: names.into_iter().chain(addresses).collect(),
        is_server: true,
    }
}

fn keda() -> Profile {
    Profile {
        common_name: "keda",
        uri: "spiffe://wakegate.dev/keda",
        names: BTreeSet::new(),
        is_server: false,
    }
}

fn issue(authorities: &Authorities, profile: &Profile) -> Issued {
    let term = Lifetimes::default().of_certificate(authorities.current.known.ca.term, now());
    authorities.current.issue(profile, term).unwrap()
}

fn read(authorities: &Authorities, issued: &Issued, profile: &Profile) -> Read {
    let (certificate, key) = (
        issued.certificate.as_bytes(),
        issued.key.reveal().as_bytes(),
    );
    Issued::read(certificate, key, profile, authorities.known()).unwrap()
}

#[test]
fn a_certificate_is_read_back_as_it_was_meant() {
    let authorities = authorities();
    let issued = issue(&authorities, &scaler());
    let read = read(&authorities, &issued, &scaler());
    assert_eq!(read.signer, Some(authorities.current.known.ca.id));
    assert!(read.is_as_wanted);
    let lasts = read.term.until.saturating_sub(read.term.from);
    assert_eq!(lasts, Lifetimes::default().certificate);
}

#[test]
fn another_name_use_key_or_signer_is_seen() {
    let authorities = authorities();
    let issued = issue(&authorities, &scaler());
    let is_as = |profile: &Profile| read(&authorities, &issued, profile).is_as_wanted;
    let fewer = Profile {
        names: BTreeSet::new(),
        ..scaler()
    };
    let other_role = Profile {
        uri: keda().uri,
        ..scaler()
    };
    let client = Profile {
        is_server: false,
        ..scaler()
    };
    assert!(is_as(&scaler()));
    assert!(!is_as(&fewer) && !is_as(&other_role) && !is_as(&client));

    let key = issue(&authorities, &scaler()).key;
    let other_key = Issued {
        key,
        ..issued.clone()
    };
    assert!(!read(&authorities, &other_key, &scaler()).is_as_wanted);
    assert_eq!(read(&self::authorities(), &issued, &scaler()).signer, None);
}

#[test]
fn an_authority_is_read_back_and_signs_as_before() {
    let made = authorities().current;
    let (certificate, key) = (made.known.pem.as_bytes(), made.key.reveal().as_bytes());
    let again = Signer::read(certificate, key).unwrap();
    assert_eq!(again.known, made.known);
    let lasts = made
        .known
        .ca
        .term
        .until
        .saturating_sub(made.known.ca.term.from);
    assert_eq!(lasts, Lifetimes::default().authority);

    let issued = again.issue(&keda(), made.known.ca.term).unwrap();
    let key_of_issued = issued.key.reveal().as_bytes();
    let read = Issued::read(
        issued.certificate.as_bytes(),
        key_of_issued,
        &keda(),
        [&made.known],
    );
    assert_eq!(read.unwrap().signer, Some(made.known.ca.id));

    let error = Signer::read(certificate, key_of_issued).unwrap_err();
    assert!(matches!(error, CertificateError::OtherKey), "{error:?}");
    let error = Signer::read(issued.certificate.as_bytes(), key_of_issued).unwrap_err();
    assert!(matches!(error, CertificateError::NoAuthority), "{error:?}");
}

#[test]
fn what_is_broken_is_an_error_without_a_key_in_it() {
    let issued = issue(&authorities(), &keda());
    let key = issued.key.reveal();
    let half = key.get(..key.len() / 2).unwrap();
    for (certificate, key) in [
        ("", key),
        (key, key),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            key,
        ),
        (&*issued.certificate, ""),
        (&*issued.certificate, half),
        (&*issued.certificate, &*issued.certificate),
    ] {
        let error = Issued::read(certificate.as_bytes(), key.as_bytes(), &keda(), []).unwrap_err();
        let said = format!("{error:?} {error}");
        assert!(
            key.lines()
                .filter(|line| line.len() > 20)
                .all(|line| !said.contains(line)),
            "{said}"
        );
    }
    let shown = format!("{issued:?} {:?}", authorities());
    assert!(!shown.contains("PRIVATE KEY"), "{shown}");
}

/// What somebody has of a Secret.
struct Held {
    issued: Issued,
    bundle: String,
}

fn held(authorities: &Authorities, profile: &Profile) -> Held {
    Held {
        issued: issue(authorities, profile),
        bundle: authorities.bundle(),
    }
}

impl Held {
    fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from_pem_slice(self.issued.certificate.as_bytes()).unwrap()]
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.issued.key.reveal().as_bytes()).unwrap()
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(self.bundle.as_bytes()) {
            roots.add(root.unwrap()).unwrap();
        }
        Arc::new(roots)
    }
}

/// A handshake by TLS 1.3 in memory, each side checking the other as KEDA does: chain, use and name.
fn handshake(server: &Held, client: &Held, name: &'static str) -> Result<(), rustls::Error> {
    let provider = Arc::new(default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(server.roots(), Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let config = config.with_protocol_versions(&[&TLS13])?;
    let config = config.with_client_cert_verifier(verifier.build().unwrap());
    let mut server_side = ServerConnection::new(Arc::new(
        config.with_single_cert(server.chain(), server.key())?,
    ))?;
    let config = ClientConfig::builder_with_provider(provider);
    let config = config.with_protocol_versions(&[&TLS13])?;
    let config = config.with_root_certificates(client.roots());
    let config = config.with_client_auth_cert(client.chain(), client.key())?;
    let name = ServerName::try_from(name).unwrap();
    let mut client_side = ClientConnection::new(Arc::new(config), name)?;
    while server_side.is_handshaking() || client_side.is_handshaking() {
        let mut wire = Vec::new();
        client_side.write_tls(&mut wire).unwrap();
        server_side.read_tls(&mut &*wire).unwrap();
        server_side.process_new_packets()?;
        wire.clear();
        server_side.write_tls(&mut wire).unwrap();
        client_side.read_tls(&mut &*wire).unwrap();
        client_side.process_new_packets()?;
    }
    Ok(())
}

#[test]
fn handshakes_succeed_between_old_and_new_all_through_a_rotation() {
    let before = authorities();
    let both =
        |authorities: &Authorities| [held(authorities, &scaler()), held(authorities, &keda())];
    let alone = both(&before);
    let prepared = after(before, Step::Prepare);
    let known = both(&prepared);
    let promoted = after(prepared, promote());
    let signed = both(&promoted);
    let forgotten = both(&after(promoted, Step::Forget));
    // Whoever is one phase late meets those who are not.
    for phases in [[&alone, &known], [&known, &signed], [&signed, &forgotten]] {
        for [server, _] in phases {
            for [_, client] in phases {
                handshake(server, client, "wakegate-scaler.wakegate").unwrap();
                handshake(server, client, "10.0.0.9").unwrap();
            }
        }
    }
    // And the overlap is needed: who does not know the next authority refuses what it signs.
    let [[old_server, old_client], [new_server, new_client]] = [&alone, &signed];
    handshake(old_server, new_client, "localhost").unwrap_err();
    handshake(new_server, old_client, "localhost").unwrap_err();
}

#[test]
fn a_certificate_serves_only_its_use_and_its_names() {
    let authorities = authorities();
    let [server, client] = [scaler(), keda()].map(|profile| held(&authorities, &profile));
    handshake(&server, &client, "localhost").unwrap();
    handshake(&server, &server, "::1").unwrap();
    handshake(&server, &client, "example.com").unwrap_err();
    handshake(&client, &client, "localhost").unwrap_err();
}
