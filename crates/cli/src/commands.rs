//! The commands, one file each.

pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod check;
pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod exec;
pub(crate) mod init;
pub(crate) mod internal;
pub(crate) mod logs;
pub(crate) mod open;
pub(crate) mod plan;
pub(crate) mod ps;
pub(crate) mod query;
pub(crate) mod release;
pub(crate) mod render;
pub(crate) mod restart;
pub(crate) mod rollout;
pub(crate) mod scale;
pub(crate) mod schema;
pub(crate) mod trace;
pub(crate) mod up;
pub(crate) mod watch;
