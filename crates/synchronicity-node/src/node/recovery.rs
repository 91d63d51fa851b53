//! What the disk gives at the start: blocks are folded again, and log and journal compared with what they fold to, before
//! anything is written.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use miette::Diagnostic;
use synchronicity_core::group::Group;
use synchronicity_core::log::Logged;
use synchronicity_core::machine::Machine;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{Entry, EntryError};
use synchronicity_verify::map::PrefixMap;
use thiserror::Error;

use crate::catalogue::Catalogue;
use crate::cosign::{Cosignatures, Statement};
use crate::durable::{self, Synced};
use crate::exit::{Stop, StopWith};
use crate::folder::Folder;
use crate::journal::{self, PersistedJournal};
use crate::publish::{AppendError, PublishedLog, SharedLog};
use crate::publisher::{self, AdoptError};
use crate::state::State;
use crate::store::{OpenError, Store};

/// What the disk gave.
pub(super) struct Recovered {
    pub(super) store: Arc<Store>,
    pub(super) state: State,
    pub(super) journal: PersistedJournal,
    pub(super) log: SharedLog,
    pub(super) cosignatures: Cosignatures,
}

/// Why the blocks could not be folded again.
#[derive(Debug, Error, Diagnostic)]
enum FoldError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Open(#[from] OpenError),
    #[error("the state folds to a log that cannot be read: {0}")]
    #[diagnostic(help("this is a defect of the program: please report it"))]
    Entry(#[from] EntryError),
    #[error("what is executed and not yet published cannot be put into the log folder: {0}")]
    #[diagnostic(help("see that the disk has room, or move the log folder away: the node then writes it again"))]
    Append(#[from] AppendError),
}

pub(super) fn recover(folder: &Folder, group: &Group) -> Result<Recovered, Stop> {
    if !folder.state().exists() {
        // Refused here, because opening the database makes it.
        publisher::check_begun(&folder.log()).or_internal()?;
    }
    let store = Arc::new(Store::open(&folder.state(), group).or_usage()?);
    let cosigned = store.journal().or_internal()?.cosigned();
    let (mut log, cosignatures) = publisher::adopt(&folder.log(), group).or_internal()?;
    let published = log.statement();

    let mut history = History::of([cosigned, published]);
    let machine = store.fold(group, |logged| history.take(logged, log.size())).or_internal()?;
    let executed = machine.log().size();
    if let Some((size, cosigned)) = cosigned.filter(|(size, _)| *size <= executed) {
        journal::compare(size, cosigned, history.root_at(size)).or_usage()?;
    }
    if let Some((size, root)) = published.filter(|(size, root)| history.root_at(*size) != Some(*root)) {
        tracing::debug!(size, %root, "the published checkpoint is not one that the state has seen");
        return Err(AdoptError::OtherLog { published: size, folded: executed }).or_internal();
    }
    // Nothing is refused any more: from here on the folder may be changed.
    durable::remove_unfinished(&folder.log());
    extend(&mut log, &store, group, &machine).or_internal()?;

    let journal = PersistedJournal::load(store.clone(), &machine).or_internal()?;
    let state = State::new(machine, history.catalogue, log.tip().clone());
    if let Some(map) = history.map {
        state.lock().keep_published_map(log.size(), map);
    }
    Ok(Recovered { store, state, journal, log: Arc::new(Mutex::new(log)), cosignatures })
}

/// Gives the log the entries that are executed and not published. Seldom are there any, so the blocks are folded once
/// more rather than all entries kept in the meantime.
fn extend(log: &mut PublishedLog<Synced>, store: &Store, group: &Group, machine: &Machine) -> Result<(), FoldError> {
    if machine.log().size() > log.size() {
        store.fold(group, |logged| Ok::<_, FoldError>(log.append(logged.index, &[logged.entry])?))?;
    }
    Ok(())
}

/// What a fold passes by.
struct History {
    catalogue: Catalogue,
    /// Roots at the sizes that matter.
    roots: BTreeMap<u64, Option<Digest>>,
    /// The map under the published checkpoint, with which lookups are answered until the next one. It is the right one
    /// if the root at that size is: the last entry states its root.
    map: Option<PrefixMap>,
}

impl History {
    fn of(statements: [Option<Statement>; 2]) -> History {
        let sizes = statements.into_iter().flatten().map(|(size, _)| (size, None));
        History { catalogue: Catalogue::default(), roots: sizes.collect(), map: None }
    }

    fn take(&mut self, logged: Logged, published: u64) -> Result<(), FoldError> {
        self.catalogue.add(&Entry::from_bytes(&logged.entry)?);
        let size = logged.index + 1;
        if let Some(at) = self.roots.get_mut(&size) {
            *at = Some(logged.root);
        }
        if size == published {
            self.map = Some(logged.map);
        }
        Ok(())
    }

    fn root_at(&self, size: u64) -> Option<Digest> {
        *self.roots.get(&size)?
    }
}
