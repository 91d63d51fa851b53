//! Lists, and what stands in them.

use std::collections::BTreeSet;

use serde_json::Value;
use synchronicity_core::command::Action;
use synchronicity_node::presence::Presence;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::RequestId;
use synchronicity_verify::result::{BuildResult, Failure};

use super::stage::{Stage, built, json, page};
use crate::world::request;

#[tokio::test]
async fn statements_are_offered_of_what_this_builder_agreed_on_in_the_epoch_that_is_in_force() {
    let mut stage = Stage::of(4);
    let (same, other) = (built("hexyl", b"x"), built("hexyl", b"y"));
    let failed = BuildResult::Failed(Failure::Compile);
    // The page is the first member's.
    stage.conclude(&request(0), &[same.clone(), same.clone(), same.clone(), other.clone()]);
    stage.conclude(&request(1), &[other, same.clone(), same.clone(), same]);
    stage.conclude(&request(2), &[failed.clone(), failed.clone(), failed.clone(), failed]);
    let offered = async |stage: &Stage| {
        let mut offered = Vec::new();
        for number in 0..3 {
            let (_, told) = json(&stage.routes(), &format!("/api/v1/requests/{}", request(number).id())).await;
            offered.push(told["attested"].as_bool().unwrap());
        }
        offered
    };
    assert_eq!(offered(&stage).await, [true, false, false]);
    let membership = stage.world.group.membership();
    let approve = Action::Approve { membership: membership.digest() };
    stage.block(vec![(0, Action::Propose { membership })]);
    stage.block((0..3).map(|member| (member, approve.clone())).collect());
    assert_eq!(offered(&stage).await, [false, false, false]);
}

#[tokio::test]
async fn pages_of_the_log_lead_from_one_to_the_next_and_miss_nothing() {
    let mut stage = Stage::of(1);
    for number in 0..45 {
        let result = match number % 3 {
            0 => BuildResult::Failed(Failure::Compile),
            _ => built("hexyl", b"x"),
        };
        stage.conclude(&request(number), &[result]);
    }
    let routes = stage.routes();
    for (query, count) in
        [("", 45_usize), ("&verdict=unbuildable", 15), ("&verdict=reproduced", 30), ("&verdict=diverged", 0)]
    {
        let mut path = format!("/api/v1/log?limit=7{query}");
        let (mut seen, mut pages) = (BTreeSet::new(), 0);
        loop {
            let (_, told) = json(&routes, &path).await;
            let rows = told["entries"].as_array().unwrap();
            assert!(rows.len() <= 7);
            for row in rows {
                let index = row["index"].as_u64().unwrap();
                assert!(seen.last().is_none_or(|_| seen.first() > Some(&index)), "not the newest first");
                assert!(seen.insert(index), "{index} twice");
            }
            pages += 1;
            let Some(before) = told["next_before"].as_u64() else { break };
            path = format!("/api/v1/log?limit=7{query}&before={before}");
        }
        assert_eq!((seen.len(), pages), (count, count.div_ceil(7).max(1)), "{query}");
    }
    let (_, told) = json(&routes, "/api/v1/crates/hexyl?limit=10").await;
    assert_eq!((told["releases"].as_array().unwrap().len(), &told["next_before"]), (10, &Value::from(35)));
    let (_, told) = json(&routes, "/api/v1/crates/hexyl?limit=10&before=5").await;
    assert_eq!((told["releases"].as_array().unwrap().len(), &told["next_before"]), (5, &Value::Null));
    // By what versions mean, not by how they are spelled.
    let (_, told) = json(&routes, "/api/v1/crates/hexyl").await;
    let versions: Vec<&str> =
        told["releases"].as_array().unwrap().iter().map(|it| it["version"].as_str().unwrap()).collect();
    assert_eq!((versions[0], versions[34], versions[44]), ("0.44.0", "0.10.0", "0.0.0"));
    let (_, home) = json(&routes, "/api/v1/home").await;
    assert_eq!((&home["counts"]["reproduced"], &home["counts"]["unbuildable"]), (&30.into(), &15.into()));
    let (_, trends) = json(&routes, "/api/v1/trends").await;
    assert_eq!(trends["failures"][0]["name"], "compile-error");
    assert_eq!(trends["months"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_search_finds_what_begins_so_first_and_does_not_mind_capitals_and_dashes() {
    let mut stage = Stage::of(1);
    for (number, name) in ["serde_json", "hexyl", "Inflector", "json", "rustc-serialize", "hex"].iter().enumerate() {
        stage.conclude(&named(name, number as u64), &[built("a", b"x")]);
    }
    let routes = stage.routes();
    let found = async |query: &str| {
        let (_, told) = json(&routes, &format!("/api/v1/crates?query={query}&limit=3")).await;
        let hits = told["hits"].as_array().unwrap().iter().map(|hit| hit["name"].as_str().unwrap().to_owned());
        (hits.collect::<Vec<_>>(), told["more"].as_bool().unwrap())
    };
    assert_eq!(found("json").await, (vec!["json".to_owned(), "serde_json".to_owned()], false));
    assert_eq!(found("HEX").await, (vec!["hex".to_owned(), "hexyl".to_owned()], false));
    assert_eq!(found("serde-json").await.0, ["serde_json"]);
    assert_eq!(found("INFLECTOR").await.0, ["Inflector"]);
    assert!(found("e").await.1);
    assert_eq!(found("").await, (Vec::new(), false));
    assert!(page(&routes, "/crates/inflector").await.1.contains("<h1>Inflector</h1>"));
}

#[tokio::test]
async fn parts_of_a_search_lead_from_one_to_the_next_and_miss_nothing() {
    let mut stage = Stage::of(1);
    let begin = ["json", "Json-b", "json_a", "json5"];
    let within = ["a-json", "serde_json", "Zjson"];
    for (number, name) in begin.iter().chain(&within).chain(&["hexyl"]).enumerate() {
        stage.conclude(&named(name, number as u64), &[built("a", b"x")]);
    }
    let routes = stage.routes();
    for limit in 1..=8 {
        let (mut seen, mut parts, mut after) = (Vec::new(), 0, String::new());
        loop {
            let (_, told) = json(&routes, &format!("/api/v1/crates?query=JSON&limit={limit}&after={after}")).await;
            let hits = told["hits"].as_array().unwrap();
            seen.extend(hits.iter().map(|hit| hit["name"].as_str().unwrap().to_owned()));
            parts += 1;
            assert_eq!(told["more"], told["next_after"].is_string(), "{told}");
            let Some(next) = told["next_after"].as_str() else { break };
            after = next.to_owned();
        }
        assert_eq!(seen, ["json", "json_a", "Json-b", "json5", "a-json", "serde_json", "Zjson"], "{limit} at once");
        assert_eq!(parts, 7_usize.div_ceil(limit));
    }
    // The page leads on as the API does, and holds no more than it has room for.
    let shown = page(&routes, "/search?q=json&limit=2").await.1;
    assert!(shown.contains("href=\"/search?q=json&amp;after=json_a\">More crates</a>"), "{shown}");
    let shown = page(&routes, "/search?q=json&after=Zjson").await.1;
    assert!(shown.contains("No more crates") && !shown.contains("no evidence so far"), "{shown}");
}

#[tokio::test]
async fn a_search_that_finds_many_crates_makes_no_large_page() {
    let mut stage = Stage::of(1);
    for number in 0..60 {
        stage.conclude(&named(&format!("{}{number:02}", "x".repeat(60)), number), &[built("a", b"x")]);
    }
    let shown = page(&stage.routes(), "/search?q=x&limit=200").await.1;
    assert!(shown.len() < 100_000 && shown.matches("<th scope=\"row\">").count() == 50, "{}", shown.len());
}

fn named(name: &str, number: u64) -> synchronicity_verify::request::BuildRequest {
    let mut request = request(number);
    if let synchronicity_verify::request::Source::Registry { name: of, .. } = &mut request.source {
        *of = name.parse().unwrap();
    }
    request
}

#[tokio::test]
async fn a_time_line_has_what_happened_in_order_and_what_never_came() {
    let mut stage = Stage::of(4);
    let asked = request(0);
    stage.submit(&asked, 0);
    let same = built("hexyl", b"the same");
    stage.commit(&asked, 0, &[(2, same.clone())]);
    stage.commit(&asked, 0, &[(0, same.clone()), (1, same.clone())]);
    // The fourth never commits.
    stage.later(stage.world.group.commit_window_ms(), Vec::new());
    stage.reveal(&asked, 0, &[(0, same.clone()), (2, same.clone())]);
    // The second never reveals.
    stage.later(stage.world.group.reveal_window_ms(), Vec::new());
    let (routes, id) = (stage.routes(), asked.id());
    let (_, told) = json(&routes, &format!("/api/v1/requests/{id}")).await;
    let lines: Vec<String> = told["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            let who = line["builder"].as_str().unwrap_or("group");
            format!("{} {who} {} {}", line["height"], line["what"].as_str().unwrap(), line["mark"].as_str().unwrap())
        })
        .collect();
    let name = |member: usize| stage.world.group.members()[member].name.clone();
    assert_eq!(
        lines,
        [
            format!("1 {} submitted plain", name(0)),
            format!("2 {} committed good", name(2)),
            format!("3 {} committed good", name(0)),
            format!("3 {} committed good", name(1)),
            "4 group the time to commit is over plain".to_owned(),
            format!("5 {} revealed good", name(0)),
            format!("5 {} revealed good", name(2)),
            "6 group logged as entry 0: inconclusive plain".to_owned(),
            format!("null {} withheld: committed and did not reveal in time bad", name(1)),
            format!("null {} late: no commitment before the deadline bad", name(3)),
        ]
    );
    let states: Vec<&str> =
        told["builders"].as_array().unwrap().iter().map(|it| it["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["revealed", "withheld", "revealed", "late"]);
    let (_, builders) = json(&routes, "/api/v1/builders").await;
    let did = |member: usize| builders["builders"][member]["participation"].clone();
    assert_eq!((&did(3)["late"], &did(1)["withheld"], &did(0)["apart"]), (&1.into(), &1.into(), &1.into()));
    assert_eq!(builders["builders"][2]["median_commit"], 1_000);
    // The next attempt is shown, and the one before it stays.
    stage.block(vec![(1, Action::Submit { request: asked.clone(), lock: crate::world::LOCK.to_vec(), round: 1 })]);
    let routes = stage.routes();
    let (_, now) = json(&routes, &format!("/api/v1/requests/{id}")).await;
    assert_eq!((&now["round"], &now["phase"], &now["verdict"]), (&1.into(), &"committing".into(), &Value::Null));
    let (_, before) = json(&routes, &format!("/api/v1/requests/{id}?round=0")).await;
    assert_eq!((&before["round"], &before["verdict"]), (&0.into(), &"inconclusive".into()));
    let (_, queue) = json(&routes, "/api/v1/queue").await;
    assert_eq!(queue["open"][0]["waits_for"].as_array().unwrap().len(), 4);
    assert_eq!(queue["open"][0]["round"], 1);
}

#[tokio::test]
async fn a_builder_is_shown_with_what_it_says_of_itself() {
    let mut stage = Stage::of(4);
    let asked = request(0);
    stage.submit(&asked, 0);
    let unknown = RequestId(Digest::of(b"never asked for"));
    let told = Presence { version: "9.9.9".to_owned(), running: vec![asked.id(), unknown] };
    stage.told.insert(stage.world.group.members()[1].command, told);
    let routes = stage.routes();
    let (_, builders) = json(&routes, "/api/v1/builders").await;
    assert_eq!(builders["builders"][1]["version"], "9.9.9");
    assert_eq!(builders["builders"][1]["runs"], serde_json::json!(["hexyl 0.0.0", unknown.to_string()]));
    assert_eq!(
        (&builders["builders"][0]["version"], &builders["builders"][0]["runs"]),
        (&Value::Null, &Value::Array(vec![]))
    );
    let (_, shown) = page(&routes, "/builders").await;
    assert!(shown.contains("<td>9.9.9</td>") && shown.contains("builds hexyl 0.0.0, "), "{shown}");
}
