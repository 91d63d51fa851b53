//! How soon something of a page is seen, and whether it then stays where it is. Only `cargo xtask screenshots` asks: what it finds is
//! of the machine too, and no test is to fail for that.

use serde_json::json;

use super::{PHONE, Visit, WIDE};

/// Milliseconds to the first contentful paint, with a processor four times as slow.
const PAINT_MS_MAX: f64 = 500.0;

/// Of a page that has come to rest, as Web Vitals count it: they call 0.1 good.
const SHIFT_MAX: f64 = 0.05;

/// Of these the fastest counts: other work on the machine only makes a page slower.
const TRIES: u32 = 3;

/// A phone far from its mast: milliseconds there and back, and bytes a second (400 kbit).
const LATENCY_MS: u32 = 400;
const BYTES_PER_SECOND: u32 = 50_000;

/// The browser notes it a while after the page is there.
const PAINT: &str = "return new Promise((done) => new PerformanceObserver((list) => \
     list.getEntriesByName('first-contentful-paint').forEach((it) => done(it.startTime))\
     ).observe({ type: 'paint', buffered: true }))";

/// What has moved since the page began, half a second after it was there.
const SHIFT: &str = "return new Promise((done) => { let all = 0; \
     new PerformanceObserver((list) => list.getEntries().forEach((it) => { all += it.value; })\
     ).observe({ type: 'layout-shift', buffered: true }); setTimeout(() => done(all), 500); })";

/// Over the wire, for the page and all that it needs.
const BYTES: &str = "return ['navigation', 'resource'].flatMap((kind) => performance.getEntriesByType(kind))\
     .reduce((sum, it) => sum + it.transferSize, 0)";

/// Prints what each page takes, and gives those that are above a bound.
pub(super) fn above_bounds(visit: &Visit, pages: &[(&str, &str)]) -> Vec<String> {
    let browser = &visit.browser;
    browser.look(PHONE, false);
    browser.command("Network.enable", &json!({}));
    let mut above = Vec::new();
    for (name, path) in pages {
        browser.command("Emulation.setCPUThrottlingRate", &json!({ "rate": 4 }));
        let mut paint = f64::INFINITY;
        let mut shift: f64 = 0.0;
        for _ in 0..TRIES {
            visit.go(path);
            paint = paint.min(number(visit, PAINT));
            shift = shift.max(number(visit, SHIFT));
        }
        browser.command("Emulation.setCPUThrottlingRate", &json!({ "rate": 1 }));
        link(visit, LATENCY_MS, i64::from(BYTES_PER_SECOND));
        visit.go(path);
        let (far, bytes) = (number(visit, PAINT), number(visit, BYTES));
        link(visit, 0, -1);
        println!(
            "{name}: first contentful paint after {paint:.0} ms with a processor four times as slow (at most {PAINT_MS_MAX}), layout \
             shift {shift:.3} (at most {SHIFT_MAX}); behind a slow link after {far:.0} ms, {bytes} bytes in all"
        );
        if paint > PAINT_MS_MAX || shift > SHIFT_MAX {
            above.push((*name).to_owned());
        }
    }
    browser.look(WIDE, false);
    above
}

fn number(visit: &Visit, script: &str) -> f64 {
    visit.browser.run(script).as_f64().unwrap()
}

/// What is between browser and node; what the browser has kept is not used while it is slow.
fn link(visit: &Visit, latency_ms: u32, bytes_per_second: i64) {
    visit.browser.command("Network.setCacheDisabled", &json!({ "cacheDisabled": latency_ms > 0 }));
    let conditions = json!({
        "offline": false, "latency": latency_ms,
        "downloadThroughput": bytes_per_second, "uploadThroughput": bytes_per_second,
    });
    visit.browser.command("Network.emulateNetworkConditions", &conditions);
}
