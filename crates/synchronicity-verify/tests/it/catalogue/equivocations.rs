use base64ct::{Base64, Encoding};
use ed25519_dalek::Signer as _;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::equivocation::{Ballot, Occasion, Proposal, Vote};

use super::changed;
use crate::equivocation::{good, key, occasion, proof, proposal, vote};
use crate::vectors::Vector;

pub(crate) fn all() -> Vec<Vector> {
    [accepted(), votes(), signatures(), spellings()].into_iter().flatten().collect()
}

fn vector(name: &'static str, expect: &'static str, flaw: &'static str, subject: impl ToString) -> Vector {
    super::vector("equivocation", name, expect, flaw, subject.to_string())
}

fn refused(name: &'static str, flaw: &'static str, subject: impl ToString) -> Vector {
    vector(name, "invalid", flaw, subject)
}

/// What no `Equivocation::new` would write.
fn file(on: &Occasion, votes: [Vote; 2]) -> String {
    let member = Digest(key().verifying_key().to_bytes());
    let line = |vote: &Vote| {
        let proposal = match vote.ballot {
            Ballot::Nullify => String::new(),
            Ballot::Notarize(Proposal { parent, block }) | Ballot::Finalize(Proposal { parent, block }) => {
                format!(" {parent} {block}")
            }
        };
        format!("{}{proposal} {}\n", vote.ballot.as_str(), Base64::encode_string(&vote.signature))
    };
    let Occasion { group, epoch, view } = on;
    let head = format!("synchronicity/equivocation@v1\ngroup {group}\nmember {member}\nepoch {epoch}\nview {view}\n");
    head + &line(&votes[0]) + &line(&votes[1])
}

fn accepted() -> Vec<Vector> {
    let (a, b) = (proposal("a"), proposal("b"));
    let good = |name, flaw, one, other| vector(name, "verified", flaw, proof(one, other).unwrap());
    let other_parent = Proposal { parent: 5, ..a };
    vec![
        good("equivocation_good", "none", Ballot::Notarize(a), Ballot::Notarize(b)),
        good("equivocation_good_finalize", "none", Ballot::Finalize(a), Ballot::Finalize(b)),
        good("equivocation_good_nullify_finalize", "none", Ballot::Nullify, Ballot::Finalize(a)),
        good(
            "equivocation_good_two_parents",
            "none: one block upon two parents",
            Ballot::Notarize(a),
            Ballot::Notarize(other_parent),
        ),
    ]
}

fn votes() -> Vec<Vector> {
    let (a, b) = (proposal("a"), proposal("b"));
    let with = |name, flaw, one, other| refused(name, flaw, file(&occasion(), [vote(one), vote(other)]));
    let mut greater_first = *good().votes();
    greater_first.reverse();
    vec![
        with("equivocation_of_one_vote_twice", "both votes are one", Ballot::Notarize(a), Ballot::Notarize(a)),
        with("equivocation_nullify_notarize", "an honest member signs both", Ballot::Nullify, Ballot::Notarize(a)),
        with("equivocation_notarize_finalize", "as it should be", Ballot::Notarize(a), Ballot::Finalize(a)),
        with(
            "equivocation_notarize_finalize_of_another",
            "not what the engine reports, and no proof",
            Ballot::Notarize(a),
            Ballot::Finalize(b),
        ),
        refused("equivocation_greater_vote_first", "the two in the other order", file(&occasion(), greater_first)),
    ]
}

fn signatures() -> Vec<Vector> {
    let text = good().to_string();
    let member = Digest(key().verifying_key().to_bytes()).to_string();
    let stranger = Digest(ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes()).to_string();
    let votes = *good().votes();
    // Of the votes the first is signed for another view: two views, and nothing wrong with that.
    let elsewhere = Occasion { view: 301, ..occasion() };
    let mut two_views = votes;
    two_views[0].signature = key().sign(&votes[0].ballot.signed_bytes(&elsewhere)).to_bytes();
    let mut as_another = votes;
    let Ballot::Notarize(proposal) = votes[1].ballot else { unreachable!("it is made so") };
    as_another[1].signature = key().sign(&Ballot::Finalize(proposal).signed_bytes(&occasion())).to_bytes();
    let mut damaged = votes;
    damaged[1].signature[40] ^= 1;
    let small_order = "0100000000000000000000000000000000000000000000000000000000000000";
    vec![
        refused("equivocation_of_another_member", "the key did not sign", changed(&text, &member, &stranger)),
        refused("equivocation_of_two_views", "one vote is of another view", file(&occasion(), two_views)),
        refused(
            "equivocation_of_another_group",
            "signed in another group",
            changed(&text, &occasion().group.to_string(), &Digest::of(b"another group").to_string()),
        ),
        refused("equivocation_of_another_epoch", "signed in another epoch", changed(&text, "epoch 0", "epoch 1")),
        refused("equivocation_signature_of_another_kind", "it finalized, not notarized", file(&occasion(), as_another)),
        refused("equivocation_signature_damaged", "one bit of the second signature", file(&occasion(), damaged)),
        refused("equivocation_member_of_small_order", "a key that nobody holds", changed(&text, &member, small_order)),
    ]
}

fn spellings() -> Vec<Vector> {
    let text = good().to_string();
    let second = text.lines().nth(6).unwrap().to_owned() + "\n";
    let signature = text.lines().nth(5).unwrap().rsplit(' ').next().unwrap();
    // 64 bytes are 21 groups and a single byte: of the last letter before the padding, four bits are unused.
    let last = signature.as_bytes()[85] as char;
    let trailing = format!("{}{}==", &signature[..85], (last as u8 + 1) as char);
    vec![
        refused("equivocation_final_newline_missing", "the last line is cut off", text.trim_end().to_owned()),
        refused("equivocation_crlf", "carriage returns", text.replace('\n', "\r\n")),
        refused("equivocation_line_after_the_end", "an empty line more", format!("{text}\n")),
        refused("equivocation_version_two", "another format", changed(&text, "@v1", "@v2")),
        refused("equivocation_with_one_vote", "only one vote", changed(&text, &second, "")),
        refused("equivocation_third_vote", "a vote more", format!("{text}{second}")),
        refused(
            "equivocation_number_with_plus",
            "a second spelling of a number",
            changed(&text, "view 300", "view +300"),
        ),
        refused("equivocation_number_with_zero", "a leading zero", changed(&text, "view 300", "view 0300")),
        refused(
            "equivocation_view_of_2_64",
            "too large a number",
            changed(&text, "view 300", "view 18446744073709551616"),
        ),
        refused("equivocation_group_in_capitals", "digits in capitals", {
            let group = occasion().group.to_string();
            changed(&text, &group, &group.to_uppercase())
        }),
        refused("equivocation_lines_swapped", "the epoch before the member", {
            let member = text.lines().nth(2).unwrap();
            changed(&text, &format!("{member}\nepoch 0"), &format!("epoch 0\n{member}"))
        }),
        refused("equivocation_vote_of_no_kind", "a vote that there is not", changed(&text, "notarize", "certify")),
        refused("equivocation_vote_with_two_spaces", "a space more", changed(&text, "notarize ", "notarize  ")),
        refused(
            "equivocation_signature_trailing_bits",
            "unused bits that are not zero",
            changed(&text, signature, &trailing),
        ),
        refused("equivocation_signature_short", "63 bytes", {
            changed(&text, signature, &Base64::encode_string(&[5; 63]))
        }),
    ]
}
