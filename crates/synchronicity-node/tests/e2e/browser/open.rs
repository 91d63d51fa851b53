//! The page of a round that goes on, looked at in every way. One builder is stopped meanwhile: the round cannot end too soon.

use rustix::process::Signal;

use super::Visit;
use crate::quartet::{Quartet, TROUBLED};

/// Seconds that builders get: a round waits as long for the one that is stopped.
pub(super) const COMMIT_WINDOW: &str = "300";

/// The last builder commits to nothing until [`let_end`].
pub(super) fn hold(quartet: &Quartet) {
    quartet.signal(TROUBLED, Signal::STOP);
}

pub(super) fn let_end(quartet: &Quartet) {
    quartet.signal(TROUBLED, Signal::CONT);
}

/// Looks at the page that the browser shows. It is not loaded again: lines and states are as they came.
pub(super) fn look_at(visit: &Visit) {
    // Pictures are without the mark of where the keyboard is.
    visit.browser.run("document.activeElement.blur()");
    visit.in_every_look("round-open", || is_open(visit));
    // Once it is over it never opens again: all of them are of an open round.
    is_open(visit);
}

fn is_open(visit: &Visit) {
    let live = visit.browser.run("return document.getElementById('round').dataset.live");
    let text = visit.browser.text();
    assert!(live == "true" && text.contains("committing"), "the round is over: {live} {text}");
}
