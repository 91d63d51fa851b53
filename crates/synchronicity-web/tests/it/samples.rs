//! Models with something in every field, and with nothing.

use synchronicity_web::model::{
    ApiOperation, ApiPage, Artifact, Attempt, BuilderColumn, BuilderRecord, Builders, Bytes, Camp, Cosigner, Counts,
    CrateHit, CratePage, Document, EntryRow, EpochRow, Explanation, Fact, Finding, Frame, GroupMember, GroupPage,
    Happening, Home, Line, LogPage, Mark, MatrixRow, Millis, Missing, Moment, Month, OpenRow, Participation, Phase,
    Queue, Rate, Release, RequestPage, Search, Share, Survey, SurveyCause, SurveyCondition, SurveyGroup, SurveyPage,
    SurveyTotals, TranscriptPage, TrendsPage, Verdict,
};
use synchronicity_web::{feed, page};

const NOW: Moment = Moment(1_796_011_329_500);

/// Every page by name, each text in it `text`.
pub(crate) fn pages(text: &str) -> Vec<(&'static str, String)> {
    let frame = frame(text);
    let t = || text.to_owned();
    vec![
        ("home", page::home(&frame, &home(text))),
        ("search", page::search(&frame, &found(text))),
        ("crate", page::of_crate(&frame, &of_crate(text))),
        ("request", page::request(&frame, &request(text))),
        ("transcript", page::transcript(&frame, &transcript(text))),
        ("builders", page::builders(&frame, &Builders { builders: vec![builder(text)], rounds: 9 })),
        ("builder", page::builder(&frame, &builder(text))),
        ("queue", page::queue(&frame, &Queue { open: vec![open(text)], now: NOW })),
        ("log", page::log(&frame, &log(text))),
        ("trends", page::trends(&frame, &trends(text))),
        ("survey", page::survey(&frame, &survey(text))),
        ("group", page::group(&frame, &group(text))),
        ("api", page::api(&frame, &api(text))),
        ("verify", page::verify(&frame, &group(text))),
        ("missing", page::missing(&frame, &Missing { title: t(), advice: t() })),
    ]
}

/// Every page with nothing to show.
pub(crate) fn empty() -> Vec<(&'static str, String)> {
    let frame = Frame { trouble: None, ..frame("plain") };
    let mut request = request("plain");
    request.timeline.clear();
    request.matrix.clear();
    (request.verdict, request.index, request.explanation, request.phase) = (None, None, None, Phase::Committing);
    let lines = TranscriptPage {
        lines: Vec::new(),
        before: None,
        after: None,
        total: 0,
        find: String::new(),
        ..transcript("plain")
    };
    let builder = BuilderRecord { name: "alder".into(), ..BuilderRecord::default() };
    vec![
        ("home", page::home(&frame, &Home::default())),
        ("search", page::search(&frame, &Search::default())),
        ("search without hits", page::search(&frame, &Search { query: "zz".into(), ..Search::default() })),
        (
            "search past its end",
            page::search(&frame, &Search { query: "zz".into(), after: "zz".into(), ..Search::default() }),
        ),
        ("crate", page::of_crate(&frame, &CratePage { name: "hexyl".into(), ..CratePage::default() })),
        ("request", page::request(&frame, &request)),
        ("transcript", page::transcript(&frame, &lines)),
        ("builders", page::builders(&frame, &Builders { builders: vec![builder.clone()], rounds: 0 })),
        ("builder", page::builder(&frame, &builder)),
        ("queue", page::queue(&frame, &Queue::default())),
        ("log", page::log(&frame, &LogPage::default())),
        ("trends", page::trends(&frame, &TrendsPage::default())),
        ("survey", page::survey(&frame, &SurveyPage::default())),
        ("survey that cannot be read", page::survey(&frame, &SurveyPage { survey: None, unreadable: true })),
        (
            "survey of nothing",
            page::survey(&frame, &SurveyPage { survey: Some(nothing_compared()), unreadable: false }),
        ),
        ("api", page::api(&frame, &ApiPage::default())),
        ("missing", page::missing(&frame, &Missing { title: "Nothing".into(), advice: "Go on.".into() })),
    ]
}

/// A feed of three entries.
pub(crate) fn atom(text: &str) -> String {
    feed::feed(&frame(text), text, ("https://node.example", "/feeds/all.atom"), &[row(text), row(text), row(text)])
}

pub(crate) fn frame(text: &str) -> Frame {
    Frame { origin: text.into(), node: text.into(), version: "0.1.0".into(), trouble: Some(text.into()) }
}

pub(crate) fn row(text: &str) -> EntryRow {
    EntryRow {
        index: 7,
        request: "ab".repeat(32),
        round: 1,
        name: text.into(),
        version: text.into(),
        fixture: true,
        recipe: text.into(),
        verdict: Verdict::Unbuildable,
        agree: 3,
        builders: 4,
        failure: Some(text.into()),
        time: NOW,
    }
}

fn open(text: &str) -> OpenRow {
    OpenRow {
        position: 1,
        request: "ab".repeat(32),
        round: 1,
        name: text.into(),
        version: text.into(),
        recipe: text.into(),
        phase: Phase::Committing,
        since: NOW,
        deadline: NOW,
        waits_for: vec![text.into(), text.into()],
        here: Some(text.into()),
        elapsed: Millis(61_000),
        compiled: Some(text.into()),
    }
}

fn hit(text: &str) -> CrateHit {
    CrateHit { name: text.into(), versions: 2, latest: row(text) }
}

fn found(text: &str) -> Search {
    Search { query: text.into(), after: text.into(), hits: vec![hit(text)], more: true, next_after: Some(text.into()) }
}

fn month(text: &str) -> Month {
    Month { month: text.into(), counts: Counts { reproduced: 5, diverged: 1, unbuildable: 1, inconclusive: 1 } }
}

fn home(text: &str) -> Home {
    Home { counts: month(text).counts, recent: vec![row(text)], open: vec![open(text)], months: vec![month(text)] }
}

fn of_crate(text: &str) -> CratePage {
    let release = Release {
        version: text.into(),
        entries: vec![row(text), EntryRow { verdict: Verdict::Reproduced, ..row(text) }],
    };
    CratePage { name: text.into(), releases: vec![release], url: "https://node.example".into(), next_before: Some(7) }
}

pub(crate) fn request(text: &str) -> RequestPage {
    let artifact = |camp| Some(Artifact { sha256: "cd".repeat(32), size: Bytes(1_291_256), camp: Camp(camp) });
    let happening =
        |mark, time| Happening { time, height: Some(9), builder: Some(text.into()), what: text.into(), mark };
    let column = |mark| BuilderColumn {
        name: text.into(),
        state: text.into(),
        mark,
        revealed: true,
        result: Some("ef".repeat(32)),
    };
    RequestPage {
        request: "ab".repeat(32),
        purl: text.into(),
        name: text.into(),
        version: text.into(),
        round: 1,
        attempts: [1, 0].map(|round| Attempt { round, index: round.into(), verdict: Verdict::Diverged }).to_vec(),
        phase: Phase::Concluded,
        deadline: None,
        verdict: Some(Verdict::Reproduced),
        index: Some(7),
        published: true,
        attested: true,
        agree: 2,
        threshold: 3,
        failure: Some((text.into(), text.into())),
        timeline: vec![happening(Mark::Good, Some(NOW)), happening(Mark::Bad, None)],
        builders: vec![column(Mark::Good), column(Mark::Bad), column(Mark::Plain)],
        matrix: vec![MatrixRow { name: text.into(), cells: vec![artifact(0), artifact(1), None] }],
        explanation: Some(explanation(text)),
        recipe: vec![Fact { name: text.into(), value: text.into() }],
        documents: vec![Document { title: text.into(), text: text.into() }],
        transcript: true,
        live: true,
        transcript_note: text.into(),
    }
}

fn explanation(text: &str) -> Explanation {
    let t = || text.to_owned();
    let finding = Finding {
        artifact: t(),
        cause: t(),
        certainty: t(),
        why: t(),
        place: t(),
        first: t(),
        second: t(),
        guilty: Some(t()),
        suggestion: t(),
    };
    Explanation {
        state: t(),
        advice: t(),
        reason: Some(t()),
        compared: Some((t(), t())),
        words: t(),
        findings: vec![finding],
        more: 0,
    }
}

fn transcript(text: &str) -> TranscriptPage {
    TranscriptPage {
        request: "ab".repeat(32),
        title: text.into(),
        builder: text.into(),
        find: text.into(),
        lines: vec![Line { number: 12, text: text.into() }],
        before: Some(1),
        after: Some(251),
        total: 600,
        cut_at: Some(Bytes(4 << 20)),
    }
}

pub(crate) fn builder(text: &str) -> BuilderRecord {
    BuilderRecord {
        name: text.into(),
        key: "ab".repeat(32),
        connected: false,
        participation: Participation { rounds: 9, agreed: 6, apart: 1, late: 1, withheld: 1 },
        median_commit: Some(Millis(42_000)),
        version: Some(text.into()),
        runs: vec![text.into()],
        owes: vec![text.into()],
        apart: vec![row(text)],
    }
}

fn log(text: &str) -> LogPage {
    LogPage {
        origin: text.into(),
        size: 8,
        published: 7,
        root: "ab".repeat(32),
        tiles: vec![text.into()],
        checkpoint: text.into(),
        cosigners: vec![Cosigner { name: text.into(), time: Some(NOW) }],
        quorum: 3,
        vouched: Some(NOW),
        now: NOW,
        entries: vec![row(text)],
        verdict: Some(Verdict::Diverged),
        next_before: Some(7),
    }
}

fn trends(text: &str) -> TrendsPage {
    let share = |count| Share { name: text.into(), count };
    TrendsPage { months: vec![month(text)], failures: vec![share(2)], causes: vec![share(3), share(1)], explained: 3 }
}

fn survey(text: &str) -> SurveyPage {
    let t = || text.to_owned();
    let rate = Rate { count: 3, of: 4, share: Some(0.75), low: Some(0.3006), high: Some(0.9544) };
    let cause = SurveyCause {
        cause: t(),
        in_words: t(),
        crates: rate,
        possible: 1,
        likely: 1,
        known: 1,
        names: vec![t(), t()],
        guilty: vec![t(), t()],
    };
    let survey = Survey {
        program: t(),
        rustc: t(),
        target: t(),
        sandbox: t(),
        began: Some(NOW),
        ended: Some(NOW),
        chosen: vec![t(), t()],
        changed: true,
        totals: SurveyTotals {
            listed: 5,
            recorded: 4,
            compared: 4,
            reproducible: 3,
            different: 1,
            ..SurveyTotals::default()
        },
        groups: vec![SurveyGroup { name: t(), exclusive: true, reproducible: rate }],
        causes: vec![cause],
        conditions: vec![SurveyCondition { what: t(), varied: 1, of: 2 }],
    };
    SurveyPage { survey: Some(survey), unreadable: false }
}

/// A survey that has not come far.
fn nothing_compared() -> Survey {
    let group = SurveyGroup { name: "all".into(), exclusive: true, reproducible: Rate::default() };
    Survey { groups: vec![group], ..Survey::default() }
}

fn group(text: &str) -> GroupPage {
    let t = || text.to_owned();
    let member = GroupMember { name: t(), command: t(), cosigner: t(), attestation: t(), address: t() };
    GroupPage {
        origin: t(),
        id: t(),
        threshold: 3,
        quorum: 3,
        ordering_quorum: 3,
        containment: vec![t()],
        members: vec![member],
        history: vec![EpochRow { epoch: 1, index: 7, time: NOW, threshold: 3, members: vec![t(), t()] }],
        policy: t(),
        url: t(),
        ..GroupPage::default()
    }
}

fn api(text: &str) -> ApiPage {
    let t = || text.to_owned();
    let (parameters, responses) = (vec![(t(), t())], vec![(t(), t())]);
    ApiPage {
        version: t(),
        operations: vec![ApiOperation { method: t(), path: t(), summary: t(), parameters, responses }],
    }
}
