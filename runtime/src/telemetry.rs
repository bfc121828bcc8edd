//! Logs: the flags, and the set-up of `tracing`.

use std::{
    io::{self, IsTerminal as _},
    panic,
};

use clap::{Args, ValueEnum};
use thiserror::Error;
use tracing_subscriber::{EnvFilter, filter::ParseError, fmt, util::TryInitError};
use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// The flags of logging, to be flattened into a daemon's own.
#[derive(Clone, Debug, Args)]
pub struct LogArgs {
    /// How a line of the log looks
    #[arg(long, env = "WAKEGATE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// What is logged: a level, or directives such as `info,wakegate_scaler=debug`
    #[arg(long, env = "WAKEGATE_LOG_FILTER", default_value = "info")]
    pub log_filter: String,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Logging could not be set up.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// `--log-filter` does not parse.
    #[error("log filter {filter:?}")]
    Filter {
        /// As it was given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// The process has a subscriber already.
    #[error("install the log subscriber")]
    Install(#[from] TryInitError),
}

impl LogArgs {
    /// Sends this process's log to standard error, panics included.
    ///
    /// # Errors
    /// The filter does not parse, or logging was set up before.
    pub fn init(&self) -> Result<(), TelemetryError> {
        let filter = self.filter()?;
        let registry = tracing_subscriber::registry().with(filter);
        match self.log_format {
            LogFormat::Text => {
                let is_terminal = io::stderr().is_terminal();
                let text = fmt::layer().with_ansi(is_terminal).with_writer(io::stderr);
                registry.with(text).try_init()?;
            }
            LogFormat::Json => {
                let json = fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_writer(io::stderr);
                registry.with(json).try_init()?;
            }
        }
        // A panic is a line of the log like any other, so that it is found where logs are gathered.
        panic::set_hook(Box::new(|panicked| {
            let at = panicked.location().map(ToString::to_string);
            let reason = panicked.payload_as_str().unwrap_or("no message");
            tracing::error!(at, reason, "panic");
        }));
        Ok(())
    }

    fn filter(&self) -> Result<EnvFilter, TelemetryError> {
        EnvFilter::try_new(&self.log_filter).map_err(|source| TelemetryError::Filter {
            filter: self.log_filter.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> Result<EnvFilter, TelemetryError> {
        let args = LogArgs {
            log_format: LogFormat::Text,
            log_filter: text.to_owned(),
        };
        args.filter()
    }

    #[test]
    fn a_filter_that_does_not_parse_is_named() {
        assert!(filter("info,wakegate_scaler=debug").is_ok());
        let error = filter("wakegate=loud").unwrap_err();
        assert_eq!(error.to_string(), "log filter \"wakegate=loud\"");
    }
}
