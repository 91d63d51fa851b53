//! How often one address may ask for what costs more than a page.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::middleware::Next;
use governor::clock::Clock;
use governor::{Quota, RateLimiter};

use super::super::server::Caller;
use super::problem::problem;

/// Questions that one address may ask at once.
pub const API_BURST: u32 = 120;

/// Questions that one address may ask each second after that.
const API_RATE: u32 = 20;

/// Pages of one address that may follow a round at the same time.
pub const STREAMS_PER_ADDRESS: usize = 8;

/// Addresses that are remembered before those that were quiet are forgotten.
const ADDRESSES_MAX: usize = 10_000;

type Store = governor::state::keyed::HashMapStateStore<IpAddr>;

/// What each address has asked lately.
pub(super) struct Limits {
    clock: governor::clock::DefaultClock,
    asked: RateLimiter<IpAddr, Store, governor::clock::DefaultClock>,
}

impl Default for Limits {
    fn default() -> Self {
        let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(number(API_RATE)).allow_burst(number(API_BURST));
        Limits { clock: governor::clock::DefaultClock::default(), asked: RateLimiter::hashmap(quota) }
    }
}

impl Limits {
    /// Seconds to wait, if this address has asked too often.
    fn wait_s(&self, from: IpAddr) -> Option<u64> {
        // A proxy on this machine stands for everybody, and has limits of its own.
        if from.to_canonical().is_loopback() {
            return None;
        }
        if self.asked.len() > ADDRESSES_MAX {
            self.asked.retain_recent();
        }
        let until = self.asked.check_key(&network(from)).err()?;
        Some(until.wait_time_from(self.clock.now()).as_secs() + 1)
    }
}

/// An IPv6 client has a network of addresses to itself, and counts as one.
fn network(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        address => address,
    }
}

/// Refuses whoever asks too often.
pub(super) async fn limited(Shared(limits): Shared<Arc<Limits>>, request: Request, next: Next) -> Response<Body> {
    let wait_s = request.extensions().get::<Caller>().and_then(|Caller(from)| limits.wait_s(*from));
    let Some(wait_s) = wait_s else { return next.run(request).await };
    let mut refusal = problem(StatusCode::TOO_MANY_REQUESTS, format!("too many questions: ask again in {wait_s} s"));
    refusal.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
    refusal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_takes_none_of_another() {
        let limits = Limits::default();
        let [here, there, same_network] =
            ["192.0.2.1", "2001:db8::1", "2001:db8::2"].map(|text| text.parse::<IpAddr>().unwrap());
        let asked = |from| (0..2 * API_BURST).filter(|_| limits.wait_s(from).is_none()).count();
        // A little more than the burst, for time goes on.
        assert!((API_BURST as usize..API_BURST as usize + 20).contains(&asked(here)));
        assert!(asked(there) >= API_BURST as usize && asked(same_network) < 20);
        assert!(limits.wait_s(here).is_some_and(|wait_s| wait_s >= 1));
        assert_eq!(asked(IpAddr::from([127, 0, 0, 1])), 2 * API_BURST as usize);
    }
}
