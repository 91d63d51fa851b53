//! Static libraries and Rust's `.rlib`: archives of objects and metadata.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hasher as _};

use object::read::archive::{ArchiveFile, ArchiveMember};

use crate::budget::Limits;
use crate::cause::{Cause, Certainty};
use crate::compare::{Unreadable, content};
use crate::escape;
use crate::found::Findings;
use crate::guess::Guess;
use crate::names;

/// What the budget pays for a member besides its name: as much as its header takes in a file.
const MEMBER_BYTES: usize = 60;

struct Member<'a> {
    /// At most [`names::NAME_BYTES_MAX`].
    name: &'a [u8],
    header: ArchiveMember<'a>,
    data: &'a [u8],
}

/// Compares two archives member by member.
pub(crate) fn compare(
    first: &[u8],
    second: &[u8],
    limits: &Limits,
    findings: &mut Findings<'_>,
) -> Result<(), Unreadable> {
    let (first, second) = (members(first, limits, findings)?, members(second, limits, findings)?);
    let pairs = pairs(&first, &second);
    for &(a, b) in &pairs {
        let (a, b) = (&first[a], &second[b]);
        header(a, b, findings);
        if a.data != b.data {
            content(Some(&escape::text(a.name)), a.data, b.data, limits, findings);
        }
    }
    alone(&first, &pairs.iter().map(|pair| pair.0).collect::<Vec<_>>(), true, findings);
    alone(&second, &pairs.iter().map(|pair| pair.1).collect::<Vec<_>>(), false, findings);
    if !pairs.is_sorted_by_key(|pair| pair.1) {
        let names = |of: &[Member<'_>], which: &dyn Fn(&(usize, usize)) -> usize| {
            let mut places: Vec<_> = pairs.iter().map(which).collect();
            places.sort_unstable();
            places.iter().take(6).map(|at| escape::text(of[*at].name)).collect::<Vec<_>>().join(", ")
        };
        let (a, b) = (names(&first, &|pair| pair.0), names(&second, &|pair| pair.1));
        let guess = Guess::new(Cause::FileOrder, Certainty::Likely, "the same members in another order");
        findings.shape(None, "order of members", &a, &b, guess);
    }
    Ok(())
}

fn members<'a>(bytes: &'a [u8], limits: &Limits, findings: &mut Findings<'_>) -> Result<Vec<Member<'a>>, Unreadable> {
    let unreadable = |_: object::Error| Unreadable;
    let mut members = Vec::new();
    for member in ArchiveFile::parse(bytes).map_err(unreadable)?.members() {
        let header = member.map_err(unreadable)?;
        // The whole name was searched for its end; those in the table of long names may be the same bytes.
        if members.len() == limits.parts || !findings.may_look(MEMBER_BYTES + header.name().len()) {
            findings.cut_short = true;
            break;
        }
        let data = header.data(bytes).map_err(unreadable)?;
        members.push(Member { name: names::cut(header.name()), header, data });
    }
    Ok(members)
}

/// Members that belong together: by their name, or by their name without its hashes.
fn pairs(first: &[Member<'_>], second: &[Member<'_>]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    let mut left: Vec<usize> = (0..first.len()).collect();
    let mut right: Vec<usize> = (0..second.len()).collect();
    for named in [key, |name: &[u8]| key(&without_hashes(name))] {
        let mut waiting: BTreeMap<u64, VecDeque<usize>> = BTreeMap::new();
        for at in right.drain(..) {
            waiting.entry(named(second[at].name)).or_default().push_back(at);
        }
        left.retain(|&at| match waiting.get_mut(&named(first[at].name)).and_then(VecDeque::pop_front) {
            Some(other) => {
                pairs.push((at, other));
                false
            }
            None => true,
        });
        right = waiting.into_values().flatten().collect();
        right.sort_unstable();
    }
    pairs.sort_unstable();
    pairs
}

/// A number for a name, so that no name is kept twice; where two names have one number, they only seem to be the same.
pub(crate) fn key(name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(name);
    hasher.finish()
}

/// A name in which every run of 16 or more hexadecimal digits is one `*`.
pub(crate) fn without_hashes(name: &[u8]) -> Vec<u8> {
    const HASH_DIGITS: usize = 16;
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let whole = match digits {
            0 => rest.iter().position(u8::is_ascii_hexdigit).unwrap_or(rest.len()),
            digits => digits,
        };
        if digits >= HASH_DIGITS {
            out.push(b'*')
        } else {
            out.extend(&rest[..whole])
        }
        rest = &rest[whole..];
    }
    out
}

fn header(a: &Member<'_>, b: &Member<'_>, findings: &mut Findings<'_>) {
    let shown = |value: Option<u64>| value.map_or("none".into(), |value| value.to_string());
    let fields = [
        ("date in the archive", a.header.date(), b.header.date(), Cause::BuildTime, "times of the archive's members"),
        ("owner in the archive", a.header.uid(), b.header.uid(), Cause::UserOrHome, "owners of the archive's members"),
        ("group in the archive", a.header.gid(), b.header.gid(), Cause::UserOrHome, "groups of the archive's members"),
        (
            "rights in the archive",
            a.header.mode(),
            b.header.mode(),
            Cause::Environment,
            "rights, which the umask gives",
        ),
    ];
    for (what, first, second, cause, why) in fields {
        if first != second {
            let guess = Guess::new(cause, Certainty::Likely, why);
            findings.shape(Some(&escape::text(a.name)), what, &shown(first), &shown(second), guess);
        }
    }
}

fn alone(members: &[Member<'_>], paired: &[usize], in_first: bool, findings: &mut Findings<'_>) {
    let mut is_paired = vec![false; members.len()];
    paired.iter().for_each(|at| is_paired[*at] = true);
    for (member, _) in members.iter().zip(is_paired).filter(|(_, paired)| !paired) {
        let (first, second) = if in_first { ("there", "not there") } else { ("not there", "there") };
        let why = "a member that only one of both has: the code was divided in another way";
        findings.shape(
            Some(&escape::text(member.name)),
            "member",
            first,
            second,
            Guess::new(Cause::Unknown, Certainty::Possible, why),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_their_hashes() {
        assert_eq!(without_hashes(b"a-0123456789abcdef.b.0123456789abcde.o"), b"a-*.b.0123456789abcde.o");
        assert_eq!(without_hashes(b"deadbeef"), b"deadbeef");
        assert_eq!(without_hashes("é0123456789abcdef0".as_bytes()), "é*".as_bytes());
    }
}
