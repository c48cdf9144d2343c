import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type IdleKnowledge,
  idleWindowMsecs,
  needsLook,
  strictWindowMsecs,
} from "./idle-window.ts";

const never = Number.POSITIVE_INFINITY;
const nothing: IdleKnowledge = {
  keepAliveMsecs: never,
  hintMsecs: null,
  learnedMsecs: null,
  roundTripMsecs: 0,
};

test("without a hint and a close the window is what the user allows", () => {
  for (const keepAliveMsecs of [5_000, never, 0]) {
    assert.equal(
      idleWindowMsecs({ ...nothing, keepAliveMsecs, roundTripMsecs: 40 }),
      keepAliveMsecs,
    );
  }
});

test("a hint counts less a fifth of it, at least 100 ms and at most 1 s", () => {
  assert.equal(idleWindowMsecs({ ...nothing, hintMsecs: 1_000 }), 800);
  assert.equal(idleWindowMsecs({ ...nothing, hintMsecs: 300 }), 200);
  assert.equal(idleWindowMsecs({ ...nothing, hintMsecs: 60_000 }), 59_000);
});

test("what was learned counts less a tenth of it, at least 10 ms and at most 1 s", () => {
  assert.equal(idleWindowMsecs({ ...nothing, learnedMsecs: 1_000 }), 900);
  assert.equal(idleWindowMsecs({ ...nothing, learnedMsecs: 50 }), 40);
  assert.equal(idleWindowMsecs({ ...nothing, learnedMsecs: 60_000 }), 59_000);
});

test("a round trip goes off, as the server's clock starts before ours; but no more than a quarter", () => {
  assert.equal(idleWindowMsecs({ ...nothing, hintMsecs: 60_000, roundTripMsecs: 250 }), 58_750);
  assert.equal(idleWindowMsecs({ ...nothing, learnedMsecs: 300, roundTripMsecs: 30 }), 240);
  assert.equal(idleWindowMsecs({ ...nothing, learnedMsecs: 300, roundTripMsecs: 9_000 }), 195);
});

test("the shortest of the three limits wins", () => {
  const known = { ...nothing, keepAliveMsecs: 5_000, hintMsecs: 3_000, learnedMsecs: 2_000 };
  assert.equal(idleWindowMsecs(known), 1_800);
  assert.equal(idleWindowMsecs({ ...known, learnedMsecs: 9_000 }), 2_400);
  assert.equal(idleWindowMsecs({ ...known, learnedMsecs: null, hintMsecs: 60_000 }), 5_000);
});

test("a hint too short to be met leaves no window", () => {
  for (const hintMsecs of [0, 100]) {
    assert.ok(idleWindowMsecs({ ...nothing, hintMsecs }) <= 0);
  }
});

test("a request not to be sent twice trusts no idle time that was not survived", () => {
  assert.equal(strictWindowMsecs(nothing, null, 0), 25);
  assert.equal(strictWindowMsecs(nothing, null, 1_000), 900);
  assert.equal(strictWindowMsecs({ ...nothing, roundTripMsecs: 100 }, null, 1_000), 810);
  assert.equal(strictWindowMsecs({ ...nothing, keepAliveMsecs: 500 }, null, 1_100), 500);
});

test("a request not to be sent twice keeps to four fifths of a hint and three quarters of a close", () => {
  assert.equal(strictWindowMsecs({ ...nothing, hintMsecs: 10_000 }, null, 0), 7_200);
  assert.equal(strictWindowMsecs({ ...nothing, roundTripMsecs: 30 }, 400, 60_000), 270);
  assert.equal(strictWindowMsecs({ ...nothing, hintMsecs: 10_000 }, 400, 0), 300);
});

test("a connection is looked at after an idle time, sooner for a request not to be sent twice", () => {
  assert.deepEqual(
    [0, 49, 50, 999, 1_000].map((idle) => needsLook(idle, false)),
    [false, false, true, true, true],
  );
  assert.deepEqual(
    [0, 49, 50, 999, 1_000].map((idle) => needsLook(idle, true)),
    [false, false, false, false, true],
  );
});
