//! The fork proof: one log signed two views that contradict each other. One file, which convinces whoever has the policy.
//!
//! ```text
//! synchronicity/fork@v1
//! checkpoint <base64 of a signed checkpoint>     the smaller one
//! checkpoint <base64 of a signed checkpoint>     the larger one
//! <base64 of a hash>                             as of merkle::extension_path, in the larger tree
//! ...
//! ```
//!
//! Two checkpoints of one size contradict each other if their roots differ; they stand in the order of their roots, and
//! there is no path. Of sizes a < b they do if the hashes of the path lead to the root of b, and the same hashes to
//! another root at a than was signed: then b is no extension of a. In an RFC 6962 consistency proof the first hash is
//! left out where a is a power of two, for it is a's root; here it is what differs, and always there.
//!
//! # What it says about whom
//!
//! The members of a group share the log's key, so that its signatures alone accuse nobody: at least one witness of the
//! policy must have cosigned on each side. A witness that cosigned both broke its word, and [`VerifiedFork::both`] names
//! it. Where both sides reach the quorum, clients were shown, or could be, two logs that each of them must believe.
//! Where one side does not, its signers are those to ask; no client of this policy believed it.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use base64ct::{Base64, Encoding};

use crate::checkpoint::{Checkpoint, parse_hash};
use crate::digest::Digest;
use crate::merkle::roots_from;
use crate::note::{NOTE_BYTES_MAX, NoteError, SignedNote};
use crate::policy::Policy;
use crate::verify::{Cosigner, Invalid, check_signatures, only_known_keys, read_checkpoint};

/// The largest fork proof, in bytes: two of the largest notes in base64, and the longest path.
pub const FORK_BYTES_MAX: usize = 2 * NOTE_BYTES_MAX.div_ceil(3) * 4 + 4 * 1024;

/// The longest path: one hash more than a tree of fewer than 2^63 leaves is deep.
pub const PATH_MAX: usize = 64;

const FIRST_LINE: &str = "synchronicity/fork@v1";

/// A parsed fork proof. Nothing in it is verified yet, unless [`Fork::new`] made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    checkpoints: [SignedNote; 2],
    path: Vec<Digest>,
}

/// What a fork proof has shown: `sides` cannot both be views of one growing log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedFork {
    /// The smaller view and the larger; of one size, in the order of their roots.
    pub sides: [Side; 2],
    /// The witnesses' keys that cosigned both, by name, in the order of the policy.
    pub both: Vec<String>,
}

/// One of the two views.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// Number of entries.
    pub size: u64,
    /// Root that was signed for this size.
    pub root: Digest,
    /// The policy's witnesses that cosigned it, whether the quorum includes them or not, in the order of the policy.
    pub signers: Vec<Cosigner>,
    /// Whether they reach the policy's quorum: then a client accepts this view.
    pub quorum: bool,
}

/// Bytes that prove no fork.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForkError {
    /// More than [`FORK_BYTES_MAX`].
    #[error("fork proof of {0} bytes; at most {FORK_BYTES_MAX} are read")]
    TooLong(usize),
    /// Not UTF-8, or another first line.
    #[error("not a fork proof: its first line must be {FIRST_LINE}")]
    Kind,
    /// No final newline, or fewer than two checkpoints.
    #[error("fork proof is cut off: it must have two lines with checkpoints, and end in a newline")]
    Truncated,
    /// A line with a checkpoint is not base64.
    #[error("fork proof: the second and third line must be \"checkpoint\" and a signed checkpoint in base64")]
    Checkpoint,
    /// A line of the path that is no hash, or more than [`PATH_MAX`] of them.
    #[error("fork proof: the lines after the checkpoints must be at most {PATH_MAX} hashes of 32 bytes in base64")]
    Path,
    /// A checkpoint is no signed note.
    #[error("fork proof: {0}")]
    Note(#[from] NoteError),
    /// Some other second spelling, or the larger checkpoint first.
    #[error("fork proof is not spelled as this format spells it")]
    NotCanonical,
    /// One of the checkpoints is not the policy's log's, or a signature in it does not hold.
    #[error("a checkpoint of the fork proof is invalid: {0}")]
    Invalid(#[from] Invalid),
    /// Only the log's key, which the members share, has signed one side.
    #[error("no witness of the policy has cosigned the checkpoint of size {0}: it accuses nobody")]
    NoWitness(u64),
    /// The path does not lead to the larger root, or has not the length that the sizes ask for.
    #[error("the path of the fork proof does not lead to the larger checkpoint's root")]
    OtherPath,
    /// The two agree.
    #[error("the two checkpoints do not contradict each other: this is no fork")]
    NoFork,
}

impl Fork {
    /// A fork proof of two checkpoints in any order, and the path ([`crate::merkle::extension_path`]) of the smaller
    /// size in the larger tree, empty for equal sizes. Lines of keys that the policy does not name are left out.
    ///
    /// An error if it is not one that [`verify`] accepts.
    pub fn new(one: SignedNote, other: SignedNote, path: Vec<Digest>, policy: &Policy) -> Result<Self, ForkError> {
        let mut checkpoints = [one, other];
        for note in &mut checkpoints {
            note.signatures.retain(|line| policy.knows(line));
        }
        let [first, second] = &checkpoints;
        if position(&read_checkpoint(first, policy)?.0) > position(&read_checkpoint(second, policy)?.0) {
            checkpoints.reverse();
        }
        let fork = Self { checkpoints, path };
        fork.check(policy)?;
        Ok(fork)
    }

    /// Reads a fork proof; refuses everything that `Display` would not write back byte by byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, ForkError> {
        if bytes.len() > FORK_BYTES_MAX {
            return Err(ForkError::TooLong(bytes.len()));
        }
        let text = core::str::from_utf8(bytes).map_err(|_| ForkError::Kind)?;
        let mut lines = text.strip_suffix('\n').ok_or(ForkError::Truncated)?.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(ForkError::Kind);
        }
        let mut checkpoint = || -> Result<SignedNote, ForkError> {
            let line = lines.next().ok_or(ForkError::Truncated)?;
            let note = line.strip_prefix("checkpoint ").and_then(|note| Base64::decode_vec(note).ok());
            Ok(SignedNote::parse(&note.ok_or(ForkError::Checkpoint)?)?)
        };
        let checkpoints = [checkpoint()?, checkpoint()?];
        let path = lines.map(parse_hash).collect::<Option<Vec<_>>>();
        let path = path.filter(|path| path.len() <= PATH_MAX).ok_or(ForkError::Path)?;
        let fork = Self { checkpoints, path };
        // Each parser above is strict already; this holds even where one of them should be wrong.
        if fork.to_string() == text { Ok(fork) } else { Err(ForkError::NotCanonical) }
    }

    fn check(&self, policy: &Policy) -> Result<VerifiedFork, ForkError> {
        let [(first, first_times), (second, second_times)] =
            [read_side(&self.checkpoints[0], policy)?, read_side(&self.checkpoints[1], policy)?];
        if position(&first) > position(&second) {
            return Err(ForkError::NotCanonical);
        }
        contradict(&first, &second, &self.path)?;
        let witnesses = policy.witnesses().iter().zip(first_times.iter().zip(&second_times));
        let both = witnesses.filter(|(_, (first, second))| first.is_some() && second.is_some());
        let both = both.map(|(witness, _)| witness.key.name().to_owned()).collect();
        let sides = [side(&first, &first_times, policy)?, side(&second, &second_times, policy)?];
        Ok(VerifiedFork { sides, both })
    }
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        for note in &self.checkpoints {
            writeln!(f, "checkpoint {}", Base64::encode_string(note.to_string().as_bytes()))?;
        }
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", Base64::encode_string(&hash.0)))
    }
}

/// Decides whether `bytes` (of a fork proof) show that the policy's log signed two views that contradict each other.
///
/// As in a proof file, each signature line must be of a key that the policy names, and hold: every bit counts.
pub fn verify(bytes: &[u8], policy: &Policy) -> Result<VerifiedFork, ForkError> {
    Fork::parse(bytes)?.check(policy)
}

fn position(checkpoint: &Checkpoint) -> (u64, Digest) {
    (checkpoint.size, checkpoint.root)
}

/// A checkpoint with the time of each witness's cosignature, all signatures checked.
fn read_side(note: &SignedNote, policy: &Policy) -> Result<(Checkpoint, Vec<Option<u64>>), ForkError> {
    let (checkpoint, log_line) = read_checkpoint(note, policy)?;
    only_known_keys(note, policy)?;
    let times = check_signatures(note, log_line, policy)?;
    Ok((checkpoint, times))
}

fn contradict(first: &Checkpoint, second: &Checkpoint, path: &[Digest]) -> Result<(), ForkError> {
    // Every log extends the empty one.
    if first.size == 0 || (first.size == second.size && first.root == second.root) {
        return Err(ForkError::NoFork);
    }
    if first.size == second.size {
        return if path.is_empty() { Ok(()) } else { Err(ForkError::OtherPath) };
    }
    let (start, rest) = path.split_first().ok_or(ForkError::OtherPath)?;
    let (old, new) = roots_from(first.size, second.size, start, rest).map_err(|_| ForkError::OtherPath)?;
    match (new == second.root, old == first.root) {
        (false, _) => Err(ForkError::OtherPath),
        (true, true) => Err(ForkError::NoFork),
        (true, false) => Ok(()),
    }
}

fn side(checkpoint: &Checkpoint, times: &[Option<u64>], policy: &Policy) -> Result<Side, ForkError> {
    let signers = policy.witnesses().iter().zip(times);
    let signers: Vec<_> = signers
        .filter_map(|(witness, time)| Some(Cosigner { name: witness.key.name().to_owned(), time_s: (*time)? }))
        .collect();
    if signers.is_empty() {
        return Err(ForkError::NoWitness(checkpoint.size));
    }
    let quorum = policy.is_reached(&times.iter().map(Option::is_some).collect::<Vec<_>>());
    Ok(Side { size: checkpoint.size, root: checkpoint.root, signers, quorum })
}
