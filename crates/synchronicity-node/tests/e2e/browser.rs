//! The pages in a real browser, of a real group that rebuilds while they are open.

mod hostile;
mod open;
mod paper;
mod played;
mod scriptless;
mod speed;
#[path = "../it/web/stage.rs"]
#[allow(dead_code, reason = "what only the other tests need")]
mod stage;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Test;
use crate::devnet::fixture;
use crate::machine::Need::{Browser as Chromium, Embedded, Registry};
use crate::quartet::Quartet;
use crate::verifier::verify;
use crate::webdriver::Browser;

pub(crate) fn tests() -> Vec<Test> {
    vec![
        Test::new("a_page_follows_a_round_to_its_proof_in_a_real_browser", &[Chromium, Embedded, Registry], follow),
        Test::new("what_somebody_wrote_to_do_harm_is_text_in_a_real_browser", &[Chromium], hostile::shown),
        Test::new("pages_on_paper_are_black_on_white_and_nothing_of_them_is_cut", &[Chromium], paper::is_whole),
        Test::new("what_is_wider_than_a_phone_shows_that_it_goes_on", &[Chromium], paper::hints),
    ]
}

/// Where pictures go, for `cargo xtask screenshots`.
const FOLDER: &str = "SYNCHRONICITY_SCREENSHOTS";

/// Of a build by four nodes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);

const WIDE: u32 = 1100;
const PHONE: u32 = 390;

/// What a page has to fit into without moving sideways: WCAG 2.2, 1.4.10.
const NARROW: u32 = 320;

/// Of a picture, in pixels: no page of these is cut off.
const HEIGHT: u64 = 8_000;

struct Visit {
    browser: Browser,
    /// Its user has turned scripts off.
    scriptless: Browser,
    url: String,
    pictures: Option<PathBuf>,
    axe: Option<String>,
}

fn follow() {
    let home = tempfile::tempdir().unwrap();
    let mut quartet = Quartet::found_to_build_for(home.path(), open::COMMIT_WINDOW);
    shows_a_survey(&quartet.home(0).join("node.toml"));
    quartet.start(&[]);
    let pictures = std::env::var_os(FOLDER).map(PathBuf::from);
    if let Some(folder) = &pictures {
        fs::create_dir_all(folder).unwrap();
    }
    let (browser, scriptless) = (Browser::open(), Browser::without_scripts());
    let visit = Visit { browser, scriptless, url: quartet.url(0), pictures, axe: axe() };
    for (name, path) in
        [("home", "/"), ("queue", "/queue"), ("log", "/log"), ("trends", "/trends"), ("builders", "/builders")]
    {
        visit.look_at(&format!("{name}-empty"), path);
    }
    open::hold(&quartet);
    quartet.submit_crate("is_ci@1.2.0");
    let id = visit.open_round();
    watch(&visit, &quartet, &id);
    check_proof(&visit, &quartet, home.path(), &id);
    keyboard(&visit);
    search(&visit);
    scriptless::walk(&visit);
    more(&visit, &quartet);
    let slow = everything(&visit, &id, &format!("{}/survey", quartet.url(1)));
    halted(&visit, &mut quartet);
    assert_eq!(visit.browser.complaints(), Vec::<Value>::new(), "a script failed, or a policy forbade something");
    assert!(slow.is_empty(), "above a bound: {slow:?}");
}

/// The project's own, at this node and at no other.
fn shows_a_survey(settings: &Path) {
    let survey = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/survey").canonicalize().unwrap();
    let text = fs::read_to_string(settings).unwrap();
    fs::write(settings, format!("survey = {:?}\n{text}", survey.to_str().unwrap())).unwrap();
}

impl Visit {
    /// To a page of the first node, or anywhere.
    fn go(&self, path: &str) {
        let address = if path.starts_with('/') { format!("{}{path}", self.url) } else { path.to_owned() };
        self.browser.go(&address);
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
        self.in_every_look(name, || self.go(path));
    }

    /// The same with whatever is shown.
    fn in_every_look(&self, name: &str, show: impl Fn()) {
        for (look, width, dark) in [("light", WIDE, false), ("dark", WIDE, true), ("phone", PHONE, false)] {
            self.browser.look(width, dark);
            show();
            let told = self.browser.run(
                "const wide = document.documentElement; return [wide.scrollWidth, wide.clientWidth, \
                 getComputedStyle(document.body).backgroundColor, document.querySelectorAll('h1').length]",
            );
            assert_eq!(told[0], told[1], "{name}: on a {look} screen something sticks out to the side");
            assert_eq!(told[3], 1, "{name}");
            assert_eq!(told[2] != "rgb(255, 255, 255)", dark, "{name}: {}", told[2]);
            self.accessible(&format!("{name} ({look})"));
            if let Some(folder) = &self.pictures {
                self.browser.picture(&folder.join(format!("{name}-{look}.png")), HEIGHT);
            }
        }
        self.browser.look(NARROW, false);
        let needed = self.browser.run("return document.documentElement.scrollWidth");
        assert_eq!(needed, NARROW, "{name}: it does not fit");
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
fn watch(visit: &Visit, quartet: &Quartet, id: &str) {
    let browser = &visit.browser;
    visit.go(&format!("/requests/{id}"));
    // What is printed meanwhile is gone from the page when it is loaded again.
    browser.run(
        "window.stayed = true; document.querySelector('#round a[href=\"/builders/builder-1\"]').focus(); \
         const transcript = document.getElementById('transcript'); const find = document.getElementById('find'); \
         sessionStorage.before = find.disabled; \
         new MutationObserver(() => { \
             const line = [...transcript.children].find((line) => line.textContent.includes('Compiling is_ci')); \
             Object.assign(sessionStorage, { link: line?.querySelector('a').href ?? '', after: find.disabled }); \
         }).observe(transcript, { childList: true })",
    );
    let text = browser.until("submitted", PATIENCE);
    assert!(!text.contains("builders agree") && !text.contains("Compiling"), "{text}");
    scriptless::open_round(visit, id);
    browser.until("builder-1 committed", PATIENCE);
    let stayed = "return [window.stayed, document.activeElement.getAttribute('href')]";
    let stayed = browser.run(stayed);
    assert_eq!(stayed, serde_json::json!([true, "/builders/builder-1"]), "the page moved, and was not loaded again");
    open::look_at(visit);
    open::let_end(quartet);
    let text = browser.until("logged as entry 0", PATIENCE);
    assert!(text.contains("4 of 4 builders agree"), "{text}");
    // It is loaded again when the proof can be had.
    browser.until("Proof of entry 0", PATIENCE);
    let streamed = browser.run("return [sessionStorage.before, sessionStorage.after, sessionStorage.link]");
    assert_eq!((&streamed[0], &streamed[1]), (&"true".into(), &"false".into()), "it is searched once it may be seen");
    browser.go(streamed[2].as_str().unwrap());
    let target = browser.run("return document.querySelector(':target')?.textContent ?? ''");
    assert!(target.as_str().unwrap().contains("Compiling is_ci"), "{streamed} leads to {target}");
    visit.go(&format!("/requests/{id}"));
    let transcript = browser.run("return document.querySelector('a[href$=\"/transcript\"]').href");
    browser.go(transcript.as_str().unwrap());
    assert!(browser.text().contains("Compiling is_ci"), "{}", browser.text());
    visit.accessible("transcript");
}

/// The proof downloads, and holds: for our verifier, and for the one in the browser, which refuses another file.
fn check_proof(visit: &Visit, quartet: &Quartet, home: &Path, id: &str) {
    let browser = &visit.browser;
    visit.go(&format!("/requests/{id}"));
    let repeats = browser.run("return document.body.textContent.includes('FROM ${BASE}')");
    assert_eq!(repeats, true, "the Dockerfile that repeats the build");
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
    let dropped = proof.with_extension("tlog-proof");
    fs::copy(&proof, &dropped).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    for (file, expected) in [(&artifact, "byte for byte"), (&policy, "is not what was built")] {
        visit.go("/verify");
        browser.write("#proof", &text(&proof));
        browser.write("#file", &text(file));
        browser.click("#verifier button");
        browser.until(expected, PATIENCE);
        // Dropped, wherever on the page.
        visit.go("/verify");
        browser.drop_file(&text(&dropped));
        browser.drop_file(&text(file));
        assert!(
            browser.run("return location.pathname") == "/verify",
            "the browser has left the page for what was dropped"
        );
        browser.click("#verifier button");
        browser.until(expected, PATIENCE);
    }
    visit.accessible("verified");
}

/// Without a mouse: first past what is on every page, then through it, and always seen.
fn keyboard(visit: &Visit) {
    visit.go("/");
    for expected in ["skip", "brand", "/", "/builders"] {
        visit.browser.press_tab();
        let told = visit.browser.run(
            "const it = document.activeElement; \
             return [it.className || it.getAttribute('href'), getComputedStyle(it).outlineStyle]",
        );
        assert_eq!(told, serde_json::json!([expected, "solid"]));
    }
}

fn search(visit: &Visit) {
    visit.go("/");
    visit.browser.write("#q", "IS_C");
    let options = "return [...document.querySelectorAll('#found option')].map((option) => option.value)";
    let deadline = Instant::now() + PATIENCE;
    while visit.browser.run(options) != serde_json::json!(["is_ci"]) {
        assert!(Instant::now() < deadline, "nothing is completed");
        std::thread::sleep(Duration::from_millis(100));
    }
    visit.browser.click("header form.search button");
    let text = visit.browser.until("Crates found", PATIENCE);
    assert!(text.contains("is_ci") && text.contains("reproduced"), "{text}");
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
    for (name, shown) in [("embeds-build-time", "embeds-build-time: build-time"), ("needs-network", "needs-network: ")]
    {
        quartet.submit_crate(&fixture(name));
        visit.look_at("queue", "/queue");
        let id = concluded(&visit.url, name);
        visit.go(&format!("/requests/{id}"));
        let deadline = Instant::now() + PATIENCE;
        let is_told = |text: &str| text.contains(shown) && text.contains("Proof of entry");
        while !is_told(&visit.browser.text()) {
            assert!(Instant::now() < deadline, "{shown} is not told: {}", visit.browser.text());
            std::thread::sleep(Duration::from_millis(500));
            visit.go(&format!("/requests/{id}"));
        }
        visit.look_at(&format!("request-{name}"), &format!("/requests/{id}"));
    }
}

/// Two of four are gone: the page says that nothing can be ordered, and goes on to show what was.
fn halted(visit: &Visit, quartet: &mut Quartet) {
    [2, 3].into_iter().for_each(|node| quartet.kill_at(node));
    quartet.until(0, "says that it is halted", PATIENCE, |status| {
        status["health"].as_str().unwrap().contains("are reachable, 3 are needed")
    });
    visit.look_at("halted", "/queue");
    assert!(visit.browser.text().contains("This node is in trouble: only 2 of 4 members"), "{}", visit.browser.text());
}

/// Every page, with something on it; where pictures are taken, those that are too slow.
fn everything(visit: &Visit, id: &str, no_survey: &str) -> Vec<String> {
    let of_request = [format!("/requests/{id}"), format!("/requests/{id}/transcript")];
    let pages = [
        ("home", "/"),
        ("search", "/search?q=e"),
        ("search-empty", "/search?q=nothing"),
        ("crate", "/crates/is_ci"),
        ("request", &of_request[0]),
        ("transcript", &of_request[1]),
        ("builders", "/builders"),
        ("builder", "/builders/builder-1"),
        ("log", "/log"),
        ("trends", "/trends"),
        ("survey", "/survey"),
        ("survey-empty", no_survey),
        ("group", "/about"),
        ("verify", "/verify"),
        ("api", "/api"),
        ("missing", "/crates/nothing"),
    ];
    for (name, path) in pages {
        visit.look_at(name, path);
    }
    // Each of the four, as it told this node, and the foot of the page.
    visit.go("/builders");
    assert!(visit.browser.text().matches(env!("CARGO_PKG_VERSION")).count() >= 5, "{}", visit.browser.text());
    if visit.pictures.is_some() { speed::above_bounds(visit, &pages) } else { Vec::new() }
}
