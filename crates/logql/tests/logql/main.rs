//! The language as a whole: what it takes, how it prints, what it answers.

mod evaluation;
mod grammar;
mod random;
mod store;
