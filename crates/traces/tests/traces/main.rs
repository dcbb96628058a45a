//! The store of spans beside a naive model, under crashes, full disks and damage.

mod crash;
mod damage;
mod full_disk;
mod fuzzed;
mod made;
mod model;
mod questions;
