//! Named Ed25519 keys (C2SP `signed-note`, *verifier keys*).
//!
//! ```text
//! key id   = SHA-256(name ‖ 0A ‖ type ‖ public key)[:4], big-endian
//! key text = name "+" 8 hex digits of the key id "+" base64(type ‖ public key)
//! ```

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use base64ct::{Base64, Encoding};
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _, VerifyingKey};
use sha2::{Digest as _, Sha256};

/// Most bytes that a key's name may have.
pub const KEY_NAME_BYTES_MAX: usize = 255;

/// The y coordinates of the eight points of small order, as a point's encoding has them below its sign bit.
const SMALL_ORDER_Y: [[u8; 32]; 5] = [
    [
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    ],
    [
        0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

/// What a key signs. One key signs one kind of statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// Type `01`: Ed25519 over the text of a note. The log's own key.
    Log,
    /// Type `04`: Ed25519 over a timestamped cosignature. A builder's or a witness's key.
    Cosigner,
}

/// A public key with its name, as policy and group files carry it (a *vkey*).
///
/// Holds the decoded point: verifying many notes decodes it once. Points of small order are refused right here.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    id: u32,
    point: VerifyingKey,
}

/// A secret key with its name.
pub struct Signer {
    secret: SigningKey,
    public: VerifierKey,
}

/// A text that is no key, or a key that must not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Empty, too long, or with a space, a plus sign or a control character.
    #[error("not a key name: {0:?}; it must not be empty, longer than 255 bytes, or have spaces, + or controls")]
    Name(String),
    /// Not `name+hash+base64`.
    #[error("not a verifier key; write name+hash+key, as the key's owner published it")]
    Malformed,
    /// The key id in the text is not the one of this name and key.
    #[error("the verifier key's hash is {stated:08x}, but its name and key have {computed:08x}: copy it again")]
    Id {
        /// In the text.
        stated: u32,
        /// Of the name and key.
        computed: u32,
    },
    /// A type that this program does not verify.
    #[error("verifier key of type {0:02x}; this program knows 01 (Ed25519 log) and 04 (Ed25519 cosigner)")]
    Kind(u8),
    /// Not a point, not canonical, or of small order.
    #[error("the public key is not a valid Ed25519 point of large order; ask the key's owner for another")]
    Point,
}

impl KeyKind {
    /// The type byte.
    pub fn byte(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Cosigner => 0x04,
        }
    }
}

impl VerifierKey {
    /// A key from its parts; `public` is the 32-byte Ed25519 encoding.
    pub fn new(name: &str, kind: KeyKind, public: &[u8; 32]) -> Result<Self, KeyError> {
        check_key_name(name)?;
        let point = VerifyingKey::from_bytes(public).map_err(|_| KeyError::Point)?;
        if point.is_weak() || point.to_edwards().compress().as_bytes() != public {
            return Err(KeyError::Point);
        }
        Ok(Self { name: name.to_owned(), kind, id: key_id(name, kind.byte(), public), point })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the key signs.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The key id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The 32-byte Ed25519 encoding.
    pub fn public_bytes(&self) -> &[u8; 32] {
        self.point.as_bytes()
    }

    /// Whether this key made `signature` over `message`, by the strict rules: no point of small order, no second
    /// spelling of a point or a scalar.
    ///
    /// Accepts exactly what `verify_strict` accepts, and spares its decoding of R, a tenth of the work: `verify`
    /// compares R with the one encoding of the point that R must be, so its order can be told from its bytes. The
    /// order of the key's own point was checked when the key was made.
    pub(crate) fn made(&self, signature: &[u8; 64], message: &[u8]) -> bool {
        let signature = Signature::from_bytes(signature);
        let mut y = *signature.r_bytes();
        y[31] &= 0x7f;
        !SMALL_ORDER_Y.contains(&y) && self.point.verify(message, &signature).is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = [self.kind.byte(); 33];
        key[1..].copy_from_slice(self.public_bytes());
        write!(f, "{}+{:08x}+{}", self.name, self.id, Base64::encode_string(&key))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Malformed);
        };
        check_key_name(name)?;
        let stated = u32::from_be_bytes(crate::digest::parse_hex(id).map_err(|_| KeyError::Malformed)?);
        let bytes = Base64::decode_vec(key).map_err(|_| KeyError::Malformed)?;
        let (kind, public) = match bytes.split_first().ok_or(KeyError::Malformed)? {
            (0x01, public) => (KeyKind::Log, public),
            (0x04, public) => (KeyKind::Cosigner, public),
            (other, _) => return Err(KeyError::Kind(*other)),
        };
        let key = Self::new(name, kind, public.try_into().map_err(|_| KeyError::Malformed)?)?;
        if key.id == stated { Ok(key) } else { Err(KeyError::Id { stated, computed: key.id }) }
    }
}

impl Signer {
    /// The key of this name and kind that a 32-byte secret seed gives (RFC 8032 secret key).
    pub fn from_seed(name: &str, kind: KeyKind, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let secret = SigningKey::from_bytes(seed);
        let public = VerifierKey::new(name, kind, secret.verifying_key().as_bytes())?;
        Ok(Self { secret, public })
    }

    /// The public half.
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.public
    }

    pub(crate) fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.secret.sign(message).to_bytes()
    }
}

/// Never the secret.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.public)
    }
}

/// Whether a key may have this name: not empty, at most [`KEY_NAME_BYTES_MAX`] bytes, no Unicode space, no `+`, no
/// control character.
pub fn check_key_name(name: &str) -> Result<(), KeyError> {
    // Nearly every name is ASCII, and every line of a note has one: no tables of Unicode for those.
    let plain = name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'+');
    let good = plain || !name.chars().any(|c| c.is_whitespace() || c == '+' || c.is_control());
    if good && !name.is_empty() && name.len() <= KEY_NAME_BYTES_MAX {
        Ok(())
    } else {
        Err(KeyError::Name(name.to_owned()))
    }
}

fn key_id(name: &str, kind: u8, public: &[u8; 32]) -> u32 {
    let mut hash = Sha256::new();
    hash.update(name.as_bytes());
    hash.update([b'\n', kind]);
    hash.update(public);
    let digest: [u8; 32] = hash.finalize().into();
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}
