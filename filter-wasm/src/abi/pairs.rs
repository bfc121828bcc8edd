//! Header maps as the ABI writes them: the number of pairs, the sizes of each name and value, then each
//! name and value with a zero byte behind it. All numbers have 32 bits and are little endian.

/// A number.
const WORD: usize = 4;

/// `pairs` as Envoy reads them.
pub(crate) fn encode(pairs: &[(&str, &str)]) -> Vec<u8> {
    let n_bytes = pairs.iter().map(|(name, value)| name.len() + value.len());
    let n_bytes = n_bytes.map(|n_bytes| n_bytes + 2 * WORD + 2).sum::<usize>();
    let mut bytes = Vec::with_capacity(n_bytes + WORD);
    put_size(&mut bytes, pairs.len());
    for (name, value) in pairs {
        put_size(&mut bytes, name.len());
        put_size(&mut bytes, value.len());
    }
    for (name, value) in pairs {
        for text in [name, value] {
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(0);
        }
    }
    bytes
}

/// The pairs in `map`, in order, up to the first that is not whole.
pub(crate) fn iter(map: &[u8]) -> Pairs<'_> {
    let n_pairs = size_at(map, 0).unwrap_or(0);
    let texts = n_pairs.saturating_mul(2 * WORD).saturating_add(WORD);
    Pairs {
        sizes: map.get(WORD..texts).unwrap_or_default(),
        texts: map.get(texts..).unwrap_or_default(),
    }
}

/// See [`iter`].
#[derive(Clone, Debug)]
pub(crate) struct Pairs<'m> {
    sizes: &'m [u8],
    texts: &'m [u8],
}

impl<'m> Pairs<'m> {
    fn take(&mut self) -> Option<&'m [u8]> {
        let size = size_at(self.sizes, 0)?;
        let text = self.texts.get(..size)?;
        self.sizes = self.sizes.get(WORD..)?;
        // Behind the zero byte.
        self.texts = self.texts.get(size + 1..)?;
        Some(text)
    }
}

impl<'m> Iterator for Pairs<'m> {
    type Item = (&'m [u8], &'m [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.take()?, self.take()?))
    }
}

fn put_size(bytes: &mut Vec<u8>, size: usize) {
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&size.to_le_bytes());
}

fn size_at(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..)?.first_chunk::<WORD>()?;
    usize::try_from(u32::from_le_bytes(*word)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(map: &[u8]) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        iter(map)
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    #[test]
    fn what_is_encoded_is_read_again() {
        for pairs in [
            vec![],
            vec![(":path", "/")],
            vec![("a", ""), ("", "b"), ("a", "c\u{fc}")],
        ] {
            let read = read(&encode(&pairs));
            let read: Vec<_> = read
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            assert_eq!(read, pairs);
        }
    }

    #[test]
    fn bytes_are_as_the_specification_has_them() {
        let bytes = [2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
            .into_iter()
            .chain(*b"a\0bc\0d\0\0");
        assert_eq!(
            encode(&[("a", "bc"), ("d", "")]),
            bytes.collect::<Vec<u8>>()
        );
    }

    #[test]
    fn a_map_that_is_cut_off_ends_early() {
        let whole = encode(&[("name", "value"), ("other", "text")]);
        for n_bytes in 0..whole.len() {
            assert!(iter(&whole[..n_bytes]).count() < 2, "{n_bytes}");
        }
        assert_eq!(iter(&[0xff; 64]).count(), 0);
    }
}
