"""Verifies a DSSE envelope as securesystemslib does, with a threshold of keys.

    dsse_verify.py [--threshold K] [--predicate-type URI] [--file FILE]... ENVELOPE KEY.pub...

Ends with 0 and prints the statement if at least K of the keys have signed the envelope, the statement has this
predicate, and each file is one of its subjects; with 1 and the reason otherwise. Needs securesystemslib and
cryptography, nothing of this project.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey


def main():
    parser = argparse.ArgumentParser(description="Verify a DSSE envelope with a threshold of keys")
    parser.add_argument("--threshold", type=int, default=1)
    parser.add_argument("--predicate-type")
    parser.add_argument("--file", type=Path, action="append", default=[])
    parser.add_argument("envelope", type=Path)
    parser.add_argument("keys", type=Path, nargs="+")
    args = parser.parse_args()

    envelope = Envelope.from_dict(json.loads(args.envelope.read_text()))
    keys = [SSlibKey.from_crypto(load_pem_public_key(path.read_bytes())) for path in args.keys]
    try:
        envelope.verify(keys, args.threshold)
    except (VerificationError, ValueError) as error:
        sys.exit(f"refused: {error}")

    if envelope.payload_type != "application/vnd.in-toto+json":
        sys.exit(f"refused: the payload is {envelope.payload_type}")
    statement = json.loads(envelope.payload)
    if args.predicate_type not in (None, statement["predicateType"]):
        sys.exit(f"refused: the predicate is {statement['predicateType']}")
    subjects = {subject["digest"]["sha256"] for subject in statement["subject"]}
    for path in args.file:
        if hashlib.sha256(path.read_bytes()).hexdigest() not in subjects:
            sys.exit(f"refused: {path} is no subject of the statement")
    print(json.dumps(statement, indent=1))


if __name__ == "__main__":
    main()
