import assert from "node:assert/strict";
import { test } from "node:test";
import { type FailedAttempt, type ResendRefusal, resendAfter, resendRefusal } from "./resend.ts";

/** A GET that the server closed an idle connection under. */
const usual: FailedAttempt = {
  mode: "safe",
  isReused: true,
  isWritten: true,
  hasResponse: false,
  isIdempotent: true,
  canRepeatBody: true,
};

const rows: readonly [Partial<FailedAttempt>, ResendRefusal | null][] = [
  [{}, null],
  [{ mode: "never" }, "switched-off"],
  [{ mode: "never", isWritten: false }, "switched-off"],
  [{ hasResponse: true }, "response-begun"],
  [{ hasResponse: true, isReused: false }, "response-begun"],
  [{ isReused: false }, "fresh-connection"],
  [{ isReused: false, isWritten: false }, "fresh-connection"],
  [{ isWritten: false, isIdempotent: false }, null],
  [{ isWritten: false, isIdempotent: false, canRepeatBody: false }, null],
  [{ isIdempotent: false }, "not-idempotent"],
  [{ isIdempotent: false, canRepeatBody: false }, "not-idempotent"],
  [{ canRepeatBody: false }, "body-consumed"],
];

for (const [difference, decision] of rows) {
  const what = Object.entries(difference).map(([name, value]) => `${name} ${value}`);
  const title = what.length === 0 ? "a GET on a reused connection" : what.join(", ");
  test(`${title}: ${decision ?? "sent again"}`, () => {
    assert.equal(resendRefusal({ ...usual, ...difference }), decision);
  });
}

test("what the server may have seen is sent again only if it is idempotent and whole, on a reused connection", () => {
  for (let bits = 0; bits < 64; bits++) {
    const attempt: FailedAttempt = {
      mode: bits & 1 ? "safe" : "never",
      isReused: (bits & 2) > 0,
      isWritten: (bits & 4) > 0,
      hasResponse: (bits & 8) > 0,
      isIdempotent: (bits & 16) > 0,
      canRepeatBody: (bits & 32) > 0,
    };
    if (resendRefusal(attempt) !== null) continue;
    assert.ok(attempt.mode === "safe" && attempt.isReused && !attempt.hasResponse);
    assert.ok(!attempt.isWritten || (attempt.isIdempotent && attempt.canRepeatBody));
  }
});

test("tries on idle connections are as many as there were idle ones at the first failure", () => {
  const first = resendAfter(null, 7, false, 2);
  assert.deepEqual(first, { count: 1, failedId: 7, idleLeft: 2, isSent: false });
  const second = resendAfter(first, 8, true, 50);
  assert.deepEqual(second, { count: 2, failedId: 8, idleLeft: 1, isSent: true });
  const third = resendAfter(second, 9, false, 50);
  assert.deepEqual(third, { count: 3, failedId: 9, idleLeft: 0, isSent: true });
});
