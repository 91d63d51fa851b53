//! What the group puts in order: a block, its bytes and its digest.
//!
//! ```text
//! block   = 2 (one byte) ‖ parent (32) ‖ height (u64) ‖ time in ms (u64) ‖ claim ‖ count (u16) ‖ command...
//! claim   = executed height (u64) ‖ its time in ms (u64) ‖ log size (u64) ‖ log root (32) ‖ digest of the open state (32)
//! command = length (u32) ‖ canonical command
//! digest  = SHA-256 of the block
//! ```
//!
//! Integers are big-endian and there is one spelling. The claim is what a certificate over the block says about
//! *executed* state, all of it: what the log does not say is the open state (`synchronicity_core::open`). Of those who
//! notarized it, every honest one has found that state by executing that height itself, or takes over the same claim from the
//! parent, which a quorum notarized before.

use std::collections::BTreeMap;
use std::sync::Arc;

use commonware_codec::{Buf, EncodeSize, Error, FixedSize, Read, ReadExt, Write};
use commonware_consensus::types::Height;
use commonware_consensus::{BoundedBlock, Heightable};
use commonware_cryptography::{Digestible, Hasher, Sha256, sha256};
use commonware_runtime::BufMut;
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::{COMMAND_BYTES_MAX, Command};
use synchronicity_core::machine::Executed;
use synchronicity_verify::digest::Digest;

use crate::checked::{Ids, Reading, Signed};

/// Most commands in a block.
pub const BLOCK_COMMANDS_MAX: usize = 4096;

/// Most commands of one author in a block. A hostile leader has nobody's commands but its own to make the others check
/// signatures that they have not checked yet.
pub const BLOCK_AUTHOR_COMMANDS_MAX: usize = 256;

/// Most bytes of commands in a block, their length prefixes included: room for the largest command and then some.
pub const BLOCK_PAYLOAD_BYTES_MAX: usize = 1024 * 1024;

/// Bytes in front of a command: its length.
pub(crate) const COMMAND_PREFIX_BYTES: usize = u32::SIZE;

const _: () = assert!(COMMAND_BYTES_MAX + COMMAND_PREFIX_BYTES <= BLOCK_PAYLOAD_BYTES_MAX);

pub(crate) const SCHEMA: u8 = 2;
const HEADER_BYTES: usize = u8::SIZE + 32 + u64::SIZE + u64::SIZE + Claim::BYTES + u16::SIZE;

/// The executed state that a block's header binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Height of the last block that had been executed.
    pub(crate) height: u64,
    /// Its time.
    pub(crate) time_ms: u64,
    /// Entries in the log after it.
    pub(crate) log_size: u64,
    /// Root of the log after it.
    pub(crate) log_root: Digest,
    /// Digest of what the log does not say.
    pub(crate) open: Digest,
}

/// A block, ordered or proposed. Its commands are checked: decoding verifies each one against the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) parent: sha256::Digest,
    pub(crate) height: u64,
    pub(crate) time_ms: u64,
    pub(crate) claim: Claim,
    pub(crate) commands: Vec<Arc<Signed>>,
}

impl Claim {
    const BYTES: usize = u64::SIZE + u64::SIZE + u64::SIZE + 32 + 32;
}

impl From<&Executed> for Claim {
    fn from(executed: &Executed) -> Self {
        let Executed { height, time_ms, log_size, log_root, open } = *executed;
        Self { height, time_ms, log_size, log_root, open }
    }
}

impl Block {
    /// The block at height zero, on which every member agrees beforehand. Its parent is the group, so that chains of
    /// two groups share no block; where there was an epoch before, the group and the height at which that ended. Its time
    /// and claim are those of that end, so that the first block is later, and no member leads who has not come that far.
    pub(crate) fn genesis(group: Digest, begun: &Executed) -> Self {
        let parent = match begun.height {
            0 => group,
            height => Digest::tagged("synchronicity/epoch/v1", &[&group.0, &height.to_be_bytes()]),
        };
        Self {
            parent: sha256::Digest(parent.0),
            height: 0,
            time_ms: begun.time_ms,
            claim: Claim { height: 0, ..Claim::from(begun) },
            commands: Vec::new(),
        }
    }

    /// What the state machine is given once the block is final.
    pub(crate) fn to_ordered(&self) -> OrderedBlock {
        OrderedBlock {
            height: self.height,
            time_ms: self.time_ms,
            commands: self.commands.iter().map(|c| Command::clone(c)).collect(),
        }
    }
}

impl Write for Block {
    fn write(&self, buf: &mut impl BufMut) {
        buf.put_u8(SCHEMA);
        buf.put_slice(&self.parent.0);
        buf.put_u64(self.height);
        buf.put_u64(self.time_ms);
        buf.put_u64(self.claim.height);
        buf.put_u64(self.claim.time_ms);
        buf.put_u64(self.claim.log_size);
        buf.put_slice(&self.claim.log_root.0);
        buf.put_slice(&self.claim.open.0);
        buf.put_u16(u16::try_from(self.commands.len()).expect("a block has at most 4096 commands"));
        for command in &self.commands {
            let bytes = command.bytes();
            buf.put_u32(u32::try_from(bytes.len()).expect("a command has at most a MiB"));
            buf.put_slice(bytes);
        }
    }
}

impl EncodeSize for Block {
    fn encode_size(&self) -> usize {
        let payload = self.commands.iter().map(|c| COMMAND_PREFIX_BYTES + c.bytes().len());
        HEADER_BYTES + payload.sum::<usize>()
    }
}

impl Read for Block {
    type Cfg = Reading;

    fn read_cfg(buf: &mut impl Buf, reading: &Self::Cfg) -> Result<Self, Error> {
        let schema = u8::read(buf)?;
        if schema != SCHEMA {
            return Err(Error::InvalidEnum(schema));
        }
        let parent = sha256::Digest::read(buf)?;
        let (height, time_ms) = (u64::read(buf)?, u64::read(buf)?);
        let (executed, executed_ms, log_size) = (u64::read(buf)?, u64::read(buf)?, u64::read(buf)?);
        let (log_root, open) = (Digest(<[u8; 32]>::read(buf)?), Digest(<[u8; 32]>::read(buf)?));
        let claim = Claim { height: executed, time_ms: executed_ms, log_size, log_root, open };
        Ok(Self { parent, height, time_ms, claim, commands: read_commands(buf, reading)? })
    }
}

/// Every length is compared with what may still come before anything of that length is allocated.
fn read_commands(buf: &mut impl Buf, reading: &Reading) -> Result<Vec<Arc<Signed>>, Error> {
    let count = usize::from(u16::read(buf)?);
    if count > BLOCK_COMMANDS_MAX {
        return Err(Error::InvalidLength(count));
    }
    let mut commands: Vec<Arc<Signed>> = Vec::with_capacity(count);
    let (mut ids, mut authors) = (Ids::with_capacity(count), BTreeMap::new());
    let mut left = BLOCK_PAYLOAD_BYTES_MAX;
    for _ in 0..count {
        let length = u32::read(buf)? as usize;
        let needed = length.saturating_add(COMMAND_PREFIX_BYTES);
        if length > COMMAND_BYTES_MAX || needed > left {
            return Err(Error::InvalidLength(length));
        }
        if buf.remaining() < length {
            return Err(Error::EndOfBuffer);
        }
        left -= needed;
        let command = read_command(buf, length, reading)?;
        if !ids.insert(command.id()) {
            return Err(Error::Invalid("block", "the same command twice"));
        }
        let of_author = authors.entry(command.author()).or_insert(0);
        *of_author += 1;
        if *of_author > BLOCK_AUTHOR_COMMANDS_MAX {
            return Err(Error::Invalid("block", "too many commands of one author"));
        }
        commands.push(command);
    }
    Ok(commands)
}

/// A command of `length` bytes, which `buf` still has.
fn read_command(buf: &mut impl Buf, length: usize, reading: &Reading) -> Result<Arc<Signed>, Error> {
    let command = match buf.chunk().get(..length) {
        // Nearly always: a block comes in one piece, and most of its commands are known already.
        Some(bytes) => {
            let command = reading.read(bytes);
            buf.advance(length);
            command
        }
        None => {
            let mut bytes = vec![0; length];
            buf.copy_to_slice(&mut bytes);
            reading.read(&bytes)
        }
    };
    command.map_err(|error| Error::Wrapped("command of a block", error.into()))
}

impl Digestible for Block {
    type Digest = sha256::Digest;

    fn digest(&self) -> Self::Digest {
        let mut bytes = Vec::with_capacity(self.encode_size());
        self.write(&mut bytes);
        Sha256::hash(&[&bytes])
    }
}

impl Heightable for Block {
    fn height(&self) -> Height {
        Height::new(self.height)
    }
}

impl commonware_consensus::Block for Block {
    fn parent(&self) -> Self::Digest {
        self.parent
    }
}

impl BoundedBlock for Block {
    fn max_encode_size(_: &Self::Cfg) -> usize {
        HEADER_BYTES + BLOCK_PAYLOAD_BYTES_MAX
    }
}

#[cfg(test)]
mod tests;
