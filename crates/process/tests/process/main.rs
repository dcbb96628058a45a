//! Supervision with real processes. Each test has a project of its own and leaves nothing running.

mod adoption;
mod launching;
mod logs;
mod orphans;
mod project;
