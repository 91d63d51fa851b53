//! When to ask the others for cosignatures, and when to answer them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::cosign::Statement;

/// How soon a node that misses cosignatures asks again; doubles each time, up to [`ASK_AGAIN_MAX`]. Short at first: a
/// busy machine loses messages, and each one lost keeps somebody from a proof.
const ASK_AGAIN: Duration = Duration::from_millis(200);
pub(super) const ASK_AGAIN_MAX: Duration = Duration::from_secs(60);

/// How often questions of one member are answered at most, and questions about one statement. Each member has a pause of its
/// own, so that one that never stops asking keeps nobody from an answer; and as all members hear every answer, a group in
/// which many ask the same does not answer each of them. Long enough for as many liars as the largest group bears, each with
/// another question, to leave room in a link's quota of 32 statements a second: what is beyond it is dropped.
const ANSWER_PAUSE: Duration = Duration::from_millis(500);

/// Pauses between questions, and between answers.
pub(super) struct Asking {
    next: Instant,
    pause: Duration,
    /// When each member was answered, and when each statement was told as an answer; not what is longer ago than a pause.
    answered: BTreeMap<usize, Instant>,
    answers: BTreeMap<Statement, Instant>,
    /// Whether this builder has signed since it told anything.
    news: bool,
}

impl Asking {
    pub(super) fn new() -> Asking {
        let (answered, answers) = (BTreeMap::new(), BTreeMap::new());
        Asking { next: Instant::now(), pause: ASK_AGAIN, answered, answers, news: false }
    }

    /// When the next question is due.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    pub(super) fn restart(&mut self) {
        (self.next, self.pause, self.news) = (Instant::now(), ASK_AGAIN, true);
    }

    pub(super) fn rest(&mut self) {
        self.next = Instant::now() + ASK_AGAIN_MAX;
    }

    pub(super) fn due(&mut self, pause_max: Duration) -> bool {
        let due = Instant::now() >= self.next;
        if due {
            self.next = Instant::now() + self.pause;
            self.pause = self.pause.saturating_mul(2).min(pause_max);
        }
        due
    }

    pub(super) fn has_news(&self) -> bool {
        self.news
    }

    pub(super) fn told(&mut self) {
        self.news = false;
    }

    /// Whether a question of this member about this statement is answered now. If so, it counts as answered.
    pub(super) fn may_answer(&mut self, member: usize, statement: Statement, now: Instant) -> bool {
        let fresh = |answered: &Instant| now.saturating_duration_since(*answered) < ANSWER_PAUSE;
        self.answered.retain(|_, answered| fresh(answered));
        self.answers.retain(|_, answered| fresh(answered));
        let may = !self.answered.contains_key(&member) && !self.answers.contains_key(&statement);
        if may {
            self.answered.insert(member, now);
            self.answers.insert(statement, now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use synchronicity_verify::digest::Digest;

    use super::*;

    const PRESENT: Statement = (9, Digest([9; 32]));

    /// A statement that nobody else asks about.
    fn odd(size: u64) -> Statement {
        (size, Digest([1; 32]))
    }

    #[test]
    fn a_member_that_asks_without_end_keeps_no_other_member_from_an_answer() {
        let (mut asking, begin) = (Asking::new(), Instant::now());
        let mut answers = [0, 0];
        // Every millisecond of a second, always first, and never the same twice.
        for ms in 0..1000 {
            let now = begin + Duration::from_millis(ms);
            answers[0] += usize::from(asking.may_answer(0, odd(ms), now));
            if ms % 100 == 50 {
                answers[1] += usize::from(asking.may_answer(1, PRESENT, now));
            }
        }
        assert_eq!(answers, [2, 2]);
    }

    #[test]
    fn as_many_liars_as_the_largest_group_bears_leave_room_for_what_must_arrive() {
        let (mut asking, begin) = (Asking::new(), Instant::now());
        let liars = synchronicity_verify::membership::faults(31);
        let ask = |ms: u64| {
            let now = begin + Duration::from_millis(ms);
            (0..liars).filter(|liar| asking.may_answer(*liar, odd(ms * 100 + *liar as u64), now)).count()
        };
        let answers: usize = (0..1000).map(ask).sum();
        assert!((liars..=24).contains(&answers), "{answers} of 32");
    }

    #[test]
    fn many_members_that_ask_the_same_are_answered_together() {
        let (mut asking, begin) = (Asking::new(), Instant::now());
        let answered =
            |asking: &mut Asking, now| (0..31).filter(|member| asking.may_answer(*member, PRESENT, now)).count();
        assert_eq!(answered(&mut asking, begin), 1);
        assert_eq!(answered(&mut asking, begin + ANSWER_PAUSE - Duration::from_millis(1)), 0);
        assert_eq!(answered(&mut asking, begin + ANSWER_PAUSE), 1);
        assert!(asking.answered.len() + asking.answers.len() <= 2, "what is over is forgotten");
    }
}
