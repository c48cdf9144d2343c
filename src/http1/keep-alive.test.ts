import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../../test/support/fast-check.ts";
import { parseKeepAlive } from "./keep-alive.ts";

const hints: readonly (readonly [
  value: string,
  timeoutMsecs: number | null,
  furtherRequests: number,
])[] = [
  ["timeout=5", 5_000, Number.POSITIVE_INFINITY],
  ["timeout=5, max=100", 5_000, 100],
  ["max=100,timeout=5", 5_000, 100],
  ["max=0", null, 0],
  ["timeout=0", 0, Number.POSITIVE_INFINITY],
  ['timeout="5"', 5_000, Number.POSITIVE_INFINITY],
  [" Timeout = 5 ;, MAX\t=\t7 ", null, 7],
  ["TIMEOUT=5", 5_000, Number.POSITIVE_INFINITY],
  ["timeout=999999999", 999_999_999_000, Number.POSITIVE_INFINITY],
  ["timeout=5, timeout=3", 3_000, Number.POSITIVE_INFINITY],
  ["timeout=5, foo=bar, baz", 5_000, Number.POSITIVE_INFINITY],
];

test("timeout is in seconds, max in further requests, in any order and case", () => {
  for (const [value, timeoutMsecs, furtherRequests] of hints) {
    assert.deepEqual(parseKeepAlive(value), { timeoutMsecs, furtherRequests }, value);
  }
});

test("what is no whole number of at most nine digits counts as not said", () => {
  const nothing = { timeoutMsecs: null, furtherRequests: Number.POSITIVE_INFINITY };
  for (const value of [
    "",
    ",",
    "timeout",
    "timeout=",
    "timeout=-5",
    "timeout=+5",
    "timeout=5.5",
    "timeout=5s",
    "timeout=0x10",
    "timeout=1e3",
    "timeout=1234567890",
    "timeout=Infinity",
    "timeout==5",
    'timeout="5',
    "max=",
    "max=lots",
    "timeouts=5",
    "=5",
    "٥",
  ]) {
    assert.deepEqual(parseKeepAlive(value), nothing, value);
  }
});

test("the same value means the same again, and another one in between is not mixed up with it", () => {
  for (const [value, timeoutMsecs, furtherRequests] of [...hints, ...hints]) {
    for (let count = 0; count < 2; count++) {
      assert.deepEqual(parseKeepAlive(value), { timeoutMsecs, furtherRequests });
    }
  }
});

test("no value throws, and none says anything but whole numbers from 0", () => {
  const value = fc.array(fc.constantFrom("timeout", "max", "=", ",", "5", '"', " ", "-", ".", "x"));
  fc.assert(
    fc.property(value, (parts) => {
      const { timeoutMsecs, furtherRequests } = parseKeepAlive(parts.join(""));
      assert(timeoutMsecs === null || (Number.isSafeInteger(timeoutMsecs) && timeoutMsecs >= 0));
      assert(furtherRequests === Number.POSITIVE_INFINITY || Number.isSafeInteger(furtherRequests));
      assert(furtherRequests >= 0);
    }),
  );
});
