//! Control planes without certificates make an authority of their own, and rotate it while streams are open.

mod planes;
mod watcher;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::{Instant, sleep};
use wakegate_e2e::{eventually, eventually_is};

use self::planes::{AUTHORITY, CONTROL_PLANE, FILTER, KEDA, Planes, SCALER, is_refused};
use self::watcher::{Credentials, Watcher};

/// Until a Secret is there, or again as it was.
const SOON: Duration = Duration::from_secs(20);
/// The next authority is there after two thirds of the life of the one before.
const TWO_THIRDS: Duration = Duration::from_secs(150);
/// How late the test takes up a Secret: below the overlap.
const LATE: Duration = Duration::from_secs(2);

/// An authority for 80 s, a certificate for 16 s, an overlap of 4 s.
const SHORT: [&str; 3] = [
    "--authority-lifetime-secs=80",
    "--certificate-lifetime-secs=16",
    "--certificate-overlap-secs=4",
];
/// The last third of a certificate's life is enough for another replica to lead, on a busy machine as well.
const FOR_TWO_LEADERS: [&str; 3] = [
    "--authority-lifetime-secs=160",
    "--certificate-lifetime-secs=32",
    "--certificate-overlap-secs=4",
];
/// Secrets are looked at each second.
const ATTENTIVE: [&str; 1] = ["--certificate-overlap-secs=8"];

#[tokio::test]
async fn two_control_planes_without_certificates_make_one_authority_and_both_serve() -> Result<()> {
    let planes = Planes::start(2, &ATTENTIVE).await?;
    let made = format!(
        "{}{{secret=\"{AUTHORITY}\",outcome=\"done\"}}",
        planes::RENEWALS
    );
    let look = async || planes.counted(&made).await;
    eventually_is(SOON, "authorities made", 1.0, look).await?;
    for (namespace, name) in [
        ("wakegate", CONTROL_PLANE),
        ("wakegate", SCALER),
        ("wakegate", FILTER),
        ("edge", FILTER),
        ("keda", KEDA),
    ] {
        planes.secret(namespace, name).await?;
    }
    let filter = planes.credentials("edge", FILTER).await?;
    for number in [0, 1] {
        let mut watcher = Watcher::open(planes.address(number)?, &filter).await?;
        watcher.hears().await?;
    }
    // One that believes to be first, as a replica would that leads at the same moment.
    let secret = planes.secret("wakegate", AUTHORITY).await?;
    let refused = planes.apply_as_another(&secret).await.unwrap_err();
    ensure!(format!("{refused:#}").contains("conflict"), "{refused:#}");
    // The rights are those to the own Secrets.
    let account = planes.account().await?;
    ensure!(is_refused(&account, "wakegate", "another").await?);
    ensure!(is_refused(&account, "default", FILTER).await?);
    ensure!(!is_refused(&account, "wakegate", AUTHORITY).await?);
    planes.finish().await
}

#[tokio::test]
async fn a_rotation_drops_no_stream_and_refuses_nobody_who_is_late_within_the_overlap() -> Result<()>
{
    let planes = Planes::start(2, &SHORT).await?;
    let first = planes.authority().await?;
    let mut open = vec![planes.watch(0).await?, planes.watch(1).await?];
    rotated(&planes, &open, &[0, 1], &first).await?;
    for watcher in &mut open {
        watcher.hears().await?;
    }
    planes.finish().await
}

#[tokio::test]
async fn another_replica_goes_on_with_a_rotation_that_its_leader_began() -> Result<()> {
    let mut planes = Planes::start(2, &FOR_TWO_LEADERS).await?;
    let first = planes.authority().await?;
    let leader = planes.leader().await?;
    let follower = 1 - leader;
    let mut open = vec![planes.watch(follower).await?];
    let prepared = async || {
        planes
            .has(AUTHORITY, "next.crt")
            .await
            .ok()
            .filter(|has| *has)
    };
    eventually(TWO_THIRDS, "the next authority is made", prepared).await?;
    planes.kill(leader).await?;
    rotated(&planes, &open, &[follower], &first).await?;
    for watcher in &mut open {
        watcher.hears().await?;
    }
    let log = planes.log(follower)?;
    ensure!(log.contains("step=Promote"), "{log}");
    planes.finish().await
}

#[tokio::test]
async fn secrets_of_ours_come_back_and_those_of_others_are_left_alone() -> Result<()> {
    let planes = Planes::prepare().await?;
    let foreign = planes.put_foreign("edge", FILTER).await?;
    let planes = planes
        .run(
            1,
            &[&ATTENTIVE[..], &["--filter-namespace=closed"]].concat(),
        )
        .await?;
    let before = planes.secret("wakegate", SCALER).await?;
    planes.delete("wakegate", SCALER).await?;
    let after = planes.secret("wakegate", SCALER).await?;
    ensure!(
        before.metadata.uid != after.metadata.uid,
        "it was not deleted"
    );

    planes.set("keda", KEDA, "ca.crt", "nobody's").await?;
    let repaired = async || {
        let credentials = planes.credentials("keda", KEDA).await.ok()?;
        credentials.is_complete().then_some(())
    };
    eventually(SOON, "it is repaired", repaired).await?;

    let now = planes.secret("edge", FILTER).await?;
    ensure!(
        now.metadata.resource_version == foreign.metadata.resource_version,
        "it was written"
    );
    for (name, what) in [
        (FILTER, "is not one that Wakegate made"),
        (FILTER, "cannot be read"),
    ] {
        let said = |log: &str| {
            log.lines()
                .any(|line| line.contains(name) && line.contains(what))
        };
        ensure!(said(&planes.log(0)?), "{}", planes.log(0)?);
    }
    let left_alone = format!(
        "{}{{secret=\"{FILTER}\",outcome=\"foreign\"}}",
        planes::RENEWALS
    );
    ensure!(planes.counted(&left_alone).await? > 0.0, "{left_alone}");
    planes.finish().await
}

#[tokio::test]
async fn an_authority_that_somebody_edited_is_not_replaced_and_everything_goes_on() -> Result<()> {
    let planes = Planes::start(1, &ATTENTIVE).await?;
    let key = planes.text("wakegate", AUTHORITY, "tls.key").await?;
    planes
        .set("wakegate", AUTHORITY, "tls.key", "garbage")
        .await?;
    let broken = format!(
        "{}{{secret=\"{AUTHORITY}\",outcome=\"broken\"}}",
        planes::RENEWALS
    );
    let seen = async || (planes.counted(&broken).await.ok()? > 1.0).then_some(());
    eventually(SOON, "it is seen twice", seen).await?;
    let text = planes.text("wakegate", AUTHORITY, "tls.key").await?;
    ensure!(text == "garbage", "it was replaced");
    ensure!(
        planes.log(0)?.contains("bring it back as it was"),
        "nobody says what to do"
    );
    planes.watch(0).await?.hears().await?;

    planes.set("wakegate", AUTHORITY, "tls.key", &key).await?;
    let well = async || planes.log(0).ok()?.contains("is well again").then_some(());
    eventually(SOON, "it is well again", well).await?;
    ensure!(
        !planes.log(0)?.contains("PRIVATE KEY"),
        "a key is in the log"
    );
    planes.finish().await
}

/// Waits until another authority signs, and the one before is forgotten. All the time somebody who takes up
/// Secrets late connects anew to all that run, and whoever is connected hears something.
async fn rotated(planes: &Planes, open: &[Watcher], running: &[usize], first: &str) -> Result<()> {
    let end = Instant::now() + 2 * TWO_THIRDS;
    let mut known: Option<(Instant, Credentials)> = None;
    loop {
        let newest = planes.credentials("edge", FILTER).await?;
        let late = match known.take() {
            Some((since, late)) if since.elapsed() < LATE => (since, late),
            Some(_) | None => (Instant::now(), newest),
        };
        for number in running {
            let address = planes.address(*number)?;
            let opened = Watcher::open(address, &late.1).await;
            let mut watcher = opened.with_context(|| format!("connect to {number}"))?;
            watcher.hears().await?;
        }
        known = Some(late);
        for watcher in open {
            watcher.is_open()?;
        }
        let is_other = planes.authority().await? != first;
        let is_over = !planes.has(AUTHORITY, "previous.crt").await?;
        if is_other && is_over {
            return Ok(());
        }
        ensure!(
            Instant::now() < end,
            "no rotation: other {is_other}, over {is_over}"
        );
        sleep(Duration::from_millis(200)).await;
    }
}
