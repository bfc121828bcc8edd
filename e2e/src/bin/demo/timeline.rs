//! What the demo prints: moments in milliseconds, and signs of life while it waits.

use std::fmt::Display;
use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::time;

/// Longer silences are broken.
const PATIENCE: Duration = Duration::from_secs(2);

/// Prints a line.
#[expect(clippy::print_stdout, reason = "the demo talks to whoever runs it")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// Waits for `future`; says so every two seconds.
pub(crate) async fn meanwhile<T>(what: &str, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let begin = Instant::now();
    loop {
        match time::timeout(PATIENCE, future.as_mut()).await {
            Ok(done) => return done,
            Err(_still) => say(&format!("   ... {what} ({} s)", begin.elapsed().as_secs())),
        }
    }
}

/// Moments of one request.
#[derive(Debug)]
pub(crate) struct Timeline {
    begin: Instant,
    moments: Vec<(Instant, String)>,
}

impl Timeline {
    /// Begins now.
    pub(crate) fn begin(what: &str) -> Self {
        let begin = Instant::now();
        Self {
            begin,
            moments: vec![(begin, what.to_owned())],
        }
    }

    pub(crate) fn start(&self) -> Instant {
        self.begin
    }

    /// Adds a moment; the order of calls does not matter.
    pub(crate) fn at(&mut self, moment: Instant, what: impl Display) {
        self.moments.push((moment, what.to_string()));
    }

    /// Prints all moments in the order of time.
    pub(crate) fn print(mut self) {
        self.moments.sort_by_key(|(moment, _)| *moment);
        for (moment, what) in &self.moments {
            let since = moment.saturating_duration_since(self.begin);
            say(&format!("   {:>9.1} ms  {what}", since.as_secs_f64() * 1e3));
        }
    }
}
