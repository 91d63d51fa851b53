//! Makes the sandbox ready before there is a group: what this machine cannot do is said at once, and every node is
//! then told the same choice.

use std::path::PathBuf;

use synchronicity_rebuild::bench::{Bench, BenchError, BenchOptions};

use super::event::Event;
use super::folder::Folder;
use super::view::View;
use crate::config::Sandbox;

/// What was found ready.
pub(super) struct Ready {
    /// As `run --sandbox` takes it.
    pub(super) name: String,
    /// Release of the pinned compiler.
    pub(super) rustc: String,
    /// Toolchain and downloads, as `run --shared` takes it.
    pub(super) shared: PathBuf,
}

/// Opens a bench once: that fills what the nodes' benches share, and decides what `auto` stands for.
pub(super) fn prepare(choice: Sandbox, folder: &Folder, view: &mut View) -> Result<Ready, BenchError> {
    view.show(&Event::Preparing { folder: folder.cache() });
    let options = BenchOptions { choice: choice.into(), shared: Some(folder.cache()), ..BenchOptions::default() };
    let bench = Bench::open(&folder.cache().join("bench"), &options)?;
    let ready = Ready { name: bench.name().to_owned(), rustc: bench.toolchain().release, shared: folder.cache() };
    view.show(&Event::Ready { sandbox: ready.name.clone(), rustc: ready.rustc.clone() });
    Ok(ready)
}
