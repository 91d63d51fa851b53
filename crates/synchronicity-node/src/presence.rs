//! What members tell each other of themselves, beside the chain: the version of the program, and what they build now.
//!
//! It is for people to look at. Nothing is decided by it, nobody signs it, and a member may say what it likes. A message is
//! [`MARK`], the version in a line, and the identity of each build in a line of its own; nodes that do not know the mark pass
//! over it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use synchronicity_consensus::Handle;
use synchronicity_verify::identity::RequestId;
use tokio::sync::watch;

use crate::progress::Progress;
use crate::status::Stage;

/// The first byte of a message: cosignatures have others.
pub const MARK: u8 = b'!';

/// How soon a change is told.
const LOOK: Duration = Duration::from_secs(1);

/// How often it is told again, for whoever was away.
const AGAIN: Duration = Duration::from_secs(20);

/// What was told longer ago is not believed to be so still.
const FRESH: Duration = Duration::from_secs(90);

/// Builds that a message names at most.
const RUNNING_MAX: usize = 16;

/// Bytes of a version at most.
const VERSION_MAX: usize = 32;

/// What one member tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Version of its program.
    pub version: String,
    /// Requests whose builds it runs.
    pub running: Vec<RequestId>,
}

impl Presence {
    /// This node's own.
    pub fn own(progress: &Progress) -> Presence {
        let runs = progress.list().into_iter().filter(|build| matches!(build.stage, Stage::Fetching | Stage::Building));
        let running = runs.filter_map(|build| build.request.parse().ok()).take(RUNNING_MAX).collect();
        Presence { version: env!("CARGO_PKG_VERSION").to_owned(), running }
    }

    /// As it is told.
    pub fn to_message(&self) -> Vec<u8> {
        let lines: String = self.running.iter().map(|request| format!("{request}\n")).collect();
        format!("{}{}\n{lines}", char::from(MARK), self.version).into_bytes()
    }

    /// Reads a message of anyone; `None` for one that is no such message.
    pub fn parse(message: &[u8]) -> Option<Presence> {
        let text = std::str::from_utf8(message.strip_prefix(&[MARK])?).ok()?.strip_suffix('\n')?;
        let mut lines = text.split('\n');
        let version = lines.next()?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-+".contains(&byte);
        if version.is_empty() || version.len() > VERSION_MAX || !version.bytes().all(plain) {
            return None;
        }
        let running: Vec<RequestId> =
            lines.take(RUNNING_MAX + 1).map(|line| line.parse().ok()).collect::<Option<_>>()?;
        (running.len() <= RUNNING_MAX).then(|| Presence { version: version.to_owned(), running })
    }
}

/// What the other members told, by their position in the group. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Presences(Arc<Mutex<BTreeMap<usize, (Instant, Presence)>>>);

impl Presences {
    /// Takes what a member told.
    pub fn heard(&self, member: usize, presence: Presence) {
        self.lock().insert(member, (Instant::now(), presence));
    }

    /// What a member told last, unless that is too long ago.
    pub fn of(&self, member: usize) -> Option<Presence> {
        let heard = self.lock();
        let (at, presence) = heard.get(&member)?;
        (at.elapsed() <= FRESH).then(|| presence.clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, (Instant, Presence)>> {
        // The map is whole at every point at which a thread can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the others of this node, until it rests.
pub async fn tell(chain: Handle, progress: Progress, mut resting: watch::Receiver<bool>) {
    let mut last: Option<(Instant, Presence)> = None;
    loop {
        let now = Presence::own(&progress);
        if last.as_ref().is_none_or(|(at, told)| *told != now || at.elapsed() >= AGAIN) {
            if let Err(error) = chain.broadcast(now.to_message()) {
                tracing::debug!(%error, "the others were not told what runs here");
            }
            last = Some((Instant::now(), now));
        }
        tokio::select! {
            _ = resting.wait_for(|rest| *rest) => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use synchronicity_verify::digest::Digest;

    use super::*;

    fn running(builds: usize) -> Presence {
        let request = |number: usize| RequestId(Digest::of(&number.to_be_bytes()));
        Presence { version: "0.1.0-rc.1+linux".to_owned(), running: (0..builds).map(request).collect() }
    }

    #[test]
    fn what_is_told_is_what_is_heard() {
        for builds in [0, 1, RUNNING_MAX] {
            assert_eq!(Presence::parse(&running(builds).to_message()), Some(running(builds)));
        }
    }

    #[test]
    fn too_much_or_anything_else_is_no_presence() {
        assert_eq!(Presence::parse(&running(RUNNING_MAX + 1).to_message()), None);
        let hostile: [&[u8]; 9] =
            [b"", b"!", b"!\n", b"?0.1.0\n", b"!0.1.0", b"!<b>\n", b"!0.1.0\n\n", b"!0.1.0\nno identity\n", b"!\xff\n"];
        for message in hostile {
            assert_eq!(Presence::parse(message), None, "{message:?}");
        }
        assert_eq!(Presence::parse(format!("!{}\n", "1".repeat(VERSION_MAX + 1)).as_bytes()), None);
    }

    #[test]
    fn the_last_word_of_a_member_counts() {
        let presences = Presences::default();
        presences.heard(2, running(3));
        presences.clone().heard(2, running(1));
        assert_eq!((presences.of(2), presences.of(1)), (Some(running(1)), None));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic_and_only_in_one_spelling(message in any::<Vec<u8>>()) {
            if let Some(presence) = Presence::parse(&message) {
                prop_assert_eq!(presence.to_message(), message);
            }
        }
    }
}
