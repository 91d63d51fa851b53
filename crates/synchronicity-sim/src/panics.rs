//! A panic is a broken invariant like any other: it is told with its seed, written down and made short.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe, catch_unwind};

use crate::invariants::Violation;

/// Does something that must not panic.
///
/// # Errors
/// The violation, if it panicked. Whatever it was about to change must not be relied upon then.
pub fn caught<T>(what: impl FnOnce() -> T) -> Result<T, Violation> {
    catch_unwind(AssertUnwindSafe(what))
        .map_err(|panic| Violation { invariant: "nothing_panics", what: words(panic.as_ref()) })
}

/// Has panics printed with their place, but for those of an engine whose disk was made to fail: that is how it ends then.
pub fn print_unexpected() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !words(info.payload()).contains("injected storage fault") {
            print(info);
        }
    }));
}

fn words(panic: &(dyn Any + Send)) -> String {
    let literal = panic.downcast_ref::<&str>().map(ToString::to_string);
    literal.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
