//! What makes a charter consistent.

use std::collections::BTreeSet;

use ed25519_dalek::VerifyingKey;
use synchronicity_verify::note::KeyKind;

use super::overrides::{OVERRIDES_MAX, Override};
use super::{
    Charter, EPOCH_MAX, GroupError, KEY_NAME_BYTES_MAX, MEMBER_NAME_BYTES_MAX, MEMBERS_MAX, Member,
    WALL_NAME_BYTES_MAX, WALLS_MAX, WINDOW_MS_MAX,
};

/// The first rule that the charter breaks. Its members are sorted by name, its walls too.
pub(super) fn check(charter: &Charter) -> Result<(), GroupError> {
    check_numbers(charter)?;
    check_containment(&charter.containment)?;
    check_overrides(&charter.overrides)?;
    check_names(charter)?;
    check_keys(charter)
}

fn check_numbers(charter: &Charter) -> Result<(), GroupError> {
    let members = charter.members.len();
    if members == 0 || members > MEMBERS_MAX {
        return Err(GroupError::MemberCount(members));
    }
    let threshold = charter.threshold;
    if usize::from(threshold) > members || 2 * usize::from(threshold) <= members {
        return Err(GroupError::Threshold { threshold, members });
    }
    let building = charter.members.iter().filter(|member| !member.absent).count();
    if usize::from(threshold) > building {
        return Err(GroupError::Absent { threshold, building });
    }
    if charter.epoch > EPOCH_MAX {
        return Err(GroupError::Epoch(charter.epoch));
    }
    let windows = [("commit window", charter.commit_window_ms), ("reveal window", charter.reveal_window_ms)];
    for (which, ms) in windows {
        if ms == 0 || ms > WINDOW_MS_MAX {
            return Err(GroupError::Window { which, ms });
        }
    }
    Ok(())
}

/// `walls` is sorted.
fn check_containment(walls: &[String]) -> Result<(), GroupError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let named = |wall: &String| (1..=WALL_NAME_BYTES_MAX).contains(&wall.len()) && wall.bytes().all(allowed);
    let unique = walls.windows(2).all(|pair| pair[0] != pair[1]);
    if walls.len() <= WALLS_MAX && unique && walls.iter().all(named) { Ok(()) } else { Err(GroupError::Containment) }
}

fn check_overrides(overrides: &[Override]) -> Result<(), GroupError> {
    if overrides.len() > OVERRIDES_MAX {
        return Err(GroupError::OverrideCount(overrides.len()));
    }
    let bad = overrides.iter().find_map(|agreed| Some((agreed.package.clone(), agreed.flaw()?)));
    bad.map_or(Ok(()), |(package, flaw)| Err(GroupError::Override { package, flaw }))
}

fn check_names(charter: &Charter) -> Result<(), GroupError> {
    if charter.log_key.name() != charter.origin || charter.log_key.kind() != KeyKind::Log {
        return Err(GroupError::LogKey { key: charter.log_key.name().to_owned(), origin: charter.origin.clone() });
    }
    let cosigners = charter.members.iter().map(|member| &member.cosigner);
    for key in cosigners.chain([&charter.log_key]) {
        if key.name().len() > KEY_NAME_BYTES_MAX {
            return Err(GroupError::KeyName(key.name().to_owned()));
        }
    }
    for member in &charter.members {
        check_member(member)?;
    }
    let mut key_names = BTreeSet::from([charter.origin.as_str()]);
    if let Some(member) = charter.members.iter().find(|member| !key_names.insert(member.cosigner.name())) {
        return Err(GroupError::SameName(member.cosigner.name().to_owned()));
    }
    for pair in charter.members.windows(2) {
        if pair[0].name == pair[1].name {
            return Err(GroupError::SameName(pair[0].name.clone()));
        }
    }
    Ok(())
}

fn check_member(member: &Member) -> Result<(), GroupError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    let name = &member.name;
    // Both words mean something else in the policy file of the group.
    let reserved = name == "none" || name == "builders";
    if name.is_empty() || name.len() > MEMBER_NAME_BYTES_MAX || reserved || !name.bytes().all(allowed) {
        return Err(GroupError::MemberName(name.clone()));
    }
    if member.cosigner.kind() != KeyKind::Cosigner {
        return Err(GroupError::CosignerKind(name.clone()));
    }
    let port = member.address.rsplit_once(':');
    if !port.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) {
        return Err(GroupError::Address { member: name.clone(), address: member.address.clone() });
    }
    Ok(())
}

fn check_keys(charter: &Charter) -> Result<(), GroupError> {
    let mut seen = BTreeSet::new();
    let mut claim = |member: &str, which, key: &[u8; 32]| {
        let usable = VerifyingKey::from_bytes(key).is_ok_and(|point| !point.is_weak());
        let member = member.to_owned();
        match (usable, seen.insert(*key)) {
            (true, true) => Ok(()),
            (false, _) => Err(GroupError::Key { member, which }),
            (true, false) => Err(GroupError::SharedKey { member, which }),
        }
    };
    claim("the log", "log", charter.log_key.public_bytes())?;
    for member in &charter.members {
        claim(&member.name, "consensus", &member.consensus)?;
        claim(&member.name, "command", &member.command.0)?;
        claim(&member.name, "cosigner", member.cosigner.public_bytes())?;
        claim(&member.name, "attestation", &member.attestation)?;
    }
    Ok(())
}
