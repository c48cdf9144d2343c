import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace } from "./pace.ts";

/** Begins as many dials at `now` as the pace allows. Returns how many. */
function beginAll(pace: Pace, now: number): number {
  let count = 0;
  while (pace.heldUntil(0, now) === null) {
    pace.began(now);
    count++;
  }
  return count;
}

test("twenty dials may begin at once, and then one in each gap", () => {
  const pace = new Pace();
  assert.equal(beginAll(pace, 1_000), 20);
  const until = pace.heldUntil(0, 1_000);
  assert.equal(until, 1_000 + pace.gapMsecs);
  let begun = 0;
  for (let count = 1; count <= 10; count++) {
    begun += beginAll(pace, 1_000 + (count + 0.01) * pace.gapMsecs);
  }
  assert.equal(begun, 10);
  assert.equal(beginAll(pace, 5_000), 20);
});

test("a process that looks too late does not make up for it", () => {
  const pace = new Pace();
  beginAll(pace, 0);
  assert.ok(beginAll(pace, 50) <= 3);
  pace.willLook(51);
  assert.ok(beginAll(pace, 100) <= 3);
});

test("dials that end late, one after the other, show what a handshake takes", () => {
  const pace = new Pace();
  pace.ended(50, 100);
  for (let count = 1; count <= 60; count++) pace.ended(60 + 3 * count, 100 + 3 * count);
  assert.ok(Math.abs(pace.gapMsecs - 3) < 0.1, `${pace.gapMsecs} ms`);
  for (let count = 0; count < 500; count++) pace.ended(50, 1_000 + count);
  assert.ok(pace.gapMsecs < 0.3, `${pace.gapMsecs} ms`);
});

test("a hundred dials that are all held up do not pass for a longer way", () => {
  const pace = new Pace();
  pace.ended(60, 100);
  for (let count = 1; count <= 100; count++) pace.ended(110, 100 + 2 * count);
  assert.ok(pace.gapMsecs > 1.9, `${pace.gapMsecs} ms`);
});

test("a way that has become longer is learned, and what is far away is not slow", () => {
  const pace = new Pace();
  for (let count = 0; count < 100; count++) pace.ended(40, 10 * count);
  let now = 1_000;
  for (let count = 0; count < 1_500; count++) {
    now += pace.gapMsecs;
    pace.ended(200, now);
  }
  assert.ok(pace.gapMsecs < 0.3, `${pace.gapMsecs} ms`);
});

test("as many dials are under way as can be made on the way to the server and back, and eight at least", () => {
  const far = new Pace();
  far.ended(400, 0);
  assert.equal(far.heldUntil(Math.floor(400 / far.gapMsecs), 0), null);
  assert.equal(far.heldUntil(Math.ceil(400 / far.gapMsecs), 0), Number.POSITIVE_INFINITY);
  const near = new Pace();
  near.ended(1, 0);
  assert.equal(near.heldUntil(7, 0), null);
  assert.equal(near.heldUntil(8, 0), Number.POSITIVE_INFINITY);
});
