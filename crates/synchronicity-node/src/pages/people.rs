//! Builders, and how each has done.

use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_web::model::{BuilderRecord, Builders};

use super::{Present, Sources};
use crate::chronicle::{Chronicle, Stage};

pub(super) fn all(chronicle: &Chronicle, sources: &Sources) -> Builders {
    let present = (sources.present)();
    let members = sources.group.members().iter();
    let builders = members.map(|member| record(chronicle, &present, &member.command, &member.name)).collect();
    Builders { builders, rounds: chronicle.counts().total() }
}

pub(super) fn one(chronicle: &Chronicle, sources: &Sources, name: &str) -> Option<BuilderRecord> {
    let present = (sources.present)();
    let member = sources.group.members().iter().find(|member| member.name == name).map(|member| member.command);
    let earlier = || chronicle.records().find(|record| *record.who.name == *name).map(|record| record.who.key);
    Some(record(chronicle, &present, &member.or_else(earlier)?, name))
}

fn record(chronicle: &Chronicle, present: &Present, key: &BuilderId, name: &str) -> BuilderRecord {
    let owes = chronicle.open().into_iter().filter(|course| {
        let part = course.parts.iter().find(|part| part.who.key == *key);
        matches!(course.stage, Stage::Committing { .. }) && part.is_some_and(|part| !part.committed.is_done())
    });
    let told = present.told.get(key);
    let named = |request: &RequestId| {
        let open = chronicle.open_round(request);
        open.map_or_else(|| request.to_string(), |course| format!("{} {}", course.name, course.version))
    };
    let record = chronicle.record(key);
    let apart = record.into_iter().flat_map(|record| record.apart());
    BuilderRecord {
        name: name.to_owned(),
        key: key.to_string(),
        connected: present.connected.contains(key),
        participation: record.map(|record| record.participation).unwrap_or_default(),
        median_commit: record.and_then(|record| record.median_commit()),
        version: told.map(|told| told.version.clone()),
        runs: told.into_iter().flat_map(|told| &told.running).map(named).collect(),
        owes: owes.map(|course| format!("{} {}", course.name, course.version)).collect(),
        apart: apart.filter_map(|index| Some(chronicle.verdict(index)?.row())).collect(),
    }
}
