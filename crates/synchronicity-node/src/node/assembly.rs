//! The parts of a node, put together: from the disk upwards, then outwards.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use synchronicity_consensus::{Certified, EngineConfig, Handle, StartError};
use synchronicity_core::command::{Command, CommandKey};
use synchronicity_core::group::Group;
use synchronicity_verify::identity::BuilderId;
use synchronicity_verify::note::{NoteSignature, Signer};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::recovery::{self, Recovered};
use super::site::{Shown, log_site, site};
use super::{BenchChoice, Choices, Prepared, RunError, Running};
use crate::artifact_store::ArtifactStore;
use crate::artifact_store::retention::Keeper;
use crate::attestations::Attester;
use crate::builds::Builds;
use crate::changes::Changes;
use crate::chronicle::{self, Chronicler};
use crate::config::{self, Config};
use crate::cosign::{Cosignatures, Statement};
use crate::durable::Synced;
use crate::duty::Attendant;
use crate::epoch_end::EpochEnd;
use crate::epochs::{self, Epochs};
use crate::exchange::Exchange;
use crate::exit::{self, Stop, StopWith};
use crate::explaining::{Explainer, Explanations};
use crate::export::Target;
use crate::fold::Fold;
use crate::folder::Folder;
use crate::groups::Groups;
use crate::health::Health;
use crate::http;
use crate::journal::PersistedJournal;
use crate::log_reader::LogReader;
use crate::misbehave::{self, Misbehaviour};
use crate::monitor::{self, Known};
use crate::offences::Offences;
use crate::operator::{self, Desk};
use crate::outbox::Outbox;
use crate::presence::{self, Presences};
use crate::progress::Progress;
use crate::publish::{self, SharedLog};
use crate::publisher::{Owed, Published, Publisher};
use crate::recosign::Schedule;
use crate::state::State;
use crate::store::Store;
use crate::submit::Submissions;
use crate::view::{Parts, View};
use crate::webhooks::choices::Hook;
use crate::webhooks::{self, Pace, Webhooks};
use crate::witness::{self, Witness, choices, client};
use crate::workbench::{self, Opener, Workbench};

/// How long a leader waits for commands before it orders an empty block. The same in every node of every group.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// Messages between two tasks; a task that is behind makes the other wait.
const QUEUE: usize = 64;

fn start_engine(prepared: &Prepared, fold: Fold, floor: Option<Certified>, vouched: bool) -> Result<Handle, Stop> {
    let listen = config::resolve("listen", &prepared.config.listen).or_usage()?;
    let engine = EngineConfig {
        namespace: prepared.group.id(),
        seed: *prepared.keys.consensus.expose(),
        members: prepared.peers.clone(),
        listen,
        storage: prepared.folder.chain_of(&prepared.group),
        heartbeat: HEARTBEAT,
        max_clock_skew: Duration::from_millis(prepared.config.clock_skew_ms_max),
        vouched,
        floor,
    };
    synchronicity_consensus::start(engine, fold).map_err(|error| match error {
        StartError::Storage(error) => recovery::refused_chain(error),
        StartError::PortInUse { .. } | StartError::Thread(_) => Stop::new(exit::TRY_LATER, RunError::from(error)),
        error => Stop::new(exit::USAGE, RunError::from(error)),
    })
}

/// What a start comes to.
pub(super) enum Started {
    /// The node runs.
    Running(Box<Running>),
    /// The epoch of its group file is over, and this group follows: nothing was started.
    Over(Box<Group>),
}

/// What every part of a running node leans on.
struct Base {
    state: State,
    chain: Handle,
    health: Health,
    /// Ends what answers others.
    stopping: watch::Receiver<bool>,
    /// Ends what works.
    resting: watch::Receiver<bool>,
    presences: Presences,
}

pub(super) fn start(choices: Choices, prepared: Prepared) -> Result<Started, Stop> {
    let health = Health::default();
    let recovered = recovery::recover(&prepared.folder, &prepared.group)?;
    let Recovered { store, floor, over, state, chronicle, journal, log, cosignatures, inherited, past } = recovered;
    if let Some(next) = over {
        return Ok(Started::Over(Box::new(next)));
    }
    let epochs = Epochs::of(&prepared.folder);
    let kept = kept(&prepared.folder, &prepared.config)?;
    let reader = LogReader::new(&prepared.folder.log());
    let witness = witness(&prepared, &store)?;
    let sealed = Arc::downgrade(&store);
    let (chronicler, chronicle) = Chronicler::new(chronicle);
    let (fold, fold_thread) = Fold::start(state.clone(), store, (log.clone(), chronicler), health.clone());
    let chain = start_engine(&prepared, fold, floor, choices.vouched)?;
    // Only now: an engine that is refused its folder changes nothing.
    epochs::prune_chains(&prepared.folder, &prepared.group);
    let Prepared { folder, lock, config, group, keys, http, socket, unresolved, outsiders, hooks, .. } = prepared;
    let ((stop, stopping), (rest, resting)) = (watch::channel(false), watch::channel(false));
    let base = Base { state, chain, health, stopping, resting, presences: Presences::default() };
    let me = keys.command.id();

    let own_log = OwnLog { log, reader: reader.clone(), cosignatures, inherited };
    let (published, cosigned) = publish(&base, own_log, (me, keys.log), (&folder, &config));
    let offences = keep_offences(&base, &folder, &past.groups);
    let progress = Progress::default();
    let webhooks = tell(&base, hooks, (&published, &chronicle, &reader), (&folder, &config))?;
    let view = View::new(Parts {
        name: config.name.clone(),
        state: base.state.clone(),
        chain: base.chain.clone(),
        progress: progress.clone(),
        presences: base.presences.clone(),
        published: published.clone(),
        health: base.health.clone(),
        offences: offences.clone(),
        webhooks,
        misbehaves: choices.misbehaviour.map(announce),
    });
    let others = (base.state.group(), &reader);
    let outside = client::follow_all(outsiders, others, config.schedule(), &published, &base.stopping);
    let over = tokio::spawn(base.epoch_end(published.clone(), reader.clone(), epochs).wait());
    let attester = Attester::new(keys.attestation, me, base.state.group().clone());
    let explanations = Explanations::new(base.state.clone(), folder.clone(), me, config.name.clone());
    let keeper = Keeper {
        store: kept.clone(),
        keeping: config.artifacts.clone(),
        state: base.state.clone(),
        journal: sealed,
        explanations: explanations.clone(),
    };
    let explainer = explain(&base, keeper, choices.program.clone());
    let shown = Shown { store: kept.clone(), explanations: explanations.clone(), offences, attester, past, chronicle };
    let log = log_site(reader, published, &view).with_outside(outside);
    let routes = http::router(site(&view, (&group, &config, &folder), log, shown)?)
        .merge(witness::serve::router(witness, base.resting.clone()));
    tokio::spawn(http::serve(http, routes, told(base.stopping.clone())));

    let open = opener(choices.bench, &choices.program, &folder, &config, &group);
    let workbench = workbench::prepare(open, base.health.clone());
    let (outbox, submitted) = mpsc::channel(QUEUE);
    let submissions = Submissions::new(base.state.clone(), keys.command.clone(), workbench.clone(), outbox.clone());
    let changes = Changes::new(base.state.clone(), keys.command.clone(), outbox);
    let desk = Desk { view, submissions, explanations, changes };
    tokio::spawn(operator::serve(socket, desk, told(base.stopping.clone())));
    let known = Known { group, unresolved, skew_ms_max: config.clock_skew_ms_max };
    tokio::spawn(monitor::watch(base.chain.clone(), known, base.health.clone(), base.stopping.clone()));

    let works = Works { workbench, kept, progress, misbehaviour: choices.misbehaviour, schedule: config.schedule() };
    let duties = attend(&base, journal, (keys.command, keys.cosigner), works, (cosigned, submitted));
    let Base { chain, health, .. } = base;
    let running =
        Running { chain, fold: fold_thread, folder, health, stop, rest, duties, explainer, over, _lock: lock };
    Ok(Started::Running(Box::new(running)))
}

/// The log as this node's disk has it.
struct OwnLog {
    log: SharedLog,
    reader: LogReader,
    cosignatures: Cosignatures,
    inherited: bool,
}

/// Starts what gathers cosignatures and publishes the log; takes those of this node by the channel that it gives.
fn publish(
    base: &Base,
    own: OwnLog,
    (me, log_key): (BuilderId, Signer),
    (folder, config): (&Folder, &Config),
) -> (Published, mpsc::Sender<(Statement, NoteSignature)>) {
    let OwnLog { log, reader, cosignatures, inherited } = own;
    let place = base.state.group().members().iter().position(|member| member.command == me);
    // What is on disk can be served at once: it was shown before, and every proof is made from it.
    let on_disk = publish::locked(&log).note().cloned().map(Arc::new);
    let (show, published) = watch::channel(on_disk);
    let (cosigned, by_us) = mpsc::channel(QUEUE);
    let publisher = Publisher {
        state: base.state.clone(),
        log,
        reader,
        cosignatures,
        schedule: config.schedule(),
        log_key,
        me: place.expect("keys were checked against the group"),
        inherited,
        proofs: folder.proofs(),
        owed: Owed::default(),
        chain: base.chain.clone(),
        presences: base.presences.clone(),
        health: base.health.clone(),
        published: show,
    };
    let gossip = base.chain.statements().expect("nobody has taken the statements of an engine that was just started");
    tokio::spawn(publisher.run(by_us, gossip));
    (published, cosigned)
}

impl Base {
    fn epoch_end(&self, published: Published, reader: LogReader, epochs: Epochs) -> EpochEnd {
        EpochEnd { state: self.state.clone(), published, reader, epochs, health: self.health.clone() }
    }
}

/// What builds are made with and told to.
struct Works {
    workbench: Workbench,
    kept: ArtifactStore,
    progress: Progress,
    misbehaviour: Option<Misbehaviour>,
    schedule: Schedule,
}

/// Starts what does this builder's duties.
fn attend(
    base: &Base,
    journal: PersistedJournal,
    (command, cosigner): (CommandKey, Signer),
    works: Works,
    (cosigned, submitted): (mpsc::Sender<(Statement, NoteSignature)>, mpsc::Receiver<Command>),
) -> JoinHandle<()> {
    let Works { workbench, kept, progress, misbehaviour, schedule } = works;
    let (done, finished) = mpsc::channel(QUEUE);
    tokio::spawn(presence::tell(base.chain.clone(), progress.clone(), base.resting.clone()));
    let attendant = Attendant {
        state: base.state.clone(),
        journal,
        chain: base.chain.clone(),
        command,
        cosigner,
        builds: Builds::new(workbench, kept, progress, base.health.clone(), done),
        outbox: Outbox::default(),
        cosigned,
        health: base.health.clone(),
        misbehaviour,
        schedule,
        told: None,
        compared: None,
    };
    tokio::spawn(attendant.run(finished, submitted, base.resting.clone()))
}

/// Starts what tells the addresses that the operator chose.
fn tell(
    base: &Base,
    hooks: Vec<Hook>,
    (published, chronicle, reader): (&Published, &chronicle::Shown, &LogReader),
    (folder, config): (&Folder, &Config),
) -> Result<Webhooks, Stop> {
    let sources = webhooks::event::Sources {
        origin: base.state.group().origin().into(),
        node: config.name.as_str().into(),
        url: config.log_url().trim_end_matches('/').into(),
        chronicle: chronicle.clone(),
        published: published.clone(),
        reader: reader.clone(),
        health: base.health.clone(),
    };
    Webhooks::start(hooks, (folder, &sources), Pace::default(), &base.stopping).or_usage()
}

/// What is kept of builds, where node.toml says.
fn kept(folder: &Folder, config: &Config) -> Result<ArtifactStore, Stop> {
    let place = config.artifacts.store.as_deref().map(|place| Target::parse(place, false));
    let place = place.transpose().or_usage()?;
    ArtifactStore::open(folder.root(), place.as_ref()).or_usage()
}

/// The witness of other people's logs, where the operator named any.
fn witness(prepared: &Prepared, store: &Arc<Store>) -> Result<Option<Witness<Weak<Store>>>, Stop> {
    if prepared.witnessed.is_empty() {
        return Ok(None);
    }
    let signer = choices::signer(&prepared.config, &prepared.folder.keys()).or_usage()?;
    tracing::info!(key = %signer.verifier_key(), logs = prepared.witnessed.len(), "witnessing");
    Witness::open(signer, prepared.witnessed.clone(), store).map(Some).or_internal()
}

/// Starts what looks after the artifacts: hands them to other builders, explains what diverged, and removes what is old.
fn explain(base: &Base, keeper: Keeper, program: PathBuf) -> JoinHandle<()> {
    let (store, explanations) = (keeper.store.clone(), keeper.explanations.clone());
    let parcels = base.chain.parcels().expect("nobody has taken the parcels of an engine that was just started");
    let exchange = Exchange::start(base.chain.clone(), keeper.state.clone(), store.clone(), parcels);
    tokio::spawn(keeper.run(base.resting.clone()));
    tokio::spawn(Explainer { explanations, store, exchange, program }.run(base.resting.clone()))
}

/// Starts what writes down the offences of other members.
fn keep_offences(base: &Base, folder: &Folder, groups: &Groups) -> Offences {
    let offences = Offences::open(folder.offences(), groups.clone(), Synced);
    let told = base.chain.offences().expect("nobody has taken the offences of an engine that was just started");
    tokio::spawn(offences.clone().keep(told, base.health.clone(), base.stopping.clone()));
    offences
}

fn opener(choice: BenchChoice, program: &Path, folder: &Folder, config: &Config, group: &Group) -> Opener {
    match choice {
        BenchChoice::Opened(open) => open,
        BenchChoice::Own { sandbox, shared } => {
            let sandbox = sandbox.unwrap_or(config.sandbox);
            workbench::opener(&folder.builds(), sandbox, shared.as_deref(), program, group)
        }
    }
}

fn announce(misbehaviour: Misbehaviour) -> String {
    let how = misbehave::describe(misbehaviour);
    tracing::warn!("THIS NODE MISBEHAVES ON PURPOSE: it {how}");
    how.to_owned()
}

/// Resolves when the node is told to stop, or when nobody is left to tell it.
async fn told(mut stopping: watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}
