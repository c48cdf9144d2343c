import assert from "node:assert/strict";
import { test } from "node:test";
import { type Course, extend, History, keptMsecs } from "./history.ts";
import { type Hello, type Line, limits, type PoolUpdate, type Update } from "./messages.ts";

const line: Line = {
  id: 1,
  state: "idle",
  dialed: null,
  opened: null,
  leased: null,
  idle: null,
  rested: 0,
  requests: 0,
};

function course(): Course {
  return { id: 1, segments: [], requests: 0, closed: null, seenAt: 0 };
}

/** What a course did, as `busy 10-20`. */
function told({ segments }: Course): string[] {
  return segments.map(({ state, from, to }) => `${state} ${from}-${to}`);
}

test("the course of a connection is put together from what each update says of it", () => {
  const it = course();
  extend(it, { ...line, state: "dialing", dialed: 30 }, 1_000);
  extend(it, { ...line, state: "busy", dialed: 530, opened: 450, leased: 450, requests: 1 }, 1_500);
  extend(it, { ...line, dialed: 1_030, opened: 950, leased: 950, idle: 400, requests: 1 }, 2_000);
  assert.deepEqual(told(it), ["dialing 970-1050", "busy 1050-1600", "idle 1600-2000"]);
});

test("a request that came and went between two updates is seen, to the millisecond", () => {
  const it = course();
  extend(it, { ...line, opened: 900, leased: 800, idle: 700, requests: 1 }, 1_000);
  const last = { opened: 1_400, leased: 300, idle: 250, rested: 900, requests: 2 };
  extend(it, { ...line, ...last }, 1_500);
  assert.deepEqual(told(it), ["busy 200-300", "idle 300-1200", "busy 1200-1250", "idle 1250-1500"]);
});

test("a connection that goes from one request to the next is busy all the time, and its short rests are seen", () => {
  const it = course();
  extend(it, { ...line, state: "busy", opened: 10, leased: 5, requests: 1 }, 1_000);
  extend(it, { ...line, state: "busy", opened: 510, leased: 100, rested: 0, requests: 9 }, 1_500);
  assert.deepEqual(told(it), ["busy 995-1500"]);
  extend(
    it,
    { ...line, state: "busy", opened: 1_010, leased: 100, rested: 200, requests: 10 },
    2_000,
  );
  assert.deepEqual(told(it), ["busy 995-1700", "idle 1700-1900", "busy 1900-2000"]);
});

test("pieces of a course never overlap, whatever comes", () => {
  const it = course();
  let seed = 7;
  const random = (most: number): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % most;
  };
  for (let at = 1_000, requests = 0; at < 200_000; at += 500) {
    requests += random(3);
    const isIdle = random(2) === 0;
    const leased = random(700);
    const idle = isIdle ? random(leased + 1) : null;
    const state = isIdle ? "idle" : "busy";
    extend(
      it,
      { ...line, state, opened: at - 900, leased, idle, rested: random(400), requests },
      at,
    );
    for (const [index, { from, to }] of it.segments.entries()) {
      assert(from <= to);
      assert(from >= (it.segments[index - 1]?.to ?? 0));
    }
    assert.equal(it.segments.at(-1)?.to, at);
  }
});

const hello: Hello = {
  format: "keepline-dashboard",
  formatVersion: 1,
  keepline: "0",
  node: "20",
  pid: 1,
  program: "app.js",
  tickMsecs: 500,
};
const spread = { count: 0, p50: null, p99: null, max: null };

function update(at: number, pool: Partial<PoolUpdate> = {}): Update {
  const sockets = { open: 1, idle: 1, busy: 0, dialing: 0 };
  const whole: PoolUpdate = {
    id: 1,
    client: "",
    service: "default",
    origin: "http://a",
    sockets,
    maxSockets: 5,
    pending: 0,
    requests: 0,
    opened: 0,
    failed: 0,
    resent: 0,
    reuseRatio: null,
    requestsPerSecond: null,
    openedPerSecond: null,
    wait: spread,
    firstByte: spread,
    idleWindow: { hinted: null, learned: null, used: null, closing: "unseen" },
    lanes: [],
    moreLanes: 0,
    lines: [],
    moreLines: 0,
    closed: [],
    closedCount: 0,
    ...pool,
  };
  return {
    at,
    sinceMsecs: 500,
    clients: [],
    moreClients: 0,
    pools: [whole],
    morePools: 0,
    warnings: [],
    notes: [],
    moreNotes: 0,
  };
}

test("a connection that has ended keeps its course, with its reason and the instant of its end", () => {
  const history = new History();
  history.begin(hello);
  history.add(
    update(10_000, { lines: [{ ...line, opened: 100, leased: 90, idle: 80, requests: 1 }] }),
  );
  const ended = { ...line, opened: 300, leased: 290, idle: 280, requests: 1 };
  history.add(update(10_500, { closed: [{ ...ended, reason: "server-closed", ago: 300 }] }));
  const known = history.pools.get(1)?.courses.get(1) as Course;
  assert.deepEqual(known.closed, { at: 10_200, reason: "server-closed" });
  assert.deepEqual(told(known), ["busy 9910-9920", "idle 9920-10200"]);
  assert.deepEqual([...(history.pools.get(1)?.closedFor ?? [])], [["server-closed", 1]]);
});

test("what a connection did while it was not shown is not made up", () => {
  const history = new History();
  history.begin(hello);
  const busy = { ...line, state: "busy" as const, opened: 100, leased: 50, requests: 1 };
  history.add(update(10_000, { lines: [busy] }));
  history.add(update(15_000));
  const later = { ...busy, opened: 10_100, leased: 20, rested: 700, requests: 9 };
  history.add(update(20_000, { lines: [later] }));
  const known = history.pools.get(1)?.courses.get(1) as Course;
  assert.deepEqual(told(known), ["busy 19980-20000"]);
});

test("what is old is forgotten, and so is everything when another process answers", () => {
  const history = new History();
  history.begin(hello);
  let id = 1;
  for (let at = 0; at <= 2 * keptMsecs; at += 500) {
    const lines = Array.from({ length: 60 }, () => ({ ...line, id: id++, opened: 1 }));
    history.add(update(at, { lines }));
  }
  const pool = history.pools.get(1);
  assert.equal(pool?.points.length, keptMsecs / 500 + 1);
  assert((pool?.courses.size ?? 0) <= 400);
  history.begin(hello);
  assert.equal(history.pools.size, 1);
  history.begin({ ...hello, pid: 2 });
  assert.equal(history.pools.size, 0);
});

test("no more pools are listed than an update has, and those of the last one always; what it leaves out is remembered for a while", () => {
  const history = new History();
  history.begin(hello);
  const showing = (at: number, from: number, count: number): void => {
    const one = update(at);
    const pools = Array.from({ length: count }, (_, index) => ({
      ...(one.pools[0] as PoolUpdate),
      id: from + index,
    }));
    history.add({ ...one, pools });
  };
  const ids = (): number[] => history.listed.map(({ id }) => id).toSorted((a, b) => a - b);
  const range = (from: number, count: number): number[] =>
    Array.from({ length: count }, (_, index) => from + index);
  showing(10_000, 1, 2);
  showing(10_500, 11, 3);
  assert.deepEqual(ids(), [1, 2, 11, 12, 13]);
  showing(11_000, 101, limits.pools - 4);
  assert.deepEqual(ids(), [1, 11, 12, 13, ...range(101, limits.pools - 4)]);
  showing(11_500, 201, limits.pools);
  assert.deepEqual(ids(), range(201, limits.pools));
  showing(12_000, 1, 1);
  assert.equal(history.pools.get(1)?.points.length, 2);
  showing(42_001, 201, 1);
  assert.deepEqual(ids(), [201]);
});
