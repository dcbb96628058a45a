//! Names and values of the head's labels, each once.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Texts by number. A number is given to another text when nobody uses it any more.
#[derive(Debug, Default)]
pub(crate) struct Symbols {
    hasher: DefaultHashBuilder,
    table: HashTable<u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    bytes: usize,
}

#[derive(Debug)]
struct Slot {
    text: Option<Arc<str>>,
    uses: u32,
}

impl Symbols {
    /// The number of a text, which counts one more use.
    pub(crate) fn intern(&mut self, text: &str) -> u32 {
        let hash = self.hasher.hash_one(text);
        let slots = &mut self.slots;
        let same = |id: &u32| slots[*id as usize].text.as_deref() == Some(text);
        if let Some(id) = self.table.find(hash, same) {
            let uses = &mut self.slots[*id as usize].uses;
            *uses = uses.saturating_add(1);
            return *id;
        }
        let slot = Slot {
            text: Some(text.into()),
            uses: 1,
        };
        self.bytes += text.len();
        let id = match self.free.pop() {
            Some(id) => {
                self.slots[id as usize] = slot;
                id
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        };
        let (hasher, slots) = (&self.hasher, &self.slots);
        self.table.insert_unique(hash, id, |id| {
            hasher.hash_one(slots[*id as usize].text.as_deref().unwrap_or_default())
        });
        id
    }

    /// One use less.
    pub(crate) fn release(&mut self, id: u32) {
        let slot = &mut self.slots[id as usize];
        slot.uses = slot.uses.saturating_sub(1);
        if slot.uses > 0 {
            return;
        }
        let Some(text) = slot.text.take() else {
            return;
        };
        let hash = self.hasher.hash_one(&*text);
        if let Ok(entry) = self.table.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        self.bytes -= text.len();
        self.free.push(id);
    }

    pub(crate) fn find(&self, text: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(text);
        let same = |id: &u32| self.slots[*id as usize].text.as_deref() == Some(text);
        self.table.find(hash, same).copied()
    }

    /// The text of a number that is in use.
    pub(crate) fn text(&self, id: u32) -> &str {
        self.slots[id as usize].text.as_deref().unwrap_or_default()
    }

    /// All that are in use: numbers and texts.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Arc<str>)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(id, slot)| Some((id as u32, slot.text.as_ref()?)))
    }

    /// Of the texts alone.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_lives_as_long_as_it_is_used() {
        let mut symbols = Symbols::default();
        let a = symbols.intern("a");
        assert_eq!(symbols.intern("a"), a);
        let b = symbols.intern("b");
        symbols.release(a);
        assert_eq!(symbols.find("a"), Some(a));
        symbols.release(a);
        assert_eq!(symbols.find("a"), None);
        assert_eq!(symbols.intern("c"), a);
        assert_eq!((symbols.text(a), symbols.text(b)), ("c", "b"));
    }
}
