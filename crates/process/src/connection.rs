//! The engine's side of `shim.sock`.

use std::io;
use std::path::Path;

use tokio::net::UnixStream;

use crate::wire::{self, Command, EVENT_MAX_BYTES, Event};
use crate::{facts, unix_socket};

/// A connection to a shim.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: UnixStream,
    received: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let stream = unix_socket::connect_async(&facts::socket_path(dir))?;
        Ok(Self {
            stream,
            received: Vec::new(),
        })
    }

    /// The next event; none when the shim has closed. Cancel safe.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Event>> {
        loop {
            if let Some(end) = self.received.iter().position(|b| *b == b'\n') {
                let event = serde_json::from_slice(&self.received[..end])?;
                self.received.drain(..=end);
                return Ok(Some(event));
            }
            if self.received.len() > EVENT_MAX_BYTES {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.stream.readable().await?;
            match self.stream.try_read_buf(&mut self.received) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends a command. The shim reads at once, so the buffer has room for it; if not, the connection is broken.
    pub(crate) fn send(&mut self, command: Command) -> io::Result<()> {
        let line = wire::line(&command);
        // Past the runtime, which learns only later that a new socket can be written.
        match rustix::io::write(&self.stream, &line)? {
            written if written == line.len() => Ok(()),
            _ => Err(io::ErrorKind::WriteZero.into()),
        }
    }
}
