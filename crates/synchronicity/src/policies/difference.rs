//! What changes when one policy of a group takes the place of another, and whether it asks for less.

use std::collections::BTreeMap;
use std::fmt;

use synchronicity_verify::note::VerifierKey;
use synchronicity_verify::policy::Policy;

use super::{Name, Single};
use crate::out;
use crate::printable::printable;

/// What changes, a line for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) lines: Vec<String>,
    /// Whether fewer builders could have something accepted, or another log than before.
    pub(crate) weaker: bool,
}

/// What changes from `old` to `new`. Nothing does if the two decide alike.
pub(crate) fn difference(old: &Single, new: &Single) -> Difference {
    let mut difference = Difference::default();
    let (was, is) = (&old.policy, &new.policy);
    difference.change("log", was.log().to_string(), is.log().to_string(), true);
    let (had, has) = (builders(was), builders(is));
    for (key, name) in had.iter().filter(|(key, _)| !has.contains_key(*key)) {
        difference.lines.push(format!("no longer a builder: {} ({})", printable(name), printable(key)));
    }
    for (key, name) in has.iter().filter(|(key, _)| !had.contains_key(*key)) {
        difference.lines.push(format!("new builder: {} ({})", printable(name), printable(key)));
    }
    let quorum = |policy: &Policy| format!("{} of {} builders", policy.signers_min(), builders(policy).len());
    let fewer = is.signers_min() < was.signers_min() || has.len() < had.len();
    difference.change("signers needed", quorum(was), quorum(is), fewer);
    difference.change("which of them", was.quorum_in_words(), is.quorum_in_words(), false);
    if let (Some(was), Some(is)) = (&old.group, &new.group) {
        let threshold = |group: &synchronicity_core::group::Group| {
            format!("{} of {} members must get the same bytes", group.threshold(), group.members().len())
        };
        let lower = is.threshold() < was.threshold() || is.members().len() < was.members().len();
        difference.change("threshold", threshold(was), threshold(is), lower);
        difference.change("group", was.id().to_string(), is.id().to_string(), false);
    }
    // How groups are nested, and who is in which: seen by the hash alone.
    difference.change("hash of the policy", was.sha256().to_string(), is.sha256().to_string(), false);
    difference
}

impl Difference {
    /// Where only errors are said, says that less is asked for than before: nobody is to learn of that by chance.
    pub(crate) fn break_the_silence(&self, name: &Name) {
        if self.weaker && out::is_quiet() {
            errln!("{name}: it asks for less than what was trusted");
        }
    }

    fn change(&mut self, what: &str, was: String, is: String, weaker: bool) {
        if was != is {
            self.lines.push(format!("{what}: {} -> {}", printable(&was), printable(&is)));
            self.weaker |= weaker;
        }
    }
}

/// The witnesses that count, by key, with their names.
fn builders(policy: &Policy) -> BTreeMap<String, &str> {
    let counting = policy.witnesses().iter().enumerate().filter(|(at, _)| policy.counts(*at));
    counting.map(|(_, witness)| (VerifierKey::to_string(&witness.key), witness.name.as_str())).collect()
}

/// A line for each, indented.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| write!(f, "\n  {line}"))?;
        if self.weaker { write!(f, "\n  it would ask for less than what is trusted") } else { Ok(()) }
    }
}
