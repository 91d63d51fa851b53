//! What the group did, for people: who submitted, committed and revealed what, when, and what came out.
//!
//! The machine keeps what the protocol needs, and forgets when things happened. This is folded beside it, from the same blocks, at
//! start from those on disk; it decides nothing. Readers get a snapshot that nothing changes any more: a copy costs a pointer, for
//! its parts are shared, so that a page is made without the state's lock and a block waits for no reader.
//!
//! | file | holds |
//! | --- | --- |
//! | this one | the snapshot, and whoever writes it |
//! | `course.rs` | one round: what happened in it |
//! | `people.rs` | builders, and how each has done |
//! | `titles.rs` | crates by name |
//!
//! Memory: for each verdict some 500 bytes, and 70 for each of its builders; `benches/pages.rs` measures it.

mod course;
mod people;
mod titles;

use std::sync::Arc;

use imbl::{OrdMap, Vector};
use synchronicity_core::group::Group;
use synchronicity_core::machine::Machine;
use synchronicity_verify::entry::{Entry, Verdict};
use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::membership::MembershipEntry;
use synchronicity_verify::result::{BuildResult, Failure};
use synchronicity_web::model::{Counts, EntryRow, EpochRow, Moment, Month};
use tokio::sync::watch;

pub use course::{At, Course, Deed, Outcome, Part, Stage};
use people::People;
pub use people::{Person, Record};
pub use titles::Title;
use titles::Titles;

/// Recipes that are remembered so that equal ones share their text.
const RECIPES_MAX: usize = 4096;

fn change(index: u64, entry: &MembershipEntry) -> EpochRow {
    EpochRow {
        epoch: entry.next.epoch,
        index,
        time: Moment(entry.time_ms),
        threshold: entry.next.threshold,
        members: entry.next.members.iter().map(|member| member.name.clone()).collect(),
    }
}

/// Everything, as of one block.
#[derive(Clone, Debug, Default)]
pub struct Chronicle {
    /// By index in the log; nothing at the changes of membership.
    leaves: Vector<Option<Arc<Concluded>>>,
    /// The changes of membership, the latest last.
    changes: Vector<EpochRow>,
    /// Indices, in the order of [`Verdict::ALL`].
    of_verdict: [Vector<u64>; 4],
    attempts: OrdMap<RequestId, Arc<[u64]>>,
    open: OrdMap<(RequestId, u32), Arc<Course>>,
    people: People,
    titles: Titles,
    months: OrdMap<String, Counts>,
    failures: OrdMap<Failure, u64>,
    counts: Counts,
    recipes: OrdMap<String, Arc<str>>,
    at: At,
}

/// A round with its verdict.
#[derive(Clone, Debug)]
pub struct Concluded {
    /// Index of its entry.
    pub index: u64,
    /// The block that concluded it.
    pub at: At,
    /// What the group found out.
    pub verdict: Verdict,
    /// Builders behind the agreed result, or behind the largest one.
    pub agree: u16,
    /// Equal results that made a verdict.
    pub threshold: u16,
    /// The agreed failure.
    pub failure: Option<Failure>,
    /// What happened.
    pub course: Course,
}

impl Chronicle {
    /// Notes an entry that the log got. Those of one block come before [`Chronicle::block`].
    pub fn logged(&mut self, index: u64, leaf: &Leaf, group: Option<&Group>) {
        let concluded = match leaf {
            Leaf::Membership(entry) => {
                self.changes.push_back(change(index, entry));
                None
            }
            Leaf::Build(entry) => Some(Arc::new(self.concluded(index, entry, group))),
        };
        if let Some(concluded) = &concluded {
            self.count(concluded);
        }
        self.leaves.push_back(concluded);
    }

    /// Notes what a block did to the rounds that are open after it.
    pub fn block(&mut self, at: At, machine: &Machine) {
        self.at = at;
        for (request, round) in machine.open_rounds() {
            let key = (*request, round.number());
            let before = self.open.get(&key).cloned();
            let course = match &before {
                Some(course) => course.clone(),
                None => {
                    let recipe = self.recipe(round.request());
                    let members = round.members().map(|(builder, _)| *builder);
                    let parts = members.map(|builder| Part::of(self.people.met(&builder, machine.group()))).collect();
                    let author = round.author().map(|author| self.people.met(&author, machine.group()));
                    Arc::new(Course::begun(key, round.request(), recipe, (author, at), parts))
                }
            };
            let followed = course.followed(round, at);
            if before.is_none() || followed.is_some() {
                self.open.insert(key, followed.map_or(course, Arc::new));
            }
        }
    }

    /// Notes the rounds that are open in a state before which this node knows no block.
    pub fn resumed(&mut self, at: At, machine: &Machine) {
        self.at = at;
        for (request, round) in machine.open_rounds() {
            let (key, recipe) = ((*request, round.number()), self.recipe(round.request()));
            let author = round.author().map(|author| self.people.met(&author, machine.group()));
            let met: Vec<_> = round.members().map(|(who, _)| self.people.met(who, machine.group())).collect();
            self.open.insert(key, Arc::new(Course::found(key, round, recipe, author, &met)));
        }
    }

    /// Moves on to a block that changed nothing.
    pub fn passed(&mut self, at: At) {
        self.at = at;
    }

    /// The changes of membership, the latest first.
    pub fn changes(&self) -> impl Iterator<Item = &EpochRow> {
        self.changes.iter().rev()
    }

    fn concluded(&mut self, index: u64, entry: &Entry, group: Option<&Group>) -> Concluded {
        let key = (entry.request.id(), entry.round);
        let at = At { height: entry.height, time: Moment(entry.time_ms) };
        let met = entry.members.iter().map(|member| self.people.named(&member.builder, &member.name, group));
        let met: Vec<Arc<Person>> = met.collect();
        let course = match self.open.remove(&key) {
            Some(course) => Arc::unwrap_or_clone(course),
            None => Course::unseen(key, &entry.request, self.recipe(&entry.request)),
        };
        let agree = behind_the_largest(entry);
        let failure = match entry.agreed {
            Some(BuildResult::Failed(failure)) => Some(failure),
            _ => None,
        };
        let course = course.ended(entry, &met, at);
        Concluded { index, at, verdict: entry.verdict, agree, threshold: entry.threshold, failure, course }
    }

    fn count(&mut self, concluded: &Concluded) {
        let (index, course) = (concluded.index, &concluded.course);
        self.counts.add(concluded.verdict);
        self.months.entry(concluded.at.time.month()).or_default().add(concluded.verdict);
        if let Some(failure) = concluded.failure {
            *self.failures.entry(failure).or_default() += 1;
        }
        self.of_verdict[place(concluded.verdict)].push_back(index);
        let attempts = self.attempts.get(&course.request).into_iter().flat_map(|before| before.iter().copied());
        let attempts: Arc<[u64]> = attempts.chain([index]).collect();
        self.attempts.insert(course.request, attempts);
        self.titles.add(course, index);
        self.people.add(course, index);
    }

    fn recipe(&mut self, request: &synchronicity_verify::request::BuildRequest) -> Arc<str> {
        let words = course::recipe_in_words(request);
        if let Some(known) = self.recipes.get(&words) {
            return known.clone();
        }
        let recipe: Arc<str> = words.as_str().into();
        if self.recipes.len() < RECIPES_MAX {
            self.recipes.insert(words, recipe.clone());
        }
        recipe
    }

    /// The newest block that it knows of.
    pub fn at(&self) -> At {
        self.at
    }

    /// Entries of the log.
    pub fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// Entries by verdict.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The verdict at an index of the log.
    pub fn verdict(&self, index: u64) -> Option<&Arc<Concluded>> {
        self.leaves.get(usize::try_from(index).ok()?)?.as_ref()
    }

    /// Verdicts below an index, the newest first, of one kind or of all.
    pub fn below(&self, before: u64, kind: Option<Verdict>) -> Box<dyn Iterator<Item = &Arc<Concluded>> + '_> {
        match kind {
            None => Box::new((0..before.min(self.size())).rev().filter_map(move |index| self.verdict(index))),
            Some(kind) => self.of_indices(&self.of_verdict[place(kind)], before),
        }
    }

    /// Verdicts on a crate below an index, the newest first.
    pub fn of_title<'a>(&'a self, title: &'a Title, before: u64) -> Box<dyn Iterator<Item = &'a Arc<Concluded>> + 'a> {
        self.of_indices(title.indices(), before)
    }

    fn of_indices<'a>(
        &'a self,
        indices: &'a Vector<u64>,
        before: u64,
    ) -> Box<dyn Iterator<Item = &'a Arc<Concluded>> + 'a> {
        let end = indices.binary_search(&before).unwrap_or_else(|place| place);
        Box::new((0..end).rev().filter_map(move |place| self.verdict(*indices.get(place)?)))
    }

    /// Verdicts on a request, the newest first.
    pub fn attempts(&self, request: &RequestId) -> impl Iterator<Item = &Arc<Concluded>> {
        let indices = self.attempts.get(request).map(|indices| &indices[..]).unwrap_or_default();
        indices.iter().rev().filter_map(move |index| self.verdict(*index))
    }

    /// The open round of a request.
    pub fn open_round(&self, request: &RequestId) -> Option<&Arc<Course>> {
        let mut rounds = self.open.range((*request, 0)..=(*request, u32::MAX));
        rounds.next_back().map(|(_, course)| course)
    }

    /// The open rounds, in the order in which builders build them.
    pub fn open(&self) -> Vec<&Arc<Course>> {
        let mut open: Vec<&Arc<Course>> = self.open.values().collect();
        open.sort_by_key(|course| (course.stage.deadline(), course.request));
        open
    }

    /// Whether somebody can still commit in a round of this request. What a build of it printed is nobody else's business until
    /// then: who saw it could copy instead of building.
    pub fn is_committing(&self, request: &RequestId) -> bool {
        self.open_round(request).is_some_and(|course| matches!(course.stage, Stage::Committing { .. }))
    }

    /// The crate of this name.
    pub fn title(&self, name: &str) -> Option<&Title> {
        self.titles.get(name)
    }

    /// Crates whose name begins with a text, then crates that have it elsewhere in their name; at most so many, and only those that
    /// come after one of this name, if it is not empty.
    pub fn search(&self, text: &str, after: &str, most: usize) -> Vec<&Title> {
        self.titles.search(text, after, most)
    }

    /// How somebody has done.
    pub fn record(&self, builder: &BuilderId) -> Option<&Record> {
        self.people.record(builder)
    }

    /// Everybody that took part.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.people.records()
    }

    /// Entries by month, the oldest first.
    pub fn months(&self) -> Vec<Month> {
        let month = |(month, counts): (&String, &Counts)| Month { month: month.clone(), counts: *counts };
        self.months.iter().map(month).collect()
    }

    /// Failures that builders agreed on, and how often.
    pub fn failures(&self) -> impl Iterator<Item = (Failure, u64)> {
        self.failures.iter().map(|(failure, count)| (*failure, *count))
    }
}

impl Concluded {
    /// It as a row of a list.
    pub fn row(&self) -> EntryRow {
        let course = &self.course;
        EntryRow {
            index: self.index,
            request: course.request.to_string(),
            round: course.round,
            name: course.name.to_string(),
            version: course.version.to_string(),
            fixture: course.fixture,
            recipe: course.recipe.to_string(),
            verdict: self.verdict,
            agree: self.agree,
            builders: u16::try_from(course.parts.len()).unwrap_or(u16::MAX),
            failure: self.failure.map(|failure| failure.as_str().to_owned()),
            time: self.at.time,
        }
    }
}

/// Writes the chronicle, and shows a snapshot when it is told to.
#[derive(Debug)]
pub struct Chronicler {
    /// As far as it is folded.
    pub chronicle: Chronicle,
    show: watch::Sender<Arc<Chronicle>>,
}

/// The snapshot that is shown, and a sign when there is another.
pub type Shown = watch::Receiver<Arc<Chronicle>>;

impl Chronicler {
    /// Goes on from a chronicle, which is shown at once.
    pub fn new(chronicle: Chronicle) -> (Chronicler, Shown) {
        let (show, shown) = watch::channel(Arc::new(chronicle.clone()));
        (Chronicler { chronicle, show }, shown)
    }

    /// Shows what is folded so far.
    pub fn show(&self) {
        self.show.send_replace(Arc::new(self.chronicle.clone()));
    }
}

fn behind_the_largest(entry: &Entry) -> u16 {
    let reveals = entry.members.iter().filter_map(|member| Some((member.builder, member.result()?)));
    let reveals: Vec<_> = reveals.collect();
    let largest = synchronicity_verify::entry::tally(entry.threshold, &reveals).largest;
    u16::try_from(largest).unwrap_or(u16::MAX)
}

fn place(verdict: Verdict) -> usize {
    Verdict::ALL.iter().position(|one| *one == verdict).unwrap_or_default()
}
