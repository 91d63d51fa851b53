//! Breaking the protocol on purpose, for demonstrations: what a group makes of a liar and of a member that goes
//! silent. Everything else about such a node is honest.

use synchronicity_core::duties::Duty;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::BuilderId;
use synchronicity_verify::result::{Artifact, Artifacts, BuildResult, Failure};

pub use crate::cli::Misbehaviour;

/// The result that a liar reports: the true one with other hashes, or another failure. Two liars report different
/// ones, because each mixes its identity in.
pub fn lie(result: BuildResult, me: &BuilderId) -> BuildResult {
    match result {
        BuildResult::Failed(Failure::Compile) => BuildResult::Failed(Failure::Memory),
        BuildResult::Failed(_) => BuildResult::Failed(Failure::Compile),
        BuildResult::Built(artifacts) => {
            let forge = |artifact: &Artifact| Artifact {
                sha256: Digest::tagged("synchronicity/demonstration/lie", &[&me.0, artifact.sha256.as_ref()]),
                ..artifact.clone()
            };
            let forged = artifacts.iter().map(forge).collect();
            BuildResult::Built(Artifacts::new(forged).expect("names and number are those of valid artifacts"))
        }
    }
}

/// Whether a node that misbehaves like this does a duty at all.
pub fn does(misbehaviour: Option<Misbehaviour>, duty: &Duty) -> bool {
    !(misbehaviour == Some(Misbehaviour::Silent) && matches!(duty, Duty::Reveal { .. }))
}

/// What the status says of it.
pub fn describe(misbehaviour: Misbehaviour) -> &'static str {
    match misbehaviour {
        Misbehaviour::Liar => "reports false hashes, for a demonstration",
        Misbehaviour::Silent => "commits and never reveals, for a demonstration",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built() -> BuildResult {
        let artifact = Artifact { name: "hexyl".to_owned().try_into().unwrap(), size: 3, sha256: Digest([1; 32]) };
        BuildResult::Built(Artifacts::new(vec![artifact]).unwrap())
    }

    #[test]
    fn a_lie_differs_from_the_truth_and_from_every_other_lie() {
        let (first, second) = (BuilderId([1; 32]), BuilderId([2; 32]));
        assert_ne!(lie(built(), &first), built());
        assert_ne!(lie(built(), &first), lie(built(), &second));
        assert_eq!(lie(built(), &first), lie(built(), &first));
    }

    #[test]
    fn a_liar_lies_about_failures_too() {
        for failure in [Failure::Compile, Failure::Network, Failure::Time] {
            let truth = BuildResult::Failed(failure);
            assert_ne!(lie(truth.clone(), &BuilderId([1; 32])), truth);
        }
    }
}
