"""Checks a log of ours with aics-tlog, as it is.

Usage: aics.py CHECK FOLDER, with CHECK one of policy, tiles, our-proofs. FOLDER is what
crates/synchronicity-verify/tests/interop.rs writes. Prints what was counted and ends with 0, or says what does not
hold and ends with 1.
"""

import sys
from base64 import b64decode
from json import loads
from pathlib import Path

from aics_tlog import (
    FileSystemTileReader,
    WitnessPolicy,
    audit_tiles,
    parse_note,
    parse_vkey,
    verify_checkpoint,
    verify_consistency,
    verify_inclusion,
)


def policy(folder):
    """Every published checkpoint reaches the quorum: three of the four builders, as our policy file has it."""
    checkpoints = published(folder)
    for size, checkpoint in checkpoints.items():
        if checkpoint.size != size or checkpoint.cosignature_count != 4:
            sys.exit(f"size {size}: the checkpoint states {checkpoint.size}, {checkpoint.cosignature_count} cosigned")
    return f"{len(checkpoints)} checkpoints reach the quorum, with 4 cosignatures each"


def published(folder):
    """The published checkpoints by size, verified."""
    keys = loads((folder / "keys.json").read_text())
    log = parse_vkey(keys["Log"])
    quorum = WitnessPolicy(quorum=3, witnesses=tuple(parse_vkey(text) for text in keys["Cosigners"]))
    verified = {}
    for file in (folder / "published").iterdir():
        note = parse_note(file.read_bytes())
        result = verify_checkpoint(note, log, policy=quorum, expected_origin=log.name)
        if not result.ok:
            sys.exit(f"size {file.name}: {result.error}")
        verified[int(file.name)] = result
    return verified


def tiles(folder):
    """Every tile and every bundle of every published size leads to the checkpoint's root."""
    reader = FileSystemTileReader(folder / "log")
    count = bundles = 0
    for size, checkpoint in published(folder).items():
        report = audit_tiles(reader, size, checkpoint.root)
        count += report.tiles
        bundles += report.bundles
    return f"{count} tiles and {bundles} bundles authenticated"


def our_proofs(folder):
    """The proofs that our code made lead to the roots of the published checkpoints."""
    ours = loads((folder / "proofs.json").read_text())
    roots = {size: checkpoint.root for size, checkpoint in published(folder).items()}
    for proof in ours["Inclusion"]:
        path = [b64decode(hash, validate=True) for hash in proof["Path"]]
        leaf = b64decode(proof["Leaf"], validate=True)
        if not verify_inclusion(leaf, proof["Index"], proof["Size"], path, roots[proof["Size"]]):
            sys.exit(f"our proof of entry {proof['Index']} of {proof['Size']} does not hold")
    for proof in ours["Consistency"]:
        path = [b64decode(hash, validate=True) for hash in proof["Path"]]
        old, new = proof["Old"], proof["New"]
        if not verify_consistency(old, new, roots[old], roots[new], path):
            sys.exit(f"our proof of tree {old} in {new} does not hold")
    if not ours["Inclusion"] or not ours["Consistency"]:
        sys.exit("no proofs were handed over")
    return f"{len(ours['Inclusion'])} inclusion and {len(ours['Consistency'])} consistency proofs of ours hold"


CHECKS = {"policy": policy, "tiles": tiles, "our-proofs": our_proofs}

if __name__ == "__main__":
    print(CHECKS[sys.argv[1]](Path(sys.argv[2])))
