//! A panic is a broken invariant like any other: it is told with its seed, written down and made short.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::invariants::Violation;

/// Does something that must not panic.
///
/// # Errors
/// The violation, if it panicked. Whatever it was about to change must not be relied upon then.
pub fn caught<T>(what: impl FnOnce() -> T) -> Result<T, Violation> {
    catch_unwind(AssertUnwindSafe(what))
        .map_err(|panic| Violation { invariant: "nothing_panics", what: words(panic.as_ref()) })
}

fn words(panic: &(dyn Any + Send)) -> String {
    let literal = panic.downcast_ref::<&str>().map(ToString::to_string);
    literal.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
