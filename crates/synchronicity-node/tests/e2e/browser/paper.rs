//! Pages where less fits than on a screen of usual size: on paper, and on a phone.

use std::path::Path;

use serde_json::{Value, json};
use synchronicity_verify::result::{BuildResult, Failure};
use tokio::runtime::Runtime;

use super::PHONE;
use super::played::served;
use super::stage::{Stage, built};
use crate::webdriver::Browser;
use crate::world::request;

/// A4 between margins of a centimetre, at 96 pixels an inch; and the same where everything is printed a quarter larger.
const SHEETS: [u32; 2] = [718, 574];

/// Two builders against two.
const APART: [&[u8]; 4] = [b"a", b"a", b"b", b"b"];

/// Something of every kind, with a round that goes on.
fn played(runtime: &Runtime) -> Stage {
    let mut stage = Stage::of(4);
    stage.conclude(&request(0), &vec![built("hexyl", b"the same"); 4]);
    stage.conclude(&request(1), &APART.map(|content| built(&"long-name-".repeat(10), content)));
    stage.conclude(&request(2), &vec![BuildResult::Failed(Failure::Compile); 4]);
    stage.submit(&request(3), 0);
    runtime.block_on(stage.print(&request(0), &format!("Compiling hexyl\n{}\n", "--cfg=x ".repeat(200))));
    let difference = json!({
        "section": ".rodata", "first": "1700000000", "second": "1700000001", "cause": "build-time", "certainty": "known",
        "why": "the time of the build", "crate": "hexyl 0.1.0", "suggestion": "read SOURCE_DATE_EPOCH",
    });
    stage.explain(json!({
        "state": "explained", "advice": "It is advice.", "words": "word ".repeat(100),
        "first": { "builder": "builder-00" }, "second": { "builders": ["builder-02"] },
        "explanation": { "artifacts": [{ "name": "hexyl", "differences": [difference] }] },
    }));
    stage.survey = Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/survey"));
    stage
}

fn pages() -> Vec<String> {
    let [same, apart, failed, open] = [0, 1, 2, 3].map(|number| format!("/requests/{}", request(number).id()));
    let transcript = format!("{same}/transcript");
    let fixed =
        ["/", "/crates/hexyl", "/builders", "/builders/builder-00", "/queue", "/log", "/trends", "/survey", "/about"];
    let fixed = fixed.into_iter().chain(["/verify", "/api", "/search?q=hex"]).map(str::to_owned);
    fixed.chain([same, apart, failed, open, transcript]).collect()
}

/// What of a page cannot be read on a sheet, or is of no use there.
const WRONG_ON_PAPER: &str = "
    for (const it of document.querySelectorAll('details')) it.open = true;
    const all = (what) => [...document.querySelectorAll(what)].filter((it) => it.checkVisibility());
    const named = (it) => it.outerHTML.slice(0, 80);
    const style = (it) => getComputedStyle(it);
    const [paper, ink] = [style(document.body).backgroundColor, style(document.body).color];
    return {
      useless: all('nav, .search, .skip, .pages').map(named),
      colours: paper === 'rgb(255, 255, 255)' && ink === 'rgb(0, 0, 0)' ? [] : [paper, ink],
      links: all('main a, footer a').filter((it) => !it.closest('.bad, .lines') && style(it).color !== 'rgb(0, 0, 0)').map(named),
      cut: all('.wide, figure, pre, .transcript').filter((it) => style(it).overflowX !== 'visible' || style(it).maxHeight !== 'none').map(named),
      wide: all('main, main *:not(svg *)').filter((it) =>
        it.getBoundingClientRect().right > document.documentElement.clientWidth + 1 || (it.scrollWidth > it.clientWidth + 1 && style(it).display !== 'inline')).map(named),
      shaded: all('pre, .wide, figure').filter((it) => style(it).backgroundImage !== 'none').map(named),
    }";

pub(super) fn is_whole() {
    let runtime = Runtime::new().unwrap();
    let stage = played(&runtime);
    let (url, browser) = (served(&runtime, &stage), Browser::open());
    for path in pages() {
        // Whoever likes it dark has white paper too.
        for (sheet, dark) in SHEETS.into_iter().zip([false, true]) {
            browser.look_on_paper(sheet, dark);
            browser.go(&format!("{url}{path}"));
            assert!(browser.run("return matchMedia('print').matches").as_bool().unwrap());
            let told = browser.run(WRONG_ON_PAPER);
            let wrong: Vec<_> = told.as_object().unwrap().iter().filter(|(_, it)| **it != json!([])).collect();
            assert!(wrong.is_empty(), "{path} on {sheet} pixels: {wrong:#?}");
        }
    }
    // On a screen there is all of that.
    browser.look(SHEETS[1], true);
    browser.go(&format!("{url}/log"));
    let told = browser.run(WRONG_ON_PAPER);
    for what in ["useless", "colours", "links", "cut"] {
        assert_ne!(told[what], json!([]), "{what} is never found wrong");
    }
}

/// What sticks out of its frame, and what of that has no shadow where it goes on.
const SIDEWAYS: &str = "
    for (const it of document.querySelectorAll('details')) it.open = true;
    const out = [...document.querySelectorAll('pre, .wide, figure')].filter((it) => it.scrollWidth > it.clientWidth + 1);
    const hints = (it) => /linear-gradient.*linear-gradient/.test(getComputedStyle(it).backgroundImage)
      && /local/.test(getComputedStyle(it).backgroundAttachment);
    return [out.map((it) => it.localName), out.filter((it) => !hints(it)).map((it) => it.outerHTML.slice(0, 80))]";

pub(super) fn hints() {
    let runtime = Runtime::new().unwrap();
    let stage = played(&runtime);
    let (url, browser) = (served(&runtime, &stage), Browser::open());
    let mut seen = Vec::new();
    for path in pages() {
        browser.look(PHONE, false);
        browser.go(&format!("{url}{path}"));
        let told = browser.run(SIDEWAYS);
        assert_eq!(told[1], json!([]), "{path}: it goes on, and nothing says so");
        seen.extend(told[0].as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()));
    }
    for kind in ["pre", "div", "figure"] {
        assert!(seen.iter().any(|it| it == kind), "no page has a {kind} that is wider than a phone: {seen:?}");
    }
    assert_eq!(browser.complaints(), Vec::<Value>::new());
}
