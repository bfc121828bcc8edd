use tokio::task::JoinSet;

use super::*;

fn leadership() -> (watch::Sender<Option<Instant>>, Leadership) {
    let (until, receiver) = watch::channel(None);
    let leader = watch::Sender::new(None).subscribe();
    let leadership = Leadership {
        until: receiver,
        leader,
    };
    (until, leadership)
}

#[tokio::test(start_paused = true)]
async fn leadership_ends_by_itself_when_nothing_renews_it() {
    let (until, mut leadership) = leadership();
    assert!(!leadership.is_leader());
    leadership.lost().await;
    let begin = Instant::now();
    until.send_replace(Some(begin + Duration::from_secs(10)));
    leadership.acquired().await;
    assert!(leadership.is_leader());

    leadership.lost().await;
    assert!(!leadership.is_leader());
    assert!(begin.elapsed() >= Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_renewal_goes_on_with_it_and_a_release_ends_it_at_once() {
    let (until, mut leadership) = leadership();
    let begin = Instant::now();
    until.send_replace(Some(begin + Duration::from_secs(10)));
    leadership.acquired().await;
    let (mut other, mut tasks) = (leadership.clone(), JoinSet::new());
    tasks.spawn(async move {
        other.lost().await;
        Instant::now()
    });
    tokio::time::advance(Duration::from_secs(9)).await;
    until.send_replace(Some(begin + Duration::from_secs(19)));
    tokio::time::advance(Duration::from_secs(5)).await;
    assert!(leadership.is_leader() && tasks.try_join_next().is_none());
    until.send_replace(None);
    assert!(!leadership.is_leader());
    let lost_at = tasks.join_next().await.unwrap().unwrap();
    assert!(lost_at < begin + Duration::from_secs(19));
}

#[tokio::test(start_paused = true)]
async fn leadership_that_is_fixed_stays_or_never_comes() {
    let mut never = Leadership::fixed(false);
    never.lost().await;
    let mut ever = Leadership::fixed(true);
    ever.acquired().await;
    assert!(ever.is_leader());
    let hour = Duration::from_hours(1);
    let lost = tokio::time::timeout(hour, ever.lost()).await;
    assert!(lost.is_err());
}
