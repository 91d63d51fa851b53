//! Alarms, and their ends, posted to an address. The checks never wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// Events that wait; one more is not delivered, and counted.
const WAITING_MAX: usize = 256;
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(250);
const ATTEMPT: Duration = Duration::from_secs(5);
/// How long the program waits at its end for what is not delivered yet.
const END: Duration = Duration::from_secs(25);

/// Posts events, one after the other, on a thread of its own.
pub(super) struct Webhook {
    events: SyncSender<String>,
    over: Receiver<()>,
    undelivered: Arc<AtomicU64>,
}

impl Webhook {
    pub(super) fn new(url: String) -> Self {
        let (events, waiting) = sync_channel::<String>(WAITING_MAX);
        let (end, over) = channel();
        let undelivered = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&undelivered);
        thread::spawn(move || {
            let agent = agent();
            for event in waiting {
                if !deliver(&agent, &url, &event) {
                    count.fetch_add(1, Ordering::Relaxed);
                    errln!("webhook: an event was not delivered");
                }
            }
            // Nobody may wait for it any more.
            let _ = end.send(());
        });
        Self { events, over, undelivered }
    }

    pub(super) fn send(&self, event: String) {
        if self.events.try_send(event).is_err() {
            self.undelivered.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn undelivered(&self) -> u64 {
        self.undelivered.load(Ordering::Relaxed)
    }

    /// Delivers what waits, within bounds.
    pub(super) fn end(self) {
        drop(self.events);
        let _ = self.over.recv_timeout(END);
    }
}

fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(true)
        .timeout_global(Some(ATTEMPT))
        .max_redirects(0)
        .user_agent(concat!("synchronicity/", env!("CARGO_PKG_VERSION")))
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .build()
        .into()
}

fn deliver(agent: &Agent, url: &str, event: &str) -> bool {
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            thread::sleep(PAUSE * 4_u32.pow(attempt - 1));
        }
        let answer = agent.post(url).header("content-type", "application/json").send(event);
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return true;
        }
    }
    false
}
