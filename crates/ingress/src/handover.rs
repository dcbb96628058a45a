//! Gives the listening sockets to a new engine: the names as one JSON message, the sockets with it (`SCM_RIGHTS`).
//!
//! The message is `{"version":1,"names":[…]}` and one byte of line feed; the sockets are in the order of the names.
//! A reader refuses a version that it does not know.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

/// The most listeners: the kernel passes at most 253 file descriptors in one message.
pub(crate) const LISTENERS_MAX: usize = 250;

/// The version of the message.
const VERSION: u8 = 1;

/// How long the other side may take.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Serialize, Deserialize)]
struct Message {
    version: u8,
    names: Vec<String>,
}

/// Sends all listeners.
pub(crate) fn send(stream: &UnixStream, listeners: &[(Arc<str>, TcpListener)]) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let names = listeners.iter().map(|(name, _)| name.to_string()).collect();
    let mut text = serde_json::to_vec(&Message {
        version: VERSION,
        names,
    })?;
    text.push(b'\n');
    let fds: Vec<BorrowedFd<'_>> = listeners
        .iter()
        .map(|(_, listener)| listener.as_fd())
        .collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(LISTENERS_MAX))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::Error::other("more listeners than one message carries"));
    }
    let mut sent = sendmsg(
        stream,
        &[IoSlice::new(&text)],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?;
    while sent < text.len() {
        let mut nothing = SendAncillaryBuffer::default();
        sent += sendmsg(
            stream,
            &[IoSlice::new(&text[sent..])],
            &mut nothing,
            SendFlags::NOSIGNAL,
        )?;
    }
    Ok(())
}

/// Receives all listeners.
pub(crate) fn receive(stream: &UnixStream) -> io::Result<Vec<(String, TcpListener)>> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut text = Vec::new();
    let mut fds: Vec<OwnedFd> = Vec::new();
    let mut piece = [0; 16 * 1024];
    while text.last() != Some(&b'\n') {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(LISTENERS_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [IoSliceMut::new(&mut piece)];
        let received = recvmsg(stream, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(more) = message {
                fds.extend(more);
            }
        }
        if received.bytes == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the ingress sent no listeners",
            ));
        }
        text.extend_from_slice(&piece[..received.bytes]);
        if text.len() > 1 << 20 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the list of listeners has no end",
            ));
        }
    }
    let message: Message = serde_json::from_slice(&text)?;
    if message.version != VERSION || message.names.len() != fds.len() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the list of listeners is of another version",
        ));
    }
    Ok(message
        .names
        .into_iter()
        .zip(fds.into_iter().map(TcpListener::from))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_travel() {
        let (one, other) = UnixStream::pair().expect("a pair");
        let listeners: Vec<(Arc<str>, _)> = ["http", "internal-web"]
            .map(|name| {
                (
                    name.into(),
                    TcpListener::bind("127.0.0.1:0").expect("a port"),
                )
            })
            .into();
        send(&one, &listeners).expect("it sends");
        let received = receive(&other).expect("it receives");
        for ((name, listener), (received_name, received)) in listeners.iter().zip(&received) {
            assert_eq!(&**name, received_name);
            assert_eq!(
                listener.local_addr().expect("bound"),
                received.local_addr().expect("bound")
            );
        }
        assert_eq!(received.len(), 2);
    }
}
