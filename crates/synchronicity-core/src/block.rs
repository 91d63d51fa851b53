//! A block as the engine ordered it: the only thing that moves the machine.
//!
//! ```text
//! bytes = [height, time ms, [command: bytes …]]      deterministic CBOR
//! ```
//!
//! The engine has its own form on the wire; this one is what a node persists, so that the blocks which changed
//! anything can be replayed without the engine.

use core::convert::Infallible;
use std::collections::BTreeSet;

use minicbor::{Decoder, Encoder, encode};
use synchronicity_verify::digest::Digest;
use thiserror::Error;

use crate::command::{Command, CommandError, SignedMessage};
use crate::group::Group;

/// One ordered block. Its commands were checked one by one when they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderedBlock {
    /// Position in the chain; the first block has height 1.
    pub height: u64,
    /// Block time in milliseconds since the Unix epoch, strictly increasing with height.
    pub time_ms: u64,
    /// What builders stated, in the order in which it takes effect.
    pub commands: Vec<Command>,
}

/// Why bytes are no block of this group.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BlockError {
    /// Not the layout that the module documents, or not its one canonical spelling.
    #[error("not a block in canonical form: {0}")]
    Malformed(String),
    /// One of its commands is not one.
    #[error("command {index} of the block: {error}")]
    Command {
        /// Position in the block, from 0.
        index: usize,
        /// What is wrong with it.
        error: CommandError,
    },
}

impl OrderedBlock {
    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut Encoder::new(&mut bytes)).expect("writing into a Vec has no failure");
        bytes
    }

    /// Reads a block and checks every command in it, signatures included.
    ///
    /// # Errors
    /// [`BlockError`] for bytes that [`OrderedBlock::to_bytes`] would not have written.
    pub fn from_bytes(bytes: &[u8], group: &Group) -> Result<OrderedBlock, BlockError> {
        let mut cbor = Decoder::new(bytes);
        let fields = cbor.array().map_err(malformed)?;
        let height = cbor.u64().map_err(malformed)?;
        let time_ms = cbor.u64().map_err(malformed)?;
        let count = cbor.array().map_err(malformed)?;
        let (Some(3), Some(count)) = (fields, count) else {
            return Err(BlockError::Malformed("expected an array of 3".into()));
        };
        // The count is what somebody wrote: nothing is reserved for it before the commands are there.
        let (mut commands, mut batches) = (Vec::new(), BTreeSet::new());
        for _ in 0..count {
            let index = commands.len();
            let bytes = cbor.bytes().map_err(malformed)?;
            let command = Command::from_bytes_if(bytes, group, |message| is_signed(message, &mut batches));
            let command = command.map_err(|error| BlockError::Command { index, error })?;
            commands.push(command);
        }
        let block = OrderedBlock { height, time_ms, commands };
        if block.to_bytes() != bytes {
            return Err(BlockError::Malformed("not the canonical encoding".into()));
        }
        Ok(block)
    }

    fn write(&self, cbor: &mut Encoder<&mut Vec<u8>>) -> Result<(), encode::Error<Infallible>> {
        cbor.array(3)?.u64(self.height)?.u64(self.time_ms)?.array(self.commands.len() as u64)?;
        for command in &self.commands {
            cbor.bytes(&command.to_bytes())?;
        }
        Ok(())
    }
}

/// The signature of a batch is checked for the first of its commands.
fn is_signed(message: &SignedMessage, batches: &mut BTreeSet<Digest>) -> bool {
    let Some(batch) = message.batch() else { return message.is_signed() };
    batches.contains(&batch) || message.is_signed() && batches.insert(batch)
}

fn malformed(error: minicbor::decode::Error) -> BlockError {
    BlockError::Malformed(error.to_string())
}
