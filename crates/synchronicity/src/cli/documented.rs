//! What programs rely on is documented: every command that takes `--json` has a schema in docs/client.md.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::Command;

/// The table of docs/client.md: commands as they are called, and the names of their schemas.
fn table(docs: &Path) -> Vec<(Vec<String>, BTreeSet<String>)> {
    let text = fs::read_to_string(docs.join("client.md")).unwrap();
    let section = text.split("\n## What `--json` prints\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let row = |line: &str| {
        let mut cells = line.split('|').skip(1);
        let commands = cells.next().unwrap().split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let schemas = cells.next().unwrap().split("](schemas/").skip(1);
        let schemas = schemas.map(|link| link.split(".schema.json)").next().unwrap().to_owned()).collect();
        (commands, schemas)
    };
    section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| --- ")).skip(1).map(row).collect()
}

/// The commands that take `--json`, as in `trust list`.
fn with_json(command: &Command, above: &str, found: &mut Vec<String>) {
    for command in command.get_subcommands() {
        let path = format!("{above} {}", command.get_name()).trim_start().to_owned();
        if command.get_arguments().any(|argument| argument.get_long() == Some("json")) {
            found.push(path.clone());
        }
        with_json(command, &path, found);
    }
}

#[test]
fn every_command_that_takes_json_has_a_schema_in_the_documentation() {
    let docs = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs"));
    let table = table(docs);
    let mut commands = Vec::new();
    with_json(&crate::cli::command(), "", &mut commands);
    assert!(commands.len() > 20, "{commands:?}");
    for command in &commands {
        let is = |called: &String| called == command || called.starts_with(&format!("{command} "));
        let rows: Vec<_> = table.iter().filter(|(called, _)| called.iter().any(is)).collect();
        assert!(!rows.is_empty(), "docs/client.md names no schema for `{command} --json`");
        assert!(rows.iter().all(|(_, schemas)| !schemas.is_empty()), "{command}: a row without a schema");
    }
    let named: BTreeSet<String> = table.into_iter().flat_map(|(_, schemas)| schemas).collect();
    let files = fs::read_dir(docs.join("schemas")).unwrap().map(|file| file.unwrap().file_name());
    let files: BTreeSet<String> =
        files.map(|name| name.to_str().unwrap().strip_suffix(".schema.json").unwrap().to_owned()).collect();
    // What several have in common is no document by itself.
    let of_all = BTreeSet::from(["parts".to_owned()]);
    assert_eq!(files.difference(&of_all).collect::<Vec<_>>(), named.iter().collect::<Vec<_>>());
}
