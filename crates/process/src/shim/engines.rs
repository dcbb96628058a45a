//! The engines that are connected: greets them, takes their commands, tells them the end.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use crate::wire::{self, COMMAND_MAX_BYTES, Command, Event};

/// One engine and a few onlookers; more is a mistake somewhere, and the oldest make room.
const CONNECTIONS_MAX: usize = 16;

/// The open connections.
#[derive(Default)]
pub(super) struct Engines {
    connections: Vec<Connection>,
}

struct Connection {
    stream: UnixStream,
    received: Vec<u8>,
}

impl Engines {
    /// What to poll for reading, in the order that [`Engines::read`] counts.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.connections
            .iter()
            .map(|connection| connection.stream.as_fd())
    }

    /// Takes whoever waits, and greets.
    pub(super) fn accept(&mut self, listener: &UnixListener, greeting: &Event) {
        while let Ok((stream, _)) = listener.accept() {
            let mut connection = Connection {
                stream,
                received: Vec::new(),
            };
            if connection.stream.set_nonblocking(true).is_ok() && connection.send(greeting).is_ok()
            {
                if self.connections.len() >= CONNECTIONS_MAX {
                    self.connections.remove(0);
                }
                self.connections.push(connection);
            }
        }
    }

    /// The commands that have come, of every connection; those that have ended or talk nonsense are closed.
    pub(super) fn read(&mut self) -> Vec<Command> {
        let mut commands = Vec::new();
        self.connections
            .retain_mut(|connection| connection.read(&mut commands).is_ok());
        commands
    }

    /// Tells everybody. Who does not listen is not waited for.
    pub(super) fn tell(&mut self, event: &Event) {
        self.connections
            .retain_mut(|connection| connection.send(event).is_ok());
    }
}

impl Connection {
    /// An event fits in the empty buffer of a socket (some 200 KiB); one that does not is cut off, and the engine reads `exit.json`.
    fn send(&mut self, event: &Event) -> io::Result<()> {
        self.stream.write_all(&wire::line(event))
    }

    fn read(&mut self, commands: &mut Vec<Command>) -> io::Result<()> {
        let mut buffer = [0; COMMAND_MAX_BYTES];
        loop {
            let read = match self.stream.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.received.extend_from_slice(&buffer[..read]);
            while let Some(end) = self.received.iter().position(|b| *b == b'\n') {
                commands.push(serde_json::from_slice(&self.received[..end])?);
                self.received.drain(..=end);
            }
            if self.received.len() > COMMAND_MAX_BYTES {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }
}
