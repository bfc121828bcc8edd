//! Many requests that wait together, over a few HTTP/2 connections, and how each was answered.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use wakegate_e2e::client::{H2, Pending, get, read};
use wakegate_e2e::{Service, Stack};

use crate::line::{Line, as_f64};

/// Several for each worker, so that every worker has some.
const N_CONNECTIONS: usize = 16;

/// What [`pass`] keeps under way on each connection: 256 in all, as much as a thaw may have.
const N_AT_ONCE: usize = 16;

/// To get ten thousand requests into Envoy on a busy machine.
const ARRIVE_LIMIT: Duration = Duration::from_mins(1);

/// Requests under way.
#[derive(Debug)]
pub(crate) struct Crowd {
    requests: JoinSet<Option<Answered>>,
    n: usize,
    _connections: Vec<H2>,
}

/// One answer, whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) at: Instant,
}

/// All answers; what is missing was reset, or did not come in time.
#[derive(Debug)]
pub(crate) struct Answers {
    n_asked: usize,
    answers: Vec<Answered>,
}

impl Crowd {
    /// Sends `n` requests, to the services in turns, and waits until Envoy holds them all. Each has a path
    /// of its own: `/<connection>/<number>`.
    pub(crate) async fn hold(stack: &Stack, services: &[Service], n: usize) -> Result<Self> {
        let crowd = Self::ask(stack.address()?, services, n).await?;
        stack.held_is(n, ARRIVE_LIMIT).await?;
        Ok(crowd)
    }

    pub(crate) async fn ask(address: SocketAddr, services: &[Service], n: usize) -> Result<Self> {
        ensure!(!services.is_empty(), "somebody is asked");
        let mut connections = Vec::new();
        for _ in 0..N_CONNECTIONS.min(n) {
            connections.push(H2::open(address).await?);
        }
        let mut requests = JoinSet::new();
        let places = connections.iter().enumerate().cycle();
        for ((number, (place, connection)), service) in
            (0..n).zip(places).zip(services.iter().cycle())
        {
            let request = get(&service.url(&format!("/{place}/{number}")))?;
            // Sent here, so that numbers go up on each connection.
            requests.spawn(answered(Box::pin(connection.send(request))));
        }
        Ok(Self {
            requests,
            n,
            _connections: connections,
        })
    }

    /// Waits for all answers, `limit` at most.
    pub(crate) async fn answers(mut self, limit: Duration) -> Answers {
        let end = Instant::now() + limit;
        let mut answers = Vec::new();
        while let Ok(Some(answer)) = timeout_at(end, self.requests.join_next()).await {
            answers.extend(answer.ok().flatten());
        }
        Answers {
            n_asked: self.n,
            answers,
        }
    }
}

/// Sends `n` requests to a service that is awake, as many at a time as a thaw may have under way, and says how
/// long that took: what these clients, this Envoy and this backend can do without a hold.
pub(crate) async fn pass(address: SocketAddr, service: &Service, n: usize) -> Result<Duration> {
    let url: Arc<str> = service.url("/").into();
    let each = n.div_ceil(N_CONNECTIONS * N_AT_ONCE);
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    for _ in 0..N_CONNECTIONS {
        let connection = Arc::new(H2::open(address).await?);
        for _ in 0..N_AT_ONCE {
            tasks.spawn(one_after_the_other(
                Arc::clone(&connection),
                Arc::clone(&url),
                each,
            ));
        }
    }
    while let Some(done) = tasks.join_next().await {
        done.context("a client ends")??;
    }
    Ok(began.elapsed())
}

async fn one_after_the_other(connection: Arc<H2>, url: Arc<str>, n: usize) -> Result<()> {
    for _ in 0..n {
        let answer = read(connection.send(get(&url)?).await?).await?;
        ensure!(answer.status == 200, "answered with {}", answer.status);
    }
    Ok(())
}

async fn answered(request: Pending) -> Option<Answered> {
    let answer = read(request.await.ok()?).await.ok()?;
    Some(Answered {
        status: answer.status,
        at: Instant::now(),
    })
}

impl Answers {
    /// How many were not answered at all.
    pub(crate) fn n_unanswered(&self) -> usize {
        self.n_asked.saturating_sub(self.answers.len())
    }

    /// How many were not answered with `status`.
    pub(crate) fn n_other_than(&self, status: u16) -> usize {
        let n_good = self.answers.iter().filter(|it| it.status == status).count();
        self.n_asked.saturating_sub(n_good)
    }

    /// When the last came.
    pub(crate) fn last(&self) -> Result<Instant> {
        let last = self.answers.iter().map(|answer| answer.at).max();
        last.context("something was answered")
    }

    /// Adds how many were not answered, how many were with each status, and how far the first answer is
    /// from the last.
    pub(crate) fn onto(&self, line: Line) -> Line {
        let mut by_status = BTreeMap::<_, usize>::new();
        for answer in &self.answers {
            *by_status.entry(answer.status).or_default() += 1;
        }
        let line = line.figure("unanswered", as_f64(self.n_unanswered()), "");
        let line = by_status.into_iter().fold(line, |line, (status, n)| {
            line.count(format!("answered {status}"), n)
        });
        let first = self.answers.iter().map(|answer| answer.at).min();
        let last = self.answers.iter().map(|answer| answer.at).max();
        let span = first.zip(last).map(|(first, last)| last - first);
        line.figure(
            "first to last",
            span.map_or(f64::NAN, |span| span.as_secs_f64() * 1e3),
            "ms",
        )
    }
}
