//! A task that ends with its owner.

use std::future::Future;

use tokio::task::JoinSet;

/// Runs a future until it is done or this is dropped.
#[derive(Debug)]
#[must_use = "the task ends when this is dropped"]
pub struct Background {
    tasks: JoinSet<()>,
}

impl Background {
    /// Starts `task`.
    pub fn start(task: impl Future<Output = ()> + Send + 'static) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn(task);
        Self { tasks }
    }

    /// Whether the task ran to its end.
    pub fn is_done(&mut self) -> bool {
        while self.tasks.try_join_next().is_some() {}
        self.tasks.is_empty()
    }
}
