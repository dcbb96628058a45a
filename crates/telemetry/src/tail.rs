//! Takes the lines that replicas, stores and the ingress write.
