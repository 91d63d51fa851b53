//! The time line of a round: what the group ordered, and what never came.

use synchronicity_web::model::{Happening, Mark};

use crate::chronicle::{At, Concluded, Course, Deed, Outcome, Stage};

pub(super) fn timeline(course: &Course, concluded: Option<&Concluded>) -> Vec<Happening> {
    let mut line = Vec::new();
    let author = course.author.as_ref().map(|author| author.name.to_string());
    line.extend(course.submitted.map(|at| happened(at, author, "submitted", Mark::Plain)));
    line.extend(
        course
            .extended
            .iter()
            .map(|at| happened(*at, None, "the group had halted: the deadline was moved", Mark::Plain)),
    );
    for part in &course.parts {
        let who = || Some(part.who.name.to_string());
        line.extend(part.committed.at().map(|at| happened(at, who(), "committed", Mark::Good)));
        line.extend(part.revealed.at().map(|at| happened(at, who(), "revealed", Mark::Good)));
    }
    line.extend(course.sealed.map(|at| {
        let all = course.parts.iter().all(|part| part.committed.is_done());
        let what = if all { "all have committed" } else { "the time to commit is over" };
        happened(at, None, what, Mark::Plain)
    }));
    if let Some(concluded) = concluded {
        let what = format!("logged as entry {}: {}", concluded.index, concluded.verdict);
        line.push(happened(concluded.at, None, &what, Mark::Plain));
    }
    // Within a block: seals before their openings, and the group's own last.
    line.sort_by_key(|happening| (happening.height, rank(happening), happening.builder.clone()));
    line.extend(never(course));
    line
}

/// What nobody will see come, by name.
fn never(course: &Course) -> Vec<Happening> {
    let mut never = Vec::new();
    for part in &course.parts {
        let is_over = !matches!(course.stage, Stage::Committing { .. });
        let missing = match part.outcome {
            Outcome::Late => Some("late: no commitment before the deadline"),
            Outcome::Withheld => Some("withheld: committed and did not reveal in time"),
            Outcome::Open if is_over && !part.committed.is_done() => Some("late: no commitment before the deadline"),
            _ => None,
        };
        let contradicted = part.contradicted.then_some("contradicted itself: sealed two different results");
        never.extend([missing, contradicted].into_iter().flatten().map(|what| Happening {
            time: None,
            height: None,
            builder: Some(part.who.name.to_string()),
            what: what.to_owned(),
            mark: Mark::Bad,
        }));
    }
    never.sort_by(|a, b| a.builder.cmp(&b.builder));
    if course.parts.iter().any(|part| part.committed == Deed::Sometime) {
        let what = "of this round the node has the entry only: it joined the group later".to_owned();
        never.push(Happening { time: None, height: None, builder: None, what, mark: Mark::Plain });
    }
    never
}

fn happened(at: At, builder: Option<String>, what: &str, mark: Mark) -> Happening {
    Happening { time: Some(at.time), height: Some(at.height), builder, what: what.to_owned(), mark }
}

fn rank(happening: &Happening) -> u8 {
    match happening.what.as_str() {
        "submitted" => 0,
        "committed" => 1,
        "all have committed" | "the time to commit is over" => 2,
        "revealed" => 3,
        _ => 4,
    }
}
