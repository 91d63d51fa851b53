//! What a policy says, for people and for programs.

use serde_json::{Value, json};

use crate::exit;
use crate::policies::{Any, Kept, Name, Single};
use crate::printable::{column, printable};

/// The name and version of the document, which change together with `docs/schemas/trust.schema.json`.
const SCHEMA: &str = "synchronicity/trust@v1";

/// Whose it is, and how many must sign, as in `synchronicity.example/alder, any 3 of 4 builders`.
pub(super) fn in_a_line(single: &Single) -> String {
    format!("{}, {} builders", printable(single.policy.log().name()), signers(single))
}

/// `3 of 4`: how many must sign at least, of how many whose signatures count.
fn signers(single: &Single) -> String {
    format!("{} of {}", single.policy.signers_min(), counting(single).count())
}

/// The witnesses that count, by name, with their keys.
fn counting(single: &Single) -> impl Iterator<Item = (&str, String)> {
    let policy = &single.policy;
    let counting = policy.witnesses().iter().enumerate().filter(|(at, _)| policy.counts(*at));
    counting.map(|(_, witness)| (witness.name.as_str(), id_and_key(&witness.key.to_string())))
}

/// The last two parts of `name+id+key`: what tells one key from another.
fn id_and_key(key: &str) -> String {
    key.splitn(2, '+').last().unwrap_or_default().to_owned()
}

/// All of it; keys and hashes have lines of their own, of at most 80 columns.
pub(super) fn in_words(single: &Single) -> String {
    let policy = &single.policy;
    let mut text = format!("{}\n", printable(policy.log().name()));
    let mut line = |label: &str, line: &str| text += &format!("  {label:<12}{}\n", printable(line));
    line("log key", &id_and_key(&policy.log().to_string()));
    for (name, key) in counting(single) {
        line("builder", name);
        line("", &key);
    }
    line("signers", &format!("{} must sign the log", signers(single)));
    let names: Vec<_> = counting(single).map(|(name, _)| name).collect();
    let any_of = format!("{} of {}", policy.signers_min(), names.join(", "));
    if policy.quorum_in_words() != any_of {
        line("", &policy.quorum_in_words());
    }
    match &single.group {
        Some(group) => {
            let (threshold, members) = (group.threshold(), group.members().len());
            line("threshold", &format!("{threshold} of {members} must get the same bytes, by the group's own file"));
            line("group id", &group.id().to_string());
            if policy.signers_min() < group.quorum() {
                line("", &format!("the group itself has {} sign its log: this policy asks for less", group.quorum()));
            }
        }
        None => line("threshold", "not known: there is no group file"),
    }
    line("address", policy.log_url().unwrap_or("none: name a node with --node"));
    line("from", &single.from);
    line("sha256", &policy.sha256().to_string());
    text
}

/// A document of the fields of `told`.
pub(super) fn document(told: Value) -> Value {
    let mut document = json!({ "schema": SCHEMA, "exit": exit::OK });
    if let (Some(document), Value::Object(told)) = (document.as_object_mut(), told) {
        document.extend(told);
    }
    document
}

/// One object.
pub(super) fn single_json(name: &Name, single: &Single) -> Value {
    let policy = &single.policy;
    let builder = |(name, _): (&str, _)| name.to_owned();
    json!({
        "name": name.to_string(),
        "origin": policy.log().name(),
        "log_key": policy.log().to_string(),
        "builders": counting(single).map(builder).collect::<Vec<_>>(),
        "keys": counting(single).map(|(_, key)| key).collect::<Vec<_>>(),
        "signers_min": policy.signers_min(),
        "quorum": policy.quorum_in_words(),
        "threshold": single.group.as_ref().map(|group| group.threshold()),
        "group": single.group.as_ref().map(|group| group.id().to_string()),
        "address": policy.log_url(),
        "from": single.from,
        "added": single.added_s,
        "sha256": policy.sha256().to_string(),
    })
}

/// What is kept under a name, whatever it is.
pub(super) fn as_json(name: &Name, kept: &Kept) -> Value {
    match kept {
        Kept::Single(single) => single_json(name, single),
        Kept::Any(Any { needed, of }) => {
            let of: Vec<_> = of.iter().map(ToString::to_string).collect();
            json!({ "name": name.to_string(), "any": needed, "of": of })
        }
    }
}

/// `any 2 of alder, birch, cedar`
pub(super) fn combination(any: &Any) -> String {
    let names: Vec<_> = any.of.iter().map(ToString::to_string).collect();
    format!("any {} of {}", any.needed, names.join(", "))
}

/// A line of the list, at most 80 columns wide.
pub(super) fn row(name: &Name, kept: &Kept) -> String {
    let row = match kept {
        Kept::Single(single) => {
            let hash = single.policy.sha256().to_string();
            let origin = column(single.policy.log().name(), 36);
            format!("{} {origin} {} {}", column(&name.to_string(), 16), column(&signers(single), 8), &hash[..16])
        }
        Kept::Any(any) => format!("{} {}", column(&name.to_string(), 16), column(&combination(any), 62)),
    };
    row.trim_end().to_owned() + "\n"
}

/// The heading of the list.
pub(super) fn heading() -> String {
    format!("{} {} {} SHA-256\n", column("NAME", 16), column("LOG", 36), column("SIGNERS", 8))
}
