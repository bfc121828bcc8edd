//! Durations as Gateway API writes them (GEP-2257), a subset of Go's.

use std::time::Duration;

/// Parses `90s`, `1m30s`, `500ms`: at most four parts, each of at most five digits with one of the units
/// `h`, `m`, `s`, `ms`. No sign, no fraction.
///
/// ```
/// # use std::time::Duration;
/// # use wakegate_api::parse_duration;
/// assert_eq!(parse_duration("1m30s"), Some(Duration::from_secs(90)));
/// assert_eq!(parse_duration("90"), None);
/// ```
pub fn parse_duration(text: &str) -> Option<Duration> {
    const MAX_PARTS: usize = 4;
    let (mut total, mut rest, mut n_parts) = (Duration::ZERO, text, 0);
    while !rest.is_empty() {
        let (part, left) = part(rest)?;
        total = total.checked_add(part)?;
        (rest, n_parts) = (left, n_parts + 1);
    }
    (1..=MAX_PARTS).contains(&n_parts).then_some(total)
}

fn part(text: &str) -> Option<(Duration, &str)> {
    const MAX_DIGITS: usize = 5;
    let n_digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=MAX_DIGITS).contains(&n_digits) {
        return None;
    }
    let (digits, rest) = text.split_at_checked(n_digits)?;
    let n: u64 = digits.parse().ok()?;
    let n_letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (unit, rest) = rest.split_at_checked(n_letters)?;
    let part = match unit {
        "h" => Duration::from_secs(n * 3_600),
        "m" => Duration::from_secs(n * 60),
        "s" => Duration::from_secs(n),
        "ms" => Duration::from_millis(n),
        _ => return None,
    };
    Some((part, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up() {
        for (text, ms) in [
            ("0s", 0),
            ("500ms", 500),
            ("1h1m1s1ms", 3_661_001),
            ("90s", 90_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Some(Duration::from_millis(ms)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_gateway_api_refuses_is_refused() {
        for text in [
            "",
            "90",
            "s",
            "-1s",
            "1.5s",
            "1us",
            "123456s",
            "1h1h1h1h1h",
            "1 s",
            "1m é",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
