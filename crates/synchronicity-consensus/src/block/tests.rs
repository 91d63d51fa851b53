use std::sync::Arc;

use commonware_codec::{Decode, Encode};
use commonware_consensus::BoundedBlock;
use commonware_cryptography::Digestible;
use synchronicity_core::command::Command;
use synchronicity_core::group::Group;
use synchronicity_core::open::NOTHING_OPEN;

use super::*;
use crate::company::Company;

fn block(commands: Vec<Command>) -> Block {
    Block {
        parent: sha256::Digest([3; 32]),
        height: 7,
        time_ms: 1_700_000_000_123,
        claim: Claim {
            height: 5,
            time_ms: 1_700_000_000_001,
            log_size: 2,
            log_root: Digest([9; 32]),
            open: Digest([8; 32]),
        },
        commands: commands.into_iter().map(Signed::new).collect(),
    }
}

fn reading(group: &Group) -> Reading {
    Reading::new(Arc::new(group.clone()))
}

fn decode(bytes: &[u8], group: &Group) -> Result<Block, Error> {
    Block::decode_cfg(commonware_codec::Copying(bytes), &reading(group))
}

#[test]
fn a_block_reads_back_as_it_was_written_and_every_byte_is_in_its_digest() {
    let company = Company::of(4);
    let block = block(vec![company.submission(0, 1), company.submission(3, 2)]);
    let bytes = block.encode();
    assert_eq!(bytes.len(), block.encode_size());
    assert!(bytes.len() <= Block::max_encode_size(&reading(&company.group)));
    assert_eq!(decode(&bytes, &company.group).unwrap(), block);
    for at in 0..bytes.len() {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1;
        if let Ok(other) = decode(&flipped, &company.group) {
            assert_ne!(other.digest(), block.digest(), "byte {at}");
            assert_eq!(other.encode(), flipped, "byte {at} has a second spelling");
        }
        assert!(decode(&bytes[..at], &company.group).is_err(), "cut after {at} bytes");
    }
    assert!(decode(&[&bytes[..], &[0]].concat(), &company.group).is_err());
}

#[test]
fn a_block_with_a_command_that_does_not_verify_is_no_block() {
    let company = Company::of(4);
    let stranger = Company::of(3).submission(0, 1);
    assert!(decode(&block(vec![stranger]).encode(), &company.group).is_err());
    let twice = block(vec![company.submission(1, 1), company.submission(1, 1)]);
    assert!(decode(&twice.encode(), &company.group).is_err());
}

#[test]
fn counts_and_lengths_are_refused_before_anything_of_that_size_is_read() {
    let company = Company::of(4);
    let header = block(Vec::new()).encode();
    let header = &header[..header.len() - 2];
    let too_many = [header, &u16::MAX.to_be_bytes()].concat();
    assert!(matches!(decode(&too_many, &company.group), Err(Error::InvalidLength(65_535))));
    let too_long = [header, &1u16.to_be_bytes(), &u32::MAX.to_be_bytes()].concat();
    assert!(matches!(decode(&too_long, &company.group), Err(Error::InvalidLength(_))));
    let absent = [header, &1u16.to_be_bytes(), &1000u32.to_be_bytes()].concat();
    assert!(matches!(decode(&absent, &company.group), Err(Error::EndOfBuffer)));
}

#[test]
fn two_groups_share_no_block() {
    let digest = |group: &Group, begun: &Executed| Block::genesis(group.id(), begun).digest();
    let (four, first) = (Company::of(4).group, Executed::NOTHING);
    assert_ne!(digest(&four, &first), digest(&Company::of(5).group, &first));
    // Nor do chains of one group that begin elsewhere.
    let begun = Executed { height: 7, time_ms: 9, log_size: 1, log_root: Digest([1; 32]), open: NOTHING_OPEN };
    let mut digests: Vec<_> = [
        first,
        begun,
        Executed { height: 8, ..begun },
        Executed { time_ms: 10, ..begun },
        Executed { log_size: 2, ..begun },
        Executed { log_root: Digest([2; 32]), ..begun },
    ]
    .map(|begun| digest(&four, &begun))
    .into();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), 6);
}

#[test]
fn a_leader_has_only_so_many_commands_of_one_author_checked() {
    let company = Company::of(4);
    let commands: Vec<Command> = (0..=BLOCK_AUTHOR_COMMANDS_MAX).map(|number| company.submission(0, number)).collect();
    let (most, more) = (&commands[1..], &commands[..]);
    assert!(decode(&block(most.to_vec()).encode(), &company.group).is_ok());
    assert!(decode(&block(more.to_vec()).encode(), &company.group).is_err());
    let others = (0..BLOCK_AUTHOR_COMMANDS_MAX).map(|number| company.submission(1, number));
    assert!(decode(&block(most.iter().cloned().chain(others).collect()).encode(), &company.group).is_ok());
}
