use synchronicity_verify::membership::MembershipEntry;
use synchronicity_verify::succession::Succession;

use super::changed;
use super::formats::vector as of_bytes;
use crate::members::{EPOCHS, approval, builder, log, step, succession};
use crate::vectors::Vector;

pub(crate) fn all() -> Vec<Vector> {
    [entries(), successions()].into_iter().flatten().collect()
}

fn end() -> MembershipEntry {
    EPOCHS[0].end(&EPOCHS[1], &[0, 1, 2])
}

fn entries() -> Vec<Vector> {
    let bytes = end().to_bytes();
    // A map of ten pairs, of which the first is schema 3 under key 0.
    assert_eq!(bytes[..3], [0xaa, 0x00, 0x03]);
    let of = |change: fn(&mut MembershipEntry)| {
        let mut entry = end();
        change(&mut entry);
        entry.to_bytes()
    };
    let refused = |name, flaw, bytes: &[u8]| of_bytes("membership", name, "refused", flaw, bytes);
    vec![
        of_bytes("membership", "membership_good", "accepted", "none", &bytes),
        refused("membership_trailing_byte", "a byte after the end", &[bytes.as_slice(), &[0]].concat()),
        refused("membership_of_schema_two", "the schema of a build", &of(|entry| entry.schema = 2)),
        refused("membership_epoch_left_out", "epoch 2 after epoch 0", &of(|entry| entry.next.epoch = 2)),
        refused(
            "membership_two_approvals",
            "three of four must approve",
            &EPOCHS[0].end(&EPOCHS[1], &[0, 1]).to_bytes(),
        ),
        refused(
            "membership_approval_of_another",
            "one member's signature stands for two",
            &of(|entry| {
                let copied = approval(&entry.group, 0, &entry.next.digest());
                let other = entry.members.iter_mut().find(|voter| voter.builder == builder(1));
                other.unwrap().approval = Some(copied);
            }),
        ),
        refused(
            "membership_key_replaced",
            "other members than were approved of",
            &of(|entry| entry.next.members[4].consensus = [9; 32]),
        ),
        refused("membership_threshold_of_half", "two of four are no majority", &of(|entry| entry.threshold = 2)),
        refused("membership_voters_unsorted", "voters in another order", &of(|entry| entry.members.reverse())),
        refused("membership_next_unsorted", "members in another order", &of(|entry| entry.next.members.reverse())),
        refused("membership_without_members", "nobody follows", &of(|entry| entry.next.members.clear())),
    ]
}

fn successions() -> Vec<Vector> {
    let log = log();
    let vector = |name, expect, flaw, succession: String| super::vector("succession", name, expect, flaw, succession);
    let with = |index: usize, proof| {
        let mut succession = succession();
        succession.steps[index] = proof;
        succession.to_string()
    };
    let good = succession().to_string();
    let one = Succession { steps: vec![step(&log, 1, &[0, 1, 2])] };
    let later = Succession { steps: vec![step(&log, 3, &[1, 2, 3, 4])] };
    vec![
        vector("succession_good", "verified", "none: four members, five, and four others", good.clone()),
        vector("succession_good_one_step", "verified", "none", one.to_string()),
        vector("succession_without_first_step", "invalid", "it begins an epoch too late", later.to_string()),
        vector("succession_two_cosigners", "invalid", "too few signed the first step", with(0, step(&log, 1, &[0, 1]))),
        vector(
            "succession_signed_by_the_next",
            "invalid",
            "the members who follow signed for those before",
            with(0, step(&log, 1, &[1, 2, 3, 4])),
        ),
        vector(
            "succession_second_step_too_few",
            "invalid",
            "the second step needs four of five",
            with(1, step(&log, 3, &[1, 2, 3])),
        ),
        vector("succession_of_a_build", "invalid", "a build is no change", with(0, step(&log, 0, &[0, 1, 2]))),
        vector("succession_final_newline_missing", "invalid", "no final newline", good.trim_end().to_owned()),
        vector("succession_crlf", "invalid", "carriage returns", good.replace('\n', "\r\n")),
        vector("succession_another_first_line", "invalid", "a version nobody knows", changed(&good, "@v1", "@v2")),
    ]
}
