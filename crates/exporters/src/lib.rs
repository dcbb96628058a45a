//! What the host, the replicas and the stores tell of themselves, under the names of the exporters that people know.
