//! Alarms, and their ends, posted to an address. The checks never wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use crate::post::Poster;

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
            let poster = Poster::new(ATTEMPT);
            for event in waiting {
                if !deliver(&poster, &url, &event) {
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

fn deliver(poster: &Poster, url: &str, event: &str) -> bool {
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            thread::sleep(PAUSE * 4_u32.pow(attempt - 1));
        }
        if poster.post(url, &[], event).is_ok() {
            return true;
        }
    }
    false
}
