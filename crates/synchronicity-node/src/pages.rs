//! From the chronicle to what pages and the API show. Nothing here knows of HTTP, and nothing holds the state's lock: what is
//! not in the chronicle is asked for, and comes as a copy.

mod crates;
mod explained;
mod group;
mod log;
mod people;
mod queue;
mod recipe;
mod round;
mod survey;
mod transcript;
mod trends;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde_json::Value;
use synchronicity_core::group::Group;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::entry::Verdict;
use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::BuildResult;
use synchronicity_web::model::{
    BuilderRecord, Builders, CratePage, EntryRow, Frame, GroupPage, Home, LogPage, Queue, RequestPage, Search,
    SurveyPage, TranscriptPage, TrendsPage,
};

use crate::artifact_store::Printed;
use crate::chronicle::{Chronicle, Shown};
use crate::presence::Presence;
use crate::publisher::Published;
use crate::status::Building;

pub use self::survey::SurveyFile;
pub use self::transcript::{LINES, tail};

/// Crates that a search finds at most.
pub const HITS: usize = 50;

/// Entries on the first page, and open rounds.
const RECENT: usize = 20;

/// What the node is at this moment, beyond what the group ordered.
#[derive(Clone, Debug, Default)]
pub struct Present {
    /// What it builds, or waits to build.
    pub building: Vec<Building>,
    /// The members that it is connected to, itself counted.
    pub connected: BTreeSet<BuilderId>,
    /// What members tell of themselves, its own word included.
    pub told: BTreeMap<BuilderId, Presence>,
    /// `ok`, or what keeps it from doing its part.
    pub health: String,
}

/// What the state has of the latest round of a request, copied.
#[derive(Clone, Debug)]
pub struct RoundCopy {
    /// What is built.
    pub request: BuildRequest,
    /// Which attempt the results are of.
    pub number: u32,
    /// What builders revealed.
    pub results: BTreeMap<BuilderId, BuildResult>,
}

/// What the node knows of a request now, if anything.
type OfRequest<T> = Arc<dyn Fn(&RequestId) -> Option<T> + Send + Sync>;

/// What pages are made from.
pub struct Sources {
    /// The member's name.
    pub name: String,
    /// Where clients reach this node, without a slash at the end.
    pub url: String,
    /// The group.
    pub group: Arc<Group>,
    /// The policy file.
    pub policy: Arc<str>,
    /// What happened.
    pub chronicle: Shown,
    /// The published checkpoint.
    pub published: Published,
    /// What the node is now.
    pub present: Arc<dyn Fn() -> Present + Send + Sync>,
    /// Copies of the state.
    pub round: OfRequest<RoundCopy>,
    /// Why builders diverged in the latest round of a request. Reads a file.
    pub explained: OfRequest<Value>,
    /// The survey that the operator shows.
    pub survey: SurveyFile,
}

/// Makes what pages show. Clones share it.
#[derive(Clone)]
pub struct Pages {
    sources: Arc<Sources>,
    causes: Arc<Mutex<Option<(Instant, u64, trends::Causes)>>>,
}

impl Pages {
    /// Pages from these sources.
    pub fn new(sources: Sources) -> Pages {
        Pages { sources: Arc::new(sources), causes: Arc::default() }
    }

    /// The chronicle as of now.
    pub fn chronicle(&self) -> Arc<Chronicle> {
        self.sources.chronicle.borrow().clone()
    }

    /// Tells when there is another chronicle.
    pub fn changes(&self) -> Shown {
        self.sources.chronicle.clone()
    }

    /// Where clients reach this node.
    pub fn url(&self) -> &str {
        &self.sources.url
    }

    /// The member's name.
    pub fn name(&self) -> &str {
        &self.sources.name
    }

    fn note(&self) -> Option<Arc<SignedNote>> {
        self.sources.published.borrow().clone()
    }

    fn published_size(&self) -> u64 {
        let checkpoint = self.note().and_then(|note| note.text.parse::<Checkpoint>().ok());
        checkpoint.map_or(0, |checkpoint| checkpoint.size)
    }

    /// What stands around a page.
    pub fn frame(&self) -> Frame {
        let health = (self.sources.present)().health;
        Frame {
            origin: self.sources.group.origin().to_owned(),
            node: self.sources.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            trouble: (health != "ok").then_some(health),
        }
    }

    /// The first page.
    pub fn home(&self) -> Home {
        let chronicle = self.chronicle();
        let mut open = queue::open(&chronicle, &(self.sources.present)());
        open.truncate(RECENT);
        Home {
            counts: chronicle.counts(),
            recent: rows(chronicle.below(u64::MAX, None).take(RECENT)),
            open,
            months: chronicle.months(),
        }
    }

    /// Rounds without a verdict.
    pub fn queue(&self) -> Queue {
        let chronicle = self.chronicle();
        Queue { open: queue::open(&chronicle, &(self.sources.present)()), now: chronicle.at().time }
    }

    /// Crates by a part of their name, after the one of this name if it is not empty; none for no text.
    pub fn search(&self, query: &str, after: &str, most: usize) -> Search {
        crates::search(&self.chronicle(), query, after, most)
    }

    /// What the log says of a crate, of one version or of all, below an index.
    pub fn of_crate(&self, name: &str, version: Option<&str>, before: u64, most: usize) -> Option<CratePage> {
        crates::of_crate(&self.chronicle(), (name, version), (before, most), &self.sources.url)
    }

    /// The newest entry on a crate, or on one version of it.
    pub fn latest(&self, name: &str, version: Option<&str>) -> Option<EntryRow> {
        let chronicle = self.chronicle();
        let title = chronicle.title(name)?;
        let index = version.map_or_else(|| title.latest(), |version| title.latest_of(version))?;
        Some(chronicle.verdict(index)?.row())
    }

    /// Entries for a feed: all, of one crate, or of one verdict.
    pub fn entries(&self, name: Option<&str>, kind: Option<Verdict>, most: usize) -> Option<Vec<EntryRow>> {
        let chronicle = self.chronicle();
        Some(match name {
            Some(name) => rows(chronicle.of_title(chronicle.title(name)?, u64::MAX).take(most)),
            None => rows(chronicle.below(u64::MAX, kind).take(most)),
        })
    }

    /// One attempt at a request; the latest if none is named. Reads a file where builders diverged.
    pub fn request(&self, request: &RequestId, round: Option<u32>) -> Option<RequestPage> {
        round::page(&self.chronicle(), &self.sources, self.published_size(), request, round)
    }

    /// All builders of the group.
    pub fn builders(&self) -> Builders {
        people::all(&self.chronicle(), &self.sources)
    }

    /// One builder, of this epoch or an earlier one.
    pub fn builder(&self, name: &str) -> Option<BuilderRecord> {
        people::one(&self.chronicle(), &self.sources, name)
    }

    /// A part of the log.
    pub fn log(&self, before: u64, most: usize, kind: Option<Verdict>) -> LogPage {
        log::page(&self.chronicle(), &self.sources, self.note().as_deref(), (before, most, kind))
    }

    /// Rates over time and by cause. Reads files, though not each time.
    pub fn trends(&self) -> TrendsPage {
        let chronicle = self.chronicle();
        // What was found before is whole, whoever panicked.
        let mut causes = self.causes.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = causes
            .as_ref()
            .filter(|(since, size, _)| *size == chronicle.size() && since.elapsed() < trends::CAUSES_KEPT);
        let found = match kept {
            Some((_, _, found)) => found.clone(),
            None => {
                let found = trends::causes(&chronicle, &self.sources);
                causes.insert((Instant::now(), chronicle.size(), found)).2.clone()
            }
        };
        drop(causes);
        trends::page(&chronicle, found)
    }

    /// What the survey found that the operator shows. Reads a file, though not each time.
    pub fn survey(&self) -> SurveyPage {
        self.sources.survey.page()
    }

    /// The group and its policy.
    pub fn group(&self) -> GroupPage {
        group::page(&self.chronicle(), &self.sources)
    }

    /// A part of a transcript: lines from `from` on that contain `find`. `None` as long as somebody can still commit.
    pub fn transcript(
        &self,
        request: &RequestId,
        printed: &Printed,
        (from, find): (usize, &str),
    ) -> Option<TranscriptPage> {
        let chronicle = self.chronicle();
        if chronicle.is_committing(request) {
            return None;
        }
        let open = chronicle.open_round(request).map(|course| (course.name.clone(), course.version.clone()));
        let latest =
            || chronicle.attempts(request).next().map(|it| (it.course.name.clone(), it.course.version.clone()));
        let (name, version) = open.or_else(latest)?;
        let about = (request.to_string(), format!("{name} {version}"), self.sources.name.clone());
        Some(transcript::page(about, printed, from, find))
    }
}

fn rows<'a>(concluded: impl Iterator<Item = &'a Arc<crate::chronicle::Concluded>>) -> Vec<EntryRow> {
    concluded.map(|concluded| concluded.row()).collect()
}
