//! The beginning of a key: what a client reveals of what it wants to know.

use alloc::format;
use alloc::string::ToString;
use core::fmt;
use core::str::FromStr;

use super::MapKey;
use crate::digest::Digest;

/// The first 0 to 256 bits of a key, in steps of four. Written as 0 to 64 lower-case hex digits.
///
/// Whoever asks for a whole key tells the server what it looks up; with a shorter prefix it gets the answers for
/// others too, and the server learns only that it wants one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    digits: u8,
    /// The smallest key with this prefix.
    first: MapKey,
}

/// A text that is no prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the beginning of a key: at most 64 lower-case hex digits")]
pub struct PrefixError;

impl Prefix {
    /// The most digits: those of a whole key.
    pub const DIGITS_MAX: u8 = 64;

    /// The first `digits` hex digits of a key; all of it if it has no more.
    pub fn of(key: &MapKey, digits: u8) -> Self {
        let digits = digits.min(Self::DIGITS_MAX);
        let mut first = key.0.0;
        for (at, byte) in first.iter_mut().enumerate() {
            *byte &= match (usize::from(digits)).saturating_sub(2 * at) {
                0 => 0x00,
                1 => 0xf0,
                _ => 0xff,
            };
        }
        Self { digits, first: MapKey(Digest(first)) }
    }

    /// How many bits it has.
    pub fn bits(&self) -> u16 {
        4 * u16::from(self.digits)
    }

    /// Whether a key begins with it.
    pub fn covers(&self, key: &MapKey) -> bool {
        Self::of(key, self.digits) == *self
    }

    /// The smallest key that begins with it.
    pub(super) fn first_key(&self) -> &MapKey {
        &self.first
    }
}

impl From<MapKey> for Prefix {
    fn from(key: MapKey) -> Self {
        Self { digits: Self::DIGITS_MAX, first: key }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first.0.to_string()[..usize::from(self.digits)])
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let digits = u8::try_from(text.len()).ok().filter(|digits| *digits <= Self::DIGITS_MAX).ok_or(PrefixError)?;
        let first = format!("{text:0<64}").parse().map_err(|_| PrefixError)?;
        Ok(Self { digits, first: MapKey(first) })
    }
}
