//! Several commands of one author in one message: a link lets so many messages through in a second, not so many commands.
//!
//! ```text
//! message = canonical command
//!         / 1 (one byte) ‖ (length (u32) ‖ canonical command)...     at most 64 KiB
//! ```
//!
//! A command begins with the head of a CBOR array, so the first byte tells which of the two it is. A single command travels
//! bare, however long it is.

use std::sync::Arc;

use synchronicity_core::command::COMMAND_BYTES_MAX;

use crate::checked::Signed;

/// Largest message with more than one command, in bytes.
pub(crate) const BUNDLE_BYTES_MAX: usize = 64 * 1024;

const BUNDLE: u8 = 1;
const PREFIX_BYTES: usize = size_of::<u32>();

/// The first commands of `waiting`, as many as fit into a message, and how many those are. `None` if there is none.
pub(crate) fn write(waiting: &[Arc<Signed>]) -> Option<(Vec<u8>, usize)> {
    let mut message = vec![BUNDLE];
    let mut count = 0;
    for command in waiting {
        let bytes = command.bytes();
        if message.len() + PREFIX_BYTES + bytes.len() > BUNDLE_BYTES_MAX {
            break;
        }
        message.extend(u32::try_from(bytes.len()).expect("a bundle is short").to_be_bytes());
        message.extend(bytes);
        count += 1;
    }
    match count {
        0 | 1 => waiting.first().map(|command| (command.bytes().to_vec(), 1)),
        _ => Some((message, count)),
    }
}

/// The bytes of each command in a message.
///
/// # Errors
/// What is wrong with its lengths. Of the commands nothing is known.
pub(crate) fn read(message: &[u8]) -> Result<Vec<&[u8]>, &'static str> {
    let Some((BUNDLE, mut rest)) = message.split_first().map(|(first, rest)| (*first, rest)) else {
        return if message.len() > COMMAND_BYTES_MAX { Err("too long for a command") } else { Ok(vec![message]) };
    };
    if message.len() > BUNDLE_BYTES_MAX {
        return Err("too long for a bundle");
    }
    let mut commands = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<PREFIX_BYTES>() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some((command, after)) = after.split_at_checked(length) else {
            return Err("a command is longer than its bundle");
        };
        commands.push(command);
        rest = after;
    }
    match (rest, commands.len()) {
        ([], 2..) => Ok(commands),
        _ => Err("a bundle of fewer than two commands, or with something behind the last"),
    }
}

#[cfg(test)]
mod tests;
