"""Checks a log of ours with tlog-scales, as it is.

Usage: scales.py CHECK FOLDER, with CHECK one of signatures, tiles, our-proofs. FOLDER is what
crates/synchronicity-verify/tests/interop.rs writes. Prints what was counted and ends with 0, or says what does not
hold and ends with 1.
"""

import sys
from base64 import b64decode
from json import loads
from pathlib import Path

from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey, VkeySet
from tlog_scales.tiles import leaf_hash
from tlog_scales.tlog import Checkpoint, ConsistencyProof, InclusionProof


def published(folder):
    """The published checkpoints by size."""
    files = sorted((folder / "published").iterdir(), key=lambda file: int(file.name))
    return {int(file.name): Checkpoint.from_text(file.read_text()) for file in files}


def signatures(folder):
    """The log's signature and all cosignatures hold, on every published checkpoint."""
    keys = loads((folder / "keys.json").read_text())
    known = VkeySet(*(Vkey.from_string(text) for text in [keys["Log"], *keys["Cosigners"]]))
    checkpoints = published(folder)
    for size, checkpoint in checkpoints.items():
        valid = known.verify(checkpoint.signatures, checkpoint)
        if checkpoint.size != size or len(valid) != 1 + len(keys["Cosigners"]):
            sys.exit(f"size {size}: {len(valid)} signatures hold")
    return f"{1 + len(keys['Cosigners'])} signatures hold on each of {len(checkpoints)} checkpoints"


def tiles(folder):
    """The tiles lead to the root of every published size; bundles, tiles and their own proofs agree."""
    reader = TilesReader(LocalBackend(folder / "log"))
    newest = reader.get_checkpoint()
    checkpoints = published(folder)
    proofs = 0
    for size, checkpoint in checkpoints.items():
        # The library sets the size only from the newest checkpoint, and keeps tiles of other widths.
        reader = TilesReader(LocalBackend(folder / "log"))
        reader.set_size(size)
        if reader.calculate_root_hash() != checkpoint.root_hash:
            sys.exit(f"size {size}: the tiles lead to another root than the checkpoint's")
        for index in range(0, size, 1 if size < 300 else 7):
            leaf = leaf_hash(reader.get_entry(index))
            reader.get_inclusion_proof(index, size).check(leaf, checkpoint.root_hash)
            proofs += 1
        consistency = reader.get_consistency_proof(1, size)
        consistency.check(checkpoints[1].root_hash, checkpoint.root_hash)
    if newest.size != max(checkpoints):
        sys.exit(f"the log's checkpoint is of size {newest.size}")
    return f"{proofs} entries of {len(checkpoints)} sizes proved and checked"


def our_proofs(folder):
    """The proofs that our code made lead to the roots of the published checkpoints."""
    ours = loads((folder / "proofs.json").read_text())
    roots = {size: checkpoint.root_hash for size, checkpoint in published(folder).items()}
    for proof in ours["Inclusion"]:
        path = [b64decode(hash, validate=True) for hash in proof["Path"]]
        leaf = b64decode(proof["Leaf"], validate=True)
        InclusionProof(proof["Index"], proof["Size"], path).check(leaf, roots[proof["Size"]])
    for proof in ours["Consistency"]:
        path = [b64decode(hash, validate=True) for hash in proof["Path"]]
        ConsistencyProof(proof["Old"], proof["New"], path).check(roots[proof["Old"]], roots[proof["New"]])
    if not ours["Inclusion"] or not ours["Consistency"]:
        sys.exit("no proofs were handed over")
    return f"{len(ours['Inclusion'])} inclusion and {len(ours['Consistency'])} consistency proofs of ours hold"


CHECKS = {"signatures": signatures, "tiles": tiles, "our-proofs": our_proofs}

if __name__ == "__main__":
    print(CHECKS[sys.argv[1]](Path(sys.argv[2])))
