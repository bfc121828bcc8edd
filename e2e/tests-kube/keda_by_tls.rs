//! The real KEDA speaks mutual TLS with the scaler: its certificate comes from a Secret, by way of a
//! TriggerAuthentication or a ClusterTriggerAuthentication.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wakegate_e2e::kube::objects::{Object, gateway, scaled_object};
use wakegate_e2e::kube::{
    Certified, Cluster, ClusterOptions, Kind, SOON, Scene, Wakegate, WakegateOptions,
};
use wakegate_e2e::tls::{Authority, Certificates, Identity, Role};
use wakegate_e2e::{eventually, eventually_is};

use crate::cycle::{from_zero_and_back, host, quick, routed, url};

/// Where KEDA reads the Secrets of a ClusterTriggerAuthentication.
const KEDA_NAMESPACE: &str = "keda";
/// The Secret, and what refers to it.
const NAME: &str = "wakegate-keda";
/// They wake by way of the one and of the other.
const WAKES: [(&str, &str); 2] = [
    ("one", "TriggerAuthentication"),
    ("all", "ClusterTriggerAuthentication"),
];
/// What the scaler does not serve.
const REFUSED: &str = "wakegate_scaler_refused_total";

#[tokio::test]
async fn keda_shows_the_certificate_of_a_secret_and_goes_on_with_the_next() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::default()).await?;
    let certificates = Certificates::in_folder(&cluster.folder().join("tls"))?;
    let options = WakegateOptions {
        certified: Certified::Files(&certificates),
        ..WakegateOptions::default()
    };
    let wakegate = Wakegate::start_with(&cluster, &options).await?;
    let mut scene = Scene::open(&cluster, &wakegate, &["keda_by_tls"]).await?;
    let keda = certificates.current(Role::Keda)?;
    let secured = Secured {
        scene: &scene,
        wakegate: &wakegate,
        certificates: &certificates,
    };
    secured.put_secrets(&keda).await?;
    let objects = objects(&wakegate)?;
    scene
        .set(&objects, &["one", "all", "bare", "half"].map(host))
        .await?;
    for (name, _) in WAKES {
        from_zero_and_back(&scene, name, &url(name)).await?;
    }

    let secured = Secured {
        scene: &scene,
        wakegate: &wakegate,
        certificates: &certificates,
    };
    secured.nobody_else_wakes().await?;
    secured.rotate(&cluster).await?;
    scene.finish().await?;
    cluster.finish()
}

/// The test's places.
#[derive(Debug, Clone, Copy)]
struct Secured<'a> {
    scene: &'a Scene<'a>,
    wakegate: &'a Wakegate,
    certificates: &'a Certificates,
}

impl Secured<'_> {
    /// What KEDA reads, in both places.
    async fn put_secrets(self, identity: &Identity) -> Result<()> {
        let data = identity
            .files()
            .map(|(name, bytes)| Ok((name.to_owned(), json!(String::from_utf8(bytes.to_vec())?))));
        let data = data.collect::<Result<serde_json::Map<_, _>>>()?;
        for namespace in [self.scene.namespace()?, KEDA_NAMESPACE] {
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
                "metadata": { "name": NAME, "namespace": namespace },
                "stringData": data,
            });
            self.scene.cluster().apply(&secret.to_string()).await?;
        }
        Ok(())
    }

    /// Without a TriggerAuthentication KEDA speaks in plain text; with the authority alone it shows nothing. Either
    /// is refused and counted, and the workload stays at zero.
    async fn nobody_else_wakes(self) -> Result<()> {
        for (name, reason) in [("bare", "handshake"), ("half", "certificate_missing")] {
            let counter = format!("{REFUSED}{{reason=\"{reason}\"}}");
            let refused = async || {
                let n_refused = self.wakegate.scaler().counted(&counter).await.ok()?;
                (n_refused > 0.0).then_some(())
            };
            eventually(SOON, &counter, refused).await?;
            self.scene
                .condition(Kind::SCALED_OBJECT, name, ("Ready", "False"))
                .await?;
            let answer = self.scene.get(&url(name)).await?;
            ensure!(
                answer.status == 504,
                "{name} is answered with {}",
                answer.status
            );
            self.scene.deployment_is_at(name, 0).await?;
        }
        Ok(())
    }

    /// The authority changes with an overlap, and every certificate; then the scaler starts anew, so that KEDA has to
    /// connect.
    ///
    /// It wakes by polling then: KEDA 2.21 has made its scaler anew with the next certificate, and the loop of its
    /// stream still asks for the connection of the one before ("no pooled connection"), until the ScaledObject's spec
    /// changes or the operator starts anew.
    async fn rotate(self, cluster: &Cluster) -> Result<()> {
        let next = Authority::new()?;
        let both = format!("{}{}", self.certificates.authority().pem(), next.pem());
        for role in Role::ALL {
            self.put(role, &self.certificates.current(role)?.trusting(&both))
                .await?;
        }
        self.taken(1.0).await?;
        for role in Role::ALL {
            self.put(role, &next.issue(role)?.trusting(&both)).await?;
        }
        self.taken(2.0).await?;
        self.all_wake("both authorities").await?;
        self.restart(cluster).await?;
        self.all_wake("a restart with both").await?;
        for role in Role::ALL {
            self.put(role, &self.certificates.current(role)?.trusting(next.pem()))
                .await?;
        }
        self.taken(1.0).await?;
        self.all_wake("the new authority").await?;
        self.restart(cluster).await?;
        self.all_wake("a restart with the new one").await
    }

    async fn put(self, role: Role, identity: &Identity) -> Result<()> {
        self.certificates.put(role, identity)?;
        if role == Role::Keda {
            self.put_secrets(identity).await?;
        }
        Ok(())
    }

    /// Waits until the daemons have taken what is in their files.
    async fn taken(self, n: f64) -> Result<()> {
        let scaler = async || {
            let name = "wakegate_scaler_tls_reloads_total{outcome=\"applied\"}";
            self.wakegate.scaler().counted(name).await
        };
        eventually_is(SOON, "certificates that the scaler has taken", n, scaler).await
    }

    async fn restart(self, cluster: &Cluster) -> Result<()> {
        self.wakegate.scaler().terminate().await?;
        self.wakegate.scaler().start(cluster).await?;
        self.wakegate.scaler().ready().await
    }

    async fn all_wake(self, when: &str) -> Result<()> {
        for (name, _) in WAKES {
            let began = std::time::Instant::now();
            from_zero_and_back(self.scene, name, &url(name))
                .await
                .with_context(|| format!("{name} after {when}"))?;
            self.scene
                .note(&format!("{name} after {when}: {:?}", began.elapsed()));
        }
        Ok(())
    }
}

/// Four apps: one for each way to say who KEDA is, one that says nothing, and one that trusts and shows nothing.
fn objects(wakegate: &Wakegate) -> Result<Vec<Object>> {
    let mut objects = vec![gateway("edge")];
    let scaler = wakegate.scaler().addresses().grpc.to_string();
    let whole = [
        "caCert=ca.crt",
        "tlsClientCert=tls.crt",
        "tlsClientKey=tls.key",
    ];
    objects.push(authentication("TriggerAuthentication", NAME, &whole)?);
    objects.push(authentication(
        "ClusterTriggerAuthentication",
        NAME,
        &whole,
    )?);
    objects.push(authentication(
        "TriggerAuthentication",
        "half",
        &whole[..1],
    )?);
    let ways = WAKES.map(|(name, kind)| (name, Some((kind, NAME))));
    let others = [
        ("bare", None),
        ("half", Some(("TriggerAuthentication", "half"))),
    ];
    for (name, way) in ways.into_iter().chain(others) {
        let limit = if name == "bare" || name == "half" {
            "4s"
        } else {
            "60s"
        };
        let annotations = quick(&[("scaled-object", "external"), ("hold-timeout", limit)]);
        objects.extend(routed(name, &annotations));
        let trigger = [
            ("scalerAddress", scaler.as_str()),
            ("service", name),
            ("pollingInterval", "1"),
        ];
        let mut object = scaled_object(name, name, &trigger);
        let reference = way.map(|(kind, name)| json!({ "kind": kind, "name": name }));
        object = object.set("/triggers/0/authenticationRef", json!(reference))?;
        objects.push(object);
    }
    Ok(objects)
}

/// Parameters of KEDA's scaler, each `parameter=key` of the Secret.
fn authentication(kind: &str, name: &str, parameters: &[&str]) -> Result<Object> {
    let references = parameters.iter().map(|it| {
        let (parameter, key) = it.split_once('=').context("parameter=key")?;
        Ok(json!({ "parameter": parameter, "name": NAME, "key": key }))
    });
    let references = references.collect::<Result<Vec<Value>>>()?;
    let spec = json!({ "secretTargetRef": references });
    Ok(Object::new("keda.sh/v1alpha1", kind, name, spec))
}
