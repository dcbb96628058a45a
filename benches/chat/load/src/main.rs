//! The load on a chat: opens sockets, posts at a fixed rate, and reckons what arrived where and when.
//!
//! Everything is on one thread, so that what it takes itself is at most one core. It says on standard error when it begins to
//! measure, and prints the result as JSON. Whether that is good enough, whoever reads it decides.

mod client;
mod ledger;
mod rest;
mod timeline;

use std::cell::{Cell, RefCell};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::client::{Run, client, text};
use crate::ledger::{Ledger, Report};
use crate::rest::Rest;

const USAGE: &str = "usage: chat-load [--sockets 1000] [--rooms 10] [--users 20] [--posts 100] [--warm-up 3] [--seconds 10] \
                     [--settle 15] http://HOST:PORT
--posts is a rate in posts a second; each is delivered to sockets / rooms clients.";
/// How long all sockets may take to join.
const JOIN: Duration = Duration::from_secs(120);
/// Posts under way, pages read and sockets opened at once.
const POSTS_MAX: u32 = 1000;
const READS_MAX: usize = 128;
const OPENS_MAX: usize = 64;
/// A post is sent again after this long, and given up after that many attempts.
const POST_AGAIN: Duration = Duration::from_millis(500);
const POST_ATTEMPTS: u32 = 60;

/// What is to be done.
#[derive(Debug)]
struct Options {
    base: String,
    sockets: usize,
    rooms: usize,
    users: usize,
    posts: f64,
    warm_up: Duration,
    seconds: Duration,
    settle: Duration,
}

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("no runtime: {error}")),
    };
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => return failed(&error),
    };
    let done = LocalSet::new().block_on(&runtime, async {
        tokio::select! {
            report = run(&options) => report,
            _ = tokio::signal::ctrl_c() => Err("it was interrupted".to_owned()),
        }
    });
    match done.and_then(|report| serde_json::to_string(&report).map_err(|error| error.to_string()))
    {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &str) -> ExitCode {
    eprintln!("chat-load: {error}");
    ExitCode::FAILURE
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        base: String::new(),
        sockets: 1000,
        rooms: 10,
        users: 20,
        posts: 100.0,
        warm_up: Duration::from_secs(3),
        seconds: Duration::from_secs(10),
        settle: Duration::from_secs(15),
    };
    while let Some(argument) = arguments.next() {
        if argument.starts_with("http://") {
            options.base = argument.trim_end_matches('/').to_owned();
            continue;
        }
        let value: Option<f64> = arguments.next().and_then(|value| value.parse().ok());
        let value = value.filter(|value| (0.0..1e6).contains(value));
        let value = value
            .ok_or_else(|| format!("{argument} needs a number from 0 to a million\n{USAGE}"))?;
        let whole = (value as usize).max(1);
        match argument.as_str() {
            "--sockets" => options.sockets = whole,
            "--rooms" => options.rooms = whole,
            "--users" => options.users = whole,
            "--posts" => options.posts = value.max(0.001),
            "--warm-up" => options.warm_up = Duration::from_secs_f64(value),
            "--seconds" => options.seconds = Duration::from_secs_f64(value),
            "--settle" => options.settle = Duration::from_secs_f64(value),
            _ => return Err(format!("there is no {argument}\n{USAGE}")),
        }
    }
    if options.base.is_empty() {
        return Err(USAGE.to_owned());
    }
    Ok(options)
}

async fn run(options: &Options) -> Result<Report, String> {
    let nonce = fastrand::u64(..);
    let rest = Rest::new(&options.base);
    let say = |error: rest::Failure| error.to_string();
    // One after the other: a password is slow to hash.
    let mut tokens = Vec::new();
    for number in 0..options.users {
        tokens.push(
            rest.register(&format!("load-{nonce:016x}-{number}"))
                .await
                .map_err(say)?,
        );
    }
    let mut rooms = Vec::new();
    for number in 0..options.rooms {
        let token = &tokens[number % tokens.len()];
        rooms.push(
            rest.open(token, &format!("load {nonce:016x} {number}"))
                .await
                .map_err(say)?,
        );
    }
    let run = Rc::new(Run {
        rest,
        address: options.base.trim_start_matches("http://").to_owned(),
        tokens,
        ledger: RefCell::new(Ledger::new(nonce, options.sockets, rooms.len())),
        rooms,
        connected: Cell::new(0),
        reading: Semaphore::new(READS_MAX),
        opening: Semaphore::new(OPENS_MAX),
    });
    for number in 0..options.sockets {
        tokio::task::spawn_local(client(Rc::clone(&run), number));
    }
    let all = until(JOIN, || run.connected.get() == options.sockets).await;
    if !all {
        let counts = run.ledger.borrow().counts.clone();
        return Err(format!(
            "{} of {} sockets joined within {JOIN:?}: {counts:?}",
            run.connected.get(),
            options.sockets
        ));
    }
    eprintln!("joined");
    post_all(options, &run).await;
    until(options.settle, || {
        run.connected.get() == options.sockets && run.ledger.borrow().missing() == 0
    })
    .await;
    let connected = run.connected.get();
    Ok(run.ledger.borrow().report(options.seconds, connected))
}

/// Posts at the rate, whatever becomes of the posts before; returns when each is acknowledged or given up.
async fn post_all(options: &Options, run: &Rc<Run>) {
    let under_way = Arc::new(Semaphore::new(POSTS_MAX as usize));
    let begin = Instant::now();
    let end = options.warm_up + options.seconds;
    let mut measuring = false;
    for number in 0_u32.. {
        let after = Duration::from_secs_f64(f64::from(number) / options.posts);
        if after >= end {
            break;
        }
        let due = begin + after;
        sleep_until(due).await;
        let measured = after >= options.warm_up;
        if measured && !std::mem::replace(&mut measuring, true) {
            eprintln!("measuring");
        }
        // With too many under way this waits, and what is due meanwhile is late by the server's fault.
        let turn = Arc::clone(&under_way)
            .acquire_owned()
            .await
            .expect("it is never closed");
        let room = number as usize % run.rooms.len();
        let post = run.ledger.borrow_mut().post(due, room, measured);
        let run = Rc::clone(run);
        tokio::task::spawn_local(async move {
            post_one(&run, post, room).await;
            drop(turn);
        });
    }
    drop(under_way.acquire_many(POSTS_MAX).await);
}

/// Posts a message until it is acknowledged, always with the same key, as the front end does.
async fn post_one(run: &Run, post: usize, room: usize) {
    let key = run.ledger.borrow().key(post);
    let token = &run.tokens[post % run.tokens.len()];
    for _ in 0..POST_ATTEMPTS {
        match run.rest.post(token, run.rooms[room], key, &text(key)).await {
            Ok(_) => return run.ledger.borrow_mut().acknowledge(post, Instant::now()),
            Err(error) => run.ledger.borrow_mut().failed(error.to_string()),
        }
        sleep(POST_AGAIN).await;
    }
    run.ledger.borrow_mut().counts.given_up += 1;
}

/// Waits until it is so; false if it is not in time.
async fn until(patience: Duration, so: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    while !so() {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(Duration::from_millis(20)).await;
    }
    true
}
