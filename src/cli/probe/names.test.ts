import assert from "node:assert/strict";
import { test } from "node:test";
import { findNames, type Records } from "./names.ts";

const silent: Records = {
  resolve4: () => Promise.reject(new Error("ETIMEOUT")),
  resolve6: () => Promise.reject(new Error("ENODATA")),
};

test("a name that DNS does not know has its addresses without a time to live", async () => {
  const { kind, lookupMsecs, addresses } = await findNames("localhost", silent);
  assert.equal(kind, "local");
  assert.ok(Number(lookupMsecs) > 0 && addresses.length > 0);
  for (const each of addresses) assert.equal(each.ttlSeconds, null);
});

test("addresses that DNS knows have the time to live of its answers", async () => {
  const records: Records = {
    resolve4: async () => [{ address: "127.0.0.1", ttl: 300 }],
    resolve6: async () => [{ address: "::1", ttl: 60 }],
  };
  const { kind, addresses } = await findNames("localhost", records);
  assert.equal(kind, "dns");
  for (const { family, ttlSeconds } of addresses) {
    assert.equal(ttlSeconds, family === 4 ? 300 : 60);
  }
});

test("an address is looked up nowhere", async () => {
  const refuse = (): never => assert.fail("DNS was asked");
  const records: Records = { resolve4: refuse, resolve6: refuse };
  for (const [host, family] of [
    ["127.0.0.1", 4],
    ["::1", 6],
  ] as const) {
    assert.deepEqual(await findNames(host, records), {
      kind: "address",
      lookupMsecs: null,
      addresses: [{ address: host, family, ttlSeconds: null }],
    });
  }
});
