//! The bytes of what builders say to each other about artifacts. Everything here comes from another member, who may lie.
//!
//! ```text
//! ask      1 ‖ sha256 ‖ u64be offset                 give me the piece at this offset
//! piece    2 ‖ sha256 ‖ u64be offset ‖ bytes         here it is: 1 to PIECE_BYTES of them
//! nothing  3 ‖ sha256 ‖ u8 why                       you will not get it from me, or not now
//! ```

use synchronicity_consensus::PARCEL_BYTES_MAX;
use synchronicity_verify::digest::Digest;

/// Bytes of every piece but the last, which has what is left.
pub const PIECE_BYTES: usize = 32 * 1024;

const HEAD_BYTES: usize = 1 + 32 + 8;
const _: () = assert!(HEAD_BYTES + PIECE_BYTES <= PARCEL_BYTES_MAX);

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parcel<'a> {
    /// Asks for a piece.
    Ask {
        /// Of which artifact.
        sha256: Digest,
        /// Where in it, in bytes.
        offset: u64,
    },
    /// Gives a piece.
    Piece {
        /// Of which artifact.
        sha256: Digest,
        /// Where in it, in bytes.
        offset: u64,
        /// What stands there, as the sender says.
        bytes: &'a [u8],
    },
    /// Declines.
    Nothing {
        /// Which artifact.
        sha256: Digest,
        /// Why.
        why: Why,
    },
}

/// Why a builder does not give a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was not revealed in a round that is concluded there, or is not kept there.
    Absent,
    /// Larger than what builders exchange.
    TooLarge,
    /// This member was given enough for now.
    Enough,
}

impl<'a> Parcel<'a> {
    /// Reads a message; `None` for bytes that no honest node sends.
    pub fn parse(bytes: &'a [u8]) -> Option<Parcel<'a>> {
        let (kind, rest) = bytes.split_first()?;
        let (sha256, rest) = rest.split_first_chunk::<32>()?;
        let sha256 = Digest(*sha256);
        if *kind == 3 {
            let [why] = rest else { return None };
            let why = [Why::Absent, Why::TooLarge, Why::Enough].into_iter().find(|known| known.code() == *why)?;
            return Some(Parcel::Nothing { sha256, why });
        }
        let (offset, bytes) = rest.split_first_chunk::<8>()?;
        let offset = u64::from_be_bytes(*offset);
        match kind {
            1 if bytes.is_empty() => Some(Parcel::Ask { sha256, offset }),
            2 if (1..=PIECE_BYTES).contains(&bytes.len()) => Some(Parcel::Piece { sha256, offset, bytes }),
            _ => None,
        }
    }

    /// The bytes of a message.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Parcel::Ask { sha256, offset } => [&[1], sha256.0.as_slice(), &offset.to_be_bytes()].concat(),
            Parcel::Piece { sha256, offset, bytes } => {
                [&[2], sha256.0.as_slice(), &offset.to_be_bytes(), bytes].concat()
            }
            Parcel::Nothing { sha256, why } => [&[3], sha256.0.as_slice(), &[why.code()]].concat(),
        }
    }
}

impl Why {
    fn code(self) -> u8 {
        match self {
            Why::Absent => 1,
            Why::TooLarge => 2,
            Why::Enough => 3,
        }
    }

    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Why::Absent => "does not have the artifact, or has not seen the verdict yet",
            Why::TooLarge => "finds the artifact too large to hand over",
            Why::Enough => "has handed over enough for this hour",
        }
    }
}
