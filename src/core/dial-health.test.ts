import assert from "node:assert/strict";
import { test } from "node:test";
import { afterFailure, type DialHealth, isDown, well } from "./dial-health.ts";

const cause = new Error("refused");

/** Health after dials that failed one after the other, each one at once when it was allowed. */
function afterFailures(
  count: number,
  random: () => number,
): Extract<DialHealth, { kind: "failing" }> {
  let health: DialHealth = well;
  let now = 1_000;
  for (let failure = 0; failure < count; failure++) {
    health = afterFailure(health, now, cause, now, random);
    assert.equal(health.kind, "failing");
    if (failure < count - 1) now = health.retryAt;
  }
  return health as Extract<DialHealth, { kind: "failing" }>;
}

test("the first failure costs nothing", () => {
  const health = afterFailures(1, () => 0);
  assert.equal(health.retryAt, health.lastFailedAt);
  assert.equal(isDown(health), false);
  assert.equal(isDown(well), false);
});

test("repeated failures wait 50 ms, 100 ms, up to 1 s, and mean that the origin is down", () => {
  const delays = [2, 3, 4, 5, 6, 7, 8, 40].map((count) => {
    const health = afterFailures(count, () => 0);
    assert.ok(isDown(health));
    return Math.round(health.retryAt - health.lastFailedAt);
  });
  assert.deepEqual(delays, [50, 100, 200, 400, 800, 1_000, 1_000, 1_000]);
});

test("chance takes off up to half of a wait, so that many processes do not come back together", () => {
  const least = afterFailures(4, () => 0.999_999);
  const half = afterFailures(4, () => 0.5);
  assert.equal(Math.round(least.retryAt - least.lastFailedAt), 100);
  assert.equal(Math.round(half.retryAt - half.lastFailedAt), 150);
});

test("dials that were under way together count as one failure, whose cause is the last one's", () => {
  const first = afterFailure(well, 100, cause, 200, () => 0);
  const other = new Error("unreachable");
  const second = afterFailure(first, 150, other, 250, () => 0);
  assert.deepEqual(second, { ...first, cause: other });
  const third = afterFailure(second, 200, cause, 300, () => 0);
  assert.ok(isDown(third), "a dial that began after the failure counts");
});
