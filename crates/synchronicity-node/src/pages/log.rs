//! A part of the log, and the checkpoint over it.

use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::entry::Verdict;
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::tile::tiles_between;
use synchronicity_web::model::{Cosigner, LogPage, Moment};

use super::{Sources, rows};
use crate::chronicle::Chronicle;
use crate::recosign::time_s;

/// What a log of this size has, and had not without its newest entry.
fn tiles(size: u64) -> Vec<String> {
    tiles_between(size.saturating_sub(1), size).map(|tile| tile.path()).collect()
}

pub(super) fn page(
    chronicle: &Chronicle,
    sources: &Sources,
    note: Option<&SignedNote>,
    (before, most, kind): (u64, usize, Option<Verdict>),
) -> LogPage {
    let mut entries = chronicle.below(before, kind);
    let listed = rows(entries.by_ref().take(most));
    let next_before = entries.next().and(listed.last()).map(|last| last.index);
    let quorum = sources.group.quorum();
    let checkpoint = note.and_then(|note| note.text.parse::<Checkpoint>().ok());
    // After the log's own line.
    let lines = || note.into_iter().flat_map(|note| note.signatures.iter().skip(1));
    let time = |seconds: u64| Moment(seconds.saturating_mul(1000));
    let mut times: Vec<u64> = lines().map(time_s).collect();
    times.sort_unstable_by(|a, b| b.cmp(a));
    let cosigner = |line: &synchronicity_verify::note::NoteSignature| {
        let seconds = time_s(line);
        Cosigner { name: line.name.clone(), time: (seconds > 0).then(|| time(seconds)) }
    };
    LogPage {
        origin: sources.group.origin().to_owned(),
        size: chronicle.size(),
        published: checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size),
        root: checkpoint.as_ref().map(|checkpoint| checkpoint.root.to_string()).unwrap_or_default(),
        checkpoint: note.map(ToString::to_string).unwrap_or_default(),
        tiles: tiles(checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size)),
        cosigners: lines().map(cosigner).collect(),
        quorum,
        // So many at least have signed then or later.
        vouched: quorum.checked_sub(1).and_then(|last| times.get(last)).map(|seconds| time(*seconds)),
        now: chronicle.at().time,
        entries: listed,
        verdict: kind,
        next_before,
    }
}
