//! Which series of the head have which label pair.

use hashbrown::HashMap;

/// Series, ascending: most pairs of a label that tells series apart are of one.
#[derive(Debug)]
enum List {
    One(u32),
    Many(Vec<u32>),
}

impl List {
    fn as_slice(&self) -> &[u32] {
        match self {
            Self::One(id) => std::slice::from_ref(id),
            Self::Many(ids) => ids,
        }
    }

    /// Adds a series that is newer than all in it.
    fn push(&mut self, id: u32) {
        match self {
            Self::One(first) => *self = Self::Many(vec![*first, id]),
            Self::Many(ids) => {
                if ids.len() == ids.capacity() {
                    ids.reserve_exact(ids.len() / 4 + 4);
                }
                ids.push(id);
            }
        }
    }
}

/// By name and value, as symbols.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    names: HashMap<u32, HashMap<u32, List>>,
    pairs: usize,
}

impl Postings {
    /// Adds a series that is newer than all others.
    pub(crate) fn add(&mut self, id: u32, pairs: &[(u32, u32)]) {
        for (name, value) in pairs {
            let values = self.names.entry(*name).or_default();
            match values.get_mut(value) {
                Some(list) => list.push(id),
                None => {
                    self.pairs += 1;
                    values.insert(*value, List::One(id));
                }
            }
        }
    }

    /// The series of a pair.
    pub(crate) fn get(&self, name: u32, value: u32) -> &[u32] {
        let list = self.names.get(&name).and_then(|values| values.get(&value));
        list.map_or(&[], List::as_slice)
    }

    /// The values of a name, with their series.
    pub(crate) fn values(&self, name: u32) -> impl Iterator<Item = (u32, &[u32])> {
        let values = self.names.get(&name).into_iter().flatten();
        values.map(|(value, list)| (*value, list.as_slice()))
    }

    /// All names.
    pub(crate) fn names(&self) -> impl Iterator<Item = u32> + '_ {
        self.names.keys().copied()
    }

    /// How many pairs there are.
    pub(crate) fn pairs(&self) -> usize {
        self.pairs
    }

    /// Removes series, ascending, from the lists of these pairs.
    pub(crate) fn remove(&mut self, dead: &[u32], pairs: impl Iterator<Item = (u32, u32)>) {
        for (name, value) in pairs {
            let Some(values) = self.names.get_mut(&name) else {
                continue;
            };
            let Some(list) = values.get_mut(&value) else {
                continue;
            };
            let empty = match list {
                List::One(id) => dead.binary_search(id).is_ok(),
                List::Many(ids) => {
                    ids.retain(|id| dead.binary_search(id).is_err());
                    if ids.capacity() > 2 * ids.len() {
                        ids.shrink_to_fit();
                    }
                    ids.is_empty()
                }
            };
            if empty {
                values.remove(&value);
                self.pairs -= 1;
                if values.is_empty() {
                    self.names.remove(&name);
                }
            }
        }
    }
}
