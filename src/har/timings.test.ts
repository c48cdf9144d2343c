import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../../test/support/fast-check.ts";
import { harTimings, type Instants, totalOf } from "./timings.ts";

const plain: Instants = {
  createdAt: 100,
  grantedAt: 180,
  sentAt: 181,
  firstByteAt: 191,
  endedAt: 200,
  isSentUnseen: false,
  dial: null,
};

test("a request on an open connection has no dial, and one that waited was blocked", () => {
  assert.deepEqual(harTimings(plain), {
    blocked: 80,
    dns: -1,
    connect: -1,
    ssl: -1,
    send: 1,
    wait: 10,
    receive: 9,
  });
});

test("connect has ssl in it, and what was neither is blocked", () => {
  const dial = { dns: 10, connect: 20, tls: 30, openedAt: 175 };
  const { blocked, dns, connect, ssl } = harTimings({ ...plain, dial });
  assert.deepEqual({ blocked, dns, connect, ssl }, { blocked: 20, dns: 10, connect: 50, ssl: 30 });
});

test("of a dial that had begun before the request only the rest counts", () => {
  const dial = { dns: 100, connect: 50, tls: null, openedAt: 140 };
  const { blocked, dns, connect, ssl } = harTimings({ ...plain, dial });
  assert.deepEqual({ blocked, dns, connect, ssl }, { blocked: 40, dns: 0, connect: 40, ssl: -1 });
});

test("what a request was at when it failed lasts until then", () => {
  const over = { ...plain, sentAt: null, firstByteAt: null };
  assert.equal(harTimings({ ...over, grantedAt: null }).blocked, 100);
  assert.equal(harTimings(over).send, 20);
  assert.equal(harTimings({ ...over, sentAt: 190 }).wait, 10);
  assert.equal(harTimings({ ...over, isSentUnseen: true }).wait, 20);
  // A response that overtakes its request.
  assert.deepEqual(
    [
      harTimings({ ...over, firstByteAt: 195 }).send,
      harTimings({ ...over, firstByteAt: 195 }).wait,
    ],
    [15, 0],
  );
});

test("no part is below 0, and they add up to the whole, whatever happened when", () => {
  const steps = fc.array(fc.double({ min: 0, max: 1e4, noNaN: true }), {
    minLength: 9,
    maxLength: 9,
  });
  const happened = fc.array(fc.boolean(), { minLength: 6, maxLength: 6 });
  fc.assert(
    fc.property(
      steps,
      happened,
      ([a, b, c, d, e, ...dial], [granted, sent, first, hasDial, ...of]) => {
        const createdAt = a as number;
        const at = [b, c, d, e].map((_, index, all) =>
          all.slice(0, index + 1).reduce((sum: number, each) => sum + (each as number), createdAt),
        ) as [number, number, number, number];
        const instants: Instants = {
          createdAt,
          grantedAt: granted ? at[0] : null,
          sentAt: granted && sent ? at[1] : null,
          firstByteAt: granted && first ? at[2] : null,
          endedAt: at[3],
          isSentUnseen: of[0] === true,
          dial:
            granted && hasDial
              ? {
                  dns: of[1] === true ? (dial[0] as number) : null,
                  connect: dial[1] as number,
                  tls: of[0] === true ? (dial[2] as number) : null,
                  openedAt: Math.max(at[0] - (dial[3] as number), 0),
                }
              : null,
        };
        const timings = harTimings(instants);
        const { dns, connect, ssl, ...others } = timings;
        for (const [name, part] of Object.entries(others)) assert.ok(part >= 0, `${name} ${part}`);
        for (const part of [dns, connect, ssl]) assert.ok(part >= 0 || part === -1);
        const whole = instants.endedAt - createdAt;
        assert.ok(
          Math.abs(totalOf(timings) - whole) < 1e-6 * (whole + 1),
          `${totalOf(timings)} of ${whole}`,
        );
      },
    ),
    { numRuns: 1_000 },
  );
});
