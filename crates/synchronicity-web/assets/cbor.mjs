// Deterministic CBOR (RFC 8949 section 4.2), as far as entries have it: every other spelling is refused.

import { Refused } from "./primitives.mjs";

const DEPTH_MAX = 16;

/**
 * One value: `{ value, bytes }`, where `bytes` are its own and `value` is a number (bigint above 2^53), bytes, a text, a boolean,
 * a list of such, or a Map from number or text to such.
 */
export function decode(bytes) {
  const reader = new Reader(bytes);
  const node = reader.node(0);
  if (reader.at !== bytes.length) throw refused();
  return node;
}

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
  }

  node(depth) {
    if (depth > DEPTH_MAX) throw refused();
    const from = this.at;
    const value = this.value(depth);
    return { value, bytes: this.bytes.subarray(from, this.at) };
  }

  value(depth) {
    const first = this.take(1)[0];
    const [major, short] = [first >> 5, first & 31];
    if (major === 7) {
      if (short === 20 || short === 21) return short === 21;
      throw refused();
    }
    const argument = this.argument(short);
    if (major === 0) return argument;
    if (typeof argument === "bigint") throw refused();
    if (major === 2) return this.take(argument);
    if (major === 3) return utf8(this.take(argument));
    // Each item takes a byte at least: a count cannot make anybody reserve what is not there.
    if (argument > this.bytes.length - this.at) throw refused();
    if (major === 4) return Array.from({ length: argument }, () => this.node(depth + 1));
    if (major === 5) return this.map(argument, depth);
    throw refused();
  }

  map(count, depth) {
    const map = new Map();
    let before = null;
    for (let item = 0; item < count; item += 1) {
      const key = this.node(depth + 1);
      if (typeof key.value !== "number" && typeof key.value !== "string") throw refused();
      if (before && compare(before, key.bytes) >= 0) throw refused();
      before = key.bytes;
      map.set(key.value, this.node(depth + 1));
    }
    return map;
  }

  argument(short) {
    if (short < 24) return short;
    const width = { 24: 1, 25: 2, 26: 4, 27: 8 }[short];
    if (!width) throw refused();
    this.need(width);
    const at = this.at;
    this.at += width;
    if (width === 8) {
      const long = this.view.getBigUint64(at);
      if (long < 1n << 32n) throw refused();
      return long <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(long) : long;
    }
    const value = width === 1 ? this.view.getUint8(at) : width === 2 ? this.view.getUint16(at) : this.view.getUint32(at);
    if (value < { 1: 24, 2: 256, 4: 65536 }[width]) throw refused();
    return value;
  }

  take(length) {
    this.need(length);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  need(length) {
    if (length > this.bytes.length - this.at) throw refused();
  }
}

function compare(a, b) {
  for (let at = 0; at < Math.min(a.length, b.length); at += 1) if (a[at] !== b[at]) return a[at] - b[at];
  return a.length - b.length;
}

function utf8(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refused();
  }
}

function refused() {
  return new Refused("invalid", "the entry is not in its canonical form");
}
