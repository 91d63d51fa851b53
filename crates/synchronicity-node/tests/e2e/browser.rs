//! The pages in a real browser, of a real group that rebuilds while they are open.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Test;
use crate::devnet::fixture;
use crate::machine::Need::{Browser as Chromium, Embedded};
use crate::quartet::Quartet;
use crate::verifier::verify;
use crate::webdriver::Browser;

pub(crate) fn tests() -> Vec<Test> {
    vec![Test::new("a_page_follows_a_round_to_its_proof_in_a_real_browser", &[Chromium, Embedded], follow)]
}

/// Where pictures go, for `cargo xtask screenshots`.
const FOLDER: &str = "SYNCHRONICITY_SCREENSHOTS";

/// Of a build by four nodes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);

const WIDE: u32 = 1100;
const PHONE: u32 = 390;

struct Visit {
    browser: Browser,
    url: String,
    pictures: Option<PathBuf>,
    axe: Option<String>,
}

fn follow() {
    let home = tempfile::tempdir().unwrap();
    let mut quartet = Quartet::found(home.path());
    quartet.start(&[]);
    let pictures = std::env::var_os(FOLDER).map(PathBuf::from);
    if let Some(folder) = &pictures {
        fs::create_dir_all(folder).unwrap();
    }
    let visit = Visit { browser: Browser::open(), url: quartet.url(0), pictures, axe: axe() };
    for (name, path) in
        [("home", "/"), ("queue", "/queue"), ("log", "/log"), ("trends", "/trends"), ("builders", "/builders")]
    {
        visit.look_at(&format!("{name}-empty"), path);
    }
    quartet.submit();
    let id = visit.open_round();
    watch(&visit, &id);
    check_proof(&visit, &quartet, home.path(), &id);
    search(&visit);
    more(&visit, &quartet);
    everything(&visit, &id);
}

impl Visit {
    fn go(&self, path: &str) {
        self.browser.go(&format!("{}{path}", self.url));
    }

    /// The request that is being rebuilt, as the first page links to it.
    fn open_round(&self) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.go("/");
            let link = "return document.querySelector('#now ~ .wide a')?.getAttribute('href') ?? ''";
            let link = self.browser.run(link);
            if let Some(id) = link.as_str().and_then(|link| link.strip_prefix("/requests/")) {
                return id.to_owned();
            }
            assert!(Instant::now() < deadline, "nothing is being rebuilt: {}", self.browser.text());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Looks at a page in every way, and takes pictures where they are wanted.
    fn look_at(&self, name: &str, path: &str) {
        for (look, width, dark) in [("light", WIDE, false), ("dark", WIDE, true), ("phone", PHONE, false)] {
            self.browser.look(width, dark);
            self.go(path);
            let told = self.browser.run(
                "const wide = document.documentElement; return [wide.scrollWidth, wide.clientWidth, \
                 getComputedStyle(document.body).backgroundColor, document.querySelectorAll('h1').length]",
            );
            assert_eq!(told[0], told[1], "{name}: on a {look} screen something sticks out to the side");
            assert_eq!(told[3], 1, "{name}");
            assert_eq!(told[2] != "rgb(255, 255, 255)", dark, "{name}: {}", told[2]);
            self.accessible(&format!("{name} ({look})"));
            if let Some(folder) = &self.pictures {
                self.browser.picture(&folder.join(format!("{name}-{look}.png")), 1_600);
            }
        }
        self.browser.look(WIDE, false);
    }

    /// Landmarks, names and contrast, as axe checks them.
    fn accessible(&self, about: &str) {
        let Some(axe) = &self.axe else { return };
        self.browser.run(axe);
        let tags = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']";
        let told = self.browser.run(&format!(
            "return axe.run(document, {{ runOnly: {tags} }}).then((told) => told.violations.map((it) => \
             [it.id, it.help, it.nodes.map((node) => node.html + ' ' + node.failureSummary)]))"
        ));
        assert_eq!(told, Value::Array(Vec::new()), "{about}: {told:#}");
    }
}

/// axe-core, where the set-up has installed it.
fn axe() -> Option<String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let found = fs::read_to_string(target.join("browser-tools/node_modules/axe-core/axe.min.js")).ok();
    if found.is_none() {
        eprintln!(
            "SKIPPED: no axe-core: run scripts/browser-tools.sh; landmarks and contrast are not checked in the browser"
        );
        let required = std::env::var("SYNCHRONICITY_REQUIRE").is_ok_and(|list| list.split(',').any(|it| it == "axe"));
        assert!(!required, "the set-up has installed axe-core, and it is gone");
    }
    found
}

/// The time line moves by itself, and what a build printed comes when nobody can commit any more.
fn watch(visit: &Visit, id: &str) {
    let browser = &visit.browser;
    visit.go(&format!("/requests/{id}"));
    browser.run("window.stayed = true");
    let text = browser.until("submitted", PATIENCE);
    assert!(!text.contains("REPRODUCED") && !text.contains("Compiling"), "{text}");
    browser.until("builder-1 committed", PATIENCE);
    assert_eq!(browser.run("return window.stayed"), true, "the page moved and was not loaded again");
    if let Some(folder) = &visit.pictures {
        browser.picture(&folder.join("round-open-light.png"), 1_600);
    }
    let text = browser.until("logged as entry 0", PATIENCE);
    assert!(text.contains("4 of 4 builders agree"), "{text}");
    // It is loaded again when the proof can be had.
    browser.until("Proof of entry 0", PATIENCE);
    let transcript = browser.run("return document.querySelector('a[href$=\"/transcript\"]').href");
    browser.go(transcript.as_str().unwrap());
    assert!(browser.text().contains("Compiling plain-binary"), "{}", browser.text());
    visit.accessible("transcript");
}

/// The proof downloads, and holds: for our verifier, and for the one in the browser, which refuses another file.
fn check_proof(visit: &Visit, quartet: &Quartet, home: &Path, id: &str) {
    let browser = &visit.browser;
    visit.go(&format!("/requests/{id}"));
    let fetched = |selector: &str| {
        let script = format!("return fetch(document.querySelector('{selector}').href).then((answer) => answer.text())");
        browser.run(&script).as_str().unwrap().to_owned()
    };
    let (proof, policy) = (home.join("proof"), home.join("policy"));
    fs::write(&proof, fetched("a[href=\"/proof/index/0\"]")).unwrap();
    fs::write(&policy, fetched("a[href=\"/policy\"]")).unwrap();
    assert_eq!(verify(&proof, None, &policy), 0);
    let artifacts = fs::read_dir(quartet.home(0).join("artifacts")).unwrap();
    let artifact = artifacts.map(|item| item.unwrap().path()).next().unwrap();
    assert_eq!(verify(&proof, Some(&artifact), &policy), 0);
    for (file, expected) in [(&artifact, "byte for byte"), (&policy, "is not what was built")] {
        visit.go("/verify");
        browser.write("#proof", proof.to_str().unwrap());
        browser.write("#file", file.to_str().unwrap());
        browser.click("#verifier button");
        browser.until(expected, PATIENCE);
    }
    visit.accessible("verified");
}

fn search(visit: &Visit) {
    visit.go("/");
    visit.browser.write("#q", "PLAIN");
    let options = "return [...document.querySelectorAll('#found option')].map((option) => option.value)";
    let deadline = Instant::now() + PATIENCE;
    while visit.browser.run(options) != serde_json::json!(["plain-binary"]) {
        assert!(Instant::now() < deadline, "nothing is completed");
        std::thread::sleep(Duration::from_millis(100));
    }
    visit.browser.click("header form.search button");
    let text = visit.browser.until("Crates found", PATIENCE);
    assert!(text.contains("plain-binary") && text.contains("reproduced"), "{text}");
}

/// The request of a crate's newest entry, once there is one.
fn concluded(url: &str, name: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(mut answer) = ureq::get(format!("{url}/api/v1/crates/{name}")).call() {
            let told: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
            return told["releases"][0]["entries"][0]["request"].as_str().unwrap().to_owned();
        }
        assert!(Instant::now() < deadline, "{name} has no verdict in time");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// A crate that diverges, with its explanation, and one that does not build.
fn more(visit: &Visit, quartet: &Quartet) {
    for (name, shown) in [("embeds-build-time", "build-time"), ("needs-network", "needs-network")] {
        quartet.submit_crate(&fixture(name));
        let id = concluded(&visit.url, name);
        visit.go(&format!("/requests/{id}"));
        let deadline = Instant::now() + PATIENCE;
        while !visit.browser.text().contains(shown) {
            assert!(Instant::now() < deadline, "{shown} is not told: {}", visit.browser.text());
            std::thread::sleep(Duration::from_millis(500));
            visit.go(&format!("/requests/{id}"));
        }
        visit.look_at(&format!("request-{name}"), &format!("/requests/{id}"));
    }
}

/// Every page, with something on it.
fn everything(visit: &Visit, id: &str) {
    let of_request = [format!("/requests/{id}"), format!("/requests/{id}/transcript")];
    let pages = [
        ("home", "/"),
        ("search", "/search?q=e"),
        ("search-empty", "/search?q=nothing"),
        ("crate", "/crates/plain-binary"),
        ("request", &of_request[0]),
        ("transcript", &of_request[1]),
        ("builders", "/builders"),
        ("builder", "/builders/builder-1"),
        ("queue", "/queue"),
        ("log", "/log"),
        ("trends", "/trends"),
        ("survey-empty", "/survey"),
        ("group", "/about"),
        ("verify", "/verify"),
        ("api", "/api"),
        ("missing", "/crates/nothing"),
    ];
    for (name, path) in pages {
        visit.look_at(name, path);
    }
    if visit.pictures.is_some() {
        visit.browser.command("Emulation.setCPUThrottlingRate", &serde_json::json!({ "rate": 4 }));
        for (name, path) in pages {
            visit.go(path);
            // The browser notes it a while after the page is there.
            let paint = "return new Promise((done) => new PerformanceObserver((list) => \
                 list.getEntriesByName('first-contentful-paint').forEach((it) => done(it.startTime))\
                 ).observe({ type: 'paint', buffered: true }))";
            println!(
                "{name}: first contentful paint after {} ms, with a processor four times as slow",
                visit.browser.run(paint)
            );
        }
    }
}
