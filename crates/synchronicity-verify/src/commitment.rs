//! The commitment: a result sealed before anybody else's is known.

use crate::digest::Digest;
use crate::identity::{BuilderId, RequestId};

/// `tagged("synchronicity/commitment/v1", [request id, builder id, result digest, nonce])`.
///
/// The builder's identity is inside, so that a commitment copied by somebody else opens for nobody; the nonce
/// (32 random bytes) keeps anybody from guessing the result, of which there are few.
pub fn commitment(request: &RequestId, builder: &BuilderId, result: &Digest, nonce: &[u8; 32]) -> Digest {
    Digest::tagged("synchronicity/commitment/v1", &[request.0.as_ref(), &builder.0, result.as_ref(), nonce])
}
