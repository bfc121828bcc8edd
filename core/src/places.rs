//! What a worker keeps by name, found by a number that the name carries: so a request that passes hashes
//! its host and path, and no name of an object.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use crate::hash::HashMap;

/// A shared text, and perhaps its place in some [`Places`]. The text alone is what it is: two names are
/// equal when their texts are.
#[derive(Clone)]
pub(crate) struct Name {
    text: Arc<str>,
    /// A hint: what is found there is checked.
    place: u32,
}

/// What has a [`Name`].
pub(crate) trait Named: Clone + Eq + Hash {
    fn name(&self) -> &Name;
    fn name_mut(&mut self) -> &mut Name;
}

/// A map by names.
///
/// A key that went through [`place`](Self::place) is found by its number, if the entry there has the very
/// same text. All others, and those whose entry was removed since, are found by a hash of their text: a
/// number that is used again misleads nobody.
#[derive(Debug)]
pub(crate) struct Places<K, V> {
    by_text: HashMap<K, u32>,
    /// A place without an entry is in `free`.
    entries: Vec<Option<(K, V)>>,
    free: Vec<u32>,
}

impl Name {
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.text, &other.text)
    }
}

impl<K: Named, V> Places<K, V> {
    /// Makes `key` one that is found by its number, and shares its text with the entry. One that has no
    /// entry stays as it is.
    pub(crate) fn place(&self, key: &mut K) {
        let entry = self.find(key).and_then(|place| self.entries.get(place));
        if let Some(Some((known, _))) = entry {
            key.name_mut().clone_from(known.name());
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let (_, value) = self.entries.get(self.find(key)?)?.as_ref()?;
        Some(value)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let place = self.find(key)?;
        let (_, value) = self.entries.get_mut(place)?.as_mut()?;
        Some(value)
    }

    /// Nothing changes when there is an entry already.
    pub(crate) fn insert_with(&mut self, key: &K, value: impl FnOnce() -> V) {
        if self.find(key).is_none() {
            self.insert(key.clone(), value());
        }
    }

    #[cold]
    fn insert(&mut self, mut key: K, value: V) {
        let Some(place) = self.free.pop().or_else(|| self.add_place()) else {
            return;
        };
        key.name_mut().place = place;
        if let Some(entry) = self.entries.get_mut(index(place)) {
            *entry = Some((key.clone(), value));
            self.by_text.insert(key, place);
        }
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if let Some(place) = self.by_text.remove(key) {
            if let Some(entry) = self.entries.get_mut(index(place)) {
                *entry = None;
            }
            self.free.push(place);
        }
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        let mut gone = Vec::new();
        for (key, value) in self.iter_mut() {
            if !keep(key, value) {
                gone.push(key.clone());
            }
        }
        for key in gone {
            self.remove(&key);
        }
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.entries.iter().flatten().map(|(key, _)| key)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().flatten().map(|(_, value)| value)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.iter_mut().map(|(_, value)| value)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        let entries = self.entries.iter_mut().flatten();
        entries.map(|(key, value)| (&*key, value))
    }

    fn find(&self, key: &K) -> Option<usize> {
        let place = index(key.name().place);
        match self.entries.get(place) {
            Some(Some((known, _))) if known.name().is_same(key.name()) => Some(place),
            Some(_) | None => self.find_by_text(key),
        }
    }

    #[cold]
    fn find_by_text(&self, key: &K) -> Option<usize> {
        self.by_text.get(key).copied().map(index)
    }

    /// None after the 2^32nd, for which no VM has the memory.
    fn add_place(&mut self) -> Option<u32> {
        let place = u32::try_from(self.entries.len()).ok()?;
        self.entries.push(None);
        Some(place)
    }
}

impl<K, V> Default for Places<K, V> {
    fn default() -> Self {
        Self {
            by_text: HashMap::default(),
            entries: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self {
            text: text.into(),
            place: 0,
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || self.text == other.text
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

fn index(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;

    fn of(texts: &[&str]) -> Places<Key, String> {
        let mut places = Places::default();
        for text in texts {
            places.insert_with(&Key::from(*text), || (*text).to_owned());
        }
        places
    }

    fn placed(places: &Places<Key, String>, text: &str) -> Key {
        let mut key = Key::from(text);
        places.place(&mut key);
        key
    }

    fn found<'p>(places: &'p Places<Key, String>, key: &Key) -> Option<&'p str> {
        places.get(key).map(String::as_str)
    }

    #[test]
    fn a_key_is_found_placed_or_not() {
        let places = of(&["a", "b"]);
        for text in ["a", "b"] {
            assert_eq!(found(&places, &Key::from(text)), Some(text));
            assert_eq!(found(&places, &placed(&places, text)), Some(text));
        }
        assert_eq!(found(&places, &placed(&places, "c")), None);
    }

    #[test]
    fn a_place_that_is_used_again_misleads_nobody() {
        let mut places = of(&["a", "b"]);
        let a = placed(&places, "a");
        places.remove(&a);
        assert_eq!(found(&places, &a), None);
        places.insert_with(&Key::from("c"), || "c".to_owned());
        assert_eq!(places.entries.len(), 2, "its place is used again");
        assert_eq!(found(&places, &a), None);
        places.insert_with(&a, || "a anew".to_owned());
        assert_eq!(found(&places, &a), Some("a anew"));
        assert_eq!(found(&places, &Key::from("c")), Some("c"));
    }

    #[test]
    fn what_is_there_stays_and_what_is_not_kept_goes() {
        let mut places = of(&["a", "b", "c"]);
        places.insert_with(&Key::from("b"), String::new);
        places.retain(|key, _| key.as_str() == "b");
        assert_eq!(places.values().collect::<Vec<_>>(), ["b"]);
        assert_eq!((places.by_text.len(), places.free.len()), (1, 2));
    }
}
