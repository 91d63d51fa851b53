//! The main pages, for somebody who has turned scripts off.

use super::{PATIENCE, Visit};

/// A round that goes on says that it does not move by itself.
pub(super) fn open_round(visit: &Visit, id: &str) {
    visit.scriptless.go(&format!("{}/requests/{id}", visit.url));
    let text = visit.scriptless.text();
    assert!(text.contains("submitted") && text.contains("Without scripts no lines come here"), "{text}");
}

/// By the form to a crate, and by links to its round, to what the build printed, and to a line of that.
pub(super) fn walk(visit: &Visit) {
    let browser = &visit.scriptless;
    // The driver does not always wait for the page that a click leads to.
    let shows = |words: &[&str]| words.iter().for_each(|word| drop(browser.until(word, PATIENCE)));
    browser.go(&format!("{}/verify", visit.url));
    shows(&["This page needs its script"]);
    browser.go(&visit.url);
    browser.write("#q", "IS_C");
    browser.click("header form.search button");
    shows(&["Crates found", "is_ci"]);
    browser.click("main th a");
    shows(&["Verify it yourself", "Entries on is_ci 1.2.0"]);
    browser.click("main th a");
    shows(&["4 of 4 builders agree", "logged as entry 0", "Proof of entry 0"]);
    browser.click("main a[href$=\"/transcript\"]");
    browser.write("#find", "Compiling is_ci");
    browser.click("main form button");
    shows(&["with “Compiling is_ci”", "Compiling is_ci v1.2.0"]);
    browser.click(".lines a");
    browser.until_true("return document.querySelector(':target')?.textContent.includes('Compiling is_ci')", PATIENCE);
}
