// Hashes, signatures, and the spellings of keys, numbers and bytes. Strict: one spelling for everything.

/** Why evidence is refused. `outcome` is `invalid`, `below-threshold` or `policy`. */
export class Refused extends Error {
  constructor(outcome, message) {
    super(message);
    this.outcome = outcome;
  }
}

/** The y coordinates of the points of small order, below the sign bit, and those of second spellings of small ones. */
const SMALL_ORDER_Y = [
  "00".repeat(32),
  `01${"00".repeat(31)}`,
  `ec${"ff".repeat(30)}7f`,
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
];

export const bytesOf = (text) => new TextEncoder().encode(text);
export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
export const equal = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);

/** Text of others as it is shown: what nobody would see, or what turns a line around, is spelled out. */
export const seen = (text) => text.replace(/[\p{C}\u2028\u2029]/gu, (letter) => `\\u{${letter.codePointAt(0).toString(16)}}`);

/** SHA-256 of these parts in a row. */
export async function sha256(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", all));
}

/** `SHA-256(domain || 00 || (u64be length || bytes)*)`. */
export function tagged(domain, parts) {
  const length = (part) => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(part.length));
    return bytes;
  };
  return sha256(bytesOf(domain), Uint8Array.of(0), ...parts.flatMap((part) => [length(part), part]));
}

/** UTF-8 without control characters but newline. */
export function plainText(bytes, refused, allowed = "\n") {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refused("it is no text");
  }
  for (const letter of text) if (letter < " " && !allowed.includes(letter)) throw refused("it has control characters");
  return text;
}

/** Padded, with unused bits that are zero. */
export function base64(text, refused) {
  let binary;
  try {
    binary = atob(text);
  } catch {
    throw refused("something is not base64");
  }
  if (btoa(binary) !== text) throw refused("something is not the one spelling of base64");
  return Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
}

/** A decimal number without sign and leading zeros, below 2^64. */
export function parseDecimal(text, refused) {
  if (!/^(0|[1-9][0-9]{0,19})$/.test(text) || BigInt(text) >= 1n << 64n) throw refused("a number is not spelled as numbers are");
  return BigInt(text);
}

/** A key name: no space, plus sign or control, 1 to 255 bytes. */
export function isKeyName(name) {
  return name !== "" && bytesOf(name).length <= 255 && !/[\s\u0085+\p{Cc}]/u.test(name);
}

/** `name+8 hex digits+base64(type || public key)`, of the type that is wanted. */
export async function parseKey(text, type, refused) {
  const [name, id, ...rest] = text.split("+");
  const [, ...digits] = [name, ...rest];
  if (!isKeyName(name) || !/^[0-9a-f]{8}$/.test(id ?? "") || digits.length === 0) throw refused("a key is not spelled as keys are");
  const bytes = base64(digits.join("+"), refused);
  if (bytes.length !== 33 || bytes[0] !== type) throw refused(`a key is not of type 0${type}`);
  const point = bytes.slice(1);
  if (isWeak(point)) throw refused("a key is a point of small order, or not canonical");
  const computed = hex((await sha256(bytesOf(name), Uint8Array.of(10), bytes)).slice(0, 4));
  if (computed !== id) throw refused("a key's hash is not the one of its name and key");
  return { name, id, point };
}

/** One line of a signed note: `\u2014 name base64(key id || signature)`. */
export function lineOf(line, refused) {
  const parts = line.split(" ");
  if (parts.length !== 3 || parts[0] !== "\u2014" || !isKeyName(parts[1])) throw refused("a signature line is malformed");
  const blob = base64(parts[2], refused);
  if (blob.length < 5) throw refused("a signature line is malformed");
  const [name, id, signature] = [parts[1], hex(blob.slice(0, 4)), blob.slice(4)];
  return { name, id, signature, isOf: (key) => key.name === name && key.id === id };
}

/** Ed25519 by WebCrypto, and what it does not refuse by itself. */
export async function verifySignature(point, signature, message) {
  if (signature.length !== 64 || isWeak(signature.slice(0, 32))) return false;
  try {
    const key = await crypto.subtle.importKey("raw", point, { name: "Ed25519" }, false, ["verify"]);
    return await crypto.subtle.verify("Ed25519", key, signature, message);
  } catch (error) {
    if (error.name === "NotSupportedError") throw new Error("this browser has no Ed25519: use a newer one, or the program");
    return false;
  }
}

/** Of small order, or with a y that is not reduced. */
function isWeak(point) {
  const y = Uint8Array.from(point);
  y[31] &= 0x7f;
  const above = y[31] === 0x7f && y[0] >= 0xed && y.slice(1, 31).every((byte) => byte === 0xff);
  return above || SMALL_ORDER_Y.includes(hex(y));
}
