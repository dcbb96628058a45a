//! What of a file is sent after its first piece: one piece after the other, each when the client has taken the one before.

use std::fs::File;
use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::{read, unless_cancelled};
use crate::exchange::{Cut, Registered};

/// The rest of a file on its way.
pub(crate) struct FileBody {
    file: Arc<File>,
    /// What is not read yet.
    rest: Range<u64>,
    /// What is read and not sent.
    ready: Bytes,
    reading: Option<Pin<Box<dyn Future<Output = io::Result<Bytes>>>>>,
    exchange: Registered,
    disk: Arc<Semaphore>,
    idle_timeout: Duration,
}

impl FileBody {
    /// The bytes `range` of `file`; `first` are the first of them.
    pub(super) fn new(
        file: File,
        range: Range<u64>,
        first: Bytes,
        exchange: Registered,
        disk: Arc<Semaphore>,
        idle_timeout: Duration,
    ) -> Self {
        Self {
            file: Arc::new(file),
            rest: range.start + first.len() as u64..range.end,
            ready: first,
            reading: None,
            exchange,
            disk,
            idle_timeout,
        }
    }

    /// How much is still to be sent.
    pub(crate) fn remaining(&self) -> u64 {
        self.ready.len() as u64 + (self.rest.end - self.rest.start)
    }

    /// The next piece; none: that was all. An error says why there is no more.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, &'static str>>> {
        if let Some(cut) = self.exchange.poll_cut(cx.waker()) {
            return Poll::Ready(Some(Err(match cut {
                Cut::Timeout => "nothing of the file was taken for longer than the idle timeout",
                Cut::Replica | Cut::Ingress => {
                    "the ingress was stopped before the file was complete"
                }
            })));
        }
        let piece = if self.ready.is_empty() {
            if self.rest.is_empty() {
                return Poll::Ready(None);
            }
            let reading = self.reading.get_or_insert_with(|| {
                Box::pin(read_later(
                    Arc::clone(&self.file),
                    self.rest.clone(),
                    Arc::clone(&self.disk),
                ))
            });
            let read = ready!(reading.as_mut().poll(cx));
            self.reading = None;
            match read {
                Ok(piece) => {
                    self.rest.start += piece.len() as u64;
                    piece
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Some(Err("the file became shorter while it was sent")));
                }
                Err(_) => {
                    return Poll::Ready(Some(Err("the file could not be read to its end")));
                }
            }
        } else {
            std::mem::take(&mut self.ready)
        };
        self.exchange.expect_within(self.idle_timeout);
        Poll::Ready(Some(Ok(piece)))
    }
}

async fn read_later(file: Arc<File>, rest: Range<u64>, disk: Arc<Semaphore>) -> io::Result<Bytes> {
    let permit = disk.acquire_owned().await;
    unless_cancelled(tokio::task::spawn_blocking(move || {
        let _permit = permit;
        read(&file, rest.start, rest.end)
    }))
    .await
}
