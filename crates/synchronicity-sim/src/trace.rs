//! Traces as text: what a run writes down, and what it takes to run it again.

use core::fmt;

use crate::event::{Event, NotAnEvent};

/// A run as its trace tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The seed that the group and its members' choices come from.
    pub seed: u64,
    /// Members of the group.
    pub members: usize,
    /// The events before the calm; what comes after it follows from them.
    pub script: Vec<Event>,
}

/// Why a text is no trace that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceError {
    /// The first line does not say which group it is about.
    Head(String),
    /// A line is not about an event.
    Line(usize, NotAnEvent),
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TraceError::Head(line) => {
                write!(f, "{line:?} does not begin a trace: give a file that was written for one seed")
            }
            TraceError::Line(number, error) => write!(f, "line {number}: {error}"),
        }
    }
}

impl Trace {
    /// Reads the lines that a run wrote, up to the calm.
    ///
    /// # Errors
    /// Any [`TraceError`].
    pub fn parse(text: &str) -> Result<Trace, TraceError> {
        let mut lines = text.lines().enumerate();
        let first = lines.next().map_or("", |(_, line)| line);
        let (seed, members) = head(first).ok_or_else(|| TraceError::Head(first.to_owned()))?;
        let mut script = Vec::new();
        for (index, line) in lines {
            // A number, the event, and behind the bar how far the group was.
            let event = line.split_once(' ').and_then(|(_, rest)| rest.split_once(" | "));
            let words = event.map_or(line, |(words, _)| words);
            match words.parse().map_err(|error| TraceError::Line(index + 1, error))? {
                Event::Calm => break,
                event if event.member().is_some_and(|member| member >= members) => {
                    return Err(TraceError::Line(index + 1, NotAnEvent(words.to_owned())));
                }
                event => script.push(event),
            }
        }
        Ok(Trace { seed, members, script })
    }
}

/// The seed and the number of members that the first line of a trace tells.
pub(crate) fn head(line: &str) -> Option<(u64, usize)> {
    let (seed, rest) = line.strip_prefix("seed ")?.split_once(": ")?;
    let (members, _) = rest.split_once(" members")?;
    Some((seed.parse().ok()?, members.parse().ok()?))
}
