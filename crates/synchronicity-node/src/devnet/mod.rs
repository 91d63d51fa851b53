//! `devnet`: a whole group on one machine, from a crate's name to evidence that was verified offline.
//!
//! It uses the program as a person would: `init`, `group new`, `run`, `submit` and `verify` are processes of this same
//! executable, and everything it shows comes from the nodes' public HTTP or from a verified log entry.
//!
//! | step | file |
//! | --- | --- |
//! | check the options | `args.rs` |
//! | take the folder | `folder.rs` |
//! | make the sandbox ready | `sandbox.rs` |
//! | look the crates up | `wanted.rs` |
//! | found the group, by commands | `group.rs`, `errand.rs` |
//! | run the nodes, and take them down | `children.rs`, `interrupt.rs` |
//! | submit, and follow the requests | `request.rs` |
//! | watch them, and crash them if asked | `watch.rs`, `crash.rs` |
//! | write the results | `conclusion.rs`, `outcome.rs` |
//! | let the nodes say why builders differ | `explanation.rs` |
//! | verify them in a process apart | `verification.rs` |
//! | say what to try next | `suggestion.rs` |
//! | tell all of it | `event.rs`, `words.rs`, `view.rs` |
//! | end without a verdict | `stop.rs` |

mod args;
mod children;
mod conclusion;
mod crash;
mod errand;
mod event;
mod explanation;
mod folder;
mod group;
mod interrupt;
mod outcome;
pub mod ports;
mod request;
mod sandbox;
mod stop;
mod suggestion;
mod verification;
mod view;
mod wanted;
mod watch;
mod words;

use std::path::Path;
use std::time::{Duration, Instant};

pub use args::Args;
use synchronicity_core::group::Group;

use crate::exit::Stop;
use children::{Children, Node};
use crash::Crash;
use event::{Event, StartedNode};
use folder::Folder;
use group::Founded;
use interrupt::Interrupt;
use request::Requests;
use stop::DevnetError;
use view::View;
use wanted::Wanted;
use watch::Watch;

/// How often the nodes are asked how far they are.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Runs a devnet to its end and gives the exit code documented in its help. To be called on the main thread.
///
/// # Errors
/// What kept the group from a verdict, with the exit code that says whose fault it was.
pub fn main(args: &Args) -> Result<u8, Stop> {
    let mut view = View::open(args.json);
    let ended = prepare_and_run(args, &mut view);
    view.close();
    ended.map_err(Stop::from)
}

fn prepare_and_run(args: &Args, view: &mut View) -> Result<u8, DevnetError> {
    let cast = args.cast()?;
    let program = std::env::current_exe().map_err(DevnetError::Program)?;
    let folder = Folder::open(&args.data)?;
    let sandbox = sandbox::prepare(args.sandbox, &folder, view)?;
    let wanted = wanted::resolve(&args.crates, &folder.cache(), &sandbox.rustc, view)?;

    let interrupt = Interrupt::install().map_err(DevnetError::Signals)?;
    let place = folder.new_group()?;
    let Founded { group, mut children } = group::found(&program, &cast, &place, sandbox, args.crash > 0, &interrupt)?;
    let run = Run { args, program: &program, folder: &folder, place: &place, group: &group, interrupt: &interrupt };
    let ended = run.to_the_end(wanted, &mut children, view);
    view.show(&Event::Stopping);
    children.stop();
    view.show(&Event::Stopped);
    ended
}

/// What stays the same while a group runs.
struct Run<'a> {
    args: &'a Args,
    program: &'a Path,
    folder: &'a Folder,
    /// Where the group is.
    place: &'a Path,
    group: &'a Group,
    interrupt: &'a Interrupt,
}

impl Run<'_> {
    fn to_the_end(&self, wanted: Vec<Wanted>, children: &mut Children, view: &mut View) -> Result<u8, DevnetError> {
        let watch = Watch::new();
        children.start_all()?;
        await_connected(&watch, children, self.interrupt)?;
        view.show(&started(self.group, self.place, children));

        let mut requests = Requests::submit(wanted, self.program, children, self.interrupt, view)?;
        let quorum = self.group.quorum();
        let mut crash = Crash::plan(self.args.crash, self.args.crash_at, children.nodes.len(), quorum);
        while !(requests.all_concluded() && crash.is_over()) {
            self.interrupt.check()?;
            children.check()?;
            let seen = watch.look(children);
            requests.follow(&seen, children, view)?;
            crash.advance(requests.first(), &seen, children, view)?;
            requests.conclude(&seen, self.group, &watch, children, self.folder, view)?;
            std::thread::sleep(LOOK_EVERY);
        }

        requests.explain(&watch, children, self.interrupt, view)?;
        let code = requests.verify(self.program, self.interrupt, view)?;
        view.show(&suggestion::after(requests.written(), self.args, self.program, children));
        if self.args.keep {
            keep(children, self.interrupt)?;
        }
        Ok(code)
    }
}

/// Waits until every node answers and is connected to all others.
fn await_connected(watch: &Watch, children: &mut Children, interrupt: &Interrupt) -> Result<(), DevnetError> {
    const PATIENCE: Duration = Duration::from_secs(60);
    let since = Instant::now();
    loop {
        interrupt.check()?;
        children.check()?;
        if watch.look(children).all_connected() {
            return Ok(());
        }
        if since.elapsed() > PATIENCE {
            return Err(DevnetError::NotConnected { seconds: PATIENCE.as_secs() });
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn started(group: &Group, place: &Path, children: &Children) -> Event {
    let node = |node: &Node| StartedNode {
        name: node.name.clone(),
        pid: node.pid().unwrap_or_default(),
        folder: node.folder.clone(),
        http: format!("http://{}", node.http),
        conduct: node.conduct,
    };
    Event::Started {
        origin: group.origin().to_owned(),
        threshold: group.threshold(),
        folder: place.to_owned(),
        nodes: children.nodes.iter().map(node).collect(),
    }
}

/// Leaves the group running until somebody asks it to end, which is no failure then.
fn keep(children: &mut Children, interrupt: &Interrupt) -> Result<(), DevnetError> {
    while interrupt.check().is_ok() {
        children.check()?;
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
