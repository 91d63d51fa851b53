//! Long output in a pager: the user's own, by `PAGER`.

use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::terminal::without_links;

/// What the shell says of a command that it does not find.
const NOT_FOUND: i32 = 127;

/// Shows `text` in the pager where it has more lines than the terminal, and says whether it did.
pub(super) fn shows(text: &str, pager: &str) -> bool {
    let Some((_, terminal_size::Height(rows))) = terminal_size::terminal_size_of(io::stdout()) else { return false };
    // The last row is the prompt's.
    if text.lines().count() < usize::from(rows) {
        return false;
    }
    // Ctrl-C is the pager's: it must not lose its writer, nor the terminal its pager.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::default());
    let mut command = Command::new("sh");
    command.args(["-c", pager]).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        // Colours shown as such, and what fits on a screen left on it.
        command.env("LESS", "FRX");
    }
    let Ok(mut child) = command.spawn() else { return false };
    if let Some(mut stdin) = child.stdin.take() {
        // Whoever leaves the pager early has seen enough.
        let _ = stdin.write_all(without_links(text).as_bytes());
    }
    child.wait().is_ok_and(|status| status.code() != Some(NOT_FOUND))
}
