//! Requests and parts of routes, from an alphabet so small that they meet, and from some that is odd.
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::cell::RefCell;

/// Numbers that are the same in every run.
#[derive(Debug)]
pub(crate) struct Random(RefCell<u64>);

pub(crate) const NAMES: [&str; 8] = [
    "a.test",
    "b.test",
    "x.a.test",
    "y.x.a.test",
    "test",
    "a-b.test",
    "xn--a.test",
    "c.other",
];

const SEGMENTS: [&str; 6] = ["a", "b", "ab", "A", "v1", "a.b"];

/// What stands in the place of a segment, or after it, now and then.
const ODD: [&str; 18] = [
    "", ".", "..", "%2F", "%2f", "%2e%2e", "%00", "%FF", "%", "%zz", ";x=1", "a;b", ":", "@", "*",
    "~a", "a%20b", "[]",
];

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(RefCell::new(seed))
    }

    /// A number below `n`: `SplitMix64`.
    pub(crate) fn below(&self, n: usize) -> usize {
        let mut state = self.0.borrow_mut();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % u64::try_from(n.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    pub(crate) fn one<'a>(&self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    /// One time in `n`.
    pub(crate) fn is_rare(&self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// A path as routes have them.
    pub(crate) fn plain_path(&self) -> String {
        let segments = (0..self.below(4)).flat_map(|_| ["/", self.one(&SEGMENTS)]);
        segments.collect()
    }

    /// A whole request of HTTP/1.1.
    pub(crate) fn request(&self, number: u32) -> Vec<u8> {
        let method = self.one(&["GET", "GET", "GET", "POST", "PUT", "OPTIONS"]);
        let (path, host) = (self.path(), self.host());
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nx-number: {number}\r\n");
        // One of each name at most: Envoy 1.40 looks at each value by itself, older ones at their list.
        for name in ["x-a", "X-B"] {
            if self.is_rare(2) {
                let value = self.one(&["1", "2", "12", "", " 1 ", "1,2", "a"]);
                request.extend([name, ": ", value, "\r\n"]);
            }
        }
        request.push_str("content-length: 0\r\n\r\n");
        request.into_bytes()
    }

    fn host(&self) -> String {
        let name = match self.below(12) {
            0 => format!("z.{}", self.one(&NAMES)),
            // No names with an empty label: Envoy goes by the text, while here they are names of nothing.
            1 => self
                .one(&["unknown", "1.2.3.4", "[::1]", "atest"])
                .to_owned(),
            _ => self.one(&NAMES).to_owned(),
        };
        let name = if self.is_rare(4) {
            name.to_uppercase()
        } else {
            name
        };
        let dot = if self.is_rare(8) { "." } else { "" };
        let port = self.one(&["", "", "", ":80", ":8443"]);
        format!("{name}{dot}{port}")
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for _ in 0..self.below(5) {
            path.push('/');
            path.push_str(if self.is_rare(6) {
                self.one(&ODD)
            } else {
                self.one(&SEGMENTS)
            });
        }
        if path.is_empty() || self.is_rare(5) {
            path.push('/');
        }
        if self.is_rare(60) {
            path.push_str(&"a".repeat(8_000));
        }
        if self.is_rare(3) {
            path.push('?');
            let n_parameters = self.below(4);
            for _ in 0..n_parameters {
                let value = self.one(&[
                    "q=1", "q=2", "r=1", "q", "q=", "q=1=2", "=1", "r=%31", "", "q=1/a",
                ]);
                path.push_str(value);
                path.push('&');
            }
        }
        path
    }
}
