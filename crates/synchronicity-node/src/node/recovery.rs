//! What the disk gives at the start: blocks are folded again, and log and journal compared with what they fold to, before
//! anything is written.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use miette::Diagnostic;
use synchronicity_consensus::{Certified, CertifiedError, FolderError, StartError, check_folder};
use synchronicity_core::group::Group;
use synchronicity_core::log::Logged;
use synchronicity_core::machine::Machine;
use synchronicity_core::resume::{ResumeError, Resuming};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::leaf::{Leaf, LeafError};
use synchronicity_verify::map::PrefixMap;
use synchronicity_web::model::Moment;
use thiserror::Error;

use super::RunError;
use crate::catalogue::Catalogue;
use crate::chronicle::{At, Chronicle};
use crate::cosign::{Cosignatures, Statement};
use crate::durable::{self, Synced};
use crate::epochs::Epochs;
use crate::exit::{self, Stop, StopWith};
use crate::folder::Folder;
use crate::groups::Groups;
use crate::journal::{self, PersistedJournal};
use crate::log_reader::{LogReader, ReadError};
use crate::publish::{AppendError, PublishedLog, SharedLog};
use crate::publisher::{self, AdoptError, Adopted};
use crate::state::State;
use crate::store::{Dissent, OpenError, Position, Snapshot, Store};

/// What the disk gave.
pub(super) struct Recovered {
    pub(super) store: Arc<Store>,
    /// The block with which the chain begins here, if not with the epoch.
    pub(super) floor: Option<Certified>,
    /// The group that follows, where the epoch of the group file is over and its end on record.
    pub(super) over: Option<Group>,
    pub(super) state: State,
    /// What happened so far, for people.
    pub(super) chronicle: Chronicle,
    pub(super) journal: PersistedJournal,
    pub(super) log: SharedLog,
    pub(super) cosignatures: Cosignatures,
    /// See [`Adopted::inherited`].
    pub(super) inherited: bool,
    pub(super) past: Past,
}

/// What others ask about epochs that have ended.
pub(super) struct Past {
    /// With the present one.
    pub(super) groups: Groups,
    pub(super) succession: Option<Arc<str>>,
}

/// Why the blocks could not be folded again.
#[derive(Debug, Error, Diagnostic)]
enum FoldError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Open(#[from] OpenError),
    #[error("the state folds to a log that cannot be read: {0}")]
    #[diagnostic(help("this is a defect of the program: please report it"))]
    Entry(#[from] LeafError),
    #[error("what is executed and not yet published cannot be put into the log folder: {0}")]
    #[diagnostic(help("see that the disk has room"))]
    Append(#[from] AppendError),
    #[error("the files of earlier epochs cannot be used: {0}")]
    #[diagnostic(help("restore the folder `epochs` from the same backup as the rest"))]
    Epochs(#[from] io::Error),
    #[error("the log up to where the blocks in state.redb begin cannot be read: {0}")]
    #[diagnostic(help(
        "those blocks follow that log: move the log folder away and run `group join`, which takes up both anew"
    ))]
    Log(#[from] ReadError),
    #[error("the log does not lead to the state with which this node began: {0}")]
    #[diagnostic(help(
        "log folder and state.redb were not kept together, or one of them is damaged: move the log folder away and run \
         `group join`, which takes up both anew"
    ))]
    Resume(#[from] ResumeError),
    #[error("the log of {0} entries is not the one that the blocks in state.redb follow")]
    #[diagnostic(help("move the log folder away and run `group join`, which takes up both anew"))]
    Base(u64),
    #[error("the block with which the chain begins here cannot be used: {0}")]
    #[diagnostic(help("state.redb is damaged, or of another group: run `group join` again"))]
    Floor(#[from] CertifiedError),
    #[error("the state is in epoch {folded}, the group file is of epoch {configured}")]
    #[diagnostic(help(
        "the file must be the group's of the epoch that the state is in: restore the whole folder from one backup"
    ))]
    Epoch { folded: u64, configured: u64 },
}

pub(super) fn recover(folder: &Folder, group: &Group) -> Result<Recovered, Stop> {
    let epochs = Epochs::of(folder);
    if !epochs.has_ended(group.epoch()) {
        // The engine says so too, but after all that is changed below. Where the epoch is over, no engine opens its chain.
        check_folder(&folder.chain_of(group), &group.id()).map_err(refused_chain)?;
    }
    if !folder.state().exists() {
        // Refused here, because opening the database makes it.
        publisher::check_begun(&folder.log()).or_internal()?;
    }
    let earlier = epochs.groups().map_err(FoldError::from).or_usage()?;
    let before = epochs.policy_before(group.epoch()).map_err(FoldError::from).or_usage()?;
    let succession = epochs.succession().map_err(FoldError::from).or_usage()?.map(|told| told.to_string().into());
    let (store, founding) = Store::open_in(&folder.state(), &earlier, group).or_usage()?;
    let store = Arc::new(store);
    let cosigned = store.journal().or_internal()?.cosigned();
    let adopted = publisher::adopt(&folder.log(), group, before.as_ref()).or_internal()?;
    let Adopted { mut log, cosignatures, inherited } = adopted;
    let published = log.statement();
    let floor = store.floor(group).or_internal()?.map(|bytes| Certified::from_own_disk(&bytes, group));
    let floor = floor.transpose().map_err(FoldError::from).or_usage()?;

    let mut history = History::of([cosigned, published]);
    let first = beginning(&store, &founding, folder, &log, &mut history).or_usage()?;
    let folded = store.fold_blocks(first, |at, machine, logged| history.block(at, machine, logged, log.size()));
    let mut machine = folded.or_internal()?;
    if machine.closed().is_some_and(|next| next.id() == group.id()) {
        machine.begin_epoch();
    }
    if machine.group().id() != group.id() {
        let (folded, configured) = (machine.group().epoch(), group.epoch());
        return Err(FoldError::Epoch { folded, configured }).or_usage();
    }
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
    extend(&mut log, (&store, &founding, folder), &machine).or_internal()?;

    let over = machine.closed().filter(|_| epochs.has_ended(group.epoch())).cloned();
    let journal = PersistedJournal::load(store.clone(), &machine).or_internal()?;
    let state = State::new(machine, history.catalogue, log.tip().clone());
    if let Some(map) = history.map {
        state.lock().keep_published_map(log.size(), map);
    }
    let chronicle = history.chronicle;
    let log = Arc::new(Mutex::new(log));
    let past = Past { groups: Groups::new(earlier, group.clone()), succession };
    Ok(Recovered { store, floor, over, state, chronicle, journal, log, cosignatures, inherited, past })
}

/// How a node ends that cannot use its chain's folder.
pub(super) fn refused_chain(error: FolderError) -> Stop {
    let code = if matches!(error, FolderError::Io { .. }) { exit::INTERNAL } else { exit::USAGE };
    Stop::new(code, RunError::from(StartError::from(error)))
}

/// The machine with which the blocks of the store begin: after a snapshot, or, of a newcomer, that with which its first epoch
/// began.
fn beginning(
    store: &Store,
    founding: &Group,
    folder: &Folder,
    log: &PublishedLog<Synced>,
    history: &mut History,
) -> Result<Machine, FoldError> {
    let begin = store.begins_at()?;
    let base = match &begin {
        Some(Snapshot { executed, .. }) => Some((executed.log_size, executed.log_root)),
        None => store.base()?,
    };
    let Some((size, root)) = base else { return Ok(Machine::new(founding.clone())) };
    let (reader, mut resuming) = (LogReader::new(&folder.log()), Resuming::new());
    for index in 0..size {
        let entry = reader.entry(log.size(), index)?.ok_or(FoldError::Base(size))?;
        resuming.append(&entry)?;
        let replay = resuming.replay();
        history.take(Logged { index, entry, root: replay.root(), map: replay.map().clone() }, log.size(), None)?;
    }
    if resuming.replay().root() != root {
        return Err(FoldError::Base(size));
    }
    for Dissent { request, results } in store.dissent()? {
        results.into_iter().for_each(|result| resuming.recall(&request, result));
    }
    let Some(Snapshot { executed, open, .. }) = begin else { return Ok(resuming.finish(founding.clone())?) };
    let machine = resuming.finish_at(founding.clone(), &executed, &open)?;
    history.chronicle.resumed(At { height: executed.height, time: Moment(executed.time_ms) }, &machine);
    Ok(machine)
}

/// Gives the log the entries that are executed and not published. Seldom are there any, so all is read once more rather than
/// entries, or a second machine, kept in the meantime.
fn extend(
    log: &mut PublishedLog<Synced>,
    (store, founding, folder): (&Store, &Group, &Folder),
    machine: &Machine,
) -> Result<(), FoldError> {
    if machine.log().size() > log.size() {
        let first = beginning(store, founding, folder, log, &mut History::of([None, None]))?;
        store.fold(first, |logged| Ok::<_, FoldError>(log.append(logged.index, &[logged.entry])?))?;
    }
    Ok(())
}

/// What a fold passes by.
struct History {
    catalogue: Catalogue,
    chronicle: Chronicle,
    /// Roots at the sizes that matter.
    roots: BTreeMap<u64, Option<Digest>>,
    /// The map under the published checkpoint, with which lookups are answered until the next one. It is the right one
    /// if the root at that size is: the last entry states its root.
    map: Option<PrefixMap>,
}

impl History {
    fn of(statements: [Option<Statement>; 2]) -> History {
        let sizes = statements.into_iter().flatten().map(|(size, _)| (size, None));
        let (catalogue, chronicle) = (Catalogue::default(), Chronicle::default());
        History { catalogue, chronicle, roots: sizes.collect(), map: None }
    }

    fn block(&mut self, at: Position, machine: &Machine, logged: Vec<Logged>, published: u64) -> Result<(), FoldError> {
        logged.into_iter().try_for_each(|logged| self.take(logged, published, Some(machine.group())))?;
        self.chronicle.block(At { height: at.height, time: Moment(at.time_ms) }, machine);
        Ok(())
    }

    /// `group` is that of the entry, where it is known.
    fn take(&mut self, logged: Logged, published: u64, group: Option<&Group>) -> Result<(), FoldError> {
        let leaf = Leaf::from_bytes(&logged.entry)?;
        self.catalogue.add(&leaf);
        self.chronicle.logged(logged.index, &leaf, group);
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
