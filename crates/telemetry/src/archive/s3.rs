//! An archive in a bucket of S3, or of a server that speaks as S3 does: presigned requests (Signature Version 4), whole objects
//! in, ranges out.
//!
//! An object is there once the server has its bytes and they are the file's: a CRC-32C goes with the upload, which a server refuses
//! that does not fit; afterwards size and checksum are asked for, and where the server keeps none, the object is read back.
//!
//! What fails for a passing reason is tried again at once, up to three times. After that nobody asks for a while, which doubles
//! from failure to failure, so that a bucket that is gone costs its callers one timeout now and then. Neither keys nor signatures are
//! in any error.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{CONTENT_RANGE, HOST, RANGE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use jiff::Timestamp;
use rusty_s3::actions::{ListObjectsV2, S3Action};
use rusty_s3::{Bucket, Credentials, UrlStyle};
use tokio::runtime::Handle;
use tokio::time::Instant;
use wharf_base::clock;

use super::pages::Far;
use super::remote::{Answer, Content, Remote};

/// How long a signature counts: longer than a request takes.
const SIGNED_FOR: Duration = Duration::from_secs(15 * 60);

/// An answer without an object in it: a list of 1,000 keys has less.
const ANSWER_BYTES: usize = 4 << 20;

/// More keys than a store ever has; a server that goes on for ever is left.
const MOST_LISTS: usize = 1000;

/// What is read back at once.
const READ_BACK: usize = 1 << 20;

/// For a small request, with its answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The slowest upload that is waited for, in bytes a second.
const SLOWEST: u64 = 128 << 10;

/// Between the attempts of a request.
const AGAIN: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// How long nobody asks after a failure: at first, and at most.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The checksum that a server compares with what it gets.
const CHECKSUM: &str = "x-amz-checksum-crc32c";
const CHECKSUM_MODE: &str = "x-amz-checksum-mode";

/// A bucket, or a folder in one.
pub(super) struct S3 {
    client: Arc<Client>,
    runtime: Handle,
}

struct Client {
    bucket: Bucket,
    credentials: Credentials,
    /// What all keys begin with.
    prefix: String,
    remote: Remote,
    /// As the signature has it.
    host: String,
    /// For errors: the bucket and where it is.
    place: String,
    outage: Mutex<Option<Outage>>,
}

/// The bucket did not answer as it should.
struct Outage {
    until: Instant,
    pause: Duration,
    why: String,
}

/// Why a request failed.
enum Failure {
    /// It may be different soon.
    Passing(String),
    /// It will not, without somebody doing something.
    Lasting(String),
    /// There is no such object.
    Missing,
    /// The object ends before the range.
    Short,
}

impl S3 {
    /// The folder `folder` of a bucket.
    ///
    /// # Errors
    /// The bucket's name or the endpoint makes no address, in one sentence.
    pub(super) fn new(
        bucket: &super::Bucket,
        folder: &str,
        runtime: Handle,
    ) -> Result<Self, String> {
        let wrong = |error: &dyn std::fmt::Display| {
            format!(
                "telemetry.logs.archive_to: the bucket `{}` has no address: {error}",
                bucket.name
            )
        };
        let amazon = format!("https://s3.{}.amazonaws.com", bucket.region);
        let endpoint = bucket.endpoint.as_deref().unwrap_or(&amazon);
        // A name with dots is in no certificate of Amazon's, and other servers know no names of buckets.
        let style = if bucket.endpoint.is_some() || bucket.name.contains('.') {
            UrlStyle::Path
        } else {
            UrlStyle::VirtualHost
        };
        let endpoint = endpoint.parse().map_err(|error| wrong(&error))?;
        let found = Bucket::new(endpoint, style, bucket.name.clone(), bucket.region.clone());
        let found = found.map_err(|error| wrong(&error))?;
        let url = found.object_url("");
        let name = url.host_str().ok_or_else(|| wrong(&"it names no host"))?;
        let tls = url.scheme() == "https";
        let port = url.port_or_known_default().unwrap_or(443);
        let host = url
            .port()
            .map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
        let prefix = bucket.prefix.trim_matches('/');
        let prefix = if prefix.is_empty() {
            format!("{folder}/")
        } else {
            format!("{prefix}/{folder}/")
        };
        // An address of version 6 stands in brackets, and is none with them.
        let plain = name.trim_start_matches('[').trim_end_matches(']');
        let client = Client {
            place: format!("the bucket {} at {host}", bucket.name),
            remote: Remote::new(tls, plain, port),
            bucket: found,
            credentials: Credentials::new(bucket.access_key.expose(), bucket.secret_key.expose()),
            prefix,
            host,
            outage: Mutex::default(),
        };
        Ok(Self {
            client: Arc::new(client),
            runtime,
        })
    }

    /// Runs `work` on the telemetry's threads and waits for it. Its own timeouts bound that.
    fn wait<T, F>(&self, work: impl FnOnce(Arc<Client>) -> F) -> io::Result<T>
    where
        T: Send + 'static,
        F: Future<Output = io::Result<T>> + Send + 'static,
    {
        let (told, answer) = std::sync::mpsc::sync_channel(1);
        let work = work(Arc::clone(&self.client));
        self.runtime.spawn(async move {
            let done = work.await;
            // Whoever asked waits.
            told.send(done).ok();
        });
        let ended = || io::Error::other("the telemetry is ending");
        answer.recv().unwrap_or_else(|_| Err(ended()))
    }
}

impl Far for S3 {
    fn range(&self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let name = name.to_owned();
        self.wait(move |client| async move { client.range(&name, offset, length).await })
    }

    fn put(&self, name: &str, content: &File, length: u64) -> io::Result<()> {
        let checksum = checksum(length, &mut |at, piece| content.read_exact_at(piece, at))?;
        let (name, content) = (name.to_owned(), content.try_clone()?);
        self.wait(move |client| async move { client.put(&name, &content, length, checksum).await })
    }

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        self.wait(move |client| async move { client.list().await })
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        // Asked for where queries end, too: nobody waits. What fails is found when the store looks through its archive.
        let (client, name) = (Arc::clone(&self.client), name.to_owned());
        client.open()?;
        self.runtime
            .spawn(async move { client.delete(&name).await.ok() });
        Ok(())
    }
}

/// The CRC-32C of so many bytes, read a piece at a time.
fn checksum(
    length: u64,
    read: &mut dyn FnMut(u64, &mut [u8]) -> io::Result<()>,
) -> io::Result<u32> {
    let mut piece = vec![0; READ_BACK];
    let (mut at, mut checksum) = (0, 0);
    while at < length {
        let next = usize::try_from(length - at).map_or(READ_BACK, |left| left.min(READ_BACK));
        let piece = piece.get_mut(..next).unwrap_or_default();
        read(at, piece)?;
        checksum = crc32c::crc32c_append(checksum, piece);
        at += next as u64;
    }
    Ok(checksum)
}

impl Client {
    async fn put(&self, name: &str, content: &File, length: u64, checksum: u32) -> io::Result<()> {
        let key = self.key(name);
        let coded = BASE64_STANDARD.encode(checksum.to_be_bytes());
        let timeout = TIMEOUT + Duration::from_secs(length / SLOWEST);
        let make = || {
            let mut action = self.bucket.put_object(Some(&self.credentials), &key);
            action.headers_mut().insert(CHECKSUM, coded.as_str());
            let mut request = self.request(Method::PUT, &action)?;
            let value = HeaderValue::from_str(&coded).map_err(io::Error::other)?;
            request.headers_mut().insert(CHECKSUM, value);
            *request.body_mut() = Content::of(content.try_clone()?, length);
            Ok(request)
        };
        self.ask(make, ANSWER_BYTES, timeout).await?;
        self.compare(name, &key, length, checksum, &coded).await
    }

    /// Whether what is there is what was sent.
    async fn compare(
        &self,
        name: &str,
        key: &str,
        length: u64,
        checksum: u32,
        coded: &str,
    ) -> io::Result<()> {
        let make = || {
            let mut action = self.bucket.head_object(Some(&self.credentials), key);
            action.headers_mut().insert(CHECKSUM_MODE, "ENABLED");
            let mut request = self.request(Method::HEAD, &action)?;
            let mode = HeaderValue::from_static("ENABLED");
            request.headers_mut().insert(CHECKSUM_MODE, mode);
            Ok(request)
        };
        let told = self.ask(make, ANSWER_BYTES, TIMEOUT).await?;
        let different =
            |what: String| io::Error::other(format!("{}: {what}; it is sent again", self.place));
        let has = text(&told.headers, "content-length").and_then(|text| text.parse::<u64>().ok());
        if has != Some(length) {
            let has = has.map_or("an unknown number of".to_owned(), |has| has.to_string());
            return Err(different(format!(
                "{name} has {has} bytes there and {length} here"
            )));
        }
        let same = match text(&told.headers, CHECKSUM) {
            Some(there) => there == coded,
            None => self.read_back(name, length).await? == checksum,
        };
        if same {
            Ok(())
        } else {
            Err(different(format!(
                "{name} has another checksum there than here"
            )))
        }
    }

    async fn read_back(&self, name: &str, length: u64) -> io::Result<u32> {
        let (mut at, mut checksum) = (0, 0);
        while at < length {
            let next = usize::try_from(length - at).map_or(READ_BACK, |left| left.min(READ_BACK));
            let piece = self.range(name, at, next).await?;
            if piece.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            checksum = crc32c::crc32c_append(checksum, &piece);
            at += piece.len() as u64;
        }
        Ok(checksum)
    }

    async fn range(&self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        if length == 0 {
            return Ok(vec![]);
        }
        let key = self.key(name);
        let last = offset.saturating_add(length as u64 - 1);
        let make = || {
            let action = self.bucket.get_object(Some(&self.credentials), &key);
            let mut request = self.request(Method::GET, &action)?;
            let range = HeaderValue::from_str(&format!("bytes={offset}-{last}"));
            request
                .headers_mut()
                .insert(RANGE, range.map_err(io::Error::other)?);
            Ok(request)
        };
        let most = length.max(ANSWER_BYTES);
        let answer = self.ask(make, most, TIMEOUT).await?;
        let range = answer
            .headers
            .get(CONTENT_RANGE)
            .and_then(|range| range.to_str().ok());
        let begins = range.is_some_and(|range| range.starts_with(&format!("bytes {offset}-")));
        let whole = answer.status == StatusCode::OK && offset == 0;
        if !begins && !whole || answer.body.len() > length {
            return Err(io::Error::other(format!(
                "{} does not answer ranges",
                self.place
            )));
        }
        Ok(answer.body.to_vec())
    }

    async fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut found = vec![];
        let mut token: Option<String> = None;
        for _ in 0..MOST_LISTS {
            let make = || {
                let mut action = self.bucket.list_objects_v2(Some(&self.credentials));
                action.with_prefix(self.prefix.as_str());
                if let Some(token) = &token {
                    action.with_continuation_token(token.as_str());
                }
                self.request(Method::GET, &action)
            };
            let answer = self.ask(make, ANSWER_BYTES, TIMEOUT).await?;
            let text = std::str::from_utf8(&answer.body).unwrap_or_default();
            let list = ListObjectsV2::parse_response(text).map_err(|error| {
                io::Error::other(format!(
                    "{} lists its objects in a way that is not S3's: {error}",
                    self.place
                ))
            })?;
            for object in list.contents {
                let name = object.key.strip_prefix(&self.prefix);
                let name = name.filter(|name| !name.contains('/'));
                found.extend(name.map(|name| (name.to_owned(), object.size.unwrap_or_default())));
            }
            token = list.next_continuation_token.filter(|next| !next.is_empty());
            if token.is_none() {
                found.sort();
                return Ok(found);
            }
        }
        Err(io::Error::other(format!(
            "{} lists objects without end",
            self.place
        )))
    }

    async fn delete(&self, name: &str) -> io::Result<()> {
        let key = self.key(name);
        let make = || {
            let action = self.bucket.delete_object(Some(&self.credentials), &key);
            self.request(Method::DELETE, &action)
        };
        match self.ask(make, ANSWER_BYTES, TIMEOUT).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn request<'a>(
        &self,
        method: Method,
        action: &impl S3Action<'a>,
    ) -> io::Result<Request<Content>> {
        let millis = i64::try_from(clock::now().0).unwrap_or(i64::MAX);
        let now = Timestamp::from_millisecond(millis).map_err(io::Error::other)?;
        let url = action.sign_with_time(SIGNED_FOR, &now);
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header(HOST, &self.host)
            .header(USER_AGENT, concat!("wharf/", env!("CARGO_PKG_VERSION")))
            .body(Content::none());
        request.map_err(|_| io::Error::other(format!("{} has no address", self.place)))
    }

    /// Whether the bucket may be asked now.
    fn open(&self) -> io::Result<()> {
        let outage = self.lock();
        let left = outage
            .as_ref()
            .map(|outage| outage.until.saturating_duration_since(Instant::now()));
        match (outage.as_ref(), left) {
            (Some(outage), Some(left)) if !left.is_zero() => {
                let seconds = left.as_secs() + 1;
                Err(io::Error::other(format!(
                    "{}; it is asked again in {seconds} s",
                    outage.why
                )))
            }
            _ => Ok(()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Outage>> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, why: String) -> io::Error {
        let mut outage = self.lock();
        let pause = outage
            .as_ref()
            .map_or(PAUSE, |outage| (outage.pause * 2).min(LONGEST_PAUSE));
        *outage = Some(Outage {
            until: Instant::now() + pause,
            pause,
            why: why.clone(),
        });
        io::Error::other(why)
    }

    /// Asks until there is an answer of success, for a bounded time.
    async fn ask(
        &self,
        make: impl Fn() -> io::Result<Request<Content>>,
        most: usize,
        timeout: Duration,
    ) -> io::Result<Answer> {
        self.open()?;
        let mut pauses = AGAIN.iter();
        loop {
            let failure = match self.remote.ask(&make, most, timeout).await {
                Ok(answer) if answer.status.is_success() => {
                    *self.lock() = None;
                    return Ok(answer);
                }
                Ok(answer) => self.failure(&answer),
                Err(error) => {
                    Failure::Passing(format!("{} cannot be reached: {error}", self.place))
                }
            };
            match (failure, pauses.next()) {
                (Failure::Passing(_), Some(pause)) => tokio::time::sleep(*pause).await,
                (Failure::Passing(why) | Failure::Lasting(why), _) => return Err(self.failed(why)),
                (Failure::Missing, _) => {
                    let message = format!("{} has no such object", self.place);
                    return Err(io::Error::new(io::ErrorKind::NotFound, message));
                }
                (Failure::Short, _) => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }

    fn failure(&self, answer: &Answer) -> Failure {
        let status = answer.status;
        let code = code(&answer.body);
        let told = [status.as_str(), code].join(" ");
        let (place, told) = (&self.place, told.trim_end());
        match (status.as_u16(), code) {
            (404, "NoSuchBucket") => Failure::Lasting(format!(
                "{place} is not there: make it, or correct `telemetry.logs.archive_to`"
            )),
            (404, "" | "NoSuchKey") => Failure::Missing,
            (416, _) => Failure::Short,
            (401 | 403, "RequestTimeTooSkewed") => Failure::Lasting(format!(
                "{place} refuses ({told}): the clock of this machine is wrong"
            )),
            (401 | 403, _) | (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch") => {
                Failure::Lasting(format!(
                    "{place} refuses ({told}): check `access_key` and `secret_key`, and that they may list the bucket and get, put and delete its objects"
                ))
            }
            (408 | 429 | 500..=599, _) | (400, "RequestTimeout") => {
                Failure::Passing(format!("{place} cannot answer now ({told})"))
            }
            (301 | 307, _)
            | (400, "AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError") => {
                Failure::Lasting(format!(
                    "{place} is elsewhere ({told}): check `region` and `endpoint`"
                ))
            }
            _ => Failure::Lasting(format!(
                "{place} does not take the request ({told}): check `telemetry.logs.archive_to`"
            )),
        }
    }
}

/// The code of an error in S3's form; the rest of it may quote what was signed.
fn code(body: &[u8]) -> &str {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let after = text.split_once("<Code>").map(|(_, after)| after);
    let code = after.and_then(|after| after.split_once("</Code>"));
    let code = code.map(|(code, _)| code).unwrap_or_default();
    let word = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if word { code } else { "" }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
