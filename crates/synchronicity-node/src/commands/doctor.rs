//! `doctor`: what this machine can do, what is missing, and what to do about it.

use std::path::Path;

use serde_json::json;
use synchronicity_core::group::Group;
use synchronicity_rebuild::containment::{Wall, Walls};
use synchronicity_rebuild::packages::lacking;
use synchronicity_rebuild::probe::{State, offered, probe};

use super::say;
use crate::cli::Doctor;
use crate::config::{Config, Sandbox};
use crate::exit::{self, Stop};
use crate::folder::Folder;
use crate::group_file;
use crate::keys::MemberKeys;
use crate::workbench;

/// One line of the answer.
struct Line {
    what: String,
    state: State,
}

pub(super) fn doctor(args: &Doctor) -> Result<u8, Stop> {
    let mut lines = Vec::new();
    let builds = match &args.path {
        Some(path) => {
            let folder = Folder::at(path);
            lines.extend(node(&folder));
            folder.builds()
        }
        None => Path::new(".").to_owned(),
    };
    lines.extend(probe(&builds).into_iter().map(|found| Line { what: found.what.to_owned(), state: found.state }));
    let bad = lines.iter().any(|line| matches!(line.state, State::Bad(_)));
    if args.json {
        say(json!({ "ok": !bad, "findings": lines.iter().map(as_json).collect::<Vec<_>>() }));
    } else {
        lines.iter().for_each(|line| say(describe(line)));
    }
    Ok(if bad { exit::TRY_LATER } else { exit::OK })
}

/// What a node's folder needs before it can run.
fn node(folder: &Folder) -> Vec<Line> {
    let line = |what: &str, state| Line { what: what.to_owned(), state };
    let told = |error: &dyn miette::Diagnostic| match error.help() {
        Some(help) => State::Bad(format!("{error}; {help}")),
        None => State::Bad(error.to_string()),
    };
    let config = match Config::read(&folder.config()) {
        Ok(config) => State::Good(format!("{} at {}, HTTP at {}", config.name, config.listen, config.http)),
        Err(error) => told(&error),
    };
    let group = group_file::read(&folder.group());
    let keys = match group.as_ref().map(|group| MemberKeys::read(&folder.keys(), group)) {
        Ok(Ok(_)) => State::Good("all four are there and belong to the group file".to_owned()),
        Ok(Err(error)) => told(&error),
        Err(_) => State::Bad("cannot be checked without a group file".to_owned()),
    };
    let asked = group.as_ref().map_or(&[][..], Group::containment);
    let choice = Config::read(&folder.config()).map(|config| config.sandbox).unwrap_or_default();
    let walls = (!asked.is_empty()).then(|| line("containment", containment(asked, &offered(choice.into()))));
    let wanted = group.as_ref().map(workbench::packages).ok();
    let group = match &group {
        Ok(group) => State::Good(format!("{} ({} members)", group.origin(), group.members().len())),
        Err(error) => told(error),
    };
    let mut lines = vec![line("node", config), line("group", group), line("keys", keys)];
    lines.extend(walls);
    lines.extend(wanted.filter(|wanted| !wanted.is_empty()).map(|wanted| line("packages", packages(choice, &wanted))));
    lines
}

/// Whether what the overrides of the group name is there where this node builds.
fn packages(choice: Sandbox, wanted: &[String]) -> State {
    let asks = format!("the group's overrides name {}", wanted.join(", "));
    match lacking(choice.into(), wanted) {
        Ok(lacking) if lacking.is_empty() => State::Good(format!("{asks}: all are there")),
        Ok(lacking) => State::Bad(format!(
            "{asks}; missing here: {}. This node would not build the crates that need them; docs/recipe.md says how to add them",
            lacking.join(", ")
        )),
        Err(reason) => State::Bad(format!("{asks}; {reason}")),
    }
}

/// Whether one of the sandboxes offered here, each with its walls, has all that the group asks for.
fn containment(asked: &[String], offered: &[(&'static str, Walls)]) -> State {
    let required: Walls = match asked.iter().map(|name| name.parse::<Wall>()).collect() {
        Ok(required) => required,
        Err(error) => return State::Bad(format!("the group asks for what this program does not know: {error}")),
    };
    let asks = format!("the group asks for {}", asked.join(", "));
    if let Some((name, _)) = offered.iter().find(|(_, walls)| required.is_subset(walls)) {
        return State::Good(format!("{asks}: the sandbox {name} has that"));
    }
    let lacks = |(name, walls): &(&str, Walls)| {
        let lacking: Vec<_> = required.difference(walls).map(|wall| wall.name()).collect();
        format!("the sandbox {name} has no {}", lacking.join(", "))
    };
    let lacks: Vec<_> = offered.iter().map(lacks).collect();
    State::Bad(format!("{asks}; {}: this node would not build", lacks.join(" and ")))
}

fn describe(line: &Line) -> String {
    let (mark, text) = match &line.state {
        State::Good(text) => ("ok   ", text),
        State::Optional(text) => ("-    ", text),
        State::Bad(text) => ("BAD  ", text),
    };
    format!("{mark}{:18} {text}", line.what)
}

fn as_json(line: &Line) -> serde_json::Value {
    let (state, text) = match &line.state {
        State::Good(text) => ("good", text),
        State::Optional(text) => ("optional", text),
        State::Bad(text) => ("bad", text),
    };
    json!({ "what": line.what, "state": state, "text": text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_asks_for_more_than_the_machine_can_give_is_told_what_is_missing() {
        let offered =
            [("docker", Walls::from([Wall::Cgroups, Wall::Seccomp])), ("embedded", Walls::from([Wall::Landlock]))];
        let told =
            |asked: &[&str]| containment(&asked.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), &offered);
        assert_eq!(
            told(&["landlock"]),
            State::Good("the group asks for landlock: the sandbox embedded has that".into())
        );
        assert_eq!(
            told(&["cgroups", "landlock"]),
            State::Bad(
                "the group asks for cgroups, landlock; the sandbox docker has no landlock and the sandbox embedded has no \
                 cgroups: this node would not build"
                    .into()
            )
        );
        assert!(matches!(told(&["moat"]), State::Bad(text) if text.contains("\"moat\"")));
    }

    #[test]
    fn a_package_of_an_override_that_is_not_on_this_machine_is_named() {
        let State::Bad(text) = packages(Sandbox::Embedded, &["synchronicity-no-such-package".to_owned()]) else {
            panic!("it is there");
        };
        assert!(text.starts_with("the group's overrides name synchronicity-no-such-package; "), "{text}");
    }
}
