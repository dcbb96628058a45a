//! A chat: accounts, rooms and messages over HTTP (`backend`), and their live events over WebSockets (`websocket`).
//!
//! A message is stored in PostgreSQL, then told to every socket through Redis. PostgreSQL is the truth: each change of a
//! room has a revision, counted without a gap, so a client that misses one (a dropped event, a lost connection, a slow
//! reader) notices and asks the backend for what came after the last that it has. A message carries a key of its author's,
//! so that it can be sent again until it is acknowledged and is still stored once.

pub mod accounts;
pub mod api;
pub mod events;
pub mod hub;
pub mod messages;
pub mod observe;
pub mod server;
pub mod sessions;
pub mod sockets;
pub mod stores;
