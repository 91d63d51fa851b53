//! Chromium, driven by its own driver over W3C WebDriver: a few requests with JSON, for which the HTTP client of the tree is enough.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64ct::{Base64, Encoding};
use serde_json::{Value, json};
use synchronicity_node::devnet::ports;

/// What W3C calls an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window, gone with the test.
pub(crate) struct Browser {
    driver: Child,
    session: String,
}

/// Whether there is a browser with its driver.
pub(crate) fn is_there() -> Result<(), String> {
    for program in ["chromium", "chromedriver"] {
        let answers = Command::new(program).arg("--version").stdin(Stdio::null()).output();
        if !answers.is_ok_and(|output| output.status.success()) {
            return Err(format!("there is no {program}: run scripts/browser-tools.sh"));
        }
    }
    Ok(())
}

impl Browser {
    pub(crate) fn open() -> Browser {
        Browser::with(&json!({}))
    }

    /// One whose user has turned scripts off; the driver's own still run.
    pub(crate) fn without_scripts() -> Browser {
        Browser::with(&json!({ "profile.managed_default_content_settings.javascript": 2 }))
    }

    fn with(preferences: &Value) -> Browser {
        let port = ports::free(1).unwrap()[0];
        let mut driver = Command::new("chromedriver");
        driver.arg(format!("--port={port}")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let driver = driver.spawn().unwrap();
        let mut browser = Browser { driver, session: format!("http://127.0.0.1:{port}/session") };
        let deadline = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "chromedriver does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        // Tests run as root in containers, where Chromium's own sandbox does not start.
        let args = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"];
        let options = json!({ "args": args, "prefs": preferences });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let session = browser.post("", &wanted);
        browser.session = format!("{}/{}", browser.session, session["sessionId"].as_str().unwrap());
        browser
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.session);
        let asked = ureq::post(&url).config().http_status_as_error(false).timeout_global(Some(Duration::from_secs(90)));
        let answer = asked.build().header("content-type", "application/json").send(body.to_string());
        let text = answer.unwrap().body_mut().with_config().limit(64 << 20).read_to_string().unwrap();
        let mut told: Value = serde_json::from_str(&text).unwrap();
        assert!(told["value"]["error"].is_null(), "{path}: {text}");
        told["value"].take()
    }

    pub(crate) fn go(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// What a script returns; a promise is waited for.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The text that somebody sees.
    pub(crate) fn text(&self) -> String {
        self.run("return document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page shows something.
    pub(crate) fn until(&self, what: &str, patience: Duration) -> String {
        let deadline = Instant::now() + patience;
        loop {
            let text = self.text();
            if text.contains(what) {
                return text;
            }
            assert!(Instant::now() < deadline, "{what:?} is not shown in time:\n{text}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until a script returns `true`.
    pub(crate) fn until_true(&self, script: &str, patience: Duration) {
        let deadline = Instant::now() + patience;
        while self.run(script) != true {
            assert!(Instant::now() < deadline, "{script} is not so in time:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn element(&self, selector: &str) -> String {
        let found = self.post("/element", &json!({ "using": "css selector", "value": selector }));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    pub(crate) fn click(&self, selector: &str) {
        self.post(&format!("/element/{}/click", self.element(selector)), &json!({}));
    }

    /// Types into a field, or chooses a file.
    pub(crate) fn write(&self, selector: &str, text: &str) {
        self.post(&format!("/element/{}/value", self.element(selector)), &json!({ "text": text }));
    }

    /// Drags a file from outside over the middle of the page, and drops it there.
    pub(crate) fn drop_file(&self, path: &str) {
        let middle = self.run("return [innerWidth / 2, innerHeight / 2]");
        let data = json!({ "items": [], "files": [path], "dragOperationsMask": 1 });
        for kind in ["dragEnter", "dragOver", "drop"] {
            let dragged = json!({ "type": kind, "x": middle[0], "y": middle[1], "data": data });
            self.command("Input.dispatchDragEvent", &dragged);
        }
    }

    /// What its console was told since this was asked last: errors of scripts, and what a policy forbade. Not that an address has
    /// nothing, or is not reached.
    pub(crate) fn complaints(&self) -> Vec<Value> {
        let mut told = self.post("/se/log", &json!({ "type": "browser" }));
        let mut told = std::mem::take(told.as_array_mut().unwrap());
        told.retain(|it| it["source"] != "network");
        told
    }

    /// To what the keyboard comes to next.
    pub(crate) fn press_tab(&self) {
        for kind in ["rawKeyDown", "keyUp"] {
            let key = json!({ "type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9 });
            self.command("Input.dispatchKeyEvent", &key);
        }
    }

    /// A command of Chromium's own protocol.
    pub(crate) fn command(&self, name: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({ "cmd": name, "params": parameters }))
    }

    /// How wide the window is, in pixels, and whether its user wants it dark.
    pub(crate) fn look(&self, width: u32, dark: bool) {
        self.size(width, width < 600);
        self.media("", dark);
    }

    /// The same for a sheet of paper.
    pub(crate) fn look_on_paper(&self, width: u32, dark: bool) {
        self.size(width, false);
        self.media("print", dark);
    }

    fn size(&self, width: u32, phone: bool) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": phone });
        self.command("Emulation.setDeviceMetricsOverride", &size);
    }

    /// For what a page is laid out; nothing for a screen.
    fn media(&self, media: &str, dark: bool) {
        let scheme = if dark { "dark" } else { "light" };
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.command("Emulation.setEmulatedMedia", &json!({ "media": media, "features": [feature] }));
    }

    /// The page from its top, at most so many pixels of it, as PNG.
    pub(crate) fn picture(&self, path: &Path, most: u64) {
        let size = self.run("return [document.documentElement.clientWidth, document.documentElement.scrollHeight]");
        let height = size[1].as_u64().unwrap().min(most);
        let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": height, "scale": 1 });
        let taken = json!({ "format": "png", "captureBeyondViewport": true, "optimizeForSpeed": false, "clip": clip });
        let taken = self.command("Page.captureScreenshot", &taken);
        let png = Base64::decode_vec(taken["data"].as_str().unwrap()).unwrap();
        std::fs::write(path, png).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Closes the browser, which is no child of the test.
        let _ = ureq::delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
