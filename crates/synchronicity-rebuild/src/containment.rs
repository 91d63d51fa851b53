//! The walls around a build that not every machine can give, by name: what a group may ask of its builders.
//!
//! Both sandboxes always give the rest: no network, no rights, no file of the host's users, limits on everything.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wall {
    /// The kernel itself keeps the limits on memory and processes. Without it they are sampled, and a burst passes.
    Cgroups,
    /// A kernel of its own, gVisor's, stands between the build and the host's.
    Gvisor,
    /// The build says to the kernel itself that it writes nowhere but where it may: a second wall behind the mounts.
    Landlock,
    /// System calls that no build needs are refused.
    Seccomp,
    /// Keys of whoever started the node are out of reach.
    SessionKeyring,
}

/// A set of walls.
pub type Walls = BTreeSet<Wall>;

/// A word that names no wall.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no wall of a sandbox is named {0:?}: this program knows {known}", known = list(&Wall::ALL.into()))]
pub struct UnknownWall(String);

impl Wall {
    /// Every wall, by name.
    pub const ALL: [Self; 5] = [Self::Cgroups, Self::Gvisor, Self::Landlock, Self::Seccomp, Self::SessionKeyring];

    /// Its name in group files and in what `doctor` prints.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cgroups => "cgroups",
            Self::Gvisor => "gvisor",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
            Self::SessionKeyring => "session-keyring",
        }
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Wall {
    type Err = UnknownWall;

    fn from_str(text: &str) -> Result<Self, UnknownWall> {
        Self::ALL.into_iter().find(|wall| wall.name() == text).ok_or_else(|| UnknownWall(text.into()))
    }
}

/// The names, separated by commas.
pub(crate) fn list(walls: &Walls) -> String {
    walls.iter().map(|wall| wall.name()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walls_are_found_by_their_names_and_a_strange_word_is_answered_with_all_of_them() {
        for wall in Wall::ALL {
            assert_eq!(wall.name().parse(), Ok(wall));
        }
        let error = "apparmor".parse::<Wall>().unwrap_err().to_string();
        assert_eq!(
            error,
            "no wall of a sandbox is named \"apparmor\": this program knows cgroups, gvisor, landlock, seccomp, session-keyring"
        );
    }
}
