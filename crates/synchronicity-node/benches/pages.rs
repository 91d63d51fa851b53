//! What pages cost with 10^5 verdicts in memory: `cargo bench -p synchronicity-node --bench pages`.
//!
//! Each page is made from the chronicle and rendered, again and again; between two of them the chronicle is shown anew, as a
//! block does. Then Debian's `wrk` asks a server with two threads, in a process of its own, for a mixture of them, while
//! the chronicle is shown anew twenty times a second; and then one node of a group of four, all on this machine. Ends with
//! status 1 if a page takes more than 10 ms at the 99th percentile or has more than 100 kB, if fewer than 2,000 are answered a
//! second, or if the group gives a view up meanwhile.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

#[path = "../tests/it/world.rs"]
#[allow(dead_code, reason = "what only the tests need")]
mod world;

mod group;
mod load;
mod resident;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use object_store::memory::InMemory;
use synchronicity_node::artifact_store::ArtifactStore;
use synchronicity_node::chronicle::{Chronicle, Chronicler};
use synchronicity_node::http::web::WebSite;
use synchronicity_node::http::with_pages;
use synchronicity_node::pages::{Pages, Present, Sources, SurveyFile};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{ENTRY_SCHEMA, Entry, MemberRecord, Opening, Verdict};
use synchronicity_verify::identity::RequestId;
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::request::Source;
use synchronicity_verify::result::{Artifact, Artifacts, BuildResult, Failure};
use synchronicity_web::page;
use tokio::sync::watch;
use world::World;

const VERDICTS: u64 = 100_000;
const TURNS: usize = 400;
const MICROS_MAX: u128 = 10_000;
const BYTES_MAX: usize = 100_000;
const RATE_MIN: f64 = 2_000.0;
const WARM: Duration = Duration::from_secs(5);
const TURN: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let world = World::of(4);
    let process = std::process::id();
    let before = resident::bytes(process);
    let since = Instant::now();
    let chronicle = chronicle(&world);
    let each = (resident::bytes(process) - before) / VERDICTS;
    let (chronicler, shown) = Chronicler::new(chronicle);
    let pages = pages(&world, shown);
    if std::env::args().any(|arg| arg == "--serve") {
        answer(pages, chronicler);
        return ExitCode::SUCCESS;
    }
    println!("{VERDICTS} verdicts of 4 builders: {each} bytes each, folded in {} ms", since.elapsed().as_millis());
    let request = entry(&world, VERDICTS / 2).request.id();
    let rendered = render(&pages, &chronicler, &request);
    drop((pages, chronicler));
    if !load::is_there("wrk") {
        eprintln!("pages a second are not measured: apt-get install wrk");
        return ExitCode::FAILURE;
    }
    let (served, voting) = (under_load(&request), group::under_load());
    if rendered && served && voting { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn chronicle(world: &World) -> Chronicle {
    let mut chronicle = Chronicle::default();
    for index in 0..VERDICTS {
        chronicle.logged(index, &Leaf::Build(entry(world, index)), Some(&world.group));
    }
    chronicle
}

/// Whether every page is fast and small enough.
fn render(pages: &Pages, chronicler: &Chronicler, request: &RequestId) -> bool {
    let frame = pages.frame();
    let all: [(&str, &dyn Fn() -> String); 9] = [
        ("home", &|| page::home(&frame, &pages.home())),
        ("search, few", &|| page::search(&frame, &pages.search("crate-77", 50))),
        ("search, none", &|| page::search(&frame, &pages.search("zzz", 50))),
        ("crate", &|| page::of_crate(&frame, &pages.of_crate("crate-777", None, u64::MAX, 100).unwrap())),
        ("request", &|| page::request(&frame, &pages.request(request, None).unwrap())),
        ("builders", &|| page::builders(&frame, &pages.builders())),
        ("log", &|| page::log(&frame, &pages.log(VERDICTS / 2, 100, None))),
        ("log, one verdict", &|| page::log(&frame, &pages.log(VERDICTS / 2, 100, Some(Verdict::Diverged)))),
        ("trends", &|| page::trends(&frame, &pages.trends())),
    ];
    let mut good = true;
    println!("page               median      p99    bytes");
    for (name, make) in all {
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..TURNS {
            chronicler.show();
            let since = Instant::now();
            bytes = make().len();
            times.push(since.elapsed().as_micros());
        }
        times.sort_unstable();
        let (median, most) = (times[TURNS / 2], times[TURNS * 99 / 100]);
        println!("{name:<16} {median:>5} us {most:>5} us {bytes:>8}");
        good &= most <= MICROS_MAX && bytes <= BYTES_MAX;
    }
    good
}

/// Serves pages until standard input ends, while the chronicle changes as with twenty blocks a second.
fn answer(pages: Pages, chronicler: Chronicler) {
    let site = WebSite::new(pages, ArtifactStore::over(Arc::new(InMemory::new())));
    load::serve(with_pages(Router::new(), site), async move {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            chronicler.show();
        }
    });
}

/// Whether enough pages are answered.
fn under_load(request: &RequestId) -> bool {
    let server = load::Server::start();
    let asked = |time| load::wrk(&server.address, "pages.lua", &[&request.to_string()], time);
    asked(WARM);
    let (rate, resident) = (asked(TURN), resident::bytes(server.process()) >> 20);
    println!("{rate:.0} pages a second over HTTP (at least {RATE_MIN}), {resident} MiB resident");
    server.stop();
    rate >= RATE_MIN
}

fn pages(world: &World, chronicle: synchronicity_node::chronicle::Shown) -> Pages {
    let (_, published) = watch::channel(None);
    Pages::new(Sources {
        name: "builder-00".to_owned(),
        url: "https://node.example".to_owned(),
        group: Arc::new(world.group.clone()),
        policy: "".into(),
        chronicle,
        published,
        present: Arc::new(|| Present { health: "ok".to_owned(), ..Present::default() }),
        round: Arc::new(|_| None),
        explained: Arc::new(|_| None),
        survey: SurveyFile::default(),
    })
}

/// One of 30,000 crates; four in five are reproduced.
fn entry(world: &World, index: u64) -> Entry {
    let mut request = world::request(index / 30_000);
    if let Source::Registry { name, .. } = &mut request.source {
        *name = format!("crate-{}", index * 7919 % 30_000).parse().unwrap();
    }
    let artifact = |content: u8| {
        let name = "tool".to_owned().try_into().unwrap();
        BuildResult::Built(Artifacts::new(vec![Artifact { name, size: 7, sha256: Digest([content; 32]) }]).unwrap())
    };
    let (verdict, agreed) = match index % 10 {
        0 => (Verdict::Diverged, None),
        1 => (Verdict::Unbuildable, Some(BuildResult::Failed(Failure::Compile))),
        _ => (Verdict::Reproduced, Some(artifact(0))),
    };
    let mut members: Vec<MemberRecord> = Vec::new();
    for (place, member) in world.group.members().iter().enumerate() {
        let own = || artifact(u8::try_from(place).unwrap());
        let result = agreed.clone().unwrap_or_else(own).digest();
        members.push(MemberRecord {
            builder: member.command,
            name: member.name.clone(),
            commitment: Some(result),
            opening: Some(Opening { nonce: [0; 32], result }),
            attestation: Some(result),
        });
    }
    members.sort_by_key(|member| member.builder);
    Entry {
        schema: ENTRY_SCHEMA,
        group: world.group.id(),
        epoch: 0,
        height: index,
        time_ms: 1_780_000_000_000 + index * 100_000,
        request,
        round: 0,
        threshold: 3,
        verdict,
        agreed,
        members,
        map_root: Digest([0; 32]),
    }
}
