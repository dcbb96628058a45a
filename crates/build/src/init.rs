//! The first `wharf.yaml` of a folder.
