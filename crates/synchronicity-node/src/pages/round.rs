//! One attempt at a request: its time line, who built what, and what came out.

mod happenings;
mod matrix;

use std::sync::Arc;

use synchronicity_verify::entry::Verdict;
use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_verify::result::BuildResult;
use synchronicity_web::model::{Attempt, BuilderColumn, Mark, RequestPage};

use super::{RoundCopy, Sources, explained, queue, recipe};
use crate::chronicle::{Chronicle, Concluded, Course, Outcome, Part, Stage};

const WITHHELD: &str =
    "Withheld until nobody can commit any more: a builder that could read it before might copy instead of building.";
const SHOWN: &str = "What this builder's build printed. Nobody can commit in this round any more.";

pub(super) fn page(
    chronicle: &Chronicle,
    sources: &Sources,
    published: u64,
    request: &RequestId,
    wanted: Option<u32>,
) -> Option<RequestPage> {
    let (course, concluded) = found(chronicle, request, wanted)?;
    // Results are of the latest round; what builders revealed in an earlier one the log has as digests only.
    let copy = (sources.round)(request);
    let latest = copy.as_ref().filter(|copy| copy.number == course.round);
    let parts = by_name(&course);
    let column = |part: &&Part| column(part, concluded.as_ref(), course.stage, result_of(latest, &part.who.key));
    let told = (concluded.as_ref().is_some_and(|it| it.verdict == Verdict::Diverged) && latest.is_some())
        .then(|| (sources.explained)(request))
        .flatten();
    let is_committing = chronicle.is_committing(request);
    let own = course.parts.iter().find(|part| *part.who.name == *sources.name);
    Some(RequestPage {
        request: request.to_string(),
        purl: copy.as_ref().map(|copy| copy.request.source.purl()).unwrap_or_default(),
        name: course.name.to_string(),
        version: course.version.to_string(),
        round: course.round,
        attempts: chronicle.attempts(request).map(attempt).collect(),
        phase: queue::phase(course.stage),
        deadline: course.stage.deadline(),
        verdict: concluded.as_ref().map(|it| it.verdict),
        index: concluded.as_ref().map(|it| it.index),
        published: concluded.as_ref().is_some_and(|it| it.index < published),
        attested: concluded.as_ref().is_some_and(|it| {
            let agreed = own.is_some_and(|part| part.outcome == Outcome::Agreed);
            // Statements are of the group that is in force, and signed by its keys.
            let is_recent = chronicle.changes().next().is_none_or(|change| change.index < it.index);
            agreed && is_recent && it.verdict == Verdict::Reproduced
        }),
        agree: concluded.as_ref().map_or(0, |it| it.agree),
        threshold: concluded.as_ref().map_or(sources.group.threshold(), |it| it.threshold),
        failure: concluded
            .as_ref()
            .and_then(|it| it.failure)
            .map(|failure| (failure.as_str().to_owned(), failure.advice().to_owned())),
        timeline: happenings::timeline(&course, concluded.as_deref()),
        builders: parts.iter().map(column).collect(),
        matrix: matrix::rows(parts.iter().map(|part| result_of(latest, &part.who.key))),
        explanation: told.as_ref().map(explained::explanation),
        recipe: copy.as_ref().map(|copy| recipe::facts(&copy.request)).unwrap_or_default(),
        documents: copy.as_ref().map(|copy| recipe::documents(&copy.request)).unwrap_or_default(),
        transcript: !is_committing && own.is_some_and(|part| part.committed.is_done()),
        live: concluded.is_none(),
        transcript_note: if is_committing { WITHHELD } else { SHOWN }.to_owned(),
    })
}

/// The attempt of this number, or the latest: open, or with its verdict.
fn found(
    chronicle: &Chronicle,
    request: &RequestId,
    wanted: Option<u32>,
) -> Option<(Arc<Course>, Option<Arc<Concluded>>)> {
    let is_wanted = |course: &Course| wanted.is_none_or(|round| course.round == round);
    if let Some(course) = chronicle.open_round(request).filter(|course| is_wanted(course)) {
        return Some((course.clone(), None));
    }
    let concluded = chronicle.attempts(request).find(|concluded| is_wanted(&concluded.course))?;
    Some((Arc::new(concluded.course.clone()), Some(concluded.clone())))
}

fn attempt(concluded: &Arc<Concluded>) -> Attempt {
    Attempt { round: concluded.course.round, index: concluded.index, verdict: concluded.verdict }
}

fn by_name(course: &Course) -> Vec<&Part> {
    let mut parts: Vec<&Part> = course.parts.iter().collect();
    parts.sort_by(|a, b| (&a.who.name, a.who.key).cmp(&(&b.who.name, b.who.key)));
    parts
}

fn result_of<'a>(copy: Option<&'a RoundCopy>, builder: &BuilderId) -> Option<&'a BuildResult> {
    copy?.results.get(builder)
}

fn column(
    part: &Part,
    concluded: Option<&Arc<Concluded>>,
    stage: Stage,
    result: Option<&BuildResult>,
) -> BuilderColumn {
    let (state, mark) = match (part.outcome, stage) {
        (Outcome::Agreed, _) => ("agreed", Mark::Good),
        // Of builders that differ, nothing says who is right.
        (Outcome::Apart, _) => match concluded.map(|it| it.verdict) {
            Some(Verdict::Diverged) => ("differs", Mark::Plain),
            Some(Verdict::Inconclusive) => ("revealed", Mark::Plain),
            _ => ("differs", Mark::Bad),
        },
        (Outcome::Late, _) => ("late", Mark::Bad),
        (Outcome::Withheld, _) => ("withheld", Mark::Bad),
        (Outcome::Open, _) if part.revealed.is_done() => ("revealed", Mark::Good),
        (Outcome::Open, Stage::Committing { .. }) if !part.committed.is_done() => ("building", Mark::Plain),
        (Outcome::Open, _) if part.committed.is_done() => ("committed", Mark::Good),
        (Outcome::Open, _) => ("late", Mark::Bad),
    };
    let state = match (part.outcome, result) {
        (Outcome::Apart, Some(BuildResult::Failed(failure))) => format!("failed: {failure}"),
        _ => state.to_owned(),
    };
    let result = result.map(|result| result.digest().to_string());
    BuilderColumn { name: part.who.name.to_string(), state, mark, revealed: part.revealed.is_done(), result }
}
