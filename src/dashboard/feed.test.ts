import assert from "node:assert/strict";
import { test } from "node:test";
import { best, Kept, ratesOf, scoreOf, shareLines } from "./feed.ts";
import { limits } from "./messages.ts";

const quiet = { pending: 0, busy: 0, dialing: 0, open: 1, isActive: false, wasShown: false };

test("what waits comes before what works, and that before what rests", () => {
  const scores = [
    quiet,
    { ...quiet, isActive: true },
    { ...quiet, isActive: true, busy: 5, open: 6 },
    { ...quiet, isActive: true, pending: 1 },
    { ...quiet, isActive: true, pending: 100, open: 50 },
  ].map(scoreOf);
  assert.deepEqual(
    scores,
    scores.toSorted((a, b) => a - b),
  );
});

test("a pool that is shown is not lost to one that works for a moment, but to one that waits", () => {
  const shown = scoreOf({ ...quiet, wasShown: true });
  assert(shown > scoreOf({ ...quiet, isActive: true, open: 0 }));
  assert(shown < scoreOf({ ...quiet, pending: 1, isActive: true }));
});

test("of ten thousand pools the best are chosen, in the order in which they came, and all are counted", () => {
  const scores = Array.from({ length: 10_000 }, (_, index) => (index * 7_919) % 10_007);
  const { chosen, total } = best(scores, 24, (score) => score);
  const wanted = scores.toSorted((a, b) => b - a).slice(0, 24);
  assert.equal(total, 10_000);
  assert.deepEqual(
    chosen,
    scores.filter((score) => wanted.includes(score)),
  );
  assert.deepEqual(
    best([3, 1], 24, (score) => score),
    { chosen: [3, 1], total: 2 },
  );
});

test("lines are shared in equal parts: small pools show all of theirs, and the sum has a bound", () => {
  assert.deepEqual(shareLines([3, 10]), [3, 10]);
  assert.deepEqual(shareLines([10_000]), [limits.lines]);
  const many = shareLines(
    Array.from({ length: limits.pools }, (_, index) => (index < 4 ? 2 : 500)),
  );
  assert(many.reduce((sum, each) => sum + each, 0) <= limits.allLines);
  assert.deepEqual(many.slice(0, 5), [2, 2, 2, 2, 17]);
});

test("what is too much is counted and not made", () => {
  const kept = new Kept<number>(2);
  let made = 0;
  for (let index = 0; index < 5; index++) kept.add(() => ++made);
  assert.deepEqual([kept.items, kept.count, kept.leftOut, made], [[1, 2], 5, 3, 2]);
});

test("a rate needs an update before", () => {
  const now = { requests: 150, opened: 4 };
  assert.deepEqual(ratesOf(now, null, 500), { requestsPerSecond: null, openedPerSecond: null });
  assert.deepEqual(ratesOf(now, { requests: 50, opened: 4 }, 500), {
    requestsPerSecond: 200,
    openedPerSecond: 0,
  });
});
