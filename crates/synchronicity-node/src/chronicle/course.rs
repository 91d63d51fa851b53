//! One round: what happened in it, and when.

use std::sync::Arc;

use synchronicity_core::round::{Phase, Round};
use synchronicity_verify::entry::Entry;
use synchronicity_verify::identity::RequestId;
use synchronicity_verify::request::{BuildRequest, Source};
use synchronicity_web::model::Moment;

use super::people::Person;

/// Times at which deadlines were moved, as many as are remembered.
const EXTENSIONS_MAX: usize = 8;

/// A block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct At {
    /// Its height.
    pub height: u64,
    /// Its time.
    pub time: Moment,
}

/// Whether something was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deed {
    /// Not so far.
    #[default]
    Not,
    /// In this block.
    At(At),
    /// In a block that this node never had, or has no more.
    Sometime,
}

impl Deed {
    /// Whether it was done.
    pub fn is_done(&self) -> bool {
        *self != Deed::Not
    }

    /// The block in which it was done, where that is known.
    pub fn at(&self) -> Option<At> {
        match self {
            Deed::At(at) => Some(*at),
            _ => None,
        }
    }
}

/// Where a round stands. Deadlines are block times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Builders build and seal.
    Committing {
        /// When that ends at the latest.
        deadline: Moment,
    },
    /// Seals are opened.
    Revealing {
        /// When that ends at the latest.
        deadline: Moment,
    },
    /// The verdict is in the log.
    Ended,
}

impl Stage {
    /// When it ends at the latest.
    pub fn deadline(&self) -> Option<Moment> {
        match self {
            Stage::Committing { deadline } | Stage::Revealing { deadline } => Some(*deadline),
            Stage::Ended => None,
        }
    }

    fn of(round: &Round) -> Stage {
        match round.phase() {
            Phase::Committing { deadline_ms } => Stage::Committing { deadline: Moment(deadline_ms) },
            Phase::Revealing { deadline_ms } => Stage::Revealing { deadline: Moment(deadline_ms) },
            Phase::Concluded { .. } => Stage::Ended,
        }
    }
}

/// What a builder's part came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// There is no verdict yet.
    #[default]
    Open,
    /// It revealed what the group agreed on.
    Agreed,
    /// It revealed something else, or there was nothing to agree on.
    Apart,
    /// It did not commit in time.
    Late,
    /// It committed and did not reveal in time.
    Withheld,
}

/// One builder's part in a round.
#[derive(Clone, Debug)]
pub struct Part {
    /// Who.
    pub who: Arc<Person>,
    /// Whether its seal was ordered.
    pub committed: Deed,
    /// Whether it opened it.
    pub revealed: Deed,
    /// Whether it sealed two different results.
    pub contradicted: bool,
    /// What it came to.
    pub outcome: Outcome,
}

impl Part {
    /// Of somebody who has done nothing so far.
    pub fn of(who: Arc<Person>) -> Part {
        let not = Deed::Not;
        Part { who, committed: not, revealed: not, contradicted: false, outcome: Outcome::Open }
    }
}

/// What happened in a round.
#[derive(Clone, Debug)]
pub struct Course {
    /// The request.
    pub request: RequestId,
    /// Which attempt at it.
    pub round: u32,
    /// Name of the crate.
    pub name: Arc<str>,
    /// Its version.
    pub version: Arc<str>,
    /// Whether it is a crate of the project's own.
    pub fixture: bool,
    /// Toolchain, target, products and features in short.
    pub recipe: Arc<str>,
    /// Who submitted it, where that is known.
    pub author: Option<Arc<Person>>,
    /// When it was submitted, where that is known.
    pub submitted: Option<At>,
    /// The block after which nobody could commit any more.
    pub sealed: Option<At>,
    /// Blocks at which deadlines were moved, because the group had halted.
    pub extended: Vec<At>,
    /// Where it stands.
    pub stage: Stage,
    /// Who takes part, in order of their keys.
    pub parts: Vec<Part>,
}

impl Course {
    /// A round that was submitted in this block.
    pub(super) fn begun(
        (request, round): (RequestId, u32),
        about: &BuildRequest,
        recipe: Arc<str>,
        (author, at): (Option<Arc<Person>>, At),
        parts: Vec<Part>,
    ) -> Course {
        let stage = Stage::Committing { deadline: at.time };
        Course { author, submitted: Some(at), stage, parts, ..Course::unseen((request, round), about, recipe) }
    }

    /// A round of which only its state is known. `met` are its members, in order of their keys.
    pub(super) fn found(
        key: (RequestId, u32),
        round: &Round,
        recipe: Arc<str>,
        author: Option<Arc<Person>>,
        met: &[Arc<Person>],
    ) -> Course {
        let deed = |done: bool| if done { Deed::Sometime } else { Deed::Not };
        let parts = round.members().zip(met).map(|((_, did), who)| Part {
            committed: deed(did.commitment().is_some()),
            revealed: deed(did.opening().is_some()),
            contradicted: did.contradicted().is_some(),
            ..Part::of(who.clone())
        });
        let (stage, parts) = (Stage::of(round), parts.collect());
        Course { author, stage, parts, ..Course::unseen(key, round.request(), recipe) }
    }

    /// A round of which only its entry is known.
    pub(super) fn unseen((request, round): (RequestId, u32), about: &BuildRequest, recipe: Arc<str>) -> Course {
        Course {
            request,
            round,
            name: about.source.name().as_str().into(),
            version: about.source.version().as_str().into(),
            fixture: matches!(about.source, Source::Fixture { .. }),
            recipe,
            author: None,
            submitted: None,
            sealed: None,
            extended: Vec::new(),
            stage: Stage::Ended,
            parts: Vec::new(),
        }
    }

    /// It after a block that left the round like this; nothing if that is no news.
    pub(super) fn followed(&self, round: &Round, at: At) -> Option<Course> {
        let mut course = self.clone();
        let mut news = false;
        for part in &mut course.parts {
            let Some(did) = round.member(&part.who.key) else { continue };
            if did.commitment().is_some() && !part.committed.is_done() {
                (part.committed, news) = (Deed::At(at), true);
            }
            if did.opening().is_some() && !part.revealed.is_done() {
                (part.revealed, news) = (Deed::At(at), true);
            }
            if did.contradicted().is_some() && !part.contradicted {
                (part.contradicted, news) = (true, true);
            }
        }
        let stage = Stage::of(round);
        if stage != self.stage {
            match (self.stage, stage) {
                (Stage::Committing { .. }, Stage::Revealing { .. }) => course.sealed = Some(at),
                // The first block of a round tells its deadline.
                _ if self.submitted == Some(at) => {}
                _ if course.extended.len() < EXTENSIONS_MAX => course.extended.push(at),
                _ => {}
            }
            (course.stage, news) = (stage, true);
        }
        news.then_some(course)
    }

    /// It with the entry that ended it. `met` are the entry's members.
    pub(super) fn ended(mut self, entry: &Entry, met: &[Arc<Person>], at: At) -> Course {
        let seen = self.submitted.is_some();
        let deed = |before: Deed, done: bool| match (before, done) {
            (Deed::Not, true) if seen => Deed::At(at),
            (Deed::Not, true) => Deed::Sometime,
            (before, _) => before,
        };
        let agreed = entry.agreed.as_ref().map(|agreed| agreed.digest());
        let parts = entry.members.iter().zip(met).map(|(member, who)| {
            let before = self.parts.iter().find(|part| part.who.key == member.builder);
            let before = before.cloned().unwrap_or_else(|| Part::of(who.clone()));
            let outcome = match (member.commitment, member.result()) {
                (None, _) => Outcome::Late,
                (Some(_), None) => Outcome::Withheld,
                (Some(_), result) if result == agreed => Outcome::Agreed,
                (Some(_), Some(_)) => Outcome::Apart,
            };
            let committed = deed(before.committed, member.commitment.is_some());
            let revealed = deed(before.revealed, member.opening.is_some());
            Part { committed, revealed, outcome, ..before }
        });
        self.parts = parts.collect();
        self.stage = Stage::Ended;
        // It is kept for ever from here on.
        self.extended.shrink_to_fit();
        self
    }
}

/// Names of features that a row of a list has room for, in bytes. The page of a request has all.
const NAMED_BYTES_MAX: usize = 80;

/// The first names, and how many more there are.
fn in_short(names: &[String]) -> String {
    let mut room = NAMED_BYTES_MAX;
    let fits = |name: &&String| {
        let fits = name.len() <= room;
        room = room.saturating_sub(name.len() + 2);
        fits
    };
    let shown: Vec<&str> = names.iter().take_while(fits).map(String::as_str).collect();
    match (shown.len(), names.len() - shown.len()) {
        (_, 0) => shown.join(", "),
        (0, 1) => "one feature".to_owned(),
        (0, more) => format!("{more} features"),
        (_, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Toolchain, target, products and features in short.
pub(super) fn recipe_in_words(request: &BuildRequest) -> String {
    let features = &request.features;
    let mut chosen = match (features.all, features.default) {
        (true, _) => " with all features".to_owned(),
        (false, true) => String::new(),
        (false, false) => " without default features".to_owned(),
    };
    if !features.named.is_empty() && !features.all {
        let with = if features.default { " with " } else { " but " };
        chosen = format!("{chosen}{with}{}", in_short(&features.named));
    }
    format!("{} for {}, rustc {}{chosen}", request.products.name(), request.target, request.toolchain.release)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_features_that_a_row_has_no_room_for_is_told_by_its_first_ones_and_their_number() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(in_short(&names(&["cli", "tls"])), "cli, tls");
        let long = "f".repeat(74);
        assert_eq!(in_short(&names(&["cli", &long, "a", "b"])), format!("cli, {long} and 2 more"));
        assert_eq!(in_short(&names(&[&"g".repeat(81)])), "one feature");
        assert_eq!(in_short(&names(&[&"g".repeat(81), "a"])), "2 features");
    }
}
