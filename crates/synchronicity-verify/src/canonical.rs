//! Deterministic CBOR (RFC 8949 §4.2) with one accepted spelling for each value.
//!
//! The decoder of minicbor is lenient: it takes indefinite lengths, long integers and unknown keys. Encoding the
//! decoded value again and comparing refuses all of these at once, and whatever else would be a second spelling.

use alloc::string::String;
use alloc::string::ToString;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

/// Bytes that are not the canonical encoding of a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// More bytes than the format allows; nothing was decoded.
    #[error("{size} bytes where at most {limit} are allowed")]
    TooLong {
        /// Bytes offered.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// No value of this kind.
    #[error("not the expected CBOR: {0}")]
    Decode(String),
    /// A value, but spelled otherwise than the canonical encoding spells it.
    #[error("CBOR that is not in its canonical form (RFC 8949 §4.2)")]
    NotCanonical,
}

pub(crate) fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing to a vector cannot fail, and no encoder of ours raises an error")
}

pub(crate) fn decode<T>(bytes: &[u8], limit: usize) -> Result<T, CborError>
where
    T: for<'b> Decode<'b, ()> + Encode<()>,
{
    if bytes.len() > limit {
        return Err(CborError::TooLong { size: bytes.len(), limit });
    }
    let value = minicbor::decode(bytes).map_err(|error| CborError::Decode(error.to_string()))?;
    let mut again = Vec::with_capacity(bytes.len());
    match minicbor::encode(&value, &mut again) {
        Ok(()) if again == bytes => Ok(value),
        _ => Err(CborError::NotCanonical),
    }
}

/// For `#[cbor(with = "...")]`: a map from text to text in the order of RFC 8949 §4.2.1, which sorts the *encoded*
/// keys. A shorter key's header is smaller, so that is by length first and bytewise second, unlike `BTreeMap`.
pub(crate) mod text_map {
    use alloc::collections::BTreeMap;
    use alloc::string::String;
    use alloc::vec::Vec;

    use minicbor::decode::Error as DecodeError;
    use minicbor::encode::{Error, Write};
    use minicbor::{Decoder, Encoder};

    pub(crate) fn encode<C, W: Write>(
        map: &BTreeMap<String, String>,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), Error<W::Error>> {
        let mut pairs: Vec<_> = map.iter().collect();
        pairs.sort_by_key(|(key, _)| (key.len(), *key));
        e.map(pairs.len() as u64)?;
        for (key, value) in pairs {
            e.str(key)?.str(value)?;
        }
        Ok(())
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<BTreeMap<String, String>, DecodeError> {
        d.decode_with(ctx)
    }
}

/// CBOR as text for a newtype over `String`, refusing on decoding what its `TryFrom<String>` refuses; and the
/// conversions that every such name has.
macro_rules! text_newtype {
    ($name:ident, $error:ty) => {
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl core::str::FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                Self::try_from(alloc::string::String::from(text))
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.str(&self.0)?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                Self::try_from(alloc::string::String::from(d.str()?)).map_err(minicbor::decode::Error::message)
            }
        }
    };
}
pub(crate) use text_newtype;
