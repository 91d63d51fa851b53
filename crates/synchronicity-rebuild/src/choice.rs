//! Which sandbox a person wants.

use std::str::FromStr;

/// Which sandbox to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SandboxChoice {
    /// Docker where its daemon answers and the image is there or can be built, else the embedded one.
    #[default]
    Auto,
    /// Docker or nothing.
    Docker,
    /// Docker with gVisor as its runtime, or nothing.
    Gvisor,
    /// Namespaces, without any daemon.
    Embedded,
}

/// A word that names no sandbox.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no sandbox is named {0:?}: use auto, docker, gvisor or embedded")]
pub struct UnknownSandbox(String);

impl FromStr for SandboxChoice {
    type Err = UnknownSandbox;

    fn from_str(text: &str) -> Result<Self, UnknownSandbox> {
        match text {
            "auto" => Ok(Self::Auto),
            "docker" => Ok(Self::Docker),
            "gvisor" => Ok(Self::Gvisor),
            "embedded" => Ok(Self::Embedded),
            other => Err(UnknownSandbox(other.into())),
        }
    }
}
