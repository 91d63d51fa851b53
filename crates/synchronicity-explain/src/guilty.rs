//! Which crate of the tree a difference comes from.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::escape;
use crate::facts::Facts;
use crate::known::regex;
use crate::spot::Spot;

/// A crate's folder among Cargo's sources: its name and version.
static SOURCE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"registry/src/[^/\x00]+/([A-Za-z0-9_-]+?)-([0-9]+\.[0-9]+\.[0-9]+[A-Za-z0-9.+-]*)"));
/// The first part of a path of names.
static PATH: LazyLock<Regex> = LazyLock::new(|| regex(r"(?:^|[^A-Za-z0-9_:])([A-Za-z_][A-Za-z0-9_]*)::"));

/// Crates of the toolchain: what they do with a string says nothing about who wrote it.
const OF_THE_TOOLCHAIN: [&str; 12] = [
    "std",
    "core",
    "alloc",
    "proc_macro",
    "compiler_builtins",
    "panic_unwind",
    "hashbrown",
    "std_detect",
    "gimli",
    "addr2line",
    "rustc_demangle",
    "__rustc",
];

/// The crate whose source folder is named in the difference itself, as `name version`.
pub(crate) fn by_path(spot: &Spot<'_>, facts: &Facts) -> Option<String> {
    let named = |side: &crate::spot::Side<'_>| {
        let text = side.text();
        SOURCE.captures_iter(text).find_map(|found| {
            let all = found.get(0)?;
            // What the path is part of goes on before and behind.
            let of_a_path = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./+@~-".contains(byte);
            let before = text[..all.start()].iter().rev().take_while(|byte| of_a_path(byte)).count();
            let behind = text[all.end()..].iter().take_while(|byte| of_a_path(byte)).count();
            side.touches(&(all.start() - before..all.end() + behind))
                .then(|| format!("{} {}", escape::text(&found[1]), escape::text(&found[2])))
        })
    };
    let found = named(&spot.first).or_else(|| named(&spot.second))?;
    // The version's end cannot be told from the path's where the tree is not known.
    let known = facts.packages.iter().find(|package| found.starts_with(package.as_str()));
    Some(known.cloned().unwrap_or(found))
}

/// The crate that a function belongs to, by the function's name for people.
pub(crate) fn by_symbol(symbol: &str, facts: &Facts) -> Option<String> {
    let names = PATH.captures_iter(symbol.as_bytes());
    let names = names.filter_map(|found| Some(std::str::from_utf8(found.get(1)?.as_bytes()).ok()?.to_owned()));
    let name = names.into_iter().find(|name| !OF_THE_TOOLCHAIN.contains(&name.as_str()))?;
    Some(as_package(&name, facts))
}

/// A crate's name as the tree has it, with its version.
pub(crate) fn as_package(name: &str, facts: &Facts) -> String {
    let same =
        |package: &str| package.split(' ').next().unwrap_or_default().replace('-', "_") == name.replace('-', "_");
    let own = facts.own.iter().filter(|own| same(own));
    facts.packages.iter().filter(|package| same(package)).chain(own).next().cloned().unwrap_or(name.to_owned())
}

/// The crate of a member of an `.rlib`, or of a library's own name: `NAME-HASH.part.o`, `libNAME.rlib`.
pub(crate) fn by_artifact(artifact: &str, member: Option<&str>, facts: &Facts) -> Option<String> {
    let of_member = member.and_then(|member| {
        let (name, hash) = member.split_once('-')?;
        let hex = hash.bytes().take_while(u8::is_ascii_hexdigit).count();
        (hex >= 16 && !name.is_empty()).then_some(name)
    });
    let file = artifact.rsplit('/').next().unwrap_or(artifact);
    let library = file.strip_prefix("lib").and_then(|rest| rest.strip_suffix(".rlib").or(rest.strip_suffix(".rmeta")));
    Some(as_package(of_member.or(library)?, facts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_that_is_not_the_toolchains_is_guilty() {
        let facts = Facts { packages: vec!["build-info 1.2.3".into()], ..Facts::default() };
        assert_eq!(by_symbol("core::ptr::drop_in_place::<build_info::Time>", &facts).unwrap(), "build-info 1.2.3");
        assert_eq!(by_symbol("<hexyl::Border as core::fmt::Debug>::fmt", &facts).unwrap(), "hexyl");
        assert_eq!(by_symbol("std::rt::lang_start", &facts), None);
        assert_eq!(by_symbol("main", &facts), None);
    }

    #[test]
    fn members_and_libraries_are_named_after_their_crate() {
        let facts = Facts::default();
        let member = "mycrate-0123456789abcdef.mycrate.cgu.0.rcgu.o";
        assert_eq!(by_artifact("x", Some(member), &facts).unwrap(), "mycrate");
        assert_eq!(by_artifact("libserde.rmeta", None, &facts).unwrap(), "serde");
        assert_eq!(by_artifact("hexyl", Some("lib.rmeta"), &facts), None);
    }
}
