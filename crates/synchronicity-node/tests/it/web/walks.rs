//! Lists in parts: whoever goes from each to the next sees everything, and nothing twice.

use axum::Router;
use serde_json::Value;
use synchronicity_verify::request::{BuildRequest, Source};

use super::stage::{Stage, built, json, page};
use crate::world::request;

/// Versions of `hexyl`, and crates with an `x` in their name: more than a page has room for.
const VERSIONS: u64 = 90;
const CRATES: u64 = 60;

/// Versions that were asked for a second time, for other reasons.
const AGAIN: u64 = 20;

fn named(name: &str, number: u64) -> BuildRequest {
    let mut request = request(number);
    if let Source::Registry { name: of, .. } = &mut request.source {
        *of = name.parse().unwrap();
    }
    request
}

/// The newest entries are the second ones of the oldest versions.
fn played() -> Stage {
    let mut stage = Stage::of(1);
    (0..VERSIONS).for_each(|number| stage.conclude(&request(number), &[built("hexyl", b"x")]));
    (0..CRATES).for_each(|number| stage.conclude(&named(&format!("x{number:02}"), 0), &[built("a", b"x")]));
    for number in 0..AGAIN {
        let mut again = request(number);
        again.features.default = !again.features.default;
        stage.conclude(&again, &[built("hexyl", b"x")]);
    }
    stage
}

/// All that the API lists, part by part; what leads on is called the same in each.
async fn walked(routes: &Router, path: &str, on: &str, items: impl Fn(&Value) -> Vec<String>) -> (Vec<String>, usize) {
    let (mut seen, mut parts, mut next) = (Vec::new(), 0, String::new());
    loop {
        let (_, told) = json(routes, &format!("{path}{next}")).await;
        seen.extend(items(&told));
        parts += 1;
        next = match &told[format!("next_{on}")] {
            Value::Null => return (seen, parts),
            Value::String(name) => format!("&{on}={name}"),
            place => format!("&{on}={place}"),
        };
    }
}

/// The same on pages, by their links.
async fn clicked(routes: &Router, path: &str, begin: &str) -> (Vec<String>, usize) {
    let (mut seen, mut parts, mut next) = (Vec::new(), 0, path.to_owned());
    loop {
        let (code, shown) = page(routes, &next).await;
        assert!(code == 200 && shown.len() < 100_000, "{next}: {code}");
        let main = shown.split("<main").nth(1).unwrap();
        seen.extend(main.split(begin).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
        parts += 1;
        let Some(link) = main.split("<a rel=\"next\" href=\"").nth(1) else { return (seen, parts) };
        next = link.split('"').next().unwrap().replace("&amp;", "&");
    }
}

fn indices(rows: &Value) -> Vec<String> {
    rows.as_array().unwrap().iter().map(|row| row["index"].to_string()).collect()
}

fn down_from(end: u64) -> Vec<String> {
    (0..end).rev().map(|index| index.to_string()).collect()
}

#[tokio::test]
async fn parts_of_the_log_hold_every_entry_once() {
    let routes = played().routes();
    let all = down_from(VERSIONS + CRATES + AGAIN);
    for limit in [1, 7, 50, 200] {
        let (seen, parts) =
            walked(&routes, &format!("/api/v1/log?limit={limit}"), "before", |told| indices(&told["entries"])).await;
        assert_eq!((&seen, parts), (&all, all.len().div_ceil(limit)), "{limit} at once");
    }
    let (seen, parts) = clicked(&routes, "/log", "<a href=\"/proof/index/").await;
    assert!(seen == all && parts > 1, "{parts} parts: {seen:?}");
    let (seen, parts) = clicked(&routes, "/log?verdict=reproduced", "<a href=\"/proof/index/").await;
    assert!(seen == all && parts > 1, "{parts} parts: {seen:?}");
}

#[tokio::test]
async fn parts_of_what_the_log_says_of_a_crate_hold_every_entry_once() {
    let routes = played().routes();
    let of_crate = (0..VERSIONS).chain(VERSIONS + CRATES..VERSIONS + CRATES + AGAIN);
    let mut all: Vec<String> = of_crate.map(|index| index.to_string()).collect();
    all.sort();
    // In a part they stand by version, so that both entries on one are together where they can.
    let entries = |told: &Value| -> Vec<String> {
        told["releases"].as_array().unwrap().iter().flat_map(|release| indices(&release["entries"])).collect()
    };
    for limit in [1, 7, 50, 200] {
        let (mut seen, parts) =
            walked(&routes, &format!("/api/v1/crates/hexyl?limit={limit}"), "before", entries).await;
        seen.sort();
        assert_eq!((&seen, parts), (&all, all.len().div_ceil(limit)), "{limit} at once");
    }
    let (mut seen, parts) = clicked(&routes, "/crates/hexyl", "<a href=\"/proof/index/").await;
    seen.sort();
    assert!(seen == all && parts > 2, "{parts} parts: {seen:?}");
    // Of one version.
    let (seen, parts) = walked(&routes, "/api/v1/crates/hexyl/0.3.0?limit=1", "before", entries).await;
    assert_eq!((seen, parts), (vec![(VERSIONS + CRATES + 3).to_string(), "3".to_owned()], 2));
}

#[tokio::test]
async fn parts_of_a_search_hold_every_crate_once() {
    let routes = played().routes();
    let mut all: Vec<String> = (0..CRATES).map(|number| format!("x{number:02}")).collect();
    all.push("hexyl".to_owned());
    let names = |told: &Value| -> Vec<String> {
        told["hits"].as_array().unwrap().iter().map(|hit| hit["name"].as_str().unwrap().to_owned()).collect()
    };
    for limit in [1, 7, 50, 200] {
        let (seen, parts) = walked(&routes, &format!("/api/v1/crates?query=x&limit={limit}"), "after", names).await;
        assert_eq!((&seen, parts), (&all, all.len().div_ceil(limit)), "{limit} at once");
    }
    let (seen, parts) = clicked(&routes, "/search?q=x", "<a href=\"/crates/").await;
    assert!(seen == all && parts > 1, "{parts} parts: {seen:?}");
}
