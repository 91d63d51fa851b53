//! What a run goes through before the calm, and how it is written down and read back.

use core::fmt;
use core::str::FromStr;

use super::weather::Weather;
use crate::event::NotAnEvent;
use crate::trace::{TraceError, head};

/// One step of a run. Performing the same steps with the same seed gives the same history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The weather changes, and time passes.
    Change {
        /// To what.
        weather: Weather,
        /// Simulated milliseconds until the next step.
        wait_ms: u64,
    },
    /// One more member is gone than the group bears, for a while.
    Starve,
    /// Everything stops at once, and disks keep only what was synced.
    PowerCut,
}

/// A step that is to come: told beforehand, or a change that is left to chance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cue {
    Chance,
    Told(Step),
}

/// A run over the engine as its trace tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The seed that the group comes from.
    pub seed: u64,
    /// Members of the group.
    pub members: usize,
    /// The steps before the calm; what comes after it follows from them.
    pub steps: Vec<Step>,
}

/// Changes by chance, and among them a while without a quorum and, if it is to be, a power cut.
pub(super) fn plan(changes: usize, power_is_cut: bool) -> Vec<Cue> {
    let chance = |number: usize| vec![Cue::Chance; number];
    let cut = if power_is_cut { vec![Cue::Told(Step::PowerCut)] } else { Vec::new() };
    let (first, second) = (changes / 3, 2 * changes / 3);
    [chance(first), vec![Cue::Told(Step::Starve)], chance(second - first), cut, chance(changes - second)].concat()
}

/// How the first line of a trace begins that is one of the engine.
const ENGINE: &str = "engine ";

/// The first line of a trace.
pub(super) fn title(group: &str) -> String {
    format!("{ENGINE}{group}")
}

impl Script {
    /// Whether a trace is one of the engine.
    pub fn is_one(text: &str) -> bool {
        text.starts_with(ENGINE)
    }

    /// Reads the lines that a run wrote. Those that are no steps follow from the steps.
    ///
    /// # Errors
    /// Any [`TraceError`].
    pub fn parse(text: &str) -> Result<Script, TraceError> {
        let mut lines = text.lines().enumerate();
        let first = lines.next().map_or("", |(_, line)| line);
        let told = first.strip_prefix(ENGINE).and_then(head);
        let (seed, members) = told.ok_or_else(|| TraceError::Head(first.to_owned()))?;
        let mut steps = Vec::new();
        for (index, line) in lines {
            let words =
                line.split_once(' ').and_then(|(_, rest)| rest.split_once(" | ")).map_or(line, |(words, _)| words);
            let Some(step) = words.strip_prefix(Step::MARK) else { continue };
            let wrong = |error| TraceError::Line(index + 1, error);
            let step: Step = step.parse().map_err(wrong)?;
            if let Step::Change { weather, .. } = &step
                && weather.members().any(|member| member >= members)
            {
                return Err(wrong(NotAnEvent(words.to_owned())));
            }
            steps.push(step);
        }
        Ok(Script { seed, members, steps })
    }
}

impl Step {
    /// What stands before a step in a trace, and before nothing else.
    pub(super) const MARK: &str = "* ";
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Change { weather, wait_ms } => write!(f, "{weather}, then {wait_ms} ms"),
            Step::Starve => f.write_str("starve"),
            Step::PowerCut => f.write_str("power cut"),
        }
    }
}

/// The words that [`Display`](fmt::Display) writes.
impl FromStr for Step {
    type Err = NotAnEvent;

    fn from_str(text: &str) -> Result<Step, NotAnEvent> {
        match text {
            "starve" => return Ok(Step::Starve),
            "power cut" => return Ok(Step::PowerCut),
            _ => {}
        }
        let parts = text.rsplit_once(", then ").and_then(|(weather, wait)| Some((weather, wait.strip_suffix(" ms")?)));
        let (weather, wait) = parts.ok_or_else(|| NotAnEvent(text.to_owned()))?;
        let wait_ms = wait.parse().map_err(|_| NotAnEvent(text.to_owned()))?;
        Ok(Step::Change { weather: weather.parse()?, wait_ms })
    }
}
