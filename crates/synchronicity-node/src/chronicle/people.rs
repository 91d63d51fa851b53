//! Builders, and how each has done.

use std::sync::Arc;

use imbl::{OrdMap, Vector};
use synchronicity_core::group::Group;
use synchronicity_verify::identity::BuilderId;
use synchronicity_web::model::{Millis, Participation};

use super::course::{Course, Outcome};

/// Latest commitments of which the times are remembered.
const TIMES_MAX: usize = 64;

/// Latest rounds apart from the group that are remembered.
const APART_MAX: usize = 20;

/// Somebody who takes or took part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Its command key.
    pub key: BuilderId,
    /// What the group calls it.
    pub name: Arc<str>,
}

/// How somebody has done.
#[derive(Clone, Debug)]
pub struct Record {
    /// Who.
    pub who: Arc<Person>,
    /// In concluded rounds.
    pub participation: Participation,
    /// Milliseconds from submission to commitment, the latest last.
    times: Vector<u64>,
    apart: Vector<u64>,
}

impl Record {
    /// Median time from a submission to the commitment, over the latest commitments.
    pub fn median_commit(&self) -> Option<Millis> {
        let mut times: Vec<u64> = self.times.iter().copied().collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().map(Millis)
    }

    /// Indices of its latest entries in which it did not agree with the group, the newest first.
    pub fn apart(&self) -> impl Iterator<Item = u64> {
        self.apart.iter().rev().copied()
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct People(OrdMap<BuilderId, Record>);

impl People {
    /// A member of the group.
    pub(super) fn met(&mut self, key: &BuilderId, group: &Group) -> Arc<Person> {
        let name = group.member(key).map_or_else(|| key.to_string(), |member| member.name.clone());
        self.known_as(key, &name)
    }

    /// A member of an entry, which names it by its cosigner key.
    pub(super) fn named(&mut self, key: &BuilderId, cosigner: &str, group: Option<&Group>) -> Arc<Person> {
        match group {
            Some(group) if group.member(key).is_some() => self.met(key, group),
            _ => match self.0.get(key) {
                Some(record) => record.who.clone(),
                // The last part of a key's name is the member's, as this program writes it.
                None => self.known_as(key, cosigner.rsplit_once('/').map_or(cosigner, |(_, name)| name)),
            },
        }
    }

    fn known_as(&mut self, key: &BuilderId, name: &str) -> Arc<Person> {
        if let Some(record) = self.0.get(key)
            && *record.who.name == *name
        {
            return record.who.clone();
        }
        let who = Arc::new(Person { key: *key, name: name.into() });
        let mut record = self.0.get(key).cloned().unwrap_or_else(|| Record {
            who: who.clone(),
            participation: Participation::default(),
            times: Vector::new(),
            apart: Vector::new(),
        });
        record.who = who.clone();
        self.0.insert(*key, record);
        who
    }

    /// Counts a concluded round.
    pub(super) fn add(&mut self, course: &Course, index: u64) {
        for part in &course.parts {
            let Some(record) = self.0.get_mut(&part.who.key) else { continue };
            let did = &mut record.participation;
            did.rounds += 1;
            match part.outcome {
                Outcome::Agreed => did.agreed += 1,
                Outcome::Apart => did.apart += 1,
                Outcome::Late => did.late += 1,
                Outcome::Withheld => did.withheld += 1,
                Outcome::Open => {}
            }
            if part.outcome != Outcome::Agreed {
                keep(&mut record.apart, index, APART_MAX);
            }
            if let (Some(submitted), Some(committed)) = (course.submitted, part.committed.at()) {
                keep(&mut record.times, committed.time.since(submitted.time).0, TIMES_MAX);
            }
        }
    }

    pub(super) fn record(&self, key: &BuilderId) -> Option<&Record> {
        self.0.get(key)
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.0.values()
    }
}

fn keep(latest: &mut Vector<u64>, one: u64, most: usize) {
    latest.push_back(one);
    if latest.len() > most {
        latest.pop_front();
    }
}
