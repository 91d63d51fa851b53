//! What the program says: to people or to programs on standard output, and beside it on standard error.
//!
//! One place, so that it is decided once what `--quiet` leaves out, how wide a line is ([`fold`]), when a pager shows it
//! ([`pager`]), and which signs and colours a terminal gets ([`terminal`]).
//!
//! | macro | it is for | with `--quiet` |
//! | --- | --- | --- |
//! | `out!`, `outln!` | people: folded | nothing |
//! | `verbatim!` | programs, or shells: as it is, and a line's end | the same |
//! | `errln!` | people: an error, or what speaks against an answer | the same |
//! | `note!` | people: what they may like to know | nothing |

use std::fmt;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

mod fold;
mod pager;
pub(crate) mod terminal;

pub(crate) use fold::folded;

/// A text for people.
macro_rules! out {
    ($($words:tt)*) => { $crate::out::people(format_args!($($words)*), "") };
}

/// The same, with a line's end.
macro_rules! outln {
    ($($words:tt)*) => { $crate::out::people(format_args!($($words)*), "\n") };
}

/// A document for programs, or a script, as it is.
macro_rules! verbatim {
    ($($words:tt)*) => { $crate::out::verbatim(format_args!($($words)*)) };
}

/// An error, or what speaks against an answer.
macro_rules! errln {
    ($($words:tt)*) => { $crate::out::aside(format_args!($($words)*)) };
}

/// What people may like to know.
macro_rules! note {
    ($($words:tt)*) => { $crate::out::note(format_args!($($words)*)) };
}

/// How a command is to say what it says.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// Errors only.
    pub(crate) quiet: bool,
    /// What shows long output on a terminal: a command for the shell.
    pub(crate) pager: Option<String>,
}

/// The two streams are the process's, and so is this.
static OUT: Mutex<Out> =
    Mutex::new(Out { quiet: false, pager: None, held: String::new(), failed: None, moving: false });

struct Out {
    quiet: bool,
    pager: Option<String>,
    /// For the pager, which is started only when it is known how much there is.
    held: String,
    /// Why standard output takes no more.
    failed: Option<io::Error>,
    /// Whether a line stands on the terminal that is none of what is said.
    moving: bool,
}

/// From now on. A pager is for terminals, whatever is wished.
pub(crate) fn begin(wishes: Wishes) {
    let mut out = lock();
    out.quiet = wishes.quiet;
    out.pager = wishes.pager.filter(|pager| !pager.trim().is_empty() && io::stdout().is_terminal());
}

/// Shows what is still held.
///
/// # Errors
/// Something could not be written. A reader who went away is none: nobody wanted the rest.
pub(crate) fn end() -> io::Result<()> {
    let mut out = lock();
    out.show();
    out.failed.take().filter(|error| error.kind() != ErrorKind::BrokenPipe).map_or(Ok(()), Err)
}

/// Whether only errors are to be said.
pub(crate) fn is_quiet() -> bool {
    lock().quiet
}

pub(crate) fn people(words: fmt::Arguments<'_>, end: &str) {
    let mut out = lock();
    if !out.quiet {
        out.put(&(folded(&words.to_string()) + end));
    }
}

pub(crate) fn verbatim(words: fmt::Arguments<'_>) {
    lock().put(&format!("{words}\n"));
}

/// Says in one line of the terminal what goes on, in place of what it said before; without a text the line is free again. So
/// it is, too, as soon as something else is said.
pub(crate) fn line(text: &str) {
    let mut out = lock();
    out.clear();
    out.moving = !text.is_empty();
    move_to(text);
}

pub(crate) fn aside(words: fmt::Arguments<'_>) {
    let mut out = lock();
    // In the order in which it was said.
    out.show();
    // Nobody hears that nobody hears.
    let _ = writeln!(io::stderr(), "{}", folded(&words.to_string()));
}

pub(crate) fn note(words: fmt::Arguments<'_>) {
    if !is_quiet() {
        aside(words);
    }
}

fn move_to(text: &str) {
    let mut terminal = io::stderr().lock();
    // Nobody looks at a terminal that is gone.
    let _ = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush());
}

fn lock() -> MutexGuard<'static, Out> {
    OUT.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Out {
    fn put(&mut self, text: &str) {
        if self.pager.is_some() { self.held.push_str(text) } else { self.write(text) }
    }

    fn show(&mut self) {
        self.clear();
        let held = std::mem::take(&mut self.held);
        let Some(pager) = self.pager.as_deref().filter(|_| !held.is_empty()) else { return };
        if !pager::shows(&held, pager) {
            self.write(&held);
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.moving) {
            move_to("\r\x1b[K");
        }
    }

    fn write(&mut self, text: &str) {
        self.clear();
        if self.failed.is_none() {
            let mut stdout = io::stdout().lock();
            self.failed = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).err();
        }
    }
}
