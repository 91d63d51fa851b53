//! `--crash`: nodes killed with SIGKILL in the middle, and started again.
//!
//! Victims die together, at the first look that finds all of them at the chosen phase, and stay down for a while. If
//! so many die that no quorum is left, the group must stand still meanwhile and go on as soon as enough are back.

use std::time::{Duration, Instant};

use super::args::CrashAt;
use super::children::{ChildError, Children};
use super::event::{Event, Phase};
use super::view::View;
use super::watch::Seen;

/// Longer than the heartbeat of an idle group: a group that still orders blocks shows it within this time.
const DOWN: Duration = Duration::from_secs(6);
/// Blocks that were already agreed on when the victims died may still arrive this long after.
const SETTLE: Duration = Duration::from_millis(1500);

/// The plan of one crash and how far it has come.
pub(super) struct Crash {
    victims: Vec<usize>,
    at: CrashAt,
    quorum: usize,
    stage: Stage,
}

enum Stage {
    Ahead,
    Down {
        since: Instant,
        height: Option<u64>,
    },
    /// Victims still to be started, and the height at which the group stood still.
    Returning {
        height: u64,
        halted: bool,
    },
    Over,
}

impl Crash {
    /// The last `count` nodes will die at phase `at`. `quorum` is how many nodes it takes to order a block.
    pub(super) fn plan(count: u16, at: CrashAt, nodes: usize, quorum: usize) -> Self {
        let victims: Vec<usize> = (nodes - usize::from(count).min(nodes)..nodes).collect();
        let stage = if victims.is_empty() { Stage::Over } else { Stage::Ahead };
        Self { victims, at, quorum, stage }
    }

    /// Whether nothing is left to do.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Takes the next step, if it is time. `request` is the one whose phases decide.
    pub(super) fn advance(
        &mut self,
        request: &str,
        seen: &Seen,
        children: &mut Children,
        view: &mut View,
    ) -> Result<(), ChildError> {
        match self.stage {
            Stage::Ahead if self.is_due(request, seen, children) => self.strike(children, view),
            Stage::Down { since, height: None } if since.elapsed() >= SETTLE => {
                self.stage = Stage::Down { since, height: Some(seen.height()) };
                Ok(())
            }
            Stage::Down { since, height: Some(height) } if since.elapsed() >= DOWN => {
                self.judge(height, seen, children, view);
                self.restart_next(children, view)
            }
            Stage::Returning { height, halted } => self.see_return(height, halted, seen, children, view),
            Stage::Ahead | Stage::Down { .. } | Stage::Over => Ok(()),
        }
    }

    fn is_due(&self, request: &str, seen: &Seen, children: &Children) -> bool {
        self.victims.iter().all(|&victim| {
            let phase = seen.phase(victim, &children.nodes[victim].name, request);
            // A quick build can be past the phase at the first look; the crash then comes late rather than never.
            match self.at {
                CrashAt::Building => !matches!(phase, Phase::Down | Phase::Waiting | Phase::Fetching),
                CrashAt::Committed => matches!(phase, Phase::Committed | Phase::Revealed),
                CrashAt::Revealed => phase == Phase::Revealed,
            }
        })
    }

    fn strike(&mut self, children: &mut Children, view: &mut View) -> Result<(), ChildError> {
        for &victim in &self.victims {
            children.kill(victim)?;
            view.show(&Event::Killed { builder: children.nodes[victim].name.clone(), at: self.at });
        }
        self.stage = Stage::Down { since: Instant::now(), height: None };
        Ok(())
    }

    fn judge(&mut self, height: u64, seen: &Seen, children: &Children, view: &mut View) {
        let running = children.nodes.len() - self.victims.len();
        let halted = running < self.quorum;
        if halted && running > 0 {
            let stood_still = seen.height() == height;
            view.show(&Event::Halted { running, needed: self.quorum, height, stood_still });
        }
        self.stage = Stage::Returning { height, halted };
    }

    /// One victim at a time, so that a halted group is seen to go on with the first that makes a quorum.
    fn restart_next(&mut self, children: &mut Children, view: &mut View) -> Result<(), ChildError> {
        let Some(victim) = self.victims.pop() else { return Ok(()) };
        children.start(victim)?;
        if let Some(pid) = children.nodes[victim].pid() {
            view.show(&Event::Restarted { builder: children.nodes[victim].name.clone(), pid });
        }
        Ok(())
    }

    fn see_return(
        &mut self,
        height: u64,
        halted: bool,
        seen: &Seen,
        children: &mut Children,
        view: &mut View,
    ) -> Result<(), ChildError> {
        let running = children.nodes.len() - self.victims.len();
        if halted && running >= self.quorum {
            if seen.height() <= height {
                return Ok(());
            }
            view.show(&Event::WentOn { height: seen.height() });
            self.stage = Stage::Returning { height, halted: false };
        }
        if self.victims.is_empty() {
            self.stage = Stage::Over;
            return Ok(());
        }
        self.restart_next(children, view)
    }
}
