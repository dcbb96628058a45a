//! What holds for any bytes, on the corpora of the fuzz targets.

mod corpora;
mod invariants;
