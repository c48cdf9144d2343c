import assert from "node:assert/strict";
import { test } from "node:test";
import { best, eventText, Kept, largestUpdate, ratesOf, scoreOf, shareLines } from "./feed.ts";
import { type Line, limits, type Note, type PoolUpdate, type Update } from "./messages.ts";

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
  const few = best([3, 1, -1], 24, (score) => score * 2);
  assert.deepEqual([few.chosen, few.total], [[3, 1, -1], 3]);
  assert.deepEqual(
    few.ranked.map(({ item, score }) => [item, score]),
    [
      [3, 6],
      [1, 2],
      [-1, -2],
    ],
  );
});

test("lines are shared in equal parts: small pools show all of theirs, and the sum has a bound", () => {
  assert.deepEqual(shareLines([3, 10]), [3, 10]);
  assert.deepEqual(shareLines([10_000]), [limits.lines]);
  const many = shareLines(
    Array.from({ length: limits.pools }, (_, index) => (index < 4 ? 2 : 500)),
  );
  assert(many.reduce((sum, each) => sum + each, 0) <= limits.allLines);
  assert.deepEqual(many.slice(0, 5), [2, 2, 2, 2, 22]);
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

test("an update in which everything is at its limit is no larger than is said", () => {
  const many = <V>(count: number, value: V): V[] => Array.from({ length: count }, () => value);
  const long = 123_456_789;
  const name = "n".repeat(24);
  const origin = "https://payments-and-more.example.com:8443";
  const place = { client: name, service: name, origin };
  const sockets = { open: 10_000, idle: 10_000, busy: 10_000, dialing: 10_000 };
  const line: Line = {
    id: long,
    state: "draining",
    dialed: long,
    opened: long,
    leased: long,
    idle: long,
    rested: long,
    requests: long,
  };
  const spread = { count: long, p50: 12_345.67, p99: 12_345.67, max: 12_345.67 };
  const lane = {
    name,
    busy: 10_000,
    pending: 10_000,
    waitedMsecs: long,
    served: long,
    refused: long,
    isSaturated: false,
    maxSockets: 10_000,
  };
  const pool: PoolUpdate = {
    id: long,
    ...place,
    sockets,
    maxSockets: 10_000,
    pending: 10_000,
    requests: long,
    opened: long,
    failed: long,
    resent: long,
    reuseRatio: 1 / 3,
    requestsPerSecond: 1e5 / 3,
    openedPerSecond: 1e5 / 3,
    wait: spread,
    firstByte: spread,
    idleWindow: { hinted: long, learned: long, used: long, closing: "unseen" },
    lanes: many(limits.lanes, lane),
    moreLanes: 10_000,
    lines: [],
    moreLines: 10_000,
    closed: many(limits.closed, { ...line, reason: "request-unfinished", ago: 500 }),
    closedCount: 10_000,
  };
  const note: Note = {
    kind: "resent",
    ago: 500,
    ...place,
    lane: name,
    method: "DELETE",
    path: "p".repeat(limits.pathLength),
    totalMsecs: 12_345.67,
    story: many(8, "request 12345 on connection 12345, idle for 1.5 s before"),
    causes: many(limits.causes, "m".repeat(limits.messageLength)),
  };
  const words = "w".repeat(250);
  const update: Update = {
    at: 1e12,
    sinceMsecs: 500,
    clients: many(limits.clients, {
      client: name,
      sockets,
      pending: 10_000,
      maxTotalSockets: null,
    }),
    moreClients: 10_000,
    pools: many(limits.pools, pool),
    morePools: 10_000,
    warnings: many(limits.warnings, { ...place, lane: name, words, advice: words }),
    notes: many(limits.notes, note),
    moreNotes: long,
  };
  const size =
    eventText("update", update).length + JSON.stringify(many(limits.allLines, line)).length;
  assert(size < largestUpdate, `${size}`);
});
