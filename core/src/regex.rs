//! A regular expression that must match a whole value, in linear time.

use thiserror::Error;

/// What a pattern may compile to. A match takes time in proportion to this and to the value, and runs in
/// a proxy's worker: some ten times what patterns for paths need, and not the 10 MiB of `regex-lite`.
const MAX_COMPILED_BYTES: usize = 64 * 1024;

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
    /// The pattern does not parse, or compiles to more than 64 KiB.
    pub fn new(pattern: &str) -> Result<Self, RegexError> {
        // By itself first: `a)(b` would become a valid expression inside the group.
        let compiled = compile(pattern)
            .and_then(|_| compile(&format!(r"\A(?:{pattern})\z")))
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

fn compile(pattern: &str) -> Result<regex_lite::Regex, regex_lite::Error> {
    regex_lite::RegexBuilder::new(pattern)
        .size_limit(MAX_COMPILED_BYTES)
        .build()
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

    #[test]
    fn new_refuses_what_is_invalid_or_too_large() {
        for pattern in ["a)(b", "(", "(?=a)", r"(a)\1", "(a|b|c){1,1000}"] {
            assert!(Regex::new(pattern).is_err(), "{pattern}");
        }
        let host = r"[a-z0-9]{1,63}(\.[a-z0-9]{1,63})*";
        assert!(Regex::new(host).is_ok_and(|regex| regex.matches(b"shop.example")));
    }
}
