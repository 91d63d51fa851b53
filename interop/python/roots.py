"""Compares the root of every size of a log of ours with those that pymerkle computes from the entries.

Usage: roots.py FOLDER, which is what crates/synchronicity-verify/tests/interop.rs writes. Prints what was counted and
ends with 0, or says which size differs and ends with 1.
"""

import sys
from base64 import b64decode
from hashlib import sha256
from json import loads
from pathlib import Path

from pymerkle import InmemoryTree


def entries(log, size):
    """The log's entries, from its bundles: each a length of two bytes and the entry."""
    for n in range((size + 255) // 256):
        rest = size - 256 * n
        bundle = (log / f"tile/entries/{n:03}{f'.p/{rest}' if rest < 256 else ''}").read_bytes()
        while bundle:
            end = 2 + int.from_bytes(bundle[:2])
            yield bundle[2:end]
            bundle = bundle[end:]


def main(folder):
    ours = [b64decode(root, validate=True) for root in loads((folder / "proofs.json").read_text())["Roots"]]
    tree = InmemoryTree(algorithm="sha256")
    # RFC 6962 wants these prefixes; a tree without them would not be the one that the log promises.
    if tree.hash_buff(b"leaf") != sha256(b"\x00leaf").digest() or tree.hash_pair(b"l", b"r") != sha256(b"\x01lr").digest():
        sys.exit("pymerkle does not hash as RFC 6962 does")
    if ours[0] != tree.get_state(0):
        sys.exit("the root of the empty tree differs")
    size = 0
    for size, entry in enumerate(entries(folder / "log", len(ours) - 1), 1):
        tree.append_entry(entry)
        if tree.get_state() != ours[size]:
            sys.exit(f"the root of size {size} differs")
    if size != len(ours) - 1:
        sys.exit(f"{size} entries for {len(ours) - 1} roots")
    return f"the roots of all sizes up to {size} agree"


if __name__ == "__main__":
    print(main(Path(sys.argv[1])))
