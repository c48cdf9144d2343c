import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpPool } from "../http1/connection-user.ts";
import { isTraced, sawNeglectedBody, sawOpenBody } from "./leaks.ts";

/** What `isTraced` looks at. */
function poolOf(toTrace: number, toSample: number): HttpPool {
  return { toTrace, toSample } as HttpPool;
}

function tracedOf(count: number, pool: HttpPool, afterEach: () => void): number {
  let traced = 0;
  for (let index = 0; index < count; index++) {
    if (isTraced(pool, 60_000)) traced++;
    afterEach();
  }
  return traced;
}

test("where each body is open one request in eight is noted, however many end meanwhile", () => {
  for (let open = 1; open <= 8; open++) {
    const pool = poolOf(0, 0);
    let count = 0;
    const traced = tracedOf(8_000, pool, () => {
      if (++count % open === 0) for (let each = 0; each < open; each++) sawOpenBody(pool);
    });
    assert.ok(Math.abs(traced - 1_000) <= 2, `${traced} of 8,000 where ${open} end at a time`);
  }
});

test("after an open body one in eight of a thousand is noted, after a neglected one each", () => {
  const pool = poolOf(16, 0);
  assert.equal(
    tracedOf(100, pool, () => {}),
    16,
  );
  sawOpenBody(pool);
  assert.equal(
    tracedOf(5_000, pool, () => {}),
    125,
  );
  sawNeglectedBody(pool);
  assert.equal(
    tracedOf(5_000, pool, () => {}),
    1_000,
  );
});

test("without a timeout for leaks nothing is noted", () => {
  assert.equal(isTraced(poolOf(16, 16), Number.POSITIVE_INFINITY), false);
});
