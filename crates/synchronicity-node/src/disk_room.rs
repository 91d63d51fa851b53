//! Whether the disk has room: the engine and the database must not find out by a failed write.

use std::path::Path;
use std::time::Duration;

use rustix::fs::statvfs;

/// With less free space than this a node does not start, and stops signing if it runs.
pub const ROOM_MIN_BYTES: u64 = 64 << 20;

/// With this much it goes on. The distance keeps it from changing its mind all the time.
pub const ROOM_AGAIN_BYTES: u64 = 96 << 20;

/// How often to look. What fills the gap within this time is found by the write that fails.
const EVERY: Duration = Duration::from_millis(500);

/// Whether a node must not write here now.
pub fn is_short(folder: &Path) -> bool {
    free_bytes(folder).is_some_and(|free| free < ROOM_MIN_BYTES)
}

/// Resolves when there is too little room.
pub async fn exhausted(folder: &Path) {
    while !is_short(folder) {
        tokio::time::sleep(EVERY).await;
    }
}

/// Resolves when there is room again.
pub async fn available(folder: &Path) {
    while free_bytes(folder).is_some_and(|free| free < ROOM_AGAIN_BYTES) {
        tokio::time::sleep(EVERY).await;
    }
}

/// What to tell the operator.
pub fn complaint(folder: &Path) -> String {
    let mib = |bytes: u64| bytes >> 20;
    format!(
        "the disk of {} is full ({} MiB free): this node signs nothing until there are {} MiB; make room",
        folder.display(),
        mib(free_bytes(folder).unwrap_or(0)),
        mib(ROOM_AGAIN_BYTES)
    )
}

/// Free for this user; `None` where the file system does not say.
fn free_bytes(folder: &Path) -> Option<u64> {
    let about = statvfs(folder).ok()?;
    Some(about.f_bavail.saturating_mul(about.f_frsize))
}
