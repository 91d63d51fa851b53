//! The policies under which a monitor takes checkpoints: the one that it was given, and those to which the group's own changes of
//! members lead from there.
//!
//! Members of an epoch that has ended count for the log up to its end and no further: a node may lag, and whoever has left the group
//! may not go on.

use synchronicity_verify::note::SignedNote;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::succession::{Succeeded, Succession, SuccessionError, succeed};

use super::seen::Seen;

/// The oldest first; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trusted(Vec<Reign>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Reign {
    policy: Policy,
    /// Of its members; none for the policy that the operator named.
    epoch: Option<u64>,
    /// Entries of the longest log for which its members speak.
    until: u64,
}

impl Trusted {
    /// The policy that the operator named, and nobody after it.
    pub(super) fn new(policy: Policy) -> Self {
        Self(vec![Reign { policy, epoch: None, until: u64::MAX }])
    }

    /// With the changes of members in a succession file that lead on from the policy that the operator named: from there every
    /// time, so that the last such file is all that has to be kept.
    ///
    /// # Errors
    /// [`SuccessionError`], also where nothing in the file begins at that policy.
    pub(super) fn followed(&self, succession: &[u8]) -> Result<Self, SuccessionError> {
        let mut led = Self::new(self.0[0].policy.clone());
        let succession = Succession::parse(succession)?;
        let mut refused = None;
        for proof in succession.steps {
            let until = proof.index.saturating_add(1);
            let single = Succession { steps: vec![proof] }.to_string();
            match succeed(led.newest(), single.as_bytes()) {
                Ok(next) => led.take(next, until),
                Err(error @ (SuccessionError::NoBeginning(_) | SuccessionError::Outsider(_))) if led.changes() == 0 => {
                    refused = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        match refused.filter(|_| led.changes() == 0) {
            Some(error) => Err(error),
            None => Ok(led),
        }
    }

    fn take(&mut self, next: Succeeded, until: u64) {
        let epoch = next.changes.last().map(|change| change.next.epoch);
        let newest = self.0.last_mut().expect("it is never empty");
        // Whoever has taken over signs the end of the epoch before, too; and not every change is one of those who sign.
        if next.policy == newest.policy {
            newest.epoch = newest.epoch.max(epoch);
        } else {
            newest.until = until;
            self.0.push(Reign { policy: next.policy, epoch, until: u64::MAX });
        }
    }

    /// The policy of the present members.
    pub(super) fn newest(&self) -> &Policy {
        &self.0.last().expect("it is never empty").policy
    }

    /// Whether the newest policy is known to be that of an epoch.
    pub(super) fn is_of(&self, epoch: u64) -> bool {
        self.0.last().and_then(|reign| reign.epoch) == Some(epoch)
    }

    /// How many changes of members led there.
    pub(super) fn changes(&self) -> usize {
        self.0.len() - 1
    }

    /// What `read` gives under the newest policy that it accepts, for a log of the size that it says.
    ///
    /// # Errors
    /// What it said of the newest policy.
    pub(super) fn under<T, E>(
        &self,
        size: impl Fn(&T) -> u64,
        mut read: impl FnMut(&Policy) -> Result<T, E>,
    ) -> Result<T, E> {
        let newest = match read(self.newest()) {
            Err(error) => error,
            good => return good,
        };
        let mut earlier = self.0.iter().rev().skip(1);
        let good = earlier.find_map(|reign| read(&reign.policy).ok().filter(|good| size(good) <= reign.until));
        good.ok_or(newest)
    }

    /// A checkpoint that is signed by enough of those who may.
    ///
    /// # Errors
    /// Why it is not.
    pub(super) fn checkpoint(&self, note: &[u8]) -> Result<Seen, String> {
        let note = SignedNote::parse(note).map_err(|error| error.to_string())?;
        self.under(Seen::size, |policy| Seen::of(note.clone(), policy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four members, five, and four others, as the verifier's vectors have them: the policy of the first, and what leads on.
    fn sample() -> (Policy, Vec<u8>) {
        let vector = include_bytes!("../../../synchronicity-verify/vectors/succession_good");
        let end = vector.windows(2).position(|pair| pair == b"\n\n").unwrap();
        let head = std::str::from_utf8(&vector[..end]).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("policy-bytes: ")).unwrap().parse().unwrap();
        let (policy, succession) = vector[end + 2..].split_at(length);
        (Policy::parse(policy).unwrap(), succession.to_vec())
    }

    #[test]
    fn a_group_is_followed_through_all_its_changes_from_the_policy_that_was_named() {
        let (first, succession) = sample();
        let named = Trusted::new(first.clone());
        let led = named.followed(&succession).unwrap();
        assert_eq!((led.changes(), named.changes()), (2, 0));
        assert_eq!(*led.newest(), succeed(&first, &succession).unwrap().policy);
        // Once more it leads to the same, and from there no further.
        assert_eq!(led.followed(&succession), Ok(led.clone()));
        assert!(Trusted::new(led.newest().clone()).followed(&succession).is_err());
        let parsed = Succession::parse(&succession).unwrap();
        let only = |step: usize| Succession { steps: vec![parsed.steps[step].clone()] }.to_string();
        assert_eq!(named.followed(only(0).as_bytes()).unwrap().changes(), 1);
        let hidden = named.followed(only(1).as_bytes());
        assert!(matches!(hidden, Err(SuccessionError::NoBeginning(_))), "{hidden:?}");
        assert!(named.followed(b"no succession").is_err());
    }

    #[test]
    fn members_of_an_epoch_that_has_ended_speak_for_the_log_up_to_its_end() {
        let (first, succession) = sample();
        let led = Trusted::new(first.clone()).followed(&succession).unwrap();
        let signed_by_the_first = |size: u64| {
            led.under(
                |size| *size,
                |policy| if *policy == first { Ok(size) } else { Err("not signed by these members") },
            )
        };
        let end = Succession::parse(&succession).unwrap().steps[0].index + 1;
        assert_eq!(signed_by_the_first(end), Ok(end));
        assert_eq!(signed_by_the_first(end + 1), Err("not signed by these members"));
        let newest = led.newest().clone();
        assert_eq!(
            led.under(|size| *size, |policy| if *policy == newest { Ok(u64::MAX) } else { Err(()) }),
            Ok(u64::MAX)
        );
    }
}
