//! Rounds without a verdict, in the order in which builders build them.

use synchronicity_web::model::{Millis, Moment, OpenRow, Phase};

use super::Present;
use crate::chronicle::{Chronicle, Course, Stage};
use crate::status::{Building, Stage as Step};

pub(super) fn open(chronicle: &Chronicle, present: &Present) -> Vec<OpenRow> {
    let courses = chronicle.open();
    courses.iter().enumerate().map(|(place, course)| row(place + 1, course, present)).collect()
}

fn row(position: usize, course: &Course, present: &Present) -> OpenRow {
    let request = course.request.to_string();
    let here = present.building.iter().find(|building| building.request == request);
    OpenRow {
        position,
        round: course.round,
        name: course.name.to_string(),
        version: course.version.to_string(),
        recipe: course.recipe.to_string(),
        phase: phase(course.stage),
        since: course.submitted.map_or(Moment::default(), |at| at.time),
        deadline: course.stage.deadline().unwrap_or_default(),
        waits_for: waits_for(course),
        here: here.map(|building| step(building).to_owned()),
        elapsed: Millis(here.map_or(0, |building| building.elapsed_ms)),
        compiled: here.and_then(|building| building.compiled.clone()),
        request,
    }
}

pub(super) fn phase(stage: Stage) -> Phase {
    match stage {
        Stage::Committing { .. } => Phase::Committing,
        Stage::Revealing { .. } => Phase::Revealing,
        Stage::Ended => Phase::Concluded,
    }
}

/// Names of those for whom the phase waits, sorted.
fn waits_for(course: &Course) -> Vec<String> {
    let waits = course.parts.iter().filter(|part| match course.stage {
        Stage::Committing { .. } => !part.committed.is_done(),
        Stage::Revealing { .. } => part.committed.is_done() && !part.revealed.is_done(),
        Stage::Ended => false,
    });
    let mut names: Vec<String> = waits.map(|part| part.who.name.to_string()).collect();
    names.sort();
    names
}

pub(super) fn step(building: &Building) -> &'static str {
    match building.stage {
        Step::Waiting => "waiting",
        Step::Fetching => "fetching",
        Step::Building => "building",
        Step::Done => "done",
    }
}
