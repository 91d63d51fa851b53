// Decides whether a proof holds under a policy: what synchronicity-verify decides, by WebCrypto, for a page or for Node.
// docs/formats.md has the formats. Everything that is read here is hostile until it is checked.

import { decode } from "./cbor.mjs";
import { parsePolicy, isReached, reachedSince, counts } from "./policy.mjs";
import { base64, bytesOf, equal, hex, lineOf, parseDecimal, plainText, sha256, tagged, verifySignature, Refused } from "./primitives.mjs";

const PROOF_BYTES_MAX = 256 * 1024 + 96 * 1024;
const NOTE_BYTES_MAX = 256 * 1024;
const ENTRY_BYTES_MAX = 65535;
const SIGNATURES_MAX = 64;
const PATH_MAX = 63;
const MEMBERS_MAX = 64;
const SIZE_MAX = (1n << 63n) - 1n;
const VERDICTS = ["reproduced", "diverged", "unbuildable", "inconclusive"];
const FAILURES = [
  "compile-error", "needs-network", "out-of-time", "out-of-memory", "out-of-disk", "transcript-too-long", "too-many-processes",
  "needs-newer-rust", "lock-does-not-fit", "products-missing", "unsupported", "needs-system-package", "needs-git", "no-targets",
];

/**
 * Judges a proof file.
 * @param {Uint8Array} proof the bytes of the file
 * @param {Uint8Array} policy the bytes of the policy file
 * @param {string?} file SHA-256 of a file to compare, in hex
 * @returns {Promise<object>} `outcome` is `verified`, `no-evidence` or `mismatch`; the rest says of what
 * @throws {Refused} with `outcome` `invalid`, `below-threshold` or `policy`
 */
export async function verify(proof, policy, file = null) {
  const rules = await parsePolicy(policy);
  const { entry, index, path, note } = parseProof(proof);
  const checkpoint = parseCheckpoint(note.text, rules);
  const logLine = note.lines.find((line) => line.isOf(rules.log));
  if (!logLine) throw invalid("the log has not signed the checkpoint with the policy's key");
  for (const line of note.lines) {
    const known = line.isOf(rules.log) || rules.witnesses.some((witness) => line.isOf(witness.key));
    if (!known) throw invalid(`a signature line of an unknown key: ${line.name}`);
  }
  await checkInclusion(entry, index, checkpoint, path);
  const times = await checkSignatures(note, logLine, rules);
  const told = await checkEntry(entry);
  const cosigners = rules.witnesses.filter((_, place) => counts(rules, place) && times[place] !== null);
  if (!isReached(rules, times)) {
    throw new Refused("below-threshold", `too few cosignatures: ${cosigners.map((one) => one.name).join(", ") || "nobody's"}`);
  }
  const result = { ...told, index, size: checkpoint.size, origin: checkpoint.origin, cosigners, vouched: reachedSince(rules, times) };
  if (told.verdict !== "reproduced") return { ...result, outcome: "no-evidence" };
  if (file === null) return { ...result, outcome: "verified" };
  const artifact = told.artifacts.find((one) => one.sha256 === file);
  return artifact ? { ...result, outcome: "verified", artifact } : { ...result, outcome: "mismatch" };
}

/** Judges the canonical bytes of an entry. */
export async function checkEntry(bytes) {
  if (bytes.length > ENTRY_BYTES_MAX) throw invalid("the entry is too long");
  const entry = fields(decode(bytes), [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11], [9]);
  if (number(entry.get(0)) !== 2) throw invalid("the entry is of another schema: use the version that belongs to the log");
  digest(entry.get(1));
  digest(entry.get(11));
  [2, 3, 4, 6].forEach((key) => number(entry.get(key)));
  const request = checkRequest(entry.get(5));
  const id = await tagged("synchronicity/request/v1", [request.bytes]);
  const threshold = number(entry.get(7));
  const members = list(entry.get(10));
  if (members.length < 1 || members.length > MEMBERS_MAX) throw invalid("the entry has no members, or too many");
  if (threshold > members.length || threshold * 2 <= members.length) throw invalid("the entry's threshold is not more than half");
  const revealed = [];
  let before = null;
  for (const member of members) {
    const one = fields(member, [0, 1], [2, 3, 4]);
    const builder = digest(one.get(0));
    if (before && !(hex(before) < hex(builder))) throw invalid("the entry's members are not sorted, each once");
    before = builder;
    text(one.get(1));
    if (one.has(3) !== one.has(4)) throw invalid("a member has an opening without its signed reveal, or the other way round");
    const commitment = one.has(2) ? digest(one.get(2)) : null;
    if (one.has(4)) digest(one.get(4));
    if (!one.has(3)) continue;
    const opening = fields(one.get(3), [0, 1]);
    const [nonce, result] = [digest(opening.get(0)), digest(opening.get(1))];
    const sealed = await tagged("synchronicity/commitment/v1", [id, builder, result, nonce]);
    if (!commitment || !equal(sealed, commitment)) throw invalid("an opening does not open its member's commitment");
    revealed.push({ name: text(one.get(1)), result: hex(result) });
  }
  const agreed = entry.has(9) ? entry.get(9) : null;
  const outcome = agreed ? buildResult(agreed) : null;
  const agreedHex = agreed ? hex(await tagged("synchronicity/result/v1", [agreed.bytes])) : null;
  const counted = tally(threshold, revealed, outcome, agreedHex);
  const stated = VERDICTS[number(entry.get(8))];
  if (stated === undefined || stated !== counted) throw invalid(`the entry says ${stated}, but its openings say ${counted}`);
  const agreeing = revealed.filter((one) => one.result === agreedHex).map((one) => one.name);
  return {
    verdict: stated, name: request.name, version: request.version, fixture: request.fixture, threshold,
    members: members.length, agreeing, artifacts: outcome?.artifacts ?? [], failure: outcome?.failure ?? null, id: hex(id),
  };
}

/** The verdict that follows from what was revealed; throws unless the agreed result is the one of that. */
function tally(threshold, revealed, outcome, agreedHex) {
  const numbers = new Map();
  for (const one of revealed) numbers.set(one.result, (numbers.get(one.result) ?? 0) + 1);
  const largest = Math.max(0, ...numbers.values());
  const leaders = [...numbers].filter(([, count]) => count === largest).map(([result]) => result);
  const leader = leaders.length === 1 && largest >= threshold ? leaders[0] : null;
  if (leader !== agreedHex) throw invalid("the entry's agreed result is not what its openings agree on");
  if (outcome) return outcome.failure === null ? "reproduced" : "unbuildable";
  return revealed.length >= threshold ? "diverged" : "inconclusive";
}

/** Only what is shown, and that it is a request at all: its other rules were the group's to check before it built. */
function checkRequest(node) {
  const request = fields(node, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  const source = list(request.get(1));
  const kind = number(source[0]);
  const about = fields(source[1], [0, 1, 2]);
  if (number(request.get(0)) !== 1 || source.length !== 2 || kind > 1) throw invalid("the entry's request is of another schema");
  digest(about.get(2));
  return { bytes: node.bytes, name: text(about.get(0)), version: text(about.get(1)), fixture: kind === 1 };
}

function buildResult(node) {
  const parts = list(node);
  const content = parts.length === 2 ? list(parts[1]) : [];
  if (content.length !== 1) throw invalid("the entry's agreed result is none");
  if (number(parts[0]) === 1) {
    const failure = FAILURES[number(content[0])];
    if (failure === undefined) throw invalid("the entry's agreed failure is unknown");
    return { failure, artifacts: [] };
  }
  const artifacts = list(content[0]).map((one) => {
    const artifact = fields(one, [0, 1, 2]);
    return { name: text(artifact.get(0)), size: number(artifact.get(1)), sha256: hex(digest(artifact.get(2))) };
  });
  if (number(parts[0]) !== 0 || artifacts.length === 0) throw invalid("the entry's agreed result is none");
  return { failure: null, artifacts };
}

function parseProof(bytes) {
  if (bytes.length > PROOF_BYTES_MAX) throw invalid("the proof file is too long");
  const whole = plainText(bytes, invalid);
  const end = whole.indexOf("\n\n");
  if (end < 0) throw invalid("the proof file is cut off: there is no checkpoint in it");
  const lines = whole.slice(0, end).split("\n");
  if (lines[0] !== "c2sp.org/tlog-proof@v1") throw invalid("this is no proof file: its first line is another");
  if (!lines[1]?.startsWith("extra ") || !lines[2]?.startsWith("index ")) throw invalid("the proof file lacks its entry or index");
  const entry = base64(lines[1].slice(6), invalid);
  const index = parseDecimal(lines[2].slice(6), invalid);
  const path = lines.slice(3).map((line) => base64(line, invalid));
  if (index >= SIZE_MAX || path.length > PATH_MAX || path.some((hash) => hash.length !== 32)) throw invalid("the proof's path is none");
  return { entry, index, path, note: parseNote(whole.slice(end + 2)) };
}

function parseNote(whole) {
  if (bytesOf(whole).length > NOTE_BYTES_MAX) throw invalid("the checkpoint is too long");
  const end = whole.lastIndexOf("\n\n");
  if (end < 0 || !whole.endsWith("\n")) throw invalid("the checkpoint is cut off");
  const lines = whole.slice(end + 2, -1).split("\n").map((line) => lineOf(line, invalid));
  if (lines.length > SIGNATURES_MAX) throw invalid("the checkpoint has too many signatures");
  if (new Set(lines.map((line) => `${line.id} ${line.name}`)).size !== lines.length) throw invalid("two signature lines of one key");
  return { text: whole.slice(0, end + 1), lines };
}

function parseCheckpoint(note, rules) {
  const lines = note.split("\n");
  if (lines.length !== 4 || lines[3] !== "") throw invalid("the checkpoint must have three lines");
  const [size, root] = [parseDecimal(lines[1], invalid), base64(lines[2], invalid)];
  if (size > SIZE_MAX || root.length !== 32) throw invalid("the checkpoint's size or root is none");
  if (lines[0] !== rules.log.name) throw invalid(`it is of the log ${lines[0]}, but the policy is for ${rules.log.name}`);
  return { origin: lines[0], size, root };
}

/** RFC 6962 section 2.1.1, from the leaf to the root. */
async function checkInclusion(entry, index, { size, root }, path) {
  const wrong = () => invalid("the entry is not in the log at its index");
  if (index >= size) throw wrong();
  let [node, last] = [index, size - 1n];
  let hash = await sha256(Uint8Array.of(0), entry);
  for (const sibling of path) {
    if (last === 0n) throw wrong();
    if (node % 2n === 1n || node === last) {
      hash = await sha256(Uint8Array.of(1), sibling, hash);
      while (node % 2n === 0n && node !== 0n) [node, last] = [node / 2n, last / 2n];
    } else {
      hash = await sha256(Uint8Array.of(1), hash, sibling);
    }
    [node, last] = [node / 2n, last / 2n];
  }
  if (last !== 0n || !equal(hash, root)) throw wrong();
}

/** For each witness the time of its cosignature, or null. A line of a known key that does not hold makes all invalid. */
async function checkSignatures(note, logLine, rules) {
  const bad = (name) => invalid(`the signature of ${name} does not verify`);
  if (!(await verifySignature(rules.log.point, logLine.signature, bytesOf(note.text)))) throw bad(logLine.name);
  const times = [];
  for (const { key } of rules.witnesses) {
    const line = note.lines.find((one) => one.isOf(key));
    if (!line) {
      times.push(null);
      continue;
    }
    if (line.signature.length !== 72) throw bad(line.name);
    const time = new DataView(line.signature.buffer, line.signature.byteOffset, 8).getBigUint64(0);
    const message = bytesOf(`cosignature/v1\ntime ${time}\n${note.text}`);
    if (time > SIZE_MAX || !(await verifySignature(key.point, line.signature.slice(8), message))) throw bad(line.name);
    times.push(time);
  }
  return times;
}

function fields(node, wanted, optional = []) {
  const map = node.value;
  const right = map instanceof Map && wanted.every((key) => map.has(key)) && [...map.keys()].every((key) => wanted.includes(key) || optional.includes(key));
  if (!right) throw invalid("the entry lacks a field, or has one too many");
  return map;
}

function list(node) {
  if (!Array.isArray(node?.value)) throw invalid("the entry has something else where a list must be");
  return node.value;
}

function number(node) {
  if (typeof node?.value !== "number" && typeof node?.value !== "bigint") throw invalid("the entry has something else where a number must be");
  return node.value;
}

function text(node) {
  if (typeof node?.value !== "string") throw invalid("the entry has something else where a text must be");
  return node.value;
}

function digest(node) {
  if (!(node?.value instanceof Uint8Array) || node.value.length !== 32) throw invalid("the entry has something else where 32 bytes must be");
  return node.value;
}

function invalid(message) {
  return new Refused("invalid", message);
}
