//! Values that a line has to have, seen before it is parsed.

use memchr::memchr;
use memchr::memmem::Finder;

use crate::fields::Fields;

/// A label that has to have a value once a line is parsed.
#[derive(Debug)]
pub(crate) struct Needed {
    name: String,
    value: String,
    finder: Finder<'static>,
}

impl Needed {
    /// The value has to be one that parsers take as it is written, unless it is written with an escape.
    pub(crate) fn new(name: String, value: String) -> Self {
        let finder = Finder::new(&value).into_owned();
        Self {
            name,
            value,
            finder,
        }
    }

    /// Whether parsing the line may give the label this value: it has it already, or the line has the value somewhere, or an escape.
    pub(crate) fn may_become(&self, fields: &Fields, line: &str) -> bool {
        let line = line.as_bytes();
        self.finder.find(line).is_some()
            || fields.get(&self.name) == Some(&self.value)
            || memchr(b'\\', line).is_some()
    }
}
