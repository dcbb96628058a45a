//! The store of spans, and questions to it.
