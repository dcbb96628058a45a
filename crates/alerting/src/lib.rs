//! From a due alert to a person: rule files, annotations, grouping, silences, receivers.
