//! Log files: their format, their writer, and their readers.
//!
//! # Format
//! The log of one process is a series of files `<name>.<number>.log`, the number in 8 or more digits, counting up; the highest is
//! being written, the lowest are deleted. A file is never renamed, so a reader that follows has no race with the rotation.
//!
//! The first line of a file is `wharf-log 1`, the version. Each further line is a record:
//!
//! ```text
//! <nanoseconds since the Unix epoch, decimal> <kind>[+] <text>
//! ```
//!
//! The kind is `o` (standard output), `e` (standard error) or `n` (a note by the supervisor itself). `+` says that the text goes on in
//! the next record of the same kind: a line longer than 64 KiB is cut there. The text is what the process wrote, byte for byte, up to its
//! line feed (a carriage return before it is cut). Records of one read of the pipe have the same time; the order in the file is the
//! order of the lines of one stream.
//!
//! Readers skip what is no record (a torn line), and refuse a file of an unknown version as a whole.

mod format;
mod json;
mod lines;
mod merge;
#[cfg(test)]
mod properties;
mod series;
mod tail;
mod watch;
mod writer;

pub use format::{Kind, Record, now_nanos};
pub use json::{Structured, structured};
pub(crate) use lines::Lines;
pub use merge::{Merge, Start};
pub use series::{Position, Reader, Series, series_in};
pub use tail::Tail;
pub use watch::{Change, Changes, Waker, Watch};
pub use writer::Writer;
