//! The group's statement about what its builders got: an SLSA verification summary v1.
//!
//! Every member that agreed signs the same bytes, so that their signatures fit into one envelope.

use serde_json::{Value, json};
use synchronicity_verify::digest::Digest;

use super::evidence::Evidence;
use super::statement::{entry_descriptor, group_uri, statement};

/// The predicate.
pub const PREDICATE_TYPE: &str = "https://slsa.dev/verification_summary/v1";

/// What is said of the artifacts: at least the group's threshold of builders got these bytes. A level of this project,
/// because SLSA has none for it: its build levels are about how one platform is run, which nobody examined here.
pub const LEVEL: &str = "SYNCHRONICITY_REPRODUCED";

/// SLSA's own word for that.
const NOT_EVALUATED: &str = "SLSA_BUILD_LEVEL_UNEVALUATED";

/// The last second of the year 9999, which is the last that the format of times has.
const LAST_SECOND: u64 = 253_402_300_799;

/// The summary, in canonical JSON.
pub fn summary(evidence: &Evidence<'_>) -> Vec<u8> {
    let entry = evidence.entry();
    let reveals = evidence.agreeing().into_iter().filter_map(|(member, record)| {
        let digest = json!({ "synchronicity-command-v1": record.attestation?.to_string() });
        Some(json!({ "name": format!("reveal of {}", member.name), "digest": digest }))
    });
    let inputs: Vec<Value> = [entry_descriptor(evidence)].into_iter().chain(reveals).collect();
    let mut predicate = json!({
        "verifier": { "id": group_uri(evidence) },
        "resourceUri": entry.request.source.purl(),
        "policy": policy(evidence),
        "inputAttestations": inputs,
        "verificationResult": "PASSED",
        "verifiedLevels": [LEVEL, NOT_EVALUATED],
    });
    if let Some(time) = rfc3339(entry.time_ms / 1000) {
        predicate["timeVerified"] = time.into();
    }
    statement(evidence, PREDICATE_TYPE, predicate)
}

/// The policy that the group hands to its clients, without comment and address, by the SHA-256 of the file; and what it
/// does not say.
fn policy(evidence: &Evidence<'_>) -> Value {
    let group = evidence.group();
    // Without an address a policy cannot fail: the names in it were checked when the group was founded.
    let text = group.policy(None).map(|policy| policy.to_string()).unwrap_or_default();
    json!({
        "name": "policy",
        "uri": format!("{}/policies/{}", group_uri(evidence), group.id()),
        "digest": { "sha256": Digest::of(text.as_bytes()).to_string() },
        "annotations": {
            "group": group.id().to_string(),
            "epoch": group.epoch(),
            "threshold": group.threshold(),
            "members": group.members().len(),
        },
    })
}

/// `2026-11-24T06:28:09Z`, for seconds since 1970-01-01 UTC.
pub(crate) fn rfc3339(seconds: u64) -> Option<String> {
    if seconds > LAST_SECOND {
        return None;
    }
    let (mut days, of_day) = (seconds / 86_400, seconds % 86_400);
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    Some(format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", days + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_795_501_689, "2026-11-24T06:28:09Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (LAST_SECOND, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds).as_deref(), Some(text));
        }
        assert_eq!(rfc3339(LAST_SECOND + 1), None);
    }
}
