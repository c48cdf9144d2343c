import assert from "node:assert/strict";
import { test } from "node:test";
import { type OriginPattern, OriginPatterns, overlap } from "./origin-pattern.ts";

function patterns(...all: OriginPattern[]): OriginPatterns {
  return new OriginPatterns(all);
}

test("an exact pattern means its own origin and no other", () => {
  const own = patterns("https://api.example.com", "http://127.0.0.1:8080", "https://[::1]");
  for (const origin of ["https://api.example.com", "http://127.0.0.1:8080", "https://[::1]"]) {
    assert.equal(own.has(origin), true, origin);
  }
  for (const origin of [
    "http://api.example.com",
    "https://api.example.com:8443",
    "https://a.api.example.com",
    "https://example.com",
    "http://127.0.0.1",
  ]) {
    assert.equal(own.has(origin), false, origin);
  }
});

test("a wildcard means every host below its domain, at any depth, and not the domain itself", () => {
  const own = patterns("https://*.example.com");
  for (const host of ["api", "a.b", "a.b.c.d", "x-1"]) {
    assert.equal(own.has(`https://${host}.example.com`), true, host);
  }
  for (const origin of [
    "https://example.com",
    "https://.example.com",
    "https://badexample.com",
    "https://example.com.evil.test",
    "https://api.example.org",
  ]) {
    assert.equal(own.has(origin), false, origin);
  }
});

test("a wildcard means one protocol and one port", () => {
  const plain = patterns("https://*.example.com");
  assert.equal(plain.has("http://api.example.com"), false);
  assert.equal(plain.has("https://api.example.com:8443"), false);
  const withPort = patterns("http://*.example.com:8080");
  assert.equal(withPort.has("http://api.example.com:8080"), true);
  for (const origin of [
    "http://api.example.com",
    "http://api.example.com:80800",
    "http://api.example.com:18080",
    "https://api.example.com:8080",
  ]) {
    assert.equal(withPort.has(origin), false, origin);
  }
});

test("a function is asked last, and only by true does it mean an origin", () => {
  const asked: string[] = [];
  const says = new Map<string, unknown>([
    ["http://yes", true],
    ["http://truthy", 1],
    ["http://promise", Promise.resolve(true)],
  ]);
  const own = patterns(
    (origin) => {
      asked.push(origin);
      return says.get(origin) as boolean;
    },
    "http://exact",
    "http://*.wild",
  );
  assert.equal(own.has("http://exact"), true);
  assert.equal(own.has("http://a.wild"), true);
  assert.deepEqual(asked, []);
  assert.equal(own.has("http://yes"), true);
  for (const origin of ["http://truthy", "http://promise", "http://no"]) {
    assert.equal(own.has(origin), false, origin);
  }
  assert.deepEqual(asked, ["http://yes", "http://truthy", "http://promise", "http://no"]);
});

test("what a function of origins throws is thrown", () => {
  const own = patterns(() => {
    throw new Error("of the function");
  });
  assert.throws(() => own.has("http://a"), /^Error: of the function$/);
});

test("patterns are told apart, and each exact origin is kept once", () => {
  const own = patterns("http://a", "http://*.b", () => false, "http://a", "http://c");
  assert.deepEqual(own.exact, ["http://a", "http://c"]);
  assert.deepEqual(own.wildcards, ["http://*.b"]);
  assert.equal(patterns().has("http://a"), false);
});

const isBelowB: OriginPattern = (origin) => origin.endsWith(".b");

const overlaps: readonly (readonly [a: OriginPattern, b: OriginPattern, both: string | null])[] = [
  ["http://a", "http://a", "http://a"],
  ["http://a", "http://b", null],
  ["http://a", "https://a", null],
  ["http://a.b", "http://*.b", "http://a.b"],
  ["http://b", "http://*.b", null],
  ["http://*.b", "http://*.b", "http://*.b"],
  ["http://*.a.b", "http://*.b", "http://*.a.b"],
  ["http://*.a", "http://*.b", null],
  ["http://*.b", "https://*.b", null],
  ["http://*.b", "http://*.b:81", null],
  ["http://a.b", isBelowB, "http://a.b"],
  ["http://a.c", isBelowB, null],
  // What a function says of origins that nobody named is not known.
  ["http://*.b", isBelowB, null],
  [isBelowB, isBelowB, null],
];

test("two services overlap in an origin or wildcard that both have, in either order", () => {
  for (const [a, b, both] of overlaps) {
    assert.equal(overlap(patterns(a), patterns(b)), both, `${a} and ${b}`);
    assert.equal(overlap(patterns(b), patterns(a)), both, `${b} and ${a}`);
  }
});

test("an overlap is found among other patterns", () => {
  const a = patterns("http://x", "http://*.y", () => false, "http://both.z");
  assert.equal(
    overlap(
      a,
      patterns("http://w", "http://*.z", () => false),
    ),
    "http://both.z",
  );
  assert.equal(overlap(a, patterns("http://w", "http://*.v")), null);
});
