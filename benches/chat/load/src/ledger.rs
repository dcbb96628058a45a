//! The reckoning: what was posted and acknowledged, and what each client has got of it.
//!
//! A post's key is the run's nonce and the post's number, so that whatever arrives names its post without a table. Times are
//! counted from when a post was due, not from when it was sent: a server that makes the generator wait is not let off.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::time::Instant;
use uuid::Uuid;

/// Latencies are kept in microseconds, up to ten minutes, to three digits.
const LONGEST_MICROS: u64 = 600_000_000;
const DIGITS: u8 = 3;
/// Reasons that are kept.
const REASONS_MAX: usize = 20;

/// One post.
#[derive(Debug)]
struct Post {
    due: Instant,
    room: usize,
    /// Not of the warm-up.
    measured: bool,
    acknowledged: bool,
}

/// Everything that a run has counted.
#[derive(Debug)]
pub(crate) struct Ledger {
    nonce: u64,
    rooms: usize,
    posts: Vec<Post>,
    /// For each client, a bit for each post that it has.
    seen: Vec<Vec<u64>>,
    delivery: Histogram<u64>,
    acknowledgement: Histogram<u64>,
    recovery: Histogram<u64>,
    /// Why requests and sockets failed, and how often.
    why: BTreeMap<String, u64>,
    pub(crate) counts: Counts,
}

/// What is counted on the way.
#[derive(Debug, Default, Clone, Serialize)]
pub(crate) struct Counts {
    /// Messages that a client got twice, as two messages: nobody may.
    pub(crate) doubles: u64,
    /// Messages that nobody of this run has sent, or not to this room, or not with this text.
    pub(crate) strangers: u64,
    /// Revisions that the history left out.
    pub(crate) gaps: u64,
    /// Events that were told again, which the client drops by their revision.
    pub(crate) repeats: u64,
    /// Events that came before one with a smaller revision.
    pub(crate) overtaken: u64,
    /// Sockets that were lost after they had joined.
    pub(crate) lost: u64,
    /// Attempts to open a socket that failed.
    pub(crate) unopened: u64,
    /// Sockets that were told to log in again: such a client is out.
    pub(crate) refused: u64,
    /// How often a client was told that it may have missed something.
    pub(crate) resyncs: u64,
    /// Pages of the history that were read.
    pub(crate) reads: u64,
    /// Requests that were sent again, and posts that were given up.
    pub(crate) retries: u64,
    pub(crate) given_up: u64,
}

/// The result of a run, as it is printed. Times are in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Clients, and how many of them have a socket that has joined at the end.
    pub(crate) sockets: usize,
    pub(crate) connected: usize,
    /// Posts that were measured, and how many of these were acknowledged.
    pub(crate) posts: usize,
    pub(crate) acknowledged: usize,
    /// What clients have to have of the acknowledged ones, and what they have.
    pub(crate) expected: u64,
    pub(crate) delivered: u64,
    /// What is missing, the posts of the warm-up included.
    pub(crate) missing: u64,
    pub(crate) seconds: f64,
    pub(crate) deliveries_per_second: f64,
    pub(crate) delivery: Latency,
    pub(crate) acknowledgement: Latency,
    /// From the loss of a socket until it has joined and read again.
    pub(crate) recovery: Latency,
    pub(crate) counts: Counts,
    /// Why requests and sockets failed, and how often.
    pub(crate) why: BTreeMap<String, u64>,
}

/// A distribution, in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Latency {
    count: u64,
    p50: f64,
    p95: f64,
    p99: f64,
    max: f64,
}

impl Ledger {
    /// Nothing was posted yet. Client `n` is in room `n % rooms`.
    pub(crate) fn new(nonce: u64, clients: usize, rooms: usize) -> Self {
        let empty =
            || Histogram::new_with_max(LONGEST_MICROS, DIGITS).expect("the bounds are valid");
        Self {
            nonce,
            rooms,
            posts: Vec::new(),
            seen: vec![Vec::new(); clients],
            delivery: empty(),
            acknowledgement: empty(),
            recovery: empty(),
            why: BTreeMap::new(),
            counts: Counts::default(),
        }
    }

    /// A post that is due; its number.
    pub(crate) fn post(&mut self, due: Instant, room: usize, measured: bool) -> usize {
        let acknowledged = false;
        self.posts.push(Post {
            due,
            room,
            measured,
            acknowledged,
        });
        self.posts.len() - 1
    }

    /// The key of a post.
    pub(crate) fn key(&self, number: usize) -> Uuid {
        Uuid::from_u64_pair(self.nonce, number as u64)
    }

    /// The server has said that it is stored.
    pub(crate) fn acknowledge(&mut self, number: usize, now: Instant) {
        let post = &mut self.posts[number];
        post.acknowledged = true;
        if post.measured {
            record(&mut self.acknowledgement, now - post.due);
        }
    }

    /// A client has a message that it did not have, by its revision.
    pub(crate) fn arrive(&mut self, client: usize, key: Uuid, now: Instant) {
        let (nonce, number) = key.as_u64_pair();
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let post = self.posts.get(number).filter(|_| nonce == self.nonce);
        let Some(post) = post.filter(|post| post.room == client % self.rooms) else {
            self.counts.strangers += 1;
            return;
        };
        let seen = &mut self.seen[client];
        let (word, bit) = (number / 64, 1 << (number % 64));
        if seen.len() <= word {
            seen.resize(word + 1, 0);
        }
        if seen[word] & bit != 0 {
            self.counts.doubles += 1;
            return;
        }
        seen[word] |= bit;
        if post.measured {
            record(&mut self.delivery, now - post.due);
        }
    }

    /// A request failed and is sent again.
    pub(crate) fn failed(&mut self, why: String) {
        self.counts.retries += 1;
        self.because(why);
    }

    /// A socket is over, which was connected or never came so far.
    pub(crate) fn ended(&mut self, connected: bool, why: String) {
        if connected {
            self.counts.lost += 1;
        } else {
            self.counts.unopened += 1;
        }
        self.because(why);
    }

    /// What is the same but for its numbers is one reason.
    fn because(&mut self, mut why: String) {
        why.retain(|c| !c.is_ascii_digit());
        if let Some(count) = self.why.get_mut(&why) {
            *count += 1;
        } else if self.why.len() < REASONS_MAX {
            self.why.insert(why, 1);
        }
    }

    /// A client is back, and has read what it missed.
    pub(crate) fn recovered(&mut self, took: Duration) {
        record(&mut self.recovery, took);
    }

    /// How many messages clients do not have and should, counting each client's.
    pub(crate) fn missing(&self) -> u64 {
        let clients = 0..self.seen.len();
        clients.map(|client| self.owed(client, |_| true).1).sum()
    }

    /// How many acknowledged posts `of` a kind a client should have, and how many of these it has not.
    fn owed(&self, client: usize, of: impl Fn(&Post) -> bool) -> (u64, u64) {
        let (mut expected, mut missing) = (0, 0);
        for (number, post) in self.posts.iter().enumerate() {
            if post.acknowledged && post.room == client % self.rooms && of(post) {
                expected += 1;
                let word = self.seen[client].get(number / 64).copied().unwrap_or(0);
                missing += u64::from(word & (1 << (number % 64)) == 0);
            }
        }
        (expected, missing)
    }

    /// The result of `elapsed` of measured posts, with `connected` clients at its end.
    pub(crate) fn report(&self, elapsed: Duration, connected: usize) -> Report {
        let measured = || self.posts.iter().filter(|post| post.measured);
        let (mut expected, mut lacking) = (0, 0);
        for client in 0..self.seen.len() {
            let (of_client, not_there) = self.owed(client, |post| post.measured);
            expected += of_client;
            lacking += not_there;
        }
        Report {
            sockets: self.seen.len(),
            connected,
            posts: measured().count(),
            acknowledged: measured().filter(|post| post.acknowledged).count(),
            expected,
            delivered: expected - lacking,
            missing: self.missing(),
            seconds: elapsed.as_secs_f64(),
            deliveries_per_second: self.delivery.len() as f64 / elapsed.as_secs_f64(),
            delivery: latency(&self.delivery),
            acknowledgement: latency(&self.acknowledgement),
            recovery: latency(&self.recovery),
            counts: self.counts.clone(),
            why: self.why.clone(),
        }
    }
}

fn record(histogram: &mut Histogram<u64>, took: Duration) {
    histogram.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
}

fn latency(histogram: &Histogram<u64>) -> Latency {
    let millis = |micros: u64| micros as f64 / 1000.0;
    let at = |quantile| millis(histogram.value_at_quantile(quantile));
    Latency {
        count: histogram.len(),
        p50: at(0.5),
        p95: at(0.95),
        p99: at(0.99),
        max: millis(histogram.max()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rooms, four clients: 0 and 2 in the first, 1 and 3 in the second.
    fn ledger() -> (Ledger, Instant) {
        (Ledger::new(7, 4, 2), Instant::now())
    }

    #[test]
    fn what_is_acknowledged_is_owed_to_everybody_of_the_room() {
        let (mut ledger, begin) = ledger();
        let warm = ledger.post(begin, 0, false);
        let first = ledger.post(begin, 0, true);
        let unacknowledged = ledger.post(begin, 1, true);
        for number in [warm, first] {
            ledger.acknowledge(number, begin);
        }
        ledger.arrive(0, ledger.key(first), begin + Duration::from_millis(20));
        ledger.arrive(
            1,
            ledger.key(unacknowledged),
            begin + Duration::from_millis(40),
        );
        assert_eq!(ledger.missing(), 3);
        let report = ledger.report(Duration::from_secs(1), 4);
        assert_eq!((report.posts, report.acknowledged), (2, 1));
        assert_eq!(
            (report.expected, report.delivered, report.missing),
            (2, 1, 3)
        );
        assert_eq!(report.delivery.count, 2);
        assert!(
            (report.delivery.max - 40.0).abs() < 0.1,
            "{:?}",
            report.delivery
        );
    }

    #[test]
    fn doubles_and_strangers_are_seen() {
        let (mut ledger, begin) = ledger();
        let number = ledger.post(begin, 0, true);
        let key = ledger.key(number);
        ledger.arrive(0, key, begin);
        ledger.arrive(0, key, begin);
        assert_eq!(ledger.counts.doubles, 1);
        ledger.arrive(1, key, begin);
        ledger.arrive(0, Uuid::from_u64_pair(8, 0), begin);
        ledger.arrive(0, Uuid::from_u64_pair(7, 1), begin);
        assert_eq!(ledger.counts.strangers, 3);
        assert_eq!(ledger.report(Duration::from_secs(1), 4).delivery.count, 1);
    }
}
