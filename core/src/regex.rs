//! A regular expression that must match a whole value, in linear time.

use thiserror::Error;

/// A regular expression over a whole value.
///
/// Envoy matches with RE2, which has no look-around and no back-references; neither has `regex-lite`,
/// and both take linear time.
#[derive(Clone, Debug)]
pub struct Regex {
    source: String,
    compiled: regex_lite::Regex,
}

/// A pattern that cannot be used.
#[derive(Debug, Error)]
#[error("regular expression {pattern:?}")]
pub struct RegexError {
    pattern: String,
    source: regex_lite::Error,
}

impl Regex {
    /// Compiles `pattern`.
    ///
    /// # Errors
    /// The pattern does not parse, or compiles to more than `regex-lite` allows.
    pub fn new(pattern: &str) -> Result<Self, RegexError> {
        // By itself first: `a)(b` would become a valid expression inside the group.
        let compiled = regex_lite::Regex::new(pattern)
            .and_then(|_| regex_lite::Regex::new(&format!(r"\A(?:{pattern})\z")))
            .map_err(|source| RegexError {
                pattern: pattern.to_owned(),
                source,
            })?;
        Ok(Self {
            source: pattern.to_owned(),
            compiled,
        })
    }

    /// Whether all of `value` matches. Bytes that are not UTF-8 never do.
    pub fn matches(&self, value: &[u8]) -> bool {
        std::str::from_utf8(value).is_ok_and(|value| self.compiled.is_match(value))
    }

    /// The pattern as it was given.
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_whole_value_only() {
        let regex = Regex::new("/v[0-9]+|/beta").unwrap();
        for (value, matches) in [
            ("/v12", true),
            ("/beta", true),
            ("/v1/x", false),
            ("x/beta", false),
        ] {
            assert_eq!(regex.matches(value.as_bytes()), matches, "{value}");
        }
        assert!(!regex.matches(b"/v\xff"));
    }
}
