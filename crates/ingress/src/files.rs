//! Answers from folders of this machine: what a web server in front of the service would do.
//!
//! A request names a file below the route's path; it is looked for in one folder after the other, so that while two releases
//! serve, the pages of both find their files. The files are read by threads of their own, one piece at a time, so a slow disk
//! stalls no other request, and what is held of a file is one piece.

mod body;
mod encoding;
mod name;
mod open;
mod precondition;

use std::future::{Future as _, poll_fn};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, LAST_MODIFIED, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::task::JoinHandle;

pub(crate) use self::body::FileBody;
use self::encoding::Encoding;
use self::open::Opened;
use self::precondition::{Conditions, Decision, Facts};
use crate::body::ResponseBody;
use crate::config::Folder;
use crate::exchange::{Cut, Exchange};
use crate::metrics::LabelId;
use crate::record::Record;
use crate::refusal::Refusal;
use crate::table::RouteTable;
use crate::worker::Worker;

/// How much of a file is read at once: few system calls a file, and little memory for a client that does not read.
const PIECE_BYTES: u64 = 128 * 1024;

/// As the rendered Nginx has it (`expires 1d`).
const CACHE: HeaderValue = HeaderValue::from_static("max-age=86400");

/// Where the files of a path lie.
#[derive(Debug)]
pub(crate) struct FilesTable {
    pub(crate) service: Arc<str>,
    pub(crate) label: LabelId,
    /// The length of the path's prefix, which is not part of a file's name.
    pub(crate) cut: usize,
    pub(crate) folders: Vec<Folder>,
}

/// A file, and what of it is sent.
struct Found {
    file: std::fs::File,
    facts: Facts,
    encoding: Option<Encoding>,
    decision: Decision,
    /// What is sent first.
    first: Bytes,
}

/// Answers a request that `files` are meant by.
pub(crate) async fn answer(
    worker: &Rc<Worker>,
    files: &Arc<FilesTable>,
    route: &RouteTable,
    request: &Request<Incoming>,
    record: &mut Record,
) -> Result<Response<ResponseBody>, Refusal> {
    record.service = Arc::clone(&files.service);
    record.key.service = files.label;
    let whole = match *request.method() {
        Method::GET => true,
        Method::HEAD => false,
        _ => {
            let message = "files are served by GET and HEAD only";
            return Err(
                Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method", message)
                    .with_header(ALLOW, HeaderValue::from_static("GET, HEAD")),
            );
        }
    };
    let path = request.uri().path().get(files.cut..).unwrap_or_default();
    let name = name::of_path(path).ok_or_else(not_found)?;
    let content_type = content_type(&name);
    let exchange = worker
        .exchanges
        .add(Exchange::new(Arc::clone(&record.connection)));
    exchange.expect_within(route.limits.request_timeout);
    let looking = {
        let disk = Arc::clone(&worker.disk);
        let files = Arc::clone(files);
        let accepted = encoding::accepted(request.headers());
        let conditions = Conditions::new(request.headers(), whole);
        async move {
            let permit = disk.acquire_owned().await;
            unless_cancelled(tokio::task::spawn_blocking(move || {
                let _permit = permit;
                look_up(&files.folders, &name, &accepted, &conditions, whole)
            }))
            .await
        }
    };
    let mut looking = std::pin::pin!(looking);
    let found = poll_fn(|cx| match exchange.poll_cut(cx.waker()) {
        Some(cut) => Poll::Ready(Err(cut)),
        None => looking.as_mut().poll(cx).map(Ok),
    });
    let found = match found.await {
        Ok(Ok(Some(found))) => found,
        Ok(Ok(None)) => return Err(not_found()),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            let message = format!(
                "the file of `{}` may not be read by the ingress: make it readable for everyone",
                files.service
            );
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "file_unreadable",
                message,
            ));
        }
        Ok(Err(error)) => {
            let message = format!("the file of `{}` cannot be read: {error}", files.service);
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            return Err(Refusal::new(status, "file_unreadable", message));
        }
        Err(Cut::Timeout) => {
            let message = "the disk did not give the file in time";
            let status = StatusCode::GATEWAY_TIMEOUT;
            return Err(Refusal::new(status, "file_timeout", message));
        }
        Err(Cut::Replica | Cut::Ingress) => {
            let message = "the ingress was stopped before the file was read";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return Err(Refusal::new(status, "drained", message));
        }
    };
    let headers = headers(&found, content_type)?;
    let (status, range) = match found.decision {
        Decision::Whole => (StatusCode::OK, 0..found.facts.length),
        Decision::Part(ref range) => (StatusCode::PARTIAL_CONTENT, range.clone()),
        Decision::NotModified => (StatusCode::NOT_MODIFIED, 0..0),
        Decision::Failed => {
            let message = "the file is not the one that the request's conditions name";
            let status = StatusCode::PRECONDITION_FAILED;
            return Err(Refusal::new(status, "precondition", message));
        }
        Decision::Unsatisfiable => {
            let length = found.facts.length;
            let message = format!("the range lies outside of the file's {length} bytes");
            let status = StatusCode::RANGE_NOT_SATISFIABLE;
            return Err(Refusal::new(status, "range", message)
                .with_header(CONTENT_RANGE, text(format!("bytes */{length}"))?));
        }
    };
    let sent = found.first.len() as u64;
    let body = if !whole || range.end - range.start <= sent {
        ResponseBody::full(found.first)
    } else {
        exchange.expect_within(route.limits.idle_timeout);
        ResponseBody::file(FileBody::new(
            found.file,
            range,
            found.first,
            exchange,
            Arc::clone(&worker.disk),
            route.limits.idle_timeout,
        ))
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

fn not_found() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "no_file", "there is no such file")
}

/// What a thread for files gives; it is never stopped while it is waited for.
async fn unless_cancelled<T>(work: JoinHandle<std::io::Result<T>>) -> std::io::Result<T> {
    work.await.unwrap_or_else(|error| Err(error.into()))
}

/// Looks for the file and reads what is sent first. Blocks.
fn look_up(
    folders: &[Folder],
    name: &Path,
    accepted: &[Encoding],
    conditions: &Conditions,
    whole: bool,
) -> std::io::Result<Option<Found>> {
    for folder in folders {
        let Some(plain) = open::beneath(&folder.path, name)? else {
            continue;
        };
        let (opened, encoding) = best(folder, name, accepted, plain)?;
        let Opened { file, metadata } = opened;
        let facts = Facts::new(&metadata, encoding);
        let decision = conditions.decide(&facts);
        let range = match &decision {
            Decision::Whole => 0..facts.length,
            Decision::Part(range) => range.clone(),
            Decision::NotModified | Decision::Failed | Decision::Unsatisfiable => 0..0,
        };
        let first = if whole {
            read(&file, range.start, range.end)?
        } else {
            Bytes::new()
        };
        return Ok(Some(Found {
            file,
            facts,
            encoding,
            decision,
            first,
        }));
    }
    Ok(None)
}

/// The file as the client likes it best: packed beside the plain one, where such a neighbour was built with it.
fn best(
    folder: &Folder,
    name: &Path,
    accepted: &[Encoding],
    plain: Opened,
) -> std::io::Result<(Opened, Option<Encoding>)> {
    if folder.packed {
        for encoding in accepted {
            let mut neighbour = name.as_os_str().to_owned();
            neighbour.push(encoding.extension());
            if let Some(opened) = open::beneath(&folder.path, &PathBuf::from(neighbour))? {
                return Ok((opened, Some(*encoding)));
            }
        }
    }
    Ok((plain, None))
}

/// Reads the piece of a file that begins at `at`, `end` at most. Blocks.
fn read(file: &std::fs::File, at: u64, end: u64) -> std::io::Result<Bytes> {
    let length = end.saturating_sub(at).min(PIECE_BYTES);
    let mut piece = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut piece, at)?;
    Ok(piece.into())
}

fn headers(found: &Found, content_type: HeaderValue) -> Result<HeaderMap, Refusal> {
    let facts = &found.facts;
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(ETAG, text(facts.tag.clone())?);
    headers.insert(LAST_MODIFIED, text(facts.modified_text())?);
    headers.insert(CACHE_CONTROL, CACHE);
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let length = match &found.decision {
        Decision::Whole => facts.length,
        Decision::Part(range) => {
            let all = facts.length;
            let shown = format!("bytes {}-{}/{all}", range.start, range.end - 1);
            headers.insert(CONTENT_RANGE, text(shown)?);
            range.end - range.start
        }
        Decision::NotModified | Decision::Failed | Decision::Unsatisfiable => return Ok(headers),
    };
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(encoding) = found.encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.token()));
    }
    Ok(headers)
}

/// A header's value of digits and ASCII letters.
fn text(value: String) -> Result<HeaderValue, Refusal> {
    HeaderValue::try_from(value).map_err(|_| not_found())
}

/// By the extension; text is UTF-8, as every build writes it.
fn content_type(name: &Path) -> HeaderValue {
    let guess = mime_guess::from_path(name).first_or_octet_stream();
    let text = if guess.type_() == mime_guess::mime::TEXT {
        format!("{}; charset=utf-8", guess.essence_str())
    } else {
        guess.essence_str().to_owned()
    };
    HeaderValue::try_from(text)
        .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[track_caller]
    fn check(name: &str, expected: &str) {
        assert_eq!(super::content_type(Path::new(name)), expected);
    }

    #[test]
    fn the_type_follows_the_extension() {
        check("a/app.3f9c.js", "text/javascript; charset=utf-8");
        check("app.css", "text/css; charset=utf-8");
        check("index.HTML", "text/html; charset=utf-8");
        check("logo.svg", "image/svg+xml");
        check("data.json", "application/json");
        check("font.woff2", "font/woff2");
        check("module.wasm", "application/wasm");
        check("unknown", "application/octet-stream");
    }
}
