//! What crates, builds, members and visitors wrote to do harm, in a browser that would let it.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use synchronicity_node::presence::Presence;
use synchronicity_verify::result::BuildResult;
use tokio::runtime::Runtime;

use super::played::served;
use super::stage::{Stage, built};
use crate::webdriver::Browser;
use crate::world::request;

/// An artifact may be called so.
const NAME: &str = "<img src=x onerror=window.pwned=1>\u{202e}fdp";

/// In whatever else is no name.
const HARM: &str = "<script>window.pwned = 2</script><img src=x onerror=window.pwned=3><svg/onload=window.pwned=4>\u{202e}\u{1b}[2J\0end";

/// As somebody sees it.
const SEEN: &str = "<script>window.pwned = 2</script><img src=x onerror=window.pwned=3><svg/onload=window.pwned=4>\\u{202e}\\u{1b}[2J\\u{0}end";

/// The same in an address.
const ASKED: &str =
    "%3Cscript%3Ewindow.pwned%20=%202%3C%2Fscript%3E%3Cimg%20src=x%20onerror=window.pwned=3%3E%E2%80%AE%1B%00";

const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn shown() {
    let runtime = Runtime::new().unwrap();
    let survey = tempfile::tempdir().unwrap();
    write_survey(survey.path());
    let mut stage = played(&runtime);
    stage.survey = Some(survey.path().to_owned());
    let url = served(&runtime, &stage);
    let browser = Browser::open();
    let id = request(0).id();
    for (path, seen) in [
        (format!("/requests/{id}"), SEEN),
        (format!("/requests/{id}"), "<img src=x onerror=window.pwned=1>\\u{202e}fdp"),
        (format!("/requests/{id}/transcript"), SEEN),
        (format!("/requests/{id}/transcript?find=window.pwned"), SEEN),
        (format!("/requests/{id}/transcript?find={ASKED}"), "No line contains that"),
        ("/trends".to_owned(), "<script>window.pwned"),
        ("/survey".to_owned(), SEEN),
        ("/builders".to_owned(), SEEN),
        (format!("/search?q={ASKED}"), "<img src=x"),
        (format!("/log?verdict={ASKED}"), "<img src=x"),
        (format!("/crates/{ASKED}"), "no evidence so far"),
        (format!("/{ASKED}"), "There is nothing here"),
    ] {
        browser.go(&format!("{url}{path}"));
        let text = browser.until(seen, PATIENCE);
        harmless(&browser, &path, &text);
    }
    as_it_comes(&browser, &url, &mut stage);
}

/// A group in which everybody wrote what they should not have.
fn played(runtime: &Runtime) -> Stage {
    let mut stage = Stage::of(4);
    let apart: Vec<BuildResult> = (0..4_u8).map(|content| built(NAME, &[content])).collect();
    stage.conclude(&request(0), &apart);
    stage.submit(&request(1), 0);
    for number in [0, 1] {
        runtime.block_on(stage.print(&request(number), &format!("{HARM}\nlast line\n")));
    }
    stage.explain_in(HARM);
    let member = stage.world.group.members()[1].command;
    stage.told.insert(member, Presence { version: HARM.to_owned(), running: Vec::new() });
    stage
}

/// The project's own, with other words.
fn write_survey(folder: &Path) {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/survey/survey.json");
    let mut survey: Value = serde_json::from_slice(&std::fs::read(own).unwrap()).unwrap();
    survey["list"]["chosen"] = json!([HARM]);
    survey["groups"][0]["name"] = HARM.into();
    survey["causes"][0]["in_words"] = HARM.into();
    std::fs::write(folder.join("survey.json"), survey.to_string()).unwrap();
}

/// A round that moves, and lines of its transcript, which a script puts into the page.
fn as_it_comes(browser: &Browser, url: &str, stage: &mut Stage) {
    let asked = request(1);
    browser.go(&format!("{url}/requests/{}", asked.id()));
    browser.run("window.stayed = true");
    let results: Vec<_> = (0..4).map(|member| (member, built(NAME, b"the same"))).collect();
    stage.commit(&asked, 0, &results);
    let text = browser.until(&format!("{SEEN}\n2\nlast line"), PATIENCE);
    harmless(browser, "lines as they come", &text);
    stage.reveal(&asked, 0, &results);
    let text = browser.until("<img src=x onerror=window.pwned=1>\\u{202e}fdp", PATIENCE);
    assert_eq!(browser.run("return window.stayed"), true, "it was loaded again, and did not come");
    harmless(browser, "the round as it comes", &text);
}

fn harmless(browser: &Browser, about: &str, text: &str) {
    let unseen = text.chars().find(|it| it.is_control() && *it != '\n' && *it != '\t' || *it == '\u{202e}');
    assert_eq!(unseen, None, "{about}: {text:?}");
    let told = browser.run(
        "return [window.pwned ?? null, document.querySelectorAll('[onerror], [onload], img[src=x], script:not([src])').length]",
    );
    assert_eq!(told, json!([null, 0]), "{about}");
    assert_eq!(browser.complaints(), Vec::<Value>::new(), "{about}");
}
