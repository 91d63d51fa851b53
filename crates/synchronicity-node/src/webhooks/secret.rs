//! What a webhook is signed with, as Standard Webhooks has it: HMAC-SHA256 over `ID.TIMESTAMP.BODY`.

use std::fmt;

use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How a secret begins; after it comes base64.
const PREFIX: &str = "whsec_";

/// Bytes of a secret, at least and at most: the specification's bounds.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A shared secret. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Reads `whsec_` and 24 to 64 bytes in base64, with or without a newline after it.
    pub fn parse(text: &str) -> Option<Secret> {
        let encoded = text.strip_suffix('\n').unwrap_or(text).strip_prefix(PREFIX)?;
        let bytes = Base64::decode_vec(encoded).ok()?;
        BYTES.contains(&bytes.len()).then_some(Secret(bytes))
    }

    /// The value of `webhook-signature`.
    pub fn sign(&self, id: &str, timestamp_s: u64, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{timestamp_s}.{body}").as_bytes());
        format!("v1,{}", Base64::encode_string(&mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_has_its_signature() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_secret_of_the_specification_is_refused() {
        let short = format!("whsec_{}", Base64::encode_string(&[7; 23]));
        let long = format!("whsec_{}", Base64::encode_string(&[7; 65]));
        for text in
            ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!", &short, &long]
        {
            assert_eq!(Secret::parse(text), None, "{text}");
        }
        assert!(!format!("{:?}", Secret::parse(&format!("whsec_{}", Base64::encode_string(&[7; 24])))).contains('7'));
    }
}
