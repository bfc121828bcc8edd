//! Durations as Go writes and reads them: what `metav1.Duration` takes.

use std::{fmt, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A duration in Go's words, kept as it was written.
///
/// The schemas of the KEDA HTTP add-on take any text here. So does this type, so that one bad text does not
/// keep the rest of the object from being read: [`GoDuration::parse`] says what it means.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct GoDuration(String);

/// Why a text is no duration that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GoDurationError {
    /// Go would not parse it.
    #[error("it is not a duration: write a number with a unit, such as 1m30s or 500ms")]
    Malformed,
    /// Go counts nanoseconds in an i64.
    #[error("it is longer than any duration can be: write at most 2562047h")]
    TooLong,
    /// Go knows these; nobody can wait for them.
    #[error("it is negative: write 0s or more")]
    Negative,
}

/// What Go's largest duration has of nanoseconds: about 292 years.
const MAX_NANOS: u128 = i64::MAX.cast_unsigned() as u128;

/// Digits behind the point that count: what comes after these is less than a nanosecond, even of hours.
const MAX_FRACTION: usize = 18;

impl GoDuration {
    /// What it means; never below zero.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use wakegate_api::GoDuration;
    /// assert_eq!(GoDuration::from("1.5s").parse(), Ok(Duration::from_millis(1_500)));
    /// assert!(GoDuration::from("90").parse().is_err());
    /// ```
    ///
    /// # Errors
    /// Go would refuse it, or it is negative.
    pub fn parse(&self) -> Result<Duration, GoDurationError> {
        parse(&self.0)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for GoDuration {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<Duration> for GoDuration {
    /// As Go writes it: `1m30s`, `1.5s`, `500ms`, `0s`.
    fn from(duration: Duration) -> Self {
        Self(written(duration))
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn parse(text: &str) -> Result<Duration, GoDurationError> {
    let is_negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        // The only number that Go takes without a unit.
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(GoDurationError::Malformed);
    }
    let mut nanos = 0;
    while !rest.is_empty() {
        let (part, left) = part(rest)?;
        nanos += part;
        if nanos > MAX_NANOS {
            return Err(GoDurationError::TooLong);
        }
        rest = left;
    }
    match u64::try_from(nanos) {
        Ok(0) => Ok(Duration::ZERO),
        Ok(_) if is_negative => Err(GoDurationError::Negative),
        Ok(nanos) => Ok(Duration::from_nanos(nanos)),
        Err(_) => Err(GoDurationError::TooLong),
    }
}

/// A number, with or without a fraction, and its unit: nanoseconds, and what is behind it.
fn part(text: &str) -> Result<(u128, &str), GoDurationError> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
    if whole.is_empty() && fraction.is_empty() {
        return Err(GoDurationError::Malformed);
    }
    let is_next = |it: char| it == '.' || it.is_ascii_digit();
    let (name, rest) = rest.split_at(rest.find(is_next).unwrap_or(rest.len()));
    let unit = unit(name).ok_or(GoDurationError::Malformed)?;
    // Leading zeros are no reason to refuse it; more digits than these are beyond every unit.
    let whole = whole.trim_start_matches('0');
    if whole.len() > 19 {
        return Err(GoDurationError::TooLong);
    }
    let fraction = fraction.get(..MAX_FRACTION).unwrap_or(fraction);
    let scale = fraction.bytes().fold(1, |scale: u128, _| scale * 10);
    Ok((number(whole) * unit + number(fraction) * unit / scale, rest))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

fn number(digits: &str) -> u128 {
    let add = |number, digit: u8| number * 10 + u128::from(digit - b'0');
    digits.bytes().fold(0, add)
}

/// In nanoseconds.
fn unit(name: &str) -> Option<u128> {
    Some(match name {
        "ns" => 1,
        // Both signs that stand for micro.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3_600 * 1_000_000_000,
        _ => return None,
    })
}

fn written(duration: Duration) -> String {
    let (secs, nanos) = (duration.as_secs(), duration.subsec_nanos());
    if secs == 0 {
        return match nanos {
            0 => "0s".to_owned(),
            1..1_000 => format!("{nanos}ns"),
            1_000..1_000_000 => decimal(u64::from(nanos / 1_000), nanos % 1_000, 3) + "\u{b5}s",
            _ => decimal(u64::from(nanos / 1_000_000), nanos % 1_000_000, 6) + "ms",
        };
    }
    let (hours, minutes) = (secs / 3_600, secs / 60 % 60);
    let seconds = decimal(secs % 60, nanos, 9) + "s";
    match (hours, minutes) {
        (0, 0) => seconds,
        (0, _) => format!("{minutes}m{seconds}"),
        (_, _) => format!("{hours}h{minutes}m{seconds}"),
    }
}

/// A number with a fraction of so many digits, without the zeros at its end.
fn decimal(whole: u64, fraction: u32, n_digits: usize) -> String {
    let text = format!("{whole}.{fraction:0n_digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
