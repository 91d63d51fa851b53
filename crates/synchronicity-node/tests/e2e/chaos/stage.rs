//! The group to which it all happens, and how each fault is made and taken back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::net::Net;
use super::proxy;
use super::schedule::{Fault, Means, Round};
use crate::machine::{Tmpfs, faketime};
use crate::node::succeed;
use crate::quartet::{Quartet, TROUBLED, name};

/// A node that has forgotten what it signed votes again within this time, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(180);

/// The size of the last node's disk. It is in memory, and takes of that only what is in it; a node builds with 1 GiB free or more.
const DISK: &str = "4g";

/// Everything that a test takes of the machine. Nodes go first, then what they talk over and write to.
pub(crate) struct Stage {
    pub(crate) quartet: Quartet,
    net: Option<Net>,
    clock: Option<PathBuf>,
    disk: Option<Tmpfs>,
    /// In every node's environment.
    environment: Vec<(&'static str, String)>,
    dir: TempDir,
}

impl Stage {
    /// A group that runs, upon as much of a machine of its own as there is to be had. Says what is not.
    pub(crate) fn set() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let skipped = |what: &str, why: String| eprintln!("    SKIPPED {what}: {why}");
        let disk = Tmpfs::mount(&dir.path().join(name(TROUBLED)), DISK);
        let disk = disk.map_err(|why| skipped("full disks", why)).ok();
        let net = Net::build().map_err(|why| skipped("cut links", why)).ok();
        match net.as_ref().map(Net::weather) {
            Some(Ok(weather)) => eprintln!("    all links: {weather}"),
            Some(Err(why)) => skipped("loss and delay on all links", why),
            None => {}
        }
        let clock = faketime();
        if clock.is_none() {
            skipped("wrong clocks", "there is no libfaketime".to_owned());
        }
        let proxy = net.as_ref().map(|net| proxy::serve(&net.here()));
        let environment = proxy.into_iter().map(|address| ("HTTPS_PROXY", address)).collect();
        let quartet = match &net {
            Some(net) => Quartet::found_at(dir.path(), net.places()),
            None => Quartet::found(dir.path()),
        };
        let mut stage = Self { quartet, net, clock, disk, environment, dir };
        for node in 0..4 {
            stage.launch(node, &[], &[]);
        }
        stage.well();
        for node in 0..4 {
            let (file, home) = (stage.backup(node), stage.quartet.home(node));
            succeed(&["backup", file.to_str().unwrap(), "--keys", "--dir", home.to_str().unwrap()]);
        }
        stage
    }

    pub(crate) fn means(&self) -> Means {
        Means { cuts: self.net.is_some(), clocks: self.clock.is_some(), disks: self.disk.is_some() }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Has the faults of a round begin, last, and end.
    pub(crate) fn suffer(&mut self, round: &Round) {
        round.faults.iter().for_each(|fault| self.begin(fault));
        thread::sleep(round.lasts);
        round.faults.iter().rev().for_each(|fault| self.end(fault));
        if let Some(node) = round.faults.iter().find_map(Fault::forgets) {
            self.quartet.until(node, "votes again", PATIENCE, |status| status["standing"] == "voting");
        }
        thread::sleep(round.pause);
    }

    /// Waits until all nodes vote and see each other.
    pub(crate) fn well(&self) {
        for node in 0..4 {
            self.quartet.until(node, "votes, and sees the others", PATIENCE, |status| {
                status["peers"] == 3 && status["standing"] == "voting"
            });
        }
    }

    fn begin(&mut self, fault: &Fault) {
        match *fault {
            Fault::Kill { node, .. } => self.quartet.kill_at(node),
            Fault::Stop { node } => self.quartet.signal(node, Signal::STOP),
            Fault::Cut { from, to } => self.net().cut(from, to),
            Fault::Part { node } => others(node).for_each(|other| {
                self.net().cut(node, other);
                self.net().cut(other, node);
            }),
            Fault::Clock { node, ahead } => {
                let library = self.clock.clone().unwrap();
                let library = library.to_str().unwrap();
                self.quartet.kill_at(node);
                // Only what tells the date is off: timers run as on a real machine.
                let off = [("LD_PRELOAD", library), ("FAKETIME", ahead), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
                self.launch(node, &off, &[]);
            }
            Fault::FullDisk => self.disk().shrink(),
            Fault::OldCopy { node } => {
                self.quartet.kill_at(node);
                let copied = Command::new("cp").arg("-a").args([self.quartet.home(node), self.old(node)]).status();
                assert!(copied.unwrap().success());
                self.launch(node, &[], &[]);
            }
            Fault::LostFolder { node } => {
                self.quartet.kill_at(node);
                fs::remove_dir_all(self.quartet.home(node)).unwrap();
            }
        }
    }

    fn end(&mut self, fault: &Fault) {
        match *fault {
            Fault::Kill { node, vouched } => self.launch(node, &[], if vouched { &["--recovered"] } else { &[] }),
            Fault::Stop { node } => self.quartet.signal(node, Signal::CONT),
            Fault::Cut { from, to } => self.net().mend(from, to),
            Fault::Part { node } => others(node).for_each(|other| {
                self.net().mend(node, other);
                self.net().mend(other, node);
            }),
            Fault::Clock { node, .. } => {
                self.quartet.kill_at(node);
                self.launch(node, &[], &[]);
            }
            Fault::FullDisk => assert!(self.disk().resize(DISK)),
            Fault::OldCopy { node } => {
                self.quartet.kill_at(node);
                fs::remove_dir_all(self.quartet.home(node)).unwrap();
                fs::rename(self.old(node), self.quartet.home(node)).unwrap();
                self.launch(node, &[], &[]);
            }
            Fault::LostFolder { node } => {
                let (file, home) = (self.backup(node), self.quartet.home(node));
                succeed(&["restore", file.to_str().unwrap(), "--dir", home.to_str().unwrap()]);
                self.launch(node, &[], &[]);
            }
        }
    }

    fn launch(&mut self, node: usize, environment: &[(&str, &str)], words: &[&str]) {
        let always = self.environment.iter().map(|(name, value)| (*name, value.as_str()));
        let environment: Vec<(&str, &str)> = always.chain(environment.iter().copied()).collect();
        self.quartet.launch(node, &environment, words);
    }

    fn net(&self) -> &Net {
        self.net.as_ref().expect("no links are cut where there is no network of our own")
    }

    fn disk(&self) -> &Tmpfs {
        self.disk.as_ref().expect("no disk is filled where none could be mounted")
    }

    fn backup(&self, node: usize) -> PathBuf {
        self.dir.path().join("backups").join(name(node)).with_extension("tar")
    }

    fn old(&self, node: usize) -> PathBuf {
        self.dir.path().join("old").with_extension(name(node))
    }
}

fn others(node: usize) -> impl Iterator<Item = usize> {
    (0..4).filter(move |other| *other != node)
}
