//! Step 1, submit: a request opens a round, within limits that no single member can use up.

use std::collections::BTreeMap;

use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_verify::recipe;
use synchronicity_verify::request::BuildRequest;

use crate::machine::{MAX_OPEN_ROUNDS, MAX_OPEN_ROUNDS_PER_AUTHOR, Machine};
use crate::rejection::Rejection;
use crate::round::{Phase, Round};

impl Machine {
    pub(crate) fn may_submit(&self, author: BuilderId, request: &BuildRequest, number: u32) -> Result<(), Rejection> {
        if !recipe::is_standard(request) {
            return Err(Rejection::OtherRecipe);
        }
        let agreed = self.group.override_for(&request.source);
        if let Some(what) = agreed.and_then(|agreed| agreed.differs(request)) {
            return Err(Rejection::NotAsAgreed { what });
        }
        if self.agreed().is_some() {
            return Err(Rejection::EpochEnds);
        }
        self.may_open(author, &request.id(), number)
    }

    fn may_open(&self, author: BuilderId, request: &RequestId, number: u32) -> Result<(), Rejection> {
        let expected = match self.rounds.get(request).map(|round| (round, round.phase)) {
            None => 0,
            Some((round, Phase::Concluded { index, verdict })) => {
                if verdict.is_final() {
                    return Err(Rejection::AlreadyConcluded { index });
                }
                round.number.saturating_add(1)
            }
            Some(_) => return Err(Rejection::AlreadyOpen),
        };
        if number < expected {
            return Err(Rejection::RoundOver);
        }
        if number > expected {
            return Err(Rejection::RoundAhead { expected });
        }
        if self.open.len() >= MAX_OPEN_ROUNDS {
            return Err(Rejection::TooManyOpen);
        }
        if self.open_rounds_of(&author) >= MAX_OPEN_ROUNDS_PER_AUTHOR {
            return Err(Rejection::QuotaReached);
        }
        Ok(())
    }

    pub(crate) fn submit(&mut self, author: BuilderId, request: &BuildRequest, lock: &[u8], number: u32) {
        // Builders build one request after the other: whoever queues behind others needs the time of all of them.
        let shares = 1 + self.open.len() as u64;
        let window_ms = self.group.commit_window_ms().saturating_mul(shares);
        let members = self.group.building().map(|member| (member.command, Box::default())).collect();
        let id = request.id();
        let round = Round {
            request: request.clone(),
            lock: lock.into(),
            number,
            author: Some(author),
            phase: Phase::Committing { deadline_ms: self.time_ms.saturating_add(window_ms) },
            members,
            results: BTreeMap::new(),
        };
        self.rounds.insert(id, round);
        self.open.insert(id);
    }
}
