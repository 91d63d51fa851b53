// Runs the in-browser verifier over published vectors: `node vectors.mjs FOLDER`. Prints one line for each that is judged
// otherwise than it says, and a count at the end.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { verify, checkEntry } from "../assets/proof.mjs";
import { parsePolicy } from "../assets/policy.mjs";

const folder = process.argv[2];
let [judged, wrong] = [0, 0];
for (const name of readdirSync(folder).sort()) {
  if (name.endsWith(".md")) continue;
  const bytes = new Uint8Array(readFileSync(join(folder, name)));
  const end = bytes.findIndex((byte, at) => byte === 10 && bytes[at + 1] === 10);
  const head = new TextDecoder().decode(bytes.subarray(0, end));
  const fields = Object.fromEntries(head.split("\n").map((line) => line.split(/: ?(.*)/s)));
  const cut = end + 2 + Number(fields["policy-bytes"]);
  const [policy, subject] = [bytes.slice(end + 2, cut), bytes.slice(cut)];
  const outcome = await judge(fields.kind, policy, subject, fields.file ?? null);
  if (outcome === null) continue;
  judged += 1;
  if (outcome !== fields.expect) {
    wrong += 1;
    console.log(`${name}: ${outcome} instead of ${fields.expect}: ${fields.reason}`);
  }
}
console.log(`${judged} judged, ${wrong} wrong`);
process.exit(wrong === 0 && judged > 0 ? 0 : 1);

async function judge(kind, policy, subject, file) {
  const accepted = (done) => done.then(() => "accepted", (error) => (error.outcome ? "refused" : `${error.stack}`));
  if (kind === "policy") return accepted(parsePolicy(subject));
  if (kind === "entry") return accepted(checkEntry(Uint8Array.from(Buffer.from(new TextDecoder().decode(subject).trim(), "hex"))));
  if (kind !== "proof") return null;
  return verify(subject, policy, file).then((told) => told.outcome, (error) => error.outcome ?? error.stack);
}
