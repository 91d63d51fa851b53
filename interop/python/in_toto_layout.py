"""Makes an in-toto layout whose one step, `rebuild`, needs a threshold of builders.

    in_toto_layout.py --threshold K --product NAME --out DIR KEY.pub...

Writes `DIR/root.layout`, signed with a new key of whoever runs this, and that key's public half, `DIR/owner.pub`. Then

    in-toto-verify --layout DIR/root.layout --verification-keys DIR/owner.pub --link-dir LINKS

accepts the links of `synchronicity attest --format link` if K of the keys signed them. Needs in-toto, nothing of this
project.
"""

import argparse
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from in_toto.models.layout import Layout, Step
from in_toto.models.metadata import Metablock
from securesystemslib.signer import CryptoSigner


def main():
    parser = argparse.ArgumentParser(description="Make an in-toto layout with a threshold of builders")
    parser.add_argument("--threshold", type=int, required=True)
    parser.add_argument("--product", required=True, help="the artifact that the step must have made")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("keys", nargs="+", help="public keys of the builders, PEM")
    args = parser.parse_args()

    layout = Layout()
    keys = layout.add_functionary_keys_from_paths(args.keys)
    step = Step(name="rebuild", pubkeys=list(keys), threshold=args.threshold)
    step.expected_materials = [["REQUIRE", "Cargo.lock"], ["ALLOW", "*"]]
    step.expected_products = [["REQUIRE", args.product], ["CREATE", args.product], ["DISALLOW", "*"]]
    layout.steps = [step]
    layout.set_relative_expiration(days=1)

    owner = Ed25519PrivateKey.generate()
    block = Metablock(signed=layout)
    block.create_signature(CryptoSigner(owner))
    args.out.mkdir(parents=True, exist_ok=True)
    block.dump(str(args.out / "root.layout"))
    public = owner.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (args.out / "owner.pub").write_bytes(public)


if __name__ == "__main__":
    main()
