//! Examples for the help of each command that has none beside its own words.

use clap::Command;

/// By command, as in `trust list`.
const EXAMPLES: &[(&str, &[&str])] = &[
    (
        "prove",
        &[
            "prove hexyl@0.17.0 --node http://127.0.0.1:8080",
            "prove hexyl@0.17.0 --node http://127.0.0.1:8080 --max-age 36h",
        ],
    ),
    ("uninstall", &["uninstall hexyl", "uninstall hexyl fd-find --dry-run"]),
    ("list", &["list", "list --root ~/tools --json"]),
    (
        "lookup",
        &["lookup hexyl@0.17.0 --node http://127.0.0.1:8080", "lookup --file ~/.cargo/bin/hexyl --bundle log.bundle"],
    ),
    (
        "bundle",
        &[
            "bundle --node http://127.0.0.1:8080 --out log.bundle",
            "bundle --node log --policy policy.txt -o log.bundle",
        ],
    ),
    (
        "succeed",
        &[
            "succeed --policy alder --node http://127.0.0.1:8080 -o new.txt",
            "succeed --policy old.txt group.succession -o new.txt",
        ],
    ),
    ("fsck", &["fsck http://127.0.0.1:8080", "fsck copy-of-the-log --policy policy.txt"]),
    ("attest", &["attest hexyl.tlog-proof --node http://127.0.0.1:8080 -o signed"]),
    (
        "monitor",
        &[
            "monitor --state seen http://127.0.0.1:8080 http://127.0.0.1:8081",
            "monitor --state seen --once --json http://127.0.0.1:8080",
        ],
    ),
    ("recipe", &["recipe hexyl@0.17.0", "recipe hexyl@0.17.0 --out docker"]),
    ("check", &["check .", "check hexyl@0.17.0 --sandbox embedded"]),
    ("survey", &["survey crates.txt --out survey", "survey crates.txt --out survey --report-only"]),
    ("diff", &["diff first/app second/app", "diff first second --json"]),
    ("config", &["config show --origin"]),
    ("config show", &["config show", "config show --origin", "config show --policy alder --json"]),
    ("completions", &["completions zsh > _synchronicity"]),
    ("man", &["man | man -l -", "man ~/.local/share/man/man1"]),
    ("trust", &["trust add http://127.0.0.1:8080", "trust list", "trust combine three --any 2 alder birch cedar"]),
    ("trust replace", &["trust replace alder http://127.0.0.1:8080 --pin 5f1c..."]),
    (
        "trust update",
        &["trust update alder --node http://127.0.0.1:8080", "trust update alder group.succession --dry-run"],
    ),
    ("trust list", &["trust list", "trust list --json"]),
    ("trust show", &["trust show", "trust show alder"]),
    ("trust remove", &["trust remove alder"]),
    ("trust rename", &["trust rename alder default"]),
    ("trust forget", &["trust forget --policy alder"]),
];

/// The command line with them, before what else stands at the end of each help.
pub(super) fn added(command: Command) -> Command {
    below(command, "")
}

fn below(command: Command, above: &str) -> Command {
    command.mut_subcommands(|command| {
        let path = format!("{above} {}", command.get_name()).trim_start().to_owned();
        let own = EXAMPLES.iter().find(|(name, _)| *name == path);
        let command = match own {
            Some((_, examples)) => with(command, examples),
            None => command,
        };
        below(command, &path)
    })
}

fn with(command: Command, examples: &[&str]) -> Command {
    let rest = command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string);
    let mut text = "Examples:".to_owned();
    for example in examples {
        text += &format!("\n  synchronicity {example}");
    }
    if let Some(rest) = rest {
        text += &format!("\n\n{rest}");
    }
    command.after_long_help(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_fits_a_line_and_is_of_a_command_that_is_there() {
        let command = crate::cli::command();
        for (path, examples) in EXAMPLES {
            let of = path.split(' ').try_fold(&command, |command, name| command.find_subcommand(name));
            assert!(of.is_some(), "{path}");
            for example in *examples {
                assert!(example.len() + "  synchronicity ".len() <= 80, "{example}");
                assert!(example.starts_with(path.split(' ').next().unwrap_or_default()), "{example}");
            }
        }
    }
}
