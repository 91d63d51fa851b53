//! Lengths, names and words of the Rust sources.

use super::{Tracked, report, tracked};

const LINES_MAX: usize = 400;
const MEDIAN_LINES_MAX: usize = 250;
/// Names that say nothing about what a file decides.
const CATCH_ALL: [&str; 7] = ["utils", "util", "helpers", "manager", "common", "types", "misc"];

fn rust_files() -> Vec<Tracked> {
    tracked().into_iter().filter(|file| file.path.ends_with(".rs")).collect()
}

#[test]
fn no_rust_file_is_longer_than_the_ceiling_and_their_median_is_short() {
    let mut lengths: Vec<(usize, String)> =
        rust_files().into_iter().map(|file| (file.text.lines().count(), file.path)).collect();
    lengths.sort();
    let too_long = lengths.iter().filter(|(lines, _)| *lines > LINES_MAX);
    report(&too_long.map(|(lines, path)| format!("{path}: {lines} lines, ceiling {LINES_MAX}")).collect::<Vec<_>>());
    let median = lengths[lengths.len() / 2].0;
    assert!(median < MEDIAN_LINES_MAX, "the median file has {median} lines");
}

#[test]
fn no_module_has_a_catch_all_name() {
    let bad = |path: &str| path.trim_end_matches(".rs").split('/').any(|part| CATCH_ALL.contains(&part));
    report(&rust_files().into_iter().map(|file| file.path).filter(|path| bad(path)).collect::<Vec<_>>());
}

#[test]
fn no_type_of_ours_is_named_like_a_member_of_the_group() {
    let mut complaints = Vec::new();
    for file in rust_files() {
        for (number, line) in file.text.lines().enumerate() {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            while let Some(word) = words.next() {
                if matches!(word, "struct" | "enum" | "trait" | "type")
                    && words.next().is_some_and(|name| name.ends_with("Builder"))
                {
                    complaints.push(format!("{}:{}: a builder is a member of the group", file.path, number + 1));
                }
            }
        }
    }
    report(&complaints);
}

#[test]
fn nothing_unfinished_is_left_in_the_sources() {
    let marks = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["X", "XX"].concat(), ["todo", "!("].concat()];
    let mut complaints = Vec::new();
    for file in rust_files() {
        for (number, line) in file.text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark.as_str())) {
                complaints.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    report(&complaints);
}

/// What others send waits in such a channel, and a channel without a limit is as large as they want it.
#[test]
fn no_channel_of_the_engine_or_the_node_is_unbounded() {
    let is_unbounded = |line: &str| {
        let bare = line.contains("channel()") && !line.contains("oneshot::channel()");
        bare || line.contains("unbounded_channel") || line.contains("mpsc::unbounded")
    };
    let ours = ["crates/synchronicity-consensus/src/", "crates/synchronicity-node/src/"];
    let (mut complaints, mut channels) = (Vec::new(), 0);
    for file in rust_files().iter().filter(|file| ours.iter().any(|folder| file.path.starts_with(folder))) {
        for (number, line) in file.text.lines().enumerate() {
            channels += usize::from(line.contains("mpsc::channel("));
            if is_unbounded(line) {
                complaints.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    report(&complaints);
    assert!(channels > 5, "only {channels} channels were found: the check looks in the wrong place");
}

#[test]
fn only_one_file_names_rustwide_only_one_names_the_database_and_only_one_crate_the_engine() {
    let mut complaints = Vec::new();
    for file in rust_files().iter().filter(|file| file.path.contains("/src/")) {
        let code = file.text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            for (name, home) in [
                ("rustwide::", "crates/synchronicity-rebuild/src/docker"),
                ("redb::", "crates/synchronicity-node/src/store"),
                ("commonware_", "crates/synchronicity-consensus/"),
            ] {
                let of_the_engine_simulation =
                    name == "commonware_" && file.path.starts_with("crates/synchronicity-sim/src/engine");
                let here = file.path.starts_with("xtask/") || of_the_engine_simulation;
                if line.contains(name) && !file.path.starts_with(home) && !here {
                    complaints.push(format!("{}: `{name}` belongs in {home}", file.path));
                }
            }
        }
    }
    report(&complaints);
}
