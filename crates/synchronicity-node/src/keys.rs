//! The secret keys of a node: five files, one for each kind of statement, that only their owner can read.
//!
//! Each file is 64 lower-case hex digits and a newline: the 32-byte seed of an Ed25519 key (RFC 8032). The log key is
//! the same for every member, because all of them write the same log; the group's founder makes it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use miette::Diagnostic;
use synchronicity::attest::key::AttestationKey;
use synchronicity_core::command::CommandKey;
use synchronicity_core::group::{Group, Member};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{KeyError, KeyKind, Signer};
use thiserror::Error;

use crate::durable;

/// No secret is longer; more of a file is not read.
const SECRET_BYTES_MAX: u64 = 1024;

/// 32 secret bytes. Never printed.
#[derive(Clone)]
pub struct Seed([u8; 32]);

/// The keys that a member makes for itself.
#[derive(Debug)]
pub struct Keys {
    /// Votes in consensus and authenticates connections.
    pub consensus: Seed,
    /// Signs commands.
    pub command: Seed,
    /// Cosigns checkpoints.
    pub cosigner: Seed,
    /// Signs attestations.
    pub attestation: Seed,
}

/// The keys of a node that is a member of a group, each ready for the one kind of statement it signs.
pub struct MemberKeys {
    /// Votes in consensus and authenticates connections.
    pub consensus: Seed,
    /// Signs commands.
    pub command: CommandKey,
    /// Cosigns checkpoints.
    pub cosigner: Signer,
    /// Signs attestations.
    pub attestation: AttestationKey,
    /// The log's own key.
    pub log: Signer,
}

/// Why keys cannot be used.
#[derive(Debug, Error, Diagnostic)]
pub enum KeysError {
    /// The operating system has no randomness to give.
    #[error("the operating system gave no random bytes: {0}")]
    #[diagnostic(help("keys and nonces come from the operating system alone; see that getrandom(2) works here"))]
    Randomness(String),
    /// There are keys already.
    #[error("{} holds keys already", path.display())]
    #[diagnostic(help("keys are never overwritten: a member who loses them leaves the group; choose another folder"))]
    Exist {
        /// The folder with the keys.
        path: PathBuf,
    },
    /// A key file cannot be read or written.
    #[error("cannot use the key file {}: {error}", path.display())]
    #[diagnostic(help(
        "restore it from your backup; `init` makes the member's keys, `group new` the log key, which goes to every member as keys/log.key"
    ))]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// Others can read a secret.
    #[error("{} can be read by others (mode {mode:03o})", path.display())]
    #[diagnostic(help("chmod 600 {}", path.display()))]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not 64 hex digits.
    #[error("{} is not a key file", path.display())]
    #[diagnostic(help("a key file is 64 lower-case hex digits and a newline; restore it from your backup"))]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The group file does not list this node.
    #[error("the group file lists no member with this node's command key {command}")]
    #[diagnostic(help("send this node's member.toml to the founder, or use the group file that was made with it"))]
    NotAMember {
        /// This node's public command key, in hex.
        command: String,
    },
    /// A key is not the one that the group file lists for this member.
    #[error("the {which} key in {} is not the one that the group file lists for {member}", path.display())]
    #[diagnostic(help("either the key file or the group file belongs to another node or another group"))]
    Foreign {
        /// `consensus`, `cosigner`, `attestation` or `log`.
        which: &'static str,
        /// The file.
        path: PathBuf,
        /// The member's name, or the log's.
        member: String,
    },
    /// A key name that the log's formats do not allow.
    #[error(transparent)]
    Name(#[from] KeyError),
}

impl Seed {
    /// 32 bytes from the operating system.
    ///
    /// # Errors
    /// [`KeysError::Randomness`].
    pub fn generate() -> Result<Seed, KeysError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| KeysError::Randomness(error.to_string()))?;
        Ok(Seed(bytes))
    }

    /// The secret bytes.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The Ed25519 public key of this seed.
    pub fn public(&self) -> [u8; 32] {
        SigningKey::from_bytes(&self.0).verifying_key().to_bytes()
    }

    /// Writes a key file that only its owner can read.
    ///
    /// # Errors
    /// [`KeysError::File`].
    pub fn write(&self, path: &Path) -> Result<(), KeysError> {
        let text = format!("{}\n", Digest(self.0));
        durable::write_secret(path, text.as_bytes()).map_err(|error| KeysError::File { path: path.to_owned(), error })
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// [`KeysError::File`], [`KeysError::Exposed`] or [`KeysError::Malformed`].
    pub fn read(path: &Path) -> Result<Seed, KeysError> {
        let text = read_secret(path)?;
        // A seed is 32 bytes in hex, which is exactly what a digest reads.
        let seed = text.strip_suffix('\n').unwrap_or(&text).parse::<Digest>();
        seed.map(|Digest(bytes)| Seed(bytes)).map_err(|_| KeysError::Malformed { path: path.to_owned() })
    }
}

/// The text of a secret's file, which nobody but its owner may be able to read.
///
/// # Errors
/// [`KeysError::File`] or [`KeysError::Exposed`].
pub fn read_secret(path: &Path) -> Result<String, KeysError> {
    let failed = |error| KeysError::File { path: path.to_owned(), error };
    let mut file = File::open(path).map_err(failed)?;
    // Of the open file: its name may lead elsewhere by the time it is read.
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeysError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.by_ref().take(SECRET_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(secret)")
    }
}

impl Keys {
    /// Makes the keys of a new member and writes them into `folder`.
    ///
    /// # Errors
    /// [`KeysError::Exist`] when there is a key already; [`KeysError::Randomness`], [`KeysError::File`].
    pub fn create(folder: &Path) -> Result<Keys, KeysError> {
        if Role::ALL.iter().any(|role| role.path(folder).exists()) {
            return Err(KeysError::Exist { path: folder.to_owned() });
        }
        let keys = Keys {
            consensus: Seed::generate()?,
            command: Seed::generate()?,
            cosigner: Seed::generate()?,
            attestation: Seed::generate()?,
        };
        keys.consensus.write(&Role::Consensus.path(folder))?;
        keys.command.write(&Role::Command.path(folder))?;
        keys.cosigner.write(&Role::Cosigner.path(folder))?;
        keys.attestation.write(&Role::Attestation.path(folder))?;
        Ok(keys)
    }

    /// What the group file says about the member with these keys.
    ///
    /// # Errors
    /// [`KeysError::Name`] for a name that no key can have.
    pub fn member(&self, name: &str, address: &str) -> Result<Member, KeysError> {
        let cosigner = Signer::from_seed(name, KeyKind::Cosigner, self.cosigner.expose())?;
        Ok(Member {
            name: name.to_owned(),
            consensus: self.consensus.public(),
            command: CommandKey::from_seed(*self.command.expose()).id(),
            cosigner: cosigner.verifier_key().clone(),
            attestation: self.attestation.public(),
            address: address.to_owned(),
            absent: false,
        })
    }
}

impl MemberKeys {
    /// Reads the keys in `folder` and checks each against what the group file says about this member.
    ///
    /// # Errors
    /// [`KeysError`] for the first key that is missing, exposed, malformed, or another's.
    pub fn read(folder: &Path, group: &Group) -> Result<MemberKeys, KeysError> {
        MemberKeys::read_with(folder, folder, group)
    }

    /// The same where the log's key is in the folder `shared`.
    ///
    /// # Errors
    /// As [`MemberKeys::read`].
    pub fn read_with(folder: &Path, shared: &Path, group: &Group) -> Result<MemberKeys, KeysError> {
        let command = CommandKey::from_seed(*Seed::read(&Role::Command.path(folder))?.expose());
        let Some(member) = group.member(&command.id()) else {
            return Err(KeysError::NotAMember { command: command.id().to_string() });
        };
        let foreign_in = |folder: &Path, role: Role, member: &str| KeysError::Foreign {
            which: role.name(),
            path: role.path(folder),
            member: member.to_owned(),
        };
        let foreign = |role: Role, member: &str| foreign_in(folder, role, member);
        let consensus = Seed::read(&Role::Consensus.path(folder))?;
        if consensus.public() != member.consensus {
            return Err(foreign(Role::Consensus, &member.name));
        }
        let cosigner = Seed::read(&Role::Cosigner.path(folder))?;
        let cosigner = Signer::from_seed(member.cosigner.name(), KeyKind::Cosigner, cosigner.expose())?;
        if *cosigner.verifier_key() != member.cosigner {
            return Err(foreign(Role::Cosigner, &member.name));
        }
        let attestation = Seed::read(&Role::Attestation.path(folder))?;
        if attestation.public() != member.attestation {
            return Err(foreign(Role::Attestation, &member.name));
        }
        let attestation = AttestationKey::from_seed(attestation.expose());
        let log = Seed::read(&Role::Log.path(shared))?;
        let log = Signer::from_seed(group.origin(), KeyKind::Log, log.expose())?;
        if log.verifier_key() != group.log_key() {
            return Err(foreign_in(shared, Role::Log, group.origin()));
        }
        Ok(MemberKeys { consensus, command, cosigner, attestation, log })
    }
}

/// Which key a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Votes and connections.
    Consensus,
    /// Commands.
    Command,
    /// Cosignatures.
    Cosigner,
    /// Attestations.
    Attestation,
    /// The log itself; shared by the group.
    Log,
}

impl Role {
    /// The keys that a member makes for itself.
    const ALL: [Role; 4] = [Role::Consensus, Role::Command, Role::Cosigner, Role::Attestation];

    /// Its file in the folder of keys.
    pub fn path(self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.key", self.name()))
    }

    fn name(self) -> &'static str {
        match self {
            Role::Consensus => "consensus",
            Role::Command => "command",
            Role::Cosigner => "cosigner",
            Role::Attestation => "attestation",
            Role::Log => "log",
        }
    }
}
