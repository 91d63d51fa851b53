//! What pages cost with 10^5 verdicts in memory: `cargo bench -p synchronicity-node --bench pages`.
//!
//! Each page is asked of the routes, again and again; between two of them the chronicle is shown anew, as a block does. Then
//! Debian's `wrk` asks a server with two threads, in a process of its own, for a mixture of them, while the chronicle is shown
//! anew twenty times a second; and then one node of a group of four, all on this machine. Ends with status 1 if a page takes more
//! than 10 ms at the 99th percentile or has more than 100 kB, if fewer than 2,000 are answered a second, or if the group gives a
//! view up meanwhile.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

#[path = "../tests/e2e/devnet.rs"]
#[allow(dead_code, reason = "what only the tests need")]
mod devnet;
#[path = "../tests/it/world.rs"]
#[allow(dead_code, reason = "what only the tests need")]
mod world;

mod group;
mod load;
mod resident;
mod scene;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use object_store::memory::InMemory;
use synchronicity_node::artifact_store::ArtifactStore;
use synchronicity_node::chronicle::Chronicler;
use synchronicity_node::http::web::WebSite;
use synchronicity_node::http::with_pages;
use synchronicity_node::pages::Pages;
use synchronicity_verify::identity::RequestId;
use tower::ServiceExt;
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
    let mut chronicle = scene::chronicle(&world);
    let each = (resident::bytes(process) - before) / VERDICTS;
    let folded = since.elapsed().as_millis();
    let open = scene::open_rounds(&world, &mut chronicle);
    let (chronicler, shown) = Chronicler::new(chronicle);
    let pages = Pages::new(scene::sources(&world, shown));
    let store = ArtifactStore::over(Arc::new(InMemory::new()));
    let site = WebSite::new(pages, store.clone());
    if std::env::args().any(|arg| arg == "--serve") {
        answer(site, chronicler);
        return ExitCode::SUCCESS;
    }
    println!("{VERDICTS} verdicts of 4 builders: {each} bytes each, folded in {folded} ms");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let routes = with_pages(Router::new(), site);
    let rendered = runtime.block_on(async {
        scene::print(&store, &scene::usual()).await;
        scene::print(&store, &scene::large()).await;
        render(&routes, &chronicler, &open).await
    });
    drop((routes, store, chronicler));
    if !load::is_there("wrk") {
        eprintln!("pages a second are not measured: apt-get install wrk");
        return ExitCode::FAILURE;
    }
    let (served, voting) = (under_load(&scene::usual()), group::under_load());
    if rendered && served && voting { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every page by name and path: as it is mostly asked for, and where it has most to show.
fn every_page(open: &RequestId) -> Vec<(&'static str, String)> {
    let (usual, large, many) = (scene::usual(), scene::large(), scene::MANY_VERSIONS);
    let fixed = [
        ("home", "/"),
        ("search, few", "/search?q=crate-77"),
        ("search, none", "/search?q=zzz"),
        ("search, a later part", "/search?q=ate-7&after=crate-17"),
        ("crate", "/crates/crate-777"),
        ("builders", "/builders"),
        ("builder", "/builders/builder-00"),
        ("queue, full", "/queue"),
        ("log", "/log?before=50000"),
        ("log, one verdict", "/log?before=50000&verdict=diverged"),
        ("trends", "/trends"),
        ("survey", "/survey"),
        ("group", "/about"),
        ("verify", "/verify"),
        ("api", "/api"),
        ("nothing", "/crates/nothing"),
        ("feed", "/feeds/all.atom"),
        ("feed, one verdict", "/feeds/verdicts/unbuildable.atom"),
        ("badge", "/badge/crate-777"),
    ];
    let made = [
        ("crate, many versions", format!("/crates/{many}")),
        ("crate, a later part", format!("/crates/{many}?before=95000")),
        ("version of many", format!("/crates/{many}/{}", scene::A_VERSION)),
        ("badge of many", format!("/badge/{many}/{}.svg", scene::A_VERSION)),
        ("feed, many versions", format!("/feeds/crates/{many}.atom")),
        ("request", format!("/requests/{usual}")),
        ("request, open", format!("/requests/{open}")),
        ("request, large", format!("/requests/{large}")),
        ("transcript", format!("/requests/{usual}/transcript?from=2000")),
        ("transcript, find", format!("/requests/{usual}/transcript?find=line+77")),
        ("transcript, hostile", format!("/requests/{large}/transcript")),
    ];
    fixed.map(|(name, path)| (name, path.to_owned())).into_iter().chain(made).collect()
}

/// Whether every page is fast and small enough.
async fn render(routes: &Router, chronicler: &Chronicler, open: &RequestId) -> bool {
    let mut good = true;
    println!("page                    median       p99     bytes");
    for (name, path) in every_page(open) {
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..TURNS {
            chronicler.show();
            let since = Instant::now();
            bytes = ask(routes, &path).await;
            times.push(since.elapsed().as_micros());
        }
        times.sort_unstable();
        let (median, most) = (times[TURNS / 2], times[TURNS * 99 / 100]);
        println!("{name:<21} {median:>5} us {most:>6} us {bytes:>8}");
        good &= most <= MICROS_MAX && bytes <= BYTES_MAX;
    }
    good
}

/// Bytes of a page.
async fn ask(routes: &Router, path: &str) -> usize {
    let response = routes.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    let expected = if path == "/crates/nothing" { StatusCode::NOT_FOUND } else { StatusCode::OK };
    assert_eq!(response.status(), expected, "{path}");
    to_bytes(response.into_body(), usize::MAX).await.unwrap().len()
}

/// Serves pages until standard input ends, while the chronicle changes as with twenty blocks a second.
fn answer(site: WebSite, chronicler: Chronicler) {
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
