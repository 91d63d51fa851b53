//! What is kept of a policy, as a file: TOML, written by this program only.
//!
//! ```toml
//! from = "http://127.0.0.1:8080"     # where it came from, for people
//! added = 1795523184                 # when, in seconds since 1970-01-01 UTC
//! sha256 = "64 hex digits"           # hash of the policy: a file that was changed by hand is seen
//! policy = '''…'''                   # the policy file, as it came
//! group = '''…'''                    # the group file, if there was one
//! ```
//!
//! or, of several groups:
//!
//! ```toml
//! any = 2                            # how many of them must agree
//! of = ["alder", "birch", "cedar"]   # names of policies that are kept
//! ```

use serde::{Deserialize, Serialize};
use synchronicity_core::group::Group;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::policy::Policy;

use super::Name;

/// The most groups that are asked together.
pub(crate) const GROUPS_MAX: usize = 16;

/// What is kept under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The policy of one group.
    Single(Box<Single>),
    /// Several groups.
    Any(Any),
}

/// The policy of one group, and what was known when it was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Single {
    /// The policy file, as it came.
    pub(crate) text: String,
    pub(crate) policy: Policy,
    /// The group file, if there was one.
    pub(crate) group: Option<Group>,
    /// Where it came from.
    pub(crate) from: String,
    /// In seconds since 1970.
    pub(crate) added_s: u64,
}

/// Several groups, of which some must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Any {
    /// From 1 to the number of groups.
    pub(crate) needed: usize,
    /// 2 to [`GROUPS_MAX`], each once.
    pub(crate) of: Vec<Name>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Raw {
    Single(RawSingle),
    Any(RawAny),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSingle {
    from: String,
    added: u64,
    sha256: String,
    policy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAny {
    any: usize,
    of: Vec<String>,
}

impl Kept {
    /// Reads what [`Kept::to_text`] wrote.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match toml::from_str(text).map_err(|error| error.message().to_owned())? {
            Raw::Single(raw) => Single::read(raw).map(|single| Self::Single(Box::new(single))),
            Raw::Any(raw) => {
                let of = raw.of.iter().map(|name| name.parse()).collect::<Result<Vec<Name>, _>>();
                Any::new(raw.any, of.map_err(|error| error.to_string())?).map(Self::Any)
            }
        }
    }

    pub(crate) fn to_text(&self) -> String {
        let raw = match self {
            Self::Single(single) => Raw::Single(RawSingle {
                from: single.from.clone(),
                added: single.added_s,
                sha256: single.policy.sha256().to_string(),
                policy: single.text.clone(),
                group: single.group.as_ref().map(Group::to_text),
            }),
            Self::Any(any) => {
                Raw::Any(RawAny { any: any.needed, of: any.of.iter().map(ToString::to_string).collect() })
            }
        };
        let told = toml::to_string_pretty(&raw).expect("texts, numbers and a list of texts are always TOML");
        format!("# Written by `synchronicity trust`, which checks what is here: not to be changed by hand.\n{told}")
    }
}

impl Single {
    fn read(raw: RawSingle) -> Result<Self, String> {
        let policy = Policy::parse(raw.policy.as_bytes()).map_err(|error| error.to_string())?;
        if raw.sha256.parse::<Digest>() != Ok(policy.sha256()) {
            return Err("the policy is not the one that was accepted: its hash is another".into());
        }
        let group = raw.group.map(|text| Group::parse(&text)).transpose().map_err(|error| error.to_string())?;
        Ok(Self { text: raw.policy, policy, group, from: raw.from, added_s: raw.added })
    }

    /// Whether the two decide alike, as far as is known.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let groups = self.group.as_ref().zip(other.group.as_ref());
        self.policy.sha256() == other.policy.sha256() && groups.is_none_or(|(one, other)| one.id() == other.id())
    }
}

impl Any {
    /// Any `needed` of these.
    pub(crate) fn new(needed: usize, of: Vec<Name>) -> Result<Self, String> {
        if !(2..=GROUPS_MAX).contains(&of.len()) {
            return Err(format!("a combination has 2 to {GROUPS_MAX} groups, and {} were named", of.len()));
        }
        if needed == 0 || needed > of.len() {
            return Err(format!("of {} groups any 1 to {} can be needed, not {needed}", of.len(), of.len()));
        }
        let mut sorted = of.clone();
        sorted.sort();
        match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("{} is named twice: each group has one vote", pair[0])),
            None => Ok(Self { needed, of }),
        }
    }
}

/// Names a combination of groups as [`Policy::sha256`] names a policy: SHA-256 of `any K`, and the hashes of the
/// policies in rising order, each in hex on a line of its own.
pub(crate) fn sha256_of_any(needed: usize, policies: impl IntoIterator<Item = Digest>) -> Digest {
    let mut hashes: Vec<_> = policies.into_iter().collect();
    hashes.sort_unstable();
    let lines: String = hashes.iter().map(|hash| format!("{hash}\n")).collect();
    Digest::of(format!("any {needed}\n{lines}").as_bytes())
}
