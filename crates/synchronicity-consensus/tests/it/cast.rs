//! How the simulated tests are set up.

use std::time::Duration;

use synchronicity_consensus::simulation::{Cast, Road};

use crate::company::{Company, secret};

pub(crate) const HEARTBEAT: Duration = Duration::from_secs(2);

/// A wide-area network without losses.
pub(crate) const ROAD: Road =
    Road { latency: Duration::from_millis(20), jitter: Duration::from_millis(4), loss_percent: 0 };

/// The members of a company, waiting to be started.
pub(crate) fn cast(company: &Company) -> Cast {
    Cast {
        group: company.group.clone(),
        seeds: seeds(company),
        heartbeat: HEARTBEAT,
        max_clock_skew: Duration::from_secs(10),
        disks_fail: false,
    }
}

/// Secret consensus keys in the group's order of members.
pub(crate) fn seeds(company: &Company) -> Vec<[u8; 32]> {
    let number = |name: &str| name.trim_start_matches("builder-").parse().unwrap();
    company.group.members().iter().map(|member| secret("consensus", number(&member.name))).collect()
}

/// Runs a test from a seed, which is printed if it fails.
pub(crate) fn with_seed(default: u64, test: impl FnOnce(u64)) {
    let seed = std::env::var("SEED").ok().map_or(default, |text| text.parse().expect("SEED is a number"));
    struct Tell(u64);
    impl Drop for Tell {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("run this again with SEED={}", self.0);
            }
        }
    }
    let tell = Tell(seed);
    test(tell.0);
}
