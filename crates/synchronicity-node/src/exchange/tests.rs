use proptest::prelude::*;
use synchronicity_verify::digest::Digest;

use super::allowance::{Allowance, PEER_BYTES_MAX, Pace, WINDOW, gap};
use super::fetch::{Fetch, Refused, Step};
use super::parcel::{PIECE_BYTES, Parcel, Why};

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|place| (place * 31 % 251) as u8).collect()
}

/// Feeds a fetch from an honest giver, asking as it asks.
fn fetched(content: &[u8], sha256: Digest) -> Result<Vec<u8>, Refused> {
    let mut to = Vec::new();
    let mut fetch = Fetch::new(sha256, content.len() as u64, &mut to);
    loop {
        let Parcel::Ask { offset, .. } = fetch.ask() else { unreachable!() };
        let start = offset as usize;
        let piece = &content[start..content.len().min(start + PIECE_BYTES)];
        match fetch.take(offset, piece)? {
            Step::Whole => return Ok(to),
            Step::More => {}
            Step::Again => panic!("nothing was given twice"),
        }
    }
}

#[test]
fn an_artifact_arrives_whole_whatever_its_size() {
    for size in [1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES] {
        let content = content(size);
        assert_eq!(fetched(&content, Digest::of(&content)).unwrap(), content, "{size}");
    }
}

#[test]
fn bytes_of_another_hash_are_refused_at_the_end() {
    let (content, other) = (content(2 * PIECE_BYTES), Digest::of(b"what was revealed"));
    assert!(matches!(fetched(&content, other), Err(Refused::Hash { got }) if got == Digest::of(&content)));
}

#[test]
fn a_giver_can_neither_drip_nor_overflow_nor_jump() {
    let sha256 = Digest::of(b"");
    let size = PIECE_BYTES as u64 + 10;
    let begin = || Fetch::new(sha256, size, Vec::new());
    for (at, bytes) in [(0, 1), (0, PIECE_BYTES - 1), (1, PIECE_BYTES), (size, 1), (u64::MAX, 1)] {
        assert!(matches!(begin().take(at, &content(bytes)), Err(Refused::Piece { .. })), "{bytes} bytes at {at}");
    }
    let mut fetch = begin();
    assert_eq!(fetch.take(0, &content(PIECE_BYTES)).unwrap(), Step::More);
    assert_eq!(fetch.take(0, &content(PIECE_BYTES)).unwrap(), Step::Again);
    // The last piece has what is left, and not a byte more.
    assert!(matches!(fetch.take(PIECE_BYTES as u64, &content(11)), Err(Refused::Piece { due: 10, .. })));
}

#[test]
fn a_member_is_given_so_much_in_an_hour_and_the_others_are_not_charged_for_it() {
    let mut allowance = Allowance::default();
    let now = std::time::Instant::now();
    assert!(allowance.take(0, PEER_BYTES_MAX, now));
    assert!(!allowance.take(0, 1, now));
    assert!(allowance.take(1, 1, now));
    assert!(!allowance.take(0, 1, now + WINDOW / 2));
    assert!(allowance.take(0, 1, now + WINDOW));
}

#[test]
fn who_asks_too_often_is_not_answered_and_who_keeps_the_pace_always_is() {
    for members in [2, 4, 100] {
        let (mut pace, begun) = (Pace::new(members), std::time::Instant::now());
        let hour = 60 * 60 * 1000;
        let flood = (0..hour).step_by(15).filter(|ms| pace.admits(0, begun + std::time::Duration::from_millis(*ms)));
        let most = u128::from(hour) / gap(members).as_millis() + 2;
        assert!(flood.count() as u128 <= most, "{members}");
        // However the line delays each question a little.
        let mut at = begun;
        for question in 0..1000_u32 {
            let delay = gap(members) / 1000 * (question * 31 % 900);
            assert!(pace.admits(1, at + delay), "{members}: {question}");
            at += gap(members);
        }
    }
    // All others together leave room for what one asks itself.
    assert!(gap(4) / 3 > gap(1));
}

#[test]
fn an_artifact_has_the_time_that_it_takes_at_the_pace_of_its_group() {
    let mib = 1 << 20;
    assert_eq!(super::time(0, gap(4)).as_secs(), 20);
    assert_eq!(super::time(3 * mib, gap(4)).as_secs(), 80);
    for members in [2, 10, 64, 100] {
        let pieces = 10 * mib / PIECE_BYTES as u64;
        assert!(super::time(10 * mib, gap(members)) >= 2 * gap(members) * u32::try_from(pieces).unwrap(), "{members}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic_and_what_it_takes_it_writes_alike(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Some(parcel) = Parcel::parse(&bytes) {
            prop_assert_eq!(parcel.to_bytes(), bytes);
        }
    }

    #[test]
    fn what_is_written_is_read(hash in any::<[u8; 32]>(), offset in any::<u64>(), bytes in proptest::collection::vec(any::<u8>(), 1..300)) {
        let sha256 = Digest(hash);
        let nothing = [Why::Absent, Why::TooLarge, Why::Enough].map(|why| Parcel::Nothing { sha256, why });
        for parcel in nothing.into_iter().chain([Parcel::Ask { sha256, offset }, Parcel::Piece { sha256, offset, bytes: &bytes }]) {
            let written = parcel.to_bytes();
            prop_assert_eq!(Parcel::parse(&written), Some(parcel));
            // Cut off, or with something after it, it is another message or none, and never this one.
            prop_assert_ne!(Parcel::parse(&written[..written.len() - 1]), Some(parcel));
            let longer = [written.as_slice(), &[0]].concat();
            prop_assert_ne!(Parcel::parse(&longer), Some(parcel));
        }
    }

    #[test]
    fn whatever_is_given_is_refused_or_bounded_and_never_whole_by_chance(
        size in 1_u64..100_000,
        pieces in proptest::collection::vec((0_u64..120_000, 0_usize..PIECE_BYTES + 2), 0..20),
    ) {
        let mut to = Vec::new();
        let mut fetch = Fetch::new(Digest([0; 32]), size, &mut to);
        for (at, bytes) in pieces {
            match fetch.take(at, &content(bytes)) {
                Ok(step) => prop_assert_ne!(step, Step::Whole),
                Err(_) => break,
            }
        }
        prop_assert!(to.len() as u64 <= size);
    }
}

#[test]
fn a_piece_is_neither_empty_nor_longer_than_agreed() {
    let piece =
        |length: usize| Parcel::Piece { sha256: Digest([1; 32]), offset: 0, bytes: &content(length) }.to_bytes();
    assert!(Parcel::parse(&piece(0)).is_none());
    assert!(Parcel::parse(&piece(PIECE_BYTES)).is_some());
    assert!(Parcel::parse(&piece(PIECE_BYTES + 1)).is_none());
}
