//! What replicas of the scaler tell each other, both ways.

use std::{mem, time::Duration};

use prost::{Message as _, bytes::Bytes};
use wakegate_core::{Instance, Key, Page, PageCount, Report, Sample};

use crate::{DecodeError, decode_report, routes::name, v1};

/// A part of a page or a table has about so many bytes: far below gRPC's limit of 4 MiB, and soon taken in.
const PART_BYTES: usize = 64 << 10;

/// Samples of one key on a page. A ledger keeps one for each of 600 s; what is more is refused before it takes room.
const MAX_SAMPLES: usize = 1_000;

/// Keys of one page, and of one table. A ledger takes fewer.
const MAX_KEYS: usize = 1_000_000;

/// A report as it is relayed.
pub fn encode_relayed(instance: &Instance, report: &Report) -> Bytes {
    let request = v1::ReportRequest {
        instance: Some(instance.into()),
        ..report.into()
    };
    request.encode_to_vec().into()
}

/// A relayed report.
///
/// # Errors
/// It is no report, or names no instance.
pub fn decode_relayed(report: Bytes) -> Result<(Instance, Report), DecodeError> {
    let request = v1::ReportRequest::decode(report).map_err(|error| DecodeError::Value {
        of: "relayed".to_owned(),
        field: "report",
        value: error.to_string(),
        expected: "not a report",
    })?;
    let (instance, report) = decode_report(request)?;
    let instance = instance.ok_or_else(|| DecodeError::missing("relayed", "report.instance"))?;
    Ok((instance, report))
}

/// The parts of a page, in their order.
pub fn encode_page(page: Page) -> Vec<v1::Page> {
    let Page {
        instance,
        sequence,
        age,
        clock,
        line,
        known_digest,
        is_silent,
        is_here,
        counts,
    } = page;
    let head = v1::Page {
        instance: Some((&instance).into()),
        sequence,
        age_ms: millis(age),
        now_ms: millis(clock),
        line_ms: line,
        known_digest,
        silent: is_silent,
        here: is_here,
        counts: Vec::new(),
        more: false,
    };
    let counts = counts.into_iter().map(v1::PageCount::from);
    let mut parts = vec![head.clone()];
    let mut n_bytes = 0;
    for count in counts {
        n_bytes += count.encoded_len();
        if let Some(part) = parts.last_mut() {
            part.more = n_bytes > PART_BYTES && !part.counts.is_empty();
            if !part.more {
                part.counts.push(count);
                continue;
            }
        }
        n_bytes = count.encoded_len();
        parts.push(v1::Page {
            counts: vec![count],
            ..head.clone()
        });
    }
    parts
}

/// The parts of a table's keys, in their order.
pub fn encode_table<'a>(keys: impl IntoIterator<Item = &'a Key>) -> Vec<v1::TableKeys> {
    let mut parts = vec![v1::TableKeys::default()];
    let mut n_bytes = 0;
    for key in keys {
        let key = key.as_str().to_owned();
        n_bytes += key.len();
        if let Some(part) = parts.last_mut() {
            part.more = n_bytes > PART_BYTES;
            if !part.more {
                part.keys.push(key);
                continue;
            }
        }
        n_bytes = key.len();
        parts.push(v1::TableKeys {
            keys: vec![key],
            more: false,
        });
    }
    parts
}

/// Puts the parts of pages together.
#[derive(Debug, Default)]
pub struct Pages {
    begun: Option<Page>,
}

/// Puts the parts of tables together.
#[derive(Debug, Default)]
pub struct Tables {
    begun: Vec<Key>,
}

impl Pages {
    /// Takes one part; gives the page with its last.
    ///
    /// # Errors
    /// The part says what it cannot say, or is of another worker than the one before, which has more.
    pub fn push(&mut self, part: v1::Page) -> Result<Option<Page>, DecodeError> {
        let more = part.more;
        let mut page = Page::try_from(part)?;
        if let Some(begun) = self.begun.take() {
            if begun.instance != page.instance {
                return Err(value(
                    "page",
                    "more",
                    "true",
                    "but another worker's follows",
                ));
            }
            let mut counts = begun.counts;
            counts.append(&mut page.counts);
            page.counts = counts;
        }
        if page.counts.len() > MAX_KEYS {
            return Err(value("page", "counts", "longer", "than any can be"));
        }
        if more {
            self.begun = Some(page);
            return Ok(None);
        }
        Ok(Some(page))
    }

    /// Whether the last part has more to come.
    pub fn is_begun(&self) -> bool {
        self.begun.is_some()
    }
}

impl Tables {
    /// Takes one part; gives the keys with the last.
    ///
    /// # Errors
    /// A key is missing, or there are too many.
    pub fn push(&mut self, part: &v1::TableKeys) -> Result<Option<Vec<Key>>, DecodeError> {
        for key in &part.keys {
            self.begun.push(Key::from(name("table", "keys", key)?));
        }
        if self.begun.len() > MAX_KEYS {
            return Err(value("table", "keys", "longer", "than any can be"));
        }
        Ok((!part.more).then(|| mem::take(&mut self.begun)))
    }

    /// Whether the last part has more to come.
    pub fn is_begun(&self) -> bool {
        !self.begun.is_empty()
    }
}

impl TryFrom<v1::Page> for Page {
    type Error = DecodeError;

    fn try_from(page: v1::Page) -> Result<Self, DecodeError> {
        let instance = page.instance;
        let instance = instance.ok_or_else(|| DecodeError::missing("page", "instance"))?;
        let counts = page.counts.into_iter().map(PageCount::try_from);
        Ok(Self {
            instance: instance.try_into()?,
            sequence: page.sequence,
            age: Duration::from_millis(page.age_ms),
            clock: Duration::from_millis(page.now_ms),
            line: page.line_ms,
            known_digest: page.known_digest,
            is_silent: page.silent,
            is_here: page.here,
            counts: counts.collect::<Result<_, _>>()?,
        })
    }
}

impl From<PageCount> for v1::PageCount {
    fn from(count: PageCount) -> Self {
        let samples = &count.samples;
        Self {
            key: count.key.as_str().to_owned(),
            held: count.held,
            running: count.running,
            started: count.started,
            integral_ms: count.integral_ms,
            sample_at_ms: differences(samples.iter().map(|sample| sample.at)),
            sample_started: differences(samples.iter().map(|sample| sample.started)),
            sample_integral_ms: differences(samples.iter().map(|sample| sample.integral)),
        }
    }
}

impl TryFrom<v1::PageCount> for PageCount {
    type Error = DecodeError;

    fn try_from(count: v1::PageCount) -> Result<Self, DecodeError> {
        let n_samples = count.sample_at_ms.len();
        let others = [&count.sample_started, &count.sample_integral_ms];
        if n_samples > MAX_SAMPLES || others.iter().any(|others| others.len() != n_samples) {
            let said = n_samples.to_string();
            return Err(value(
                "page",
                "counts.sample_at_ms",
                &said,
                "not as many as others",
            ));
        }
        let totals = sums(&count.sample_started).zip(sums(&count.sample_integral_ms));
        let samples = sums(&count.sample_at_ms).zip(totals);
        let samples = samples.map(|(at, (started, integral))| Sample {
            at,
            started,
            integral,
        });
        Ok(Self {
            key: Key::from(name("page", "counts.key", &count.key)?),
            held: count.held,
            running: count.running,
            started: count.started,
            integral_ms: count.integral_ms,
            samples: samples.collect(),
        })
    }
}

/// Each as what it is more than the one before.
fn differences(values: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut before = 0;
    let difference = |value: u64| value.saturating_sub(mem::replace(&mut before, value));
    values.map(difference).collect()
}

fn sums(differences: &[u64]) -> impl Iterator<Item = u64> {
    differences.iter().scan(0_u64, |sum, difference| {
        *sum = sum.saturating_add(*difference);
        Some(*sum)
    })
}

fn value(of: &str, field: &'static str, value: &str, expected: &'static str) -> DecodeError {
    DecodeError::Value {
        of: of.to_owned(),
        field,
        value: value.to_owned(),
        expected,
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(n_keys: u64) -> Page {
        let count = |n: u64| PageCount {
            key: Key::service("shop", &format!("app-{n}")),
            held: 1,
            running: 2,
            started: 9,
            integral_ms: 77,
            samples: (0..60)
                .map(|second| Sample {
                    at: 3_600_000 + second * 1_000 + n,
                    started: second * n,
                    integral: second * 3_000,
                })
                .collect(),
        };
        Page {
            instance: Instance {
                proxy: "edge-1".into(),
                worker: 2,
                boot_id: 1_800_000_000_000,
            },
            sequence: 41,
            age: Duration::from_millis(250),
            clock: Duration::from_secs(1_800_000_041),
            line: 4_000_000,
            known_digest: 5,
            is_silent: true,
            is_here: true,
            counts: (0..n_keys).map(count).collect(),
        }
    }

    #[test]
    fn a_page_comes_back_as_it_was_sent_in_parts_that_are_small() {
        for (n_keys, n_parts) in [(0, 1), (1, 1), (1_000, 6)] {
            let page = page(n_keys);
            let parts = encode_page(page.clone());
            assert_eq!(parts.len(), n_parts, "{n_keys}");
            assert!(parts.iter().all(|part| part.encoded_len() < 66 << 10));
            let mut pages = Pages::default();
            let whole = parts.into_iter().map(|part| pages.push(part).unwrap());
            let whole: Vec<_> = whole.flatten().collect();
            assert_eq!(whole, [page]);
            assert!(!pages.is_begun());
        }
    }

    #[test]
    fn a_table_comes_back_as_it_was_sent_in_parts_that_are_small() {
        let key = |n| Key::service("shop", &format!("app-{n}"));
        let keys: Vec<Key> = (0..10_000).map(key).collect();
        let parts = encode_table(&keys);
        assert_eq!(parts.len(), 4);
        let mut tables = Tables::default();
        let whole = parts.into_iter().map(|part| tables.push(&part).unwrap());
        assert_eq!(whole.flatten().collect::<Vec<_>>(), [keys]);
    }

    #[test]
    fn parts_that_do_not_belong_together_are_refused() {
        let mut parts = encode_page(page(1_000));
        let mut pages = Pages::default();
        assert_eq!(pages.push(parts.remove(0)).unwrap(), None);
        let instance = parts[0].instance.as_mut().unwrap();
        instance.worker += 1;
        let error = pages.push(parts.remove(0)).unwrap_err();
        let text = "page: more is true, but another worker's follows";
        assert_eq!(error.to_string(), text);
        let mut odd = encode_page(page(1)).remove(0);
        odd.counts[0].sample_started.pop();
        let error = pages.push(odd).unwrap_err();
        let text = "page: counts.sample_at_ms is 60, not as many as others";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn a_relayed_report_names_its_worker() {
        let (instance, report) = (page(0).instance, Report::default());
        let relayed = encode_relayed(&instance, &report);
        assert_eq!(decode_relayed(relayed).unwrap(), (instance, report));
        let nobody = v1::ReportRequest::default().encode_to_vec();
        let error = decode_relayed(nobody.into()).unwrap_err();
        assert_eq!(error.to_string(), "relayed: report.instance is missing");
        assert!(decode_relayed(Bytes::from_static(b"\xff")).is_err());
    }
}
