// Policy files (C2SP tlog-policy): whose log, and whose cosignatures are enough.

import { parseKey, plainText, Refused } from "./primitives.mjs";

const POLICY_BYTES_MAX = 256 * 1024;
const PARTS_MAX = 64;

/** Reads a policy: `{ log, witnesses: [{ name, key }], groups: [{ needed, members }], quorum }`. */
export async function parsePolicy(bytes) {
  if (bytes.length > POLICY_BYTES_MAX) throw refused("it is too long");
  const text = plainText(bytes, refused, "\n\t");
  if (text.includes("\u007f") || !text.endsWith("\n")) throw refused("it is cut off: its last line must end in a newline");
  const policy = { log: null, witnesses: [], groups: [], quorum: undefined, names: new Map(), members: new Set() };
  for (const line of text.slice(0, -1).split("\n")) {
    const [word, ...items] = line.split(/[ \t]/).filter((item) => item !== "");
    if (word === undefined || word.startsWith("#")) continue;
    if (word === "log") await log(policy, items);
    else if (word === "witness") await witness(policy, items);
    else if (word === "group") group(policy, items);
    else if (word === "quorum") quorum(policy, items);
    else throw refused(`a line begins with ${word}`);
  }
  if (!policy.log || policy.quorum === undefined) throw refused("it has no log, or no quorum");
  return policy;
}

async function log(policy, items) {
  if (policy.log || items.length < 1 || items.length > 2) throw refused("it has a second log, or a log that is none");
  policy.log = newKey(policy, await parseKey(items[0], 1, refused));
}

async function witness(policy, items) {
  if (items.length < 2 || items.length > 3 || policy.witnesses.length === PARTS_MAX) throw refused("it has a witness that is none, or too many");
  const key = newKey(policy, await parseKey(items[1], 4, refused));
  define(policy, items[0], { witness: policy.witnesses.length });
  policy.witnesses.push({ name: items[0], key });
}

function group(policy, [name, count, ...members]) {
  if (members.length === 0 || policy.groups.length === PARTS_MAX) throw refused("it has a group that is none, or too many");
  const needed = { all: members.length, any: 1 }[count] ?? (/^[1-9][0-9]{0,5}$/.test(count) ? Number(count) : 0);
  if (needed < 1 || needed > members.length) throw refused("a group needs all, any, or a number from 1 to the number of its members");
  const parts = members.map((member) => {
    const part = find(policy, member);
    if (policy.members.has(member)) throw refused(`${member} is in a group already`);
    policy.members.add(member);
    return part;
  });
  define(policy, name, { group: policy.groups.length });
  policy.groups.push({ needed, members: parts });
}

function quorum(policy, items) {
  if (policy.quorum !== undefined || items.length !== 1) throw refused("it has a second quorum, or one that is none");
  policy.quorum = items[0] === "none" ? null : find(policy, items[0]);
}

/** Equal names and ids would let one line speak for two keys, and one key must not have two votes. */
function newKey(policy, key) {
  const known = [policy.log, ...policy.witnesses.map((one) => one.key)].filter((one) => one);
  const same = (other) => (other.name === key.name && other.id === key.id) || String(other.point) === String(key.point);
  if (known.some(same)) throw refused("it has one key twice");
  return key;
}

function define(policy, name, part) {
  if (name === "none" || policy.names.has(name)) throw refused(`the name ${name} is taken`);
  policy.names.set(name, part);
}

function find(policy, name) {
  const part = policy.names.get(name);
  if (!part) throw refused(`the name ${name} is not defined above its use`);
  return part;
}

/** Whether a witness is part of the quorum. */
export function counts(policy, place) {
  const open = policy.quorum ? [policy.quorum] : [];
  while (open.length > 0) {
    const part = open.pop();
    if (part.witness === place) return true;
    if (part.group !== undefined) open.push(...policy.groups[part.group].members);
  }
  return false;
}

/** Whether cosignatures at these times (null for none) reach the quorum. */
export function isReached(policy, times) {
  return policy.quorum === null || reachedSince(policy, times) !== null;
}

/** The latest time for which the cosignatures of that time and later ones reach the quorum. */
export function reachedSince(policy, times) {
  const groups = [];
  const since = (part) => (part.witness === undefined ? groups[part.group] : times[part.witness]);
  for (const { needed, members } of policy.groups) {
    const there = members.map(since).filter((time) => time !== null).sort((a, b) => (a < b ? 1 : a > b ? -1 : 0));
    groups.push(there[needed - 1] ?? null);
  }
  return policy.quorum === null ? null : since(policy.quorum);
}

function refused(problem) {
  return new Refused("policy", `the policy cannot be used: ${problem}`);
}
