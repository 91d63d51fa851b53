//! What `--help` says, as a terminal of 80 columns shows it.

use std::process::Command;

fn help(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_synchronicity-node")).args(words).arg("--help").output().unwrap();
    assert!(output.status.success(), "{words:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// How many commands there are at `above` and below.
fn each_fits(above: &[&str]) -> usize {
    let text = help(above);
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{above:?}: {line}");
    }
    let listed = text.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // Names stand two columns in; what is told of them, further.
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    1 + names.map(|name| each_fits(&[above, &[name]].concat())).sum::<usize>()
}

#[test]
fn help_of_every_command_fits_into_80_columns() {
    assert!(each_fits(&[]) > 20);
}
