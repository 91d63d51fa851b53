//! What the group agreed to do otherwise for single crates: limits, features, products and packages of the system, each
//! with the reason that its members were given.
//!
//! An override stands in the group file and is part of the group's id. For a crate that it speaks of, a request that says
//! otherwise is not admitted: whoever submits chooses nothing that the group has decided.

use core::fmt;

use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};
use synchronicity_verify::request::{BuildRequest, Features, Limits, Products, Source};

/// Most overrides of a group.
pub const OVERRIDES_MAX: usize = 64;
/// Most packages that one override names, and the longest name of one, in bytes.
pub const PACKAGES_MAX: usize = 32;
/// See [`PACKAGES_MAX`].
pub const PACKAGE_NAME_BYTES_MAX: usize = 64;
/// Longest reason, in bytes: one sentence.
pub const REASON_BYTES_MAX: usize = 256;
/// Longest requirement of a version, in bytes.
pub const REQUIREMENT_BYTES_MAX: usize = 128;

const MIB: u64 = 1 << 20;

/// One agreement about one crate. What it does not speak of is as for every other crate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Override {
    /// The crate's name. Capitals count as small letters, and `-` as `_`.
    #[serde(rename = "crate")]
    pub package: String,
    /// Which versions, as a dependency in a manifest says it: `>=1.2, <2`. All, if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Why, for whoever reads it later.
    pub reason: String,
    /// What is built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub products: Option<ProductChoice>,
    /// Packages of the system that must be there where the crate is built, by their names in Debian.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// What a build may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitChoice>,
    /// Features of the crate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<FeatureChoice>,
}

/// Limits, each as in a request; those that are left away are as for every other crate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LimitChoice {
    /// Memory, in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
    /// Time, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_seconds: Option<u64>,
    /// Disk, in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_mib: Option<u64>,
    /// Processes at one time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// Transcript, in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript_mib: Option<u64>,
    /// Parallel jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<u16>,
}

/// Features, all of them decided: what is left away is `default = true`, `all = false` and no name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FeatureChoice {
    /// Whether the default features are on.
    #[serde(default = "yes")]
    pub default: bool,
    /// Whether all features are on.
    #[serde(default)]
    pub all: bool,
    /// Features by name, sorted, each once.
    #[serde(default)]
    pub named: Vec<String>,
}

/// What is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProductChoice {
    /// [`Products::Binaries`]
    Binaries,
    /// [`Products::Library`]
    Library,
    /// [`Products::Installed`]
    Installed,
}

fn yes() -> bool {
    true
}

impl Override {
    /// Whether it speaks of this source.
    pub fn covers(&self, source: &Source) -> bool {
        let same = |a: u8, b: u8| {
            let plain = |byte: u8| if byte == b'-' { b'_' } else { byte.to_ascii_lowercase() };
            plain(a) == plain(b)
        };
        let name = source.name().as_str();
        let named = name.len() == self.package.len() && name.bytes().zip(self.package.bytes()).all(|(a, b)| same(a, b));
        let wanted = |text: &String| {
            let (wanted, version) = (VersionReq::parse(text), Version::parse(source.version().as_str()));
            wanted.is_ok_and(|wanted| version.is_ok_and(|version| wanted.matches(&version)))
        };
        named && self.version.as_ref().is_none_or(wanted)
    }

    /// Replaces what it decides.
    pub fn decide(&self, features: &mut Features, products: &mut Option<Products>, limits: &mut Limits) {
        if let Some(agreed) = &self.features {
            *features = agreed.features();
        }
        if let Some(agreed) = self.products {
            *products = Some(agreed.products());
        }
        if let Some(agreed) = &self.limits {
            agreed.decide(limits);
        }
    }

    /// In what a request for its crate differs from it, if in anything: `features`, `products` or `limits`.
    pub fn differs(&self, request: &BuildRequest) -> Option<&'static str> {
        let (mut features, mut products, mut limits) =
            (request.features.clone(), Some(request.products), request.limits);
        self.decide(&mut features, &mut products, &mut limits);
        [
            ("features", features != request.features),
            ("products", products != Some(request.products)),
            ("limits", limits != request.limits),
        ]
        .into_iter()
        .find_map(|(what, differs)| differs.then_some(what))
    }

    /// What is wrong with it, in words that go on after its crate's name.
    pub(super) fn flaw(&self) -> Option<&'static str> {
        let line = |text: &str, most: usize| (1..=most).contains(&text.len()) && !text.chars().any(char::is_control);
        let requirement = |text: &String| line(text, REQUIREMENT_BYTES_MAX) && VersionReq::parse(text).is_ok();
        if synchronicity_verify::request::CrateName::try_from(self.package.clone()).is_err() {
            return Some("is no name of a crate");
        }
        if !self.version.as_ref().is_none_or(requirement) {
            return Some("has a version that is no requirement: write it as in a manifest, `>=1.2, <2`");
        }
        if !line(&self.reason, REASON_BYTES_MAX) {
            return Some("needs a reason: one line of at most 256 bytes");
        }
        if self.products.is_none() && self.packages.is_empty() && self.limits.is_none() && self.features.is_none() {
            return Some("decides nothing: give limits, features, products or packages");
        }
        if !self.features.as_ref().is_none_or(|features| features.features().is_well_formed()) {
            return Some("has features that no request can have: names sorted, each once");
        }
        if !self.limits.as_ref().is_none_or(LimitChoice::is_possible) {
            return Some("has limits that no request can have: none zero, or more than a request may ask for");
        }
        let packages = self.packages.is_sorted_by(|a, b| a < b) && self.packages.iter().all(|name| is_package(name));
        if self.packages.len() > PACKAGES_MAX || !packages {
            return Some("names packages badly: at most 32, sorted, each once, as Debian spells them");
        }
        None
    }
}

/// Debian's rule, within a length: safe as one argument of a command.
fn is_package(name: &str) -> bool {
    (2..=PACKAGE_NAME_BYTES_MAX).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte))
}

impl LimitChoice {
    fn decide(&self, limits: &mut Limits) {
        let mib = |number: u64| number.saturating_mul(MIB);
        let Limits { memory_bytes, time_seconds, disk_bytes, processes, transcript_bytes, jobs } = *limits;
        *limits = Limits {
            memory_bytes: self.memory_mib.map_or(memory_bytes, mib),
            time_seconds: self.time_seconds.unwrap_or(time_seconds),
            disk_bytes: self.disk_mib.map_or(disk_bytes, mib),
            processes: self.processes.unwrap_or(processes),
            transcript_bytes: self.transcript_mib.map_or(transcript_bytes, mib),
            jobs: self.jobs.unwrap_or(jobs),
        };
    }

    fn is_possible(&self) -> bool {
        let mut limits = Limits::MAX;
        self.decide(&mut limits);
        *self != Self::default() && limits.are_possible()
    }
}

impl FeatureChoice {
    fn features(&self) -> Features {
        Features { default: self.default, all: self.all, named: self.named.clone() }
    }
}

impl ProductChoice {
    pub(super) fn name(self) -> &'static str {
        self.products().name()
    }

    fn products(self) -> Products {
        match self {
            Self::Binaries => Products::Binaries,
            Self::Library => Products::Library,
            Self::Installed => Products::Installed,
        }
    }
}

/// All that it decides, in one line.
impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(FeatureChoice { default, all, named }) = &self.features {
            let mut on = Vec::new();
            on.extend(all.then_some("all"));
            on.push(if *default { "default" } else { "no default" });
            on.extend(named.iter().map(String::as_str));
            parts.push(format!("features {}", on.join(" ")));
        }
        parts.extend(self.products.map(|products| format!("products {}", products.name())));
        if let Some(limits) = &self.limits {
            let LimitChoice { memory_mib, time_seconds, disk_mib, processes, transcript_mib, jobs } = *limits;
            let numbers = [
                (memory_mib, " MiB of memory"),
                (time_seconds, " s"),
                (disk_mib, " MiB of disk"),
                (processes.map(u64::from), " processes"),
                (transcript_mib, " MiB of transcript"),
                (jobs.map(u64::from), " jobs"),
            ];
            parts.extend(numbers.iter().filter_map(|(number, unit)| Some(format!("{}{unit}", (*number)?))));
        }
        if !self.packages.is_empty() {
            parts.push(format!("packages {}", self.packages.join(" ")));
        }
        f.write_str(&parts.join(", "))
    }
}
