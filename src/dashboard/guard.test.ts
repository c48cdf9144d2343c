import assert from "node:assert/strict";
import { test } from "node:test";
import { refusalOf } from "./guard.ts";

const asked = {
  host: "127.0.0.1:4700",
  origin: undefined,
  site: undefined,
  mode: undefined,
};

test("a loopback dashboard answers to addresses and names of this machine alone", () => {
  for (const host of [
    "127.0.0.1:4700",
    "127.0.0.1",
    "localhost:80",
    "[::1]:4700",
    "LOCALHOST",
    "a.localhost:1",
  ]) {
    assert.equal(refusalOf({ ...asked, host }, true, []), null, host);
  }
  const foreign = [
    "evil.example:4700",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "10.0.0.7:4700",
    "[2001:db8::1]",
    "127.0.0.1:4700@evil.example",
    "evil.example#127.0.0.1",
    "0x7f.1",
    "",
  ];
  for (const host of [...foreign, undefined]) {
    assert.notEqual(refusalOf({ ...asked, host }, true, []), null, host);
  }
});

test("one that listens on another address answers to addresses, and to names that it was given", () => {
  assert.equal(refusalOf({ ...asked, host: "10.0.0.7:4700" }, false, []), null);
  assert.notEqual(refusalOf({ ...asked, host: "pools.example" }, false, []), null);
  assert.equal(refusalOf({ ...asked, host: "Pools.Example:80" }, false, ["pools.example"]), null);
});

test("a foreign Origin is refused, and so is a request that another site makes", () => {
  const origins = ["http://evil.example", "null", "http://127.0.0.1:4701", "http://127.0.0.1"];
  for (const origin of origins) assert.notEqual(refusalOf({ ...asked, origin }, true, []), null);
  assert.equal(refusalOf({ ...asked, origin: "http://127.0.0.1:4700" }, true, []), null);
  for (const site of ["cross-site", "same-site"]) {
    assert.notEqual(refusalOf({ ...asked, site, mode: "cors" }, true, []), null);
    assert.notEqual(refusalOf({ ...asked, site, mode: "no-cors" }, true, []), null);
    // A link may be followed.
    assert.equal(refusalOf({ ...asked, site, mode: "navigate" }, true, []), null);
  }
  assert.equal(refusalOf({ ...asked, site: "same-origin", mode: "cors" }, true, []), null);
});
