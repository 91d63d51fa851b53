//! A request as commands for a person: how to repeat its build without this program.

mod container;

use std::fmt::Write;

use synchronicity_verify::recipe::{INNER_CARGO_HOME, INNER_TARGET};
use synchronicity_verify::request::{BuildRequest, Products};

pub use self::container::{container, dockerfile};
use crate::invocation;

/// Columns for the words of a command, before what joins two lines.
const LINE: usize = 76;

/// A POSIX shell script that installs the executables of `request` with the user's own Cargo, to the same bytes where
/// compiler and linker are the same; nothing for products that are not [`Products::Installed`].
///
/// It installs into `$ROOT` if that is set, and where Cargo always does otherwise. Cargo takes the presence of
/// `--remap-path-prefix` into the names of what it compiles, though not its value, so these two flags stand in every
/// request, and here map the user's folders to the builders'.
pub fn install_script(request: &BuildRequest) -> Option<String> {
    if request.products != Products::Installed {
        return None;
    }
    let mut script = String::from("set -eu\nhome=${CARGO_HOME:-$HOME/.cargo}\ntarget=$(mktemp -d)\n");
    for (name, value) in &request.env {
        writeln!(script, "export {name}={}", quoted(value)).ok()?;
    }
    // The separator of the encoded form may be in no path; a space may.
    script += "separator=$(printf '\\037')\n";
    writeln!(script, "flags=\"--remap-path-prefix=$home={INNER_CARGO_HOME}\"").ok()?;
    writeln!(script, "flags=\"$flags$separator--remap-path-prefix=$target={INNER_TARGET}\"").ok()?;
    script += "CARGO_TARGET_DIR=\"$target\" CARGO_ENCODED_RUSTFLAGS=\"$flags\" \\\n  cargo";
    script += &in_lines(&invocation::cargo_words(request));
    writeln!(script, " \\\n  --force ${{ROOT:+--root \"$ROOT\"}}").ok()?;
    script += "rm -rf \"$target\"\n";
    Some(script)
}

/// The arguments of `cargo`, which stands two columns in at most, as a POSIX shell reads them, in lines that a terminal
/// shows whole.
fn in_lines(words: &[String]) -> String {
    let (mut lines, mut column) = (String::new(), "  cargo".len());
    for word in words.iter().map(|word| quoted(word)) {
        if column + 1 + word.len() > LINE {
            lines += " \\\n ";
            column = 1;
        }
        lines += " ";
        lines += &word;
        column += 1 + word.len();
    }
    lines
}

/// One word for a POSIX shell, whatever is in it.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=+:,@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_reach_a_program_in_lines_that_a_terminal_shows() {
        let words: Vec<String> = (0..40).map(|number| format!("--word='{number}'")).collect();
        let lines = in_lines(&words);
        assert!(format!("  cargo{lines}").lines().all(|line| line.len() <= 80), "{lines}");
        let script = format!("printf '%s\n'{lines}");
        let output = std::process::Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().lines().collect::<Vec<_>>(), words);
    }

    #[test]
    fn a_word_reaches_a_program_as_it_is() {
        for word in ["", "a b", "it's", "$HOME", "`id`", "-x=1", "a\"b\\c", "*"] {
            let script = format!("printf %s {}", quoted(word));
            let output = std::process::Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }
}
