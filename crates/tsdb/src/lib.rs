//! The store of samples, in the format of Prometheus.
