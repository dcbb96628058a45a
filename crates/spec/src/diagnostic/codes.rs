//! The codes of the diagnostics: stable, each with what it means. The reference is made from this table.

/// The kind of a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// `W012`.
    pub id: &'static str,
    /// What it means, one sentence.
    pub meaning: &'static str,
}

macro_rules! codes {
    ($($name:ident = $id:literal, $meaning:literal;)*) => {
        impl Code {
            $(
                #[doc = $meaning]
                pub const $name: Self = Self { id: $id, meaning: $meaning };
            )*
        }

        /// Every code, in order.
        pub const CODES: &[Code] = &[$(Code::$name),*];
    };
}

codes! {
    NOT_UTF8 = "W001", "The file is not UTF-8 text.";
    TOO_LARGE = "W002", "The file, its depth or the number of its parts passes a documented limit.";
    SYNTAX = "W003", "The file is not YAML.";
    DOCUMENTS = "W004", "The file holds no document, or more than one.";
    DUPLICATE_KEY = "W005", "A key occurs twice in one map.";
    YAML_FEATURE = "W006", "A feature of YAML is used that `wharf.yaml` does not have (tags, keys that are no text, circular aliases).";
    UNKNOWN_KEY = "W010", "There is no such key at this place.";
    MISSING_KEY = "W011", "A required key is missing.";
    WRONG_SHAPE = "W012", "A value has another shape than its key asks for: a list where a map belongs, a map where a text belongs.";
    BAD_VALUE = "W013", "A value cannot be read as what its key asks for: a wrong unit, a word that is not in the list, a number out of range.";
    NO_VALUE = "W014", "A key has no value.";
    NOT_YET = "W015", "The key, word or reference is known but not supported yet.";
    EXCLUSIVE = "W016", "Two keys exclude each other.";
    NO_SOURCE = "W020", "A service has nothing to run: no `build`, no `image` and no `command`.";
    UNKNOWN_NAME = "W021", "A service, store, port, volume, secret, receiver, bucket or the like is named that the file does not have.";
    BAD_REFERENCE = "W022", "A `${…}` cannot be read, or its field does not exist.";
    CIRCLE = "W023", "Services wait for each other in a circle.";
    PORT_CLASH = "W024", "Two ports of a service have the same number.";
    DUPLICATE_ROUTE = "W025", "Two routes have the same host and path.";
    DUPLICATE_NAME = "W026", "A name is given to two things, or is reserved.";
    NOT_HERE = "W027", "The key is known but does not fit this service, store or route.";
    LIMIT = "W028", "More services, replicas or environments than the documented limit.";
    NO_ENVIRONMENT = "W029", "The chosen environment is not in the file.";
    PASSWORD = "W041", "A password or another secret stands in the file.";
    ENDED = "W042", "A version is named that gets no more fixes.";
    FIXED_PORT = "W043", "A command names the service's port itself, so that two replicas cannot run on one machine.";
    MORE = "W099", "There are more findings than are printed.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        assert!(CODES.windows(2).all(|pair| pair[0].id < pair[1].id));
    }
}
