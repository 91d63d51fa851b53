use synchronicity_core::group::Charter;
use synchronicity_verify::note::KeyKind;
use synchronicity_verify::note::Signer;

use super::*;
use crate::keys::{Keys, Seed};

struct Members {
    group: Arc<Group>,
    signers: Vec<Signer>,
}

fn members(count: usize) -> Members {
    let log_key = Seed::generate().unwrap();
    let log = Signer::from_seed("example.org/test", KeyKind::Log, log_key.expose()).unwrap();
    let seed = || Seed::generate().unwrap();
    let keys: Vec<Keys> = (0..count)
        .map(|_| Keys { consensus: seed(), command: seed(), cosigner: seed(), attestation: seed() })
        .collect();
    let name = |index: usize| format!("builder-{index}");
    let member = |(index, keys): (usize, &Keys)| keys.member(&name(index), "192.0.2.7:4800").unwrap();
    let charter = Charter {
        origin: "example.org/test".to_owned(),
        epoch: 0,
        log_key: log.verifier_key().clone(),
        threshold: u16::try_from(count / 2 + 1).unwrap(),
        commit_window_ms: 1000,
        reveal_window_ms: 1000,
        containment: Vec::new(),
        overrides: Vec::new(),
        members: keys.iter().enumerate().map(member).collect(),
    };
    let signer = |(index, keys): (usize, &Keys)| {
        Signer::from_seed(&name(index), KeyKind::Cosigner, keys.cosigner.expose()).unwrap()
    };
    Members { group: Arc::new(Group::new(charter).unwrap()), signers: keys.iter().enumerate().map(signer).collect() }
}

impl Members {
    fn line(&self, member: usize, statement: &Statement, time_s: u64) -> NoteSignature {
        let text = Cosignatures::new(self.group.clone()).text(statement);
        cosignature::cosign(&self.signers[member], &text, time_s).unwrap()
    }

    /// What this member alone would tell.
    fn told_by(&self, member: usize, statement: &Statement) -> Vec<u8> {
        self.told_at(member, statement, 1)
    }

    fn told_at(&self, member: usize, statement: &Statement, time_s: u64) -> Vec<u8> {
        let mut own = Cosignatures::new(self.group.clone());
        own.add_own(*statement, member, self.line(member, statement, time_s));
        own.question(statement).unwrap()
    }
}

const STATEMENT: Statement = (3, Digest([7; 32]));

/// Every time that these tests sign at is in the past.
const LATEST_S: u64 = 1000;

#[test]
fn a_quorum_is_three_of_four_and_two_are_none() {
    let members = members(4);
    let mut pool = Cosignatures::new(members.group.clone());
    for member in 0..2 {
        pool.receive(&members.told_by(member, &STATEMENT), LATEST_S).unwrap();
    }
    assert!(pool.quorums(0, 9).is_empty());
    pool.receive(&members.told_by(3, &STATEMENT), LATEST_S).unwrap();
    let quorums = pool.quorums(0, 9);
    assert_eq!(quorums.len(), 1);
    assert_eq!((quorums[0].0, quorums[0].1.len()), (STATEMENT, 3));
    assert!(pool.quorums(4, 9).is_empty() && pool.quorums(0, 2).is_empty());
}

#[test]
fn the_same_member_counts_once_however_often_it_signs() {
    let members = members(4);
    let mut pool = Cosignatures::new(members.group.clone());
    for _ in 0..5 {
        pool.receive(&members.told_by(1, &STATEMENT), LATEST_S).unwrap();
    }
    assert!(pool.quorums(0, 9).is_empty());
    assert!(!pool.receive(&members.told_by(1, &STATEMENT), LATEST_S).unwrap().news);
}

#[test]
fn cosignatures_of_two_roots_are_never_added_up() {
    let members = members(4);
    let mut pool = Cosignatures::new(members.group.clone());
    let other = (STATEMENT.0, Digest([8; 32]));
    for (member, statement) in [(0, STATEMENT), (1, STATEMENT), (2, other), (3, other)] {
        pool.receive(&members.told_by(member, &statement), LATEST_S).unwrap();
    }
    assert!(pool.quorums(0, 9).is_empty());
}

#[test]
fn a_forged_line_makes_the_whole_message_count_for_nothing() {
    let members = members(4);
    let mut pool = Cosignatures::new(members.group.clone());
    let mut message = members.told_by(0, &STATEMENT);
    let forged = members.line(1, &(4, Digest([7; 32])), 1);
    message.extend_from_slice(format!("{forged}\n").as_bytes());
    assert!(matches!(pool.receive(&message, LATEST_S), Err(MessageError::Signature(_))));
    assert!(pool.signed_s(&STATEMENT, 0).is_none());
}

#[test]
fn lines_of_strangers_are_ignored_and_other_logs_are_refused() {
    let (ours, theirs) = (members(4), members(4));
    let mut pool = Cosignatures::new(ours.group.clone());
    let mut message = ours.told_by(0, &STATEMENT);
    let stranger = theirs.line(1, &STATEMENT, 1);
    // Another key under a member's name is a stranger's.
    message.extend_from_slice(format!("{stranger}\n").as_bytes());
    assert!(pool.receive(&message, LATEST_S).unwrap().news);
    assert!(pool.signed_s(&STATEMENT, 0).is_some() && pool.signed_s(&STATEMENT, 1).is_none());
    let text = String::from_utf8(ours.told_by(1, &STATEMENT)).unwrap().replace("example.org/test", "example.org/else");
    assert!(matches!(pool.receive(text.as_bytes(), LATEST_S), Err(MessageError::OtherLog(_))));
}

#[test]
fn what_one_member_can_make_us_remember_is_bounded() {
    let members = members(4);
    let mut pool = Cosignatures::new(members.group.clone());
    for size in 1..200 {
        pool.receive(&members.told_by(2, &(size, Digest([7; 32]))), LATEST_S).unwrap();
    }
    assert_eq!(pool.lines.len(), SIZES_PER_MEMBER);
    assert!(pool.signed_s(&(199, Digest([7; 32])), 2).is_some());
}

#[test]
fn who_misses_something_is_answered_and_answers_never_ask() {
    let members = members(4);
    let mut pool = Cosignatures::new(members.group.clone());
    for member in 0..3 {
        pool.receive(&members.told_by(member, &STATEMENT), LATEST_S).unwrap();
    }
    let question = pool.question(&STATEMENT).unwrap();
    assert_eq!((question[0], pool.answer(&STATEMENT).unwrap()[0]), (b'?', b'.'));
    let expected = Received { statement: STATEMENT, news: true, lacks: false, asks: false };
    let mut newcomer = Cosignatures::new(members.group.clone());
    assert_eq!(newcomer.receive(&pool.answer(&STATEMENT).unwrap(), LATEST_S).unwrap(), expected);
    // Who holds no more than the question has no answer to it.
    let expected = Received { statement: STATEMENT, news: false, lacks: false, asks: true };
    assert_eq!(newcomer.receive(&question, LATEST_S).unwrap(), expected);
    pool.receive(&members.told_by(3, &STATEMENT), LATEST_S).unwrap();
    let expected = Received { statement: STATEMENT, news: false, lacks: true, asks: true };
    assert_eq!(pool.receive(&question, LATEST_S).unwrap(), expected);
    assert_eq!(pool.times(&STATEMENT), [1; 4]);
}

#[test]
fn a_later_time_of_the_same_statement_replaces_the_earlier_and_never_the_reverse() {
    let members = members(4);
    let mut pool = Cosignatures::new(members.group.clone());
    let mut told = |time_s| pool.receive(&members.told_at(1, &STATEMENT, time_s), LATEST_S).unwrap();
    assert!(told(20).news);
    let earlier = told(19);
    assert!(!earlier.news && earlier.lacks);
    assert!(!told(20).news);
    assert!(told(21).news);
    assert_eq!(pool.signed_s(&STATEMENT, 1), Some(21));
    pool.add_own(STATEMENT, 1, members.line(1, &STATEMENT, 5));
    assert_eq!(pool.signed_s(&STATEMENT, 1), Some(21));
}

#[test]
fn a_line_from_the_future_is_refused_and_the_others_of_its_message_count() {
    let members = members(4);
    let mut sender = Cosignatures::new(members.group.clone());
    sender.add_own(STATEMENT, 0, members.line(0, &STATEMENT, LATEST_S + 1));
    sender.add_own(STATEMENT, 1, members.line(1, &STATEMENT, LATEST_S));
    let mut pool = Cosignatures::new(members.group.clone());
    assert!(pool.receive(&sender.question(&STATEMENT).unwrap(), LATEST_S).unwrap().news);
    assert_eq!((pool.signed_s(&STATEMENT, 0), pool.signed_s(&STATEMENT, 1)), (None, Some(LATEST_S)));
    // Nor does it keep the member's true times out.
    pool.receive(&members.told_at(0, &STATEMENT, 7), LATEST_S).unwrap();
    assert_eq!(pool.signed_s(&STATEMENT, 0), Some(7));
}

/// A message with a line of this member that says this time and is not the member's.
fn forged(members: &Members, member: usize, statement: &Statement, time_s: u64) -> Vec<u8> {
    let mut line = members.line(member, statement, time_s);
    *line.signature.last_mut().unwrap() ^= 1;
    let mut sender = Cosignatures::new(members.group.clone());
    sender.add_own(*statement, member, line);
    sender.question(statement).unwrap()
}

#[test]
fn no_signature_is_checked_of_a_line_that_would_not_be_kept() {
    let members = members(4);
    let mut pool = Cosignatures::new(members.group.clone());
    pool.receive(&members.told_at(1, &STATEMENT, 20), LATEST_S).unwrap();
    // One that is checked makes the message count for nothing, which shows that it was.
    let checked = |pool: &mut Cosignatures, statement: &Statement, time_s| {
        let received = pool.receive(&forged(&members, 1, statement, time_s), LATEST_S);
        assert!(!received.as_ref().is_ok_and(|received| received.news), "a forged line was kept");
        received.is_err()
    };
    for (time_s, is_checked) in [(19, false), (20, false), (21, true), (LATEST_S, true), (LATEST_S + 1, false)] {
        assert_eq!(checked(&mut pool, &STATEMENT, time_s), is_checked, "{time_s}");
    }
    // Of a log that is smaller than the published one.
    pool.forget_below(3);
    assert!(!checked(&mut pool, &(2, STATEMENT.1), 20) && checked(&mut pool, &(3, Digest([8; 32])), 20));
    assert!(!pool.receive(&members.told_by(1, &(2, STATEMENT.1)), LATEST_S).unwrap().news);
    // Of one that is smaller than all that the member has signed since.
    for size in 10..9 + SIZES_PER_MEMBER as u64 {
        pool.receive(&members.told_by(1, &(size, STATEMENT.1)), LATEST_S).unwrap();
    }
    assert!(!checked(&mut pool, &(3, Digest([6; 32])), 20) && checked(&mut pool, &(4, STATEMENT.1), 20));
    assert_eq!(pool.signed_s(&STATEMENT, 1), Some(20));
}

#[test]
fn no_bytes_make_it_panic() {
    let members = members(4);
    let mut pool = Cosignatures::new(members.group.clone());
    let good = members.told_by(0, &STATEMENT);
    for end in 0..good.len() {
        assert!(pool.receive(&good[..end], LATEST_S).is_err());
    }
    for position in 0..good.len() {
        let mut bad = good.clone();
        bad[position] ^= 0x20;
        // Some flips only turn the line into a stranger's; none may count for this statement.
        let _ = pool.receive(&bad, LATEST_S);
    }
    assert!(pool.signed_s(&STATEMENT, 1).is_none());
}
