//! Tells addresses that the operator chose what the log got, as it gets it: [Standard Webhooks](https://www.standardwebhooks.com).
//!
//! The log is the queue. Of each webhook it is known how far it is ([`cursor`]), so that nothing that is published is left out by an
//! outage of theirs, or by a kill of this node; the next entry follows when the one before was taken, and never sooner. What
//! may be told twice has the same id. A task for each webhook: none waits for another, nothing waits for any of them, and in memory is
//! one event of each.
//!
//! Whether the node is well is told too, at most once in a while and only as it is then: of that nothing is kept.

pub mod choices;
pub mod cursor;
pub mod event;
pub mod secret;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use synchronicity::post::Poster;
use synchronicity_web::model::Moment;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::folder::Folder;
use crate::recosign;
use crate::status::WebhookStatus;
use choices::Hook;
use cursor::{Cursor, CursorError};
use event::{Event, Sources};

/// How patient webhooks are.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Time for one attempt as a whole.
    pub attempt: Duration,
    /// Pause after the first attempt that failed; doubles each time up to `again_max`. What is really waited is between half of it and
    /// all, so that the hooks of many nodes do not come back together.
    pub again: Duration,
    /// See `again`.
    pub again_max: Duration,
    /// How often it is looked whether the node is well.
    pub look: Duration,
    /// Time between two events about that.
    pub health_gap: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            attempt: Duration::from_secs(10),
            again: Duration::from_secs(1),
            again_max: Duration::from_secs(600),
            look: Duration::from_secs(5),
            health_gap: Duration::from_secs(60),
        }
    }
}

/// How each webhook does. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Webhooks(Arc<Mutex<BTreeMap<String, WebhookStatus>>>);

impl Webhooks {
    /// Starts a task for each webhook, until `stopping` changes.
    ///
    /// # Errors
    /// [`CursorError`].
    pub fn start(
        hooks: Vec<Hook>,
        (folder, sources): (&Folder, &Sources),
        pace: Pace,
        stopping: &watch::Receiver<bool>,
    ) -> Result<Webhooks, CursorError> {
        let webhooks = Webhooks::default();
        for hook in hooks {
            let cursor = Cursor::open(folder.webhooks().join(&hook.name), event::size(&sources.published))?;
            webhooks.note(&hook.name, |status| status.next = cursor.next());
            let courier = Courier {
                poster: Poster::new(pace.attempt),
                webhooks: webhooks.clone(),
                sources: sources.clone(),
                wellness: Wellness { told: "ok".to_owned(), last: None },
                hook: Arc::new(hook),
                complained: None,
                cursor,
                pace,
            };
            tokio::spawn(courier.run(stopping.clone()));
        }
        Ok(webhooks)
    }

    /// How they do, with a log of so many published entries.
    pub fn list(&self, published: u64) -> Vec<WebhookStatus> {
        let waiting = |status: &WebhookStatus| published.saturating_sub(status.next);
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().map(|status| WebhookStatus { waiting: waiting(status), ..status.clone() }).collect()
    }

    fn note(&self, name: &str, change: impl FnOnce(&mut WebhookStatus)) {
        // Numbers are whole at every point at which a thread can panic.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || WebhookStatus { name: name.to_owned(), ..WebhookStatus::default() };
        change(all.entry(name.to_owned()).or_insert_with(new));
    }
}

/// What was told of how the node is.
struct Wellness {
    told: String,
    last: Option<Instant>,
}

/// What is to be told.
enum Told {
    Entry(u64),
    Health(String),
}

/// Tells one webhook.
struct Courier {
    hook: Arc<Hook>,
    cursor: Cursor,
    sources: Sources,
    poster: Poster,
    webhooks: Webhooks,
    wellness: Wellness,
    /// What was traced last, so that an outage is not a flood.
    complained: Option<String>,
    pace: Pace,
}

impl Courier {
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            () = self.tell_all() => {}
        }
        self.settle();
    }

    async fn tell_all(&mut self) {
        let mut pause = self.pace.again;
        loop {
            let told = self.next().await;
            match self.tell(&told).await {
                Ok(()) => {
                    pause = self.pace.again;
                    self.taken(told);
                }
                Err(problem) => {
                    self.failed(problem);
                    if let Told::Health(_) = told {
                        continue;
                    }
                    self.settle();
                    tokio::time::sleep(jittered(pause)).await;
                    pause = pause.saturating_mul(2).min(self.pace.again_max);
                }
            }
        }
    }

    /// What is to be told next, as soon as there is something.
    async fn next(&mut self) -> Told {
        loop {
            if let Some(health) = self.other_health() {
                return Told::Health(health);
            }
            self.sources.published.mark_unchanged();
            if self.cursor.next() < self.sources.ready() {
                return Told::Entry(self.cursor.next());
            }
            self.settle();
            tokio::select! {
                changed = self.sources.published.changed() => if changed.is_err() {
                    // The publisher is gone, so the node is ending.
                    std::future::pending::<()>().await;
                },
                () = tokio::time::sleep(self.pace.look) => {}
            }
        }
    }

    /// How the node is, if it is time to tell that and it was told something else.
    fn other_health(&mut self) -> Option<String> {
        if self.wellness.last.is_some_and(|last| last.elapsed() < self.pace.health_gap) {
            return None;
        }
        let health = self.sources.health.text();
        if health == self.wellness.told {
            return None;
        }
        // Before it is tried: an address that takes no such events is to get entries in between.
        self.wellness.last = Some(Instant::now());
        Some(health)
    }

    async fn tell(&self, told: &Told) -> Result<(), String> {
        let (sources, hook, poster) = (self.sources.clone(), self.hook.clone(), self.poster.clone());
        let index_or_health = match told {
            Told::Entry(index) => Ok(*index),
            Told::Health(health) => Err(health.clone()),
        };
        // Neither a disk nor a peer may keep the others of this runtime waiting.
        let posted = tokio::task::spawn_blocking(move || {
            let event = match index_or_health {
                Ok(index) => sources.entry(index).map_err(|error| error.to_string())?,
                Err(health) => sources.health(&health, now()),
            };
            post(&poster, &hook, &event)
        });
        posted.await.unwrap_or_else(|error| Err(error.to_string()))
    }

    fn taken(&mut self, told: Told) {
        match told {
            Told::Health(health) => self.wellness.told = health,
            Told::Entry(_) => {
                let written = self.cursor.advance();
                self.complain_of_disk(written);
            }
        }
        if self.complained.take().is_some() {
            tracing::info!(webhook = self.hook.name, "the webhook takes events again");
        }
        let next = self.cursor.next();
        self.webhooks.note(&self.hook.name, |status| {
            (status.next, status.failing) = (next, false);
            status.delivered += 1;
        });
    }

    fn failed(&mut self, problem: String) {
        self.webhooks.note(&self.hook.name, |status| {
            status.failing = true;
            status.failures += 1;
        });
        if self.complained.as_ref() != Some(&problem) {
            tracing::warn!(
                webhook = self.hook.name,
                next = self.cursor.next(),
                "an event was not taken: {problem}; it is tried again"
            );
            self.complained = Some(problem);
        }
    }

    fn settle(&mut self) {
        let written = self.cursor.settle();
        self.complain_of_disk(written);
    }

    fn complain_of_disk(&self, written: std::io::Result<()>) {
        if let Err(error) = written {
            tracing::warn!(webhook = self.hook.name, %error, "how far the webhook is cannot be written: entries may be told again");
        }
    }
}

fn post(poster: &Poster, hook: &Hook, event: &Event) -> Result<(), String> {
    let timestamp_s = now().0 / 1000;
    let (timestamp, signature) = (timestamp_s.to_string(), hook.secret.sign(&event.id, timestamp_s, &event.body));
    let headers =
        [("webhook-id", event.id.as_str()), ("webhook-timestamp", &timestamp), ("webhook-signature", &signature)];
    poster.post(&hook.url, &headers, &event.body).map_err(|error| error.to_string())
}

fn now() -> Moment {
    Moment(u64::try_from(recosign::now().as_millis()).unwrap_or(u64::MAX))
}

/// Between half of a pause and all of it.
fn jittered(pause: Duration) -> Duration {
    let chance = getrandom::u32().unwrap_or(u32::MAX);
    pause.mul_f64(0.5 + 0.5 * f64::from(chance) / f64::from(u32::MAX))
}
