//! What an explanation says: the shape that programs get as JSON.

use serde::Serialize;
use serde_json::{Value, json};

use crate::cause::{Cause, Certainty};

/// Everything about two files or folders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Artifacts that differ.
    pub artifacts: Vec<Artifact>,
    /// How many are the same, byte for byte.
    pub same: usize,
    /// Names that only the first folder has.
    pub only_first: Vec<String>,
    /// Names that only the second folder has.
    pub only_second: Vec<String>,
    /// What was not looked at, and why.
    pub skipped: Vec<String>,
}

/// One artifact that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Artifact {
    /// Its path within the folders, or the first file's name.
    pub name: String,
    /// `ELF`, `archive`, `Rust metadata` or `bytes`.
    pub kind: &'static str,
    /// Sizes in bytes, of the first and of the second.
    pub size: [u64; 2],
    /// What it differs in, the likeliest origin first.
    pub differences: Vec<Difference>,
    /// How many more differences there are.
    pub more: usize,
    /// Parts that differ only because something else does: hashes over it, addresses behind it.
    pub consequences: Vec<String>,
    /// Whether a limit ended the search before all of it was seen.
    pub cut_short: bool,
}

/// One difference. All text in it is printable ASCII; everything else is spelled out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The archive's member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The section, or `bytes`, `metadata`, `order of members` and the like.
    pub section: String,
    /// Where in the section, in the first and in the second.
    pub offset: [u64; 2],
    /// The function that has or uses what differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// File and line of it, where there is debug information.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// What stands in the first.
    pub first: String,
    /// What stands in the second.
    pub second: String,
    /// The likely cause.
    pub cause: Cause,
    /// How sure that is.
    pub certainty: Certainty,
    /// The reason to think so.
    pub why: String,
    /// The crate that it comes from, with its version where that is known.
    #[serde(rename = "crate", skip_serializing_if = "Option::is_none")]
    pub guilty: Option<String>,
    /// What that crate's author can do.
    pub suggestion: &'static str,
}

impl Explanation {
    /// Whether there is nothing to explain.
    pub fn is_same(&self) -> bool {
        self.artifacts.is_empty()
            && self.only_first.is_empty()
            && self.only_second.is_empty()
            && self.skipped.is_empty()
    }

    /// For programs: all of it, whether the bytes are the same, and the causes summed up.
    pub fn to_json(&self) -> Value {
        let causes = self.causes().into_iter().map(|(cause, certainty, guilty)| {
            json!({ "cause": cause.as_str(), "certainty": certainty.as_str(), "crate": guilty })
        });
        let causes: Vec<Value> = causes.collect();
        let mut told = serde_json::to_value(self).unwrap_or_default();
        told["same_bytes"] = self.is_same().into();
        told["causes"] = causes.into();
        told
    }

    /// The causes found, each once, with the crate that is guilty of it: the surest first.
    pub fn causes(&self) -> Vec<(Cause, Certainty, Option<&str>)> {
        let mut causes: Vec<(Cause, Certainty, Option<&str>)> = Vec::new();
        for difference in self.artifacts.iter().flat_map(|artifact| &artifact.differences) {
            let guilty = difference.guilty.as_deref();
            match causes.iter_mut().find(|(cause, _, who)| (*cause, *who) == (difference.cause, guilty)) {
                Some((_, certainty, _)) => *certainty = (*certainty).max(difference.certainty),
                None => causes.push((difference.cause, difference.certainty, guilty)),
            }
        }
        causes.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        causes
    }
}
