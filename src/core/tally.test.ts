import assert from "node:assert/strict";
import { test } from "node:test";
import type { Histogram } from "./histogram.ts";
import { LaneTally, Tally, tallyOfPool } from "./tally.ts";

const sumsOf = (...all: (Histogram | null)[]) => all.map((each) => each?.sum ?? null);

test("whoever asks is told of all that was recorded, however much else was noted in the pool meanwhile", () => {
  for (let others = 0; others < 60; others++) {
    const pool = tallyOfPool();
    const lane = new LaneTally(pool.notes);
    const other = new LaneTally(pool.notes);
    pool.usedAgain(1);
    lane.waited(2);
    lane.used(3);
    lane.responded(4);
    for (let index = 0; index < others; index++) other.used(5);
    pool.usedAgain(10);
    lane.used(30);
    assert.deepEqual(sumsOf(pool.idle), [11], `${others} others`);
    assert.deepEqual(sumsOf(lane.queue, lane.use, lane.firstByte), [2, 33, 4]);
    assert.deepEqual(sumsOf(other.queue, other.use, other.firstByte), [
      null,
      others === 0 ? null : 5 * others,
      null,
    ]);
  }
});

test("each distribution is whole when it is asked for first", () => {
  const ask = [
    (lane: LaneTally) => lane.queue,
    (lane: LaneTally) => lane.use,
    (lane: LaneTally) => lane.firstByte,
  ];
  for (const [index, asked] of ask.entries()) {
    const lane = new LaneTally(tallyOfPool().notes);
    lane.waited(1);
    lane.used(2);
    lane.responded(3);
    assert.deepEqual(sumsOf(asked(lane)), [index + 1]);
  }
});

test("a sum has all that was recorded, and what is recorded after it is not in it", () => {
  const pool = tallyOfPool();
  const lane = new LaneTally(pool.notes);
  pool.usedAgain(1);
  lane.used(2);
  lane.responded(3);
  lane.waited(4);
  const sum = new Tally(null);
  const laneSum = new LaneTally(null);
  sum.add(pool);
  laneSum.add(lane);
  pool.usedAgain(10);
  lane.used(20);
  assert.deepEqual(sumsOf(sum.idle, laneSum.use, laneSum.firstByte, laneSum.queue), [1, 2, 3, 4]);
  assert.deepEqual(sumsOf(pool.idle, lane.use), [11, 22]);
});

test("a lane that is gone counts with those before it, and what comes of its requests later counts for no other lane", () => {
  const pool = tallyOfPool();
  const former = new LaneTally(pool.notes);
  former.used(1);
  pool.forget(former);
  const next = new LaneTally(pool.notes);
  former.used(2);
  former.responded(3);
  next.used(4);
  assert.deepEqual(sumsOf(pool.formerLanes?.use ?? null), [1]);
  assert.deepEqual(sumsOf(next.use, next.firstByte), [4, null]);
});

test("what is released has no distributions, and none come of what was noted before", () => {
  const pool = tallyOfPool();
  const lane = new LaneTally(pool.notes);
  pool.usedAgain(1);
  lane.used(2);
  pool.release();
  lane.release();
  assert.deepEqual(sumsOf(pool.idle, lane.use), [null, null]);
});

test("lanes that come and go leave no places behind", () => {
  const pool = tallyOfPool();
  const free = () => pool.notes?.enter({ count: () => {} });
  for (let round = 0; round < 100; round++) {
    const lane = new LaneTally(pool.notes);
    lane.used(1);
    pool.forget(lane);
  }
  // The pool's own place is the first.
  assert.equal(free(), 4);
  assert.equal(pool.formerLanes?.use?.count, 100);
});
