//! Limits of clients: a token bucket for each route and client address, and the requests of a route under way.
//!
//! The memory is bounded: a shard that is full first forgets the buckets that are full again, which changes nothing,
//! and then every other one.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Shards, so that workers seldom wait for each other.
const SHARDS: usize = 16;

/// Buckets of one shard: 16 times 4,096 buckets of about 56 bytes are below 4 MiB.
const BUCKETS_PER_SHARD: usize = 4096;

/// Requests of one route under way, over all workers and configurations.
#[derive(Debug, Default)]
pub(crate) struct RouteCounter(AtomicU32);

impl RouteCounter {
    /// Counts a request; none: `limit` are under way already.
    pub(crate) fn enter(self: &Arc<Self>, limit: Option<u32>) -> Option<RouteEntry> {
        let limit = limit?;
        if self.0.fetch_add(1, Ordering::AcqRel) >= limit {
            self.0.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        Some(RouteEntry(Arc::clone(self)))
    }
}

/// One request of a route with a limit, counted until this is dropped.
#[derive(Debug)]
pub(crate) struct RouteEntry(Arc<RouteCounter>);

impl Drop for RouteEntry {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: u64,
    /// When it is full again.
    full_at: u64,
}

/// The token buckets of all clients.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    shards: [Mutex<HashMap<(u32, IpAddr), Bucket>>; SHARDS],
}

impl Default for RateLimiter {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }
}

impl RateLimiter {
    /// Takes a token of `client` for `route`. A bucket holds one second's worth of requests (at least one) and `burst`
    /// more; `now` is in milliseconds.
    ///
    /// # Errors
    /// None is left: the seconds until there is one, rounded up.
    pub(crate) fn take(
        &self,
        route: u32,
        client: IpAddr,
        rate: f64,
        burst: u32,
        now: u64,
    ) -> Result<(), u64> {
        let key = (route, network(client));
        let capacity = rate.max(1.0) + f64::from(burst);
        let mut shard = self.shards[shard_of(&key)]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let bucket = match shard.get_mut(&key) {
            Some(bucket) => bucket,
            None => {
                if shard.len() >= BUCKETS_PER_SHARD {
                    make_room(&mut shard, now);
                }
                shard.entry(key).or_insert(Bucket {
                    tokens: capacity,
                    at: now,
                    full_at: now,
                })
            }
        };
        let elapsed = now.saturating_sub(bucket.at) as f64 / 1000.0;
        bucket.tokens = (bucket.tokens + elapsed * rate).min(capacity);
        bucket.at = now;
        let admitted = bucket.tokens >= 1.0;
        if admitted {
            bucket.tokens -= 1.0;
        }
        bucket.full_at = now.saturating_add(((capacity - bucket.tokens) / rate * 1000.0) as u64);
        if admitted {
            Ok(())
        } else {
            Err((((1.0 - bucket.tokens) / rate).ceil() as u64).max(1))
        }
    }
}

fn make_room(shard: &mut HashMap<(u32, IpAddr), Bucket>, now: u64) {
    shard.retain(|_, bucket| bucket.full_at > now);
    if shard.len() >= BUCKETS_PER_SHARD {
        // Half of them at once, so that a flood of addresses pays for a pass over the shard seldom.
        let mut keep = false;
        shard.retain(|_, _| {
            keep = !keep;
            keep
        });
    }
}

/// An IPv6 client owns a whole /64 and could use another address for each request.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(
            address.to_bits() & !u128::from(u64::MAX),
        )),
        v4 => v4,
    }
}

fn shard_of(key: &(u32, IpAddr)) -> usize {
    let bits = match key.1 {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    };
    // A multiplicative hash: neighbouring addresses are to fall into different shards.
    (bits
        .wrapping_add(u64::from(key.0))
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        >> 60) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// How many of `requests` at each of `times` are let through.
    #[track_caller]
    fn check(rate: f64, burst: u32, times: &[(u64, u32, u32)]) {
        let limiter = RateLimiter::default();
        for (now, requests, expected) in times {
            let passed = (0..*requests)
                .filter(|_| limiter.take(1, CLIENT, rate, burst, *now).is_ok())
                .count();
            assert_eq!(passed, *expected as usize, "at {now}");
        }
    }

    #[test]
    fn refills() {
        check(
            10.0,
            4,
            &[(0, 20, 14), (100, 10, 1), (1_000, 20, 9), (60_000, 20, 14)],
        );
        check(0.5, 0, &[(0, 2, 1), (1_000, 1, 0), (2_000, 1, 1)]);
    }

    #[test]
    fn says_when_to_come_back() {
        let limiter = RateLimiter::default();
        assert_eq!(limiter.take(1, CLIENT, 0.1, 0, 0), Ok(()));
        assert_eq!(limiter.take(1, CLIENT, 0.1, 0, 0), Err(10));
        assert_eq!(limiter.take(2, CLIENT, 0.1, 0, 0), Ok(()), "another route");
    }

    #[test]
    fn is_bounded() {
        let limiter = RateLimiter::default();
        for client in 0..200_000_u32 {
            limiter
                .take(1, IpAddr::V4(client.into()), 0.001, 0, 0)
                .expect("the first of a client");
        }
        let size: usize = limiter
            .shards
            .iter()
            .map(|shard| shard.lock().expect("not poisoned").len())
            .sum();
        assert!(size <= SHARDS * BUCKETS_PER_SHARD, "{size}");
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let limiter = RateLimiter::default();
        let address = |text: &str| text.parse().expect("an address");
        assert!(limiter.take(1, address("2001:db8::1"), 0.1, 0, 0).is_ok());
        assert!(limiter.take(1, address("2001:db8::2"), 0.1, 0, 0).is_err());
        assert!(
            limiter
                .take(1, address("2001:db8:0:1::1"), 0.1, 0, 0)
                .is_ok()
        );
    }
}
