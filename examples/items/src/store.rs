//! What an item is, and what a place that keeps items can do.

use std::error::Error as StdError;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a client sends to make an item.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewItem {
    /// 1 to 100 characters, white space at the ends not counted.
    pub name: String,
    /// At most 1,000 characters.
    #[serde(default)]
    pub description: String,
}

impl NewItem {
    /// The longest name, in characters: what fits a line of a list.
    pub const NAME_MAX_CHARS: usize = 100;
    /// The longest description, in characters: a page of text.
    pub const DESCRIPTION_MAX_CHARS: usize = 1000;

    /// The item as it is kept: white space at the ends cut off.
    ///
    /// # Errors
    /// A sentence about the first field that is out of bounds.
    pub fn validated(self) -> Result<Self, String> {
        let name = self.name.trim();
        let chars = name.chars().count();
        if chars == 0 || chars > Self::NAME_MAX_CHARS {
            return Err(format!(
                "name must have 1 to {} characters, it has {chars}",
                Self::NAME_MAX_CHARS
            ));
        }
        let chars = self.description.chars().count();
        if chars > Self::DESCRIPTION_MAX_CHARS {
            let most = Self::DESCRIPTION_MAX_CHARS;
            return Err(format!(
                "description must have at most {most} characters, it has {chars}"
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            description: self.description,
        })
    }

    /// The item with what the store gives it.
    #[must_use]
    pub fn with_id(self, id: u64) -> Item {
        // Milliseconds are what people read; more digits would only make every item longer.
        let created_at = format!("{:.3}", jiff::Timestamp::now());
        Item {
            id,
            name: self.name,
            description: self.description,
            created_at,
        }
    }
}

/// An item, as it is kept and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Counted from 1 over all replicas, never used twice.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// What there is to say about it; may be empty.
    pub description: String,
    /// When it was made, RFC 3339 in UTC.
    pub created_at: String,
}

/// Some items of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page {
    /// The items, by id.
    pub items: Vec<Item>,
    /// How many there are in all.
    pub total: u64,
    /// How many were asked for.
    pub limit: u32,
    /// How many were passed over.
    pub offset: u64,
}

/// The store could not do what it was asked; what was meant to be kept may or may not be.
#[derive(Debug, thiserror::Error)]
pub struct StoreError {
    /// What was tried.
    pub action: &'static str,
    /// Why it failed.
    #[source]
    pub source: Box<dyn StdError + Send + Sync>,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store could not {}", self.action)
    }
}

impl StoreError {
    /// For `map_err`: an error of whatever kind, as what stopped `action`.
    pub fn on<E: Into<Box<dyn StdError + Send + Sync>>>(
        action: &'static str,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self {
            action,
            source: source.into(),
        }
    }
}

/// A place that keeps items, shared by all replicas: what one has added, the others see.
pub trait Store: Clone + Send + Sync + 'static {
    /// Adds an item.
    fn add(&self, new: NewItem) -> impl Future<Output = Result<Item, StoreError>> + Send;
    /// One item; none if there is none of this id.
    fn get(&self, id: u64) -> impl Future<Output = Result<Option<Item>, StoreError>> + Send;
    /// Items by id, and how many there are.
    fn page(
        &self,
        offset: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Page, StoreError>> + Send;
    /// Removes an item; false if there is none of this id.
    fn remove(&self, id: u64) -> impl Future<Output = Result<bool, StoreError>> + Send;
    /// Whether the store can be reached.
    fn check(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}
