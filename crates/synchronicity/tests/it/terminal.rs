//! What is shown on a terminal alone: a pager, links, colours; and signs that every terminal has. The terminal is made by
//! `script`; where there is none, these trials are ignored.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::{Failed, Trial};

use crate::look_up::log;
use crate::program::{command, run_with};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    let missing = missing();
    let on_terminal = |name, trial: fn() -> Outcome| Trial::test(name, trial).with_ignored_flag(missing);
    vec![
        on_terminal("terminal::a_pager_shows_what_is_longer_than_the_screen_unless_it_is_not_wanted", pager),
        on_terminal("terminal::links_and_colours_are_for_terminals_that_take_them", links),
        Trial::test("terminal::without_utf_8_every_sign_is_ascii", ascii),
    ]
}

/// Whether this machine has nothing that makes a terminal.
pub(crate) fn missing() -> bool {
    let script = Command::new("script").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    !script.is_ok_and(|status| status.success())
}

/// The lines that a terminal of `rows` rows is sent by the program.
fn on_terminal(dir: &Path, rows: u16, words: &str, variables: &[(&str, &str)]) -> String {
    sent(dir, rows, words, variables).replace('\r', "")
}

/// All that it is sent.
pub(crate) fn sent(dir: &Path, rows: u16, words: &str, variables: &[(&str, &str)]) -> String {
    let program = command(dir);
    let line = format!("stty rows {rows} cols 80; exec {} {words}", program.get_program().to_str().unwrap());
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(dir).stdin(Stdio::null());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    const OF_TERMINALS: [&str; 7] =
        ["VTE_VERSION", "KONSOLE_VERSION", "WT_SESSION", "DOMTERM", "COLORTERM", "FORCE_HYPERLINK", "TERM_PROGRAM"];
    for name in OF_TERMINALS.into_iter().chain(["CI", "CLICOLOR", "CLICOLOR_FORCE"]) {
        script.env_remove(name);
    }
    script.env_remove("NO_COLOR").env("TERM", "xterm-256color").envs(variables.iter().copied());
    let output = script.output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn pager() -> Outcome {
    let dir = tempfile::tempdir()?;
    // A pager that nobody can miss.
    let shouts = [("PAGER", "tr a-z A-Z")];
    let shown = |rows, words, variables: &[(&str, &str)]| on_terminal(dir.path(), rows, words, variables);
    let lines = shown(200, "config show", &[]);
    assert!(lines.lines().count() > 10 && lines.contains("\nsandbox "), "{lines}");
    let paged = shown(10, "config show", &shouts);
    assert!(paged.contains("\nSANDBOX ") && paged.lines().count() == lines.lines().count(), "{paged}");
    for (rows, words) in [(200, "config show"), (10, "config show --no-pager"), (10, "config show --json")] {
        assert!(!shown(rows, words, &shouts).contains("SANDBOX"), "{words}");
    }
    // One that is not there loses nothing.
    let lost = shown(10, "config show", &[("PAGER", "no-such-pager-here")]);
    assert!(lost.contains("\nsandbox ") && lost.lines().count() > lines.lines().count(), "{lost}");
    // A file of settings names one, and the environment goes before it.
    fs::create_dir_all(dir.path().join(".config/synchronicity"))?;
    fs::write(dir.path().join(".config/synchronicity/config.toml"), "pager = \"tr a-z A-Z\"\n")?;
    assert!(shown(10, "config show", &[]).contains("\nSANDBOX "));
    assert!(shown(10, "config show", &[("PAGER", "cat")]).contains("\nsandbox "));
    Ok(())
}

fn links() -> Outcome {
    let log = log(1);
    let verify = "verify crate-0 --policy policy --node log --no-pager";
    let shown = |words: &str, variables: &[(&str, &str)]| on_terminal(log.dir.path(), 50, words, variables);
    let link = "\x1b]8;;https://crates.io/crates/crate-0/0.17.0\x1b\\crate-0 0.17.0\x1b]8;;\x1b\\";
    let takes_links = ("TERM_PROGRAM", "WezTerm");
    for variables in [&[takes_links][..], &[takes_links, ("CI", "true")]] {
        let shown = shown(verify, variables);
        assert!(shown.contains(link), "{variables:?}: {shown}");
    }
    let dumb = [takes_links, ("TERM", "dumb")];
    for variables in [
        &[("TERM_PROGRAM", "none")][..],
        &[takes_links, ("NO_COLOR", "1")],
        &dumb,
        // Where everything else is taken for a terminal with colours.
        &[dumb[0], dumb[1], ("CI", "true")],
    ] {
        let shown = shown(verify, variables);
        assert!(shown.contains("crate-0: crate-0 0.17.0") && !shown.contains("\x1b]8"), "{variables:?}: {shown}");
    }
    fs::write(log.dir.path().join("nobodys"), "\x7fELF\0")?;
    let nobodys = "verify nobodys --policy policy --node log --no-pager";
    let red = shown(nobodys, &[]);
    assert!(red.contains("nobodys: \x1b[31mnot proven\x1b[0m"), "{red}");
    let plain = shown(nobodys, &[("NO_COLOR", "1")]);
    assert!(plain.contains("nobodys: not proven"), "{plain}");
    // A pipe is no terminal, whatever it claims.
    let ran = run_with(log.dir.path(), verify.split(' '), &[("TERM_PROGRAM", Path::new("WezTerm"))]).expect(0);
    assert!(!ran.out.contains('\x1b'), "{}", ran.out);
    Ok(())
}

fn ascii() -> Outcome {
    let dir = tempfile::tempdir()?;
    let wrong = |variables: &[(&str, &Path)]| {
        run_with(dir.path(), ["verify", "absent", "--policy", "absent.txt"], variables).expect(2).err
    };
    assert!(!wrong(&[]).is_ascii(), "{}", wrong(&[]));
    for variable in [("LC_ALL", Path::new("C")), ("TERM", Path::new("dumb"))] {
        assert!(wrong(&[variable]).is_ascii(), "{variable:?}: {}", wrong(&[variable]));
    }
    Ok(())
}
