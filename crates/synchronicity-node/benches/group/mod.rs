//! A group of four nodes, all on this machine, of which one is asked for pages as fast as it answers.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::{devnet, load};

/// An idle group makes a block every two seconds, each of four members in turn: this member leads some five times.
const LOAD: Duration = Duration::from_secs(40);

/// Whether pages are answered fast enough without a view being given up.
pub(crate) fn under_load() -> bool {
    let mut devnet = devnet::start(&["--keep", "--sandbox", "embedded", &devnet::fixture("plain-binary")]);
    let started = devnet.until(|event| event["event"] == "started");
    let nodes: Vec<String> = started["nodes"].as_array().unwrap().iter().map(address).collect();
    devnet.until(|event| event["event"] == "next");
    let request = status(&nodes[0])["rounds"][0]["request"].as_str().unwrap().to_owned();
    let (ahead, height) = (views_ahead(&nodes[1]), status(&nodes[1])["height"].as_u64().unwrap());
    let rate = load::wrk(&nodes[0], "pages.lua", &[&request, "plain-binary"], LOAD);
    let given_up = views_ahead(&nodes[1]).saturating_sub(ahead);
    let blocks = status(&nodes[1])["height"].as_u64().unwrap() - height;
    println!(
        "{rate:.0} pages a second from one of four nodes (at least {}); the group ordered {blocks} blocks and gave up {given_up} views \
         (none)",
        crate::RATE_MIN
    );
    devnet.signal(Signal::INT);
    devnet.end();
    rate >= crate::RATE_MIN && given_up == 0
}

fn address(node: &Value) -> String {
    node["http"].as_str().unwrap().trim_start_matches("http://").to_owned()
}

fn status(address: &str) -> Value {
    let mut answer = ureq::get(format!("http://{address}/status")).call().unwrap();
    serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
}

/// By how much the view is ahead of the height. A view that is under way counts as well, and hardly ever at each of many moments.
fn views_ahead(address: &str) -> u64 {
    let ahead = |_| {
        std::thread::sleep(Duration::from_millis(100));
        let status = status(address);
        status["view"].as_u64().unwrap().saturating_sub(status["height"].as_u64().unwrap())
    };
    (0..30).map(ahead).min().unwrap()
}
