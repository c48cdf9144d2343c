import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultOrigin, type ManualRequest, manualWorld } from "../../test/support/manual-world.ts";
import { retireReasons } from "../core/retire.ts";
import { type OriginStats, serviceStats, snapshot } from "./stats.ts";

const other = "http://b.test";

type World = ReturnType<typeof manualWorld>;

function statsOf(world: World, origin = defaultOrigin): OriginStats {
  const found = snapshot(world.pools, 0).origins.find((each) => each.origin === origin);
  assert(found !== undefined, `no stats of ${origin}`);
  return found;
}

const none = { count: 0, mean: null, p50: null, p90: null, p99: null, max: null };
const laneTimings = { queue: none, firstByte: none, use: none };

test("a client that did nothing has no origins", () => {
  assert.deepEqual(snapshot(manualWorld().pools, 1_234), {
    at: 1_234,
    client: {
      sockets: { open: 0, idle: 0, busy: 0, dialing: 0 },
      pending: 0,
      maxTotalSockets: null,
    },
    services: [
      {
        service: "default",
        origins: 0,
        sockets: { open: 0, idle: 0, busy: 0, dialing: 0 },
        pending: 0,
        maxTotalSockets: null,
        highWater: { open: 0, pending: 0 },
        tuning: { mode: "off", maxFreeSockets: 256, keepAliveMsecs: 5_000, changes: 0 },
        totals: {
          requests: 0,
          opened: 0,
          resumedTls: 0,
          reused: 0,
          reuseRatio: null,
          resent: 0,
          failed: 0,
          leaked: { reported: 0, collected: 0 },
          closed: Object.fromEntries(Object.keys(retireReasons).map((reason) => [reason, 0])),
          timings: {
            ...laneTimings,
            ...{ dial: none, connect: none, tls: none, idle: none, life: none },
          },
        },
        lanes: {
          default: {
            ...{ busy: 0, pending: 0, served: 0, timedOut: 0, refused: 0, shed: 0 },
            highWater: { busy: 0, pending: 0, waitMsecs: 0 },
            timings: laneTimings,
          },
        },
      },
    ],
    origins: [],
  });
});

test("a service's numbers are those of its origins and lanes, and its high-water marks stay", () => {
  const world = manualWorld(
    { maxSockets: 2 },
    { services: { s: { origins: ["a", "b"], maxTotalSockets: 3, lanes: { x: {} } } } },
  );
  world.acquireMany(3, defaultOrigin, { lane: "x" });
  world.acquireMany(3, "http://b.test");
  const then = serviceStats(world.pools, "s");
  assert.deepEqual([then.origins, then.pending, then.maxTotalSockets], [2, 3, 3]);
  assert.deepEqual(then.sockets, { open: 3, idle: 0, busy: 3, dialing: 0 });
  assert.deepEqual([then.lanes.x?.busy, then.lanes.x?.pending], [2, 1]);
  world.advance(70);
  for (let left = 6; left > 0; left--) {
    world.release(world.requests.find((each) => each.isHolding) as ManualRequest);
  }
  const now = serviceStats(world.pools, "s");
  assert.deepEqual([now.pending, now.sockets.busy, now.lanes.x?.busy], [0, 0, 0]);
  assert.deepEqual(now.highWater, { open: 3, pending: 3 });
  assert.deepEqual(now.lanes.x?.highWater, { busy: 2, pending: 1, waitMsecs: 70 });
});

test("the client's numbers are the sums of its origins'", () => {
  const world = manualWorld({ maxSockets: 2, maxTotalSockets: 9 }, { dials: "wait" });
  world.acquire(defaultOrigin);
  world.acquireMany(3, other);
  const stats = snapshot(world.pools, 0);
  assert.deepEqual(
    stats.origins.map(({ origin, sockets, pending }) => [origin, sockets.open, pending]),
    [
      [defaultOrigin, 1, 1],
      [other, 2, 3],
    ],
  );
  for (const count of ["open", "idle", "busy", "dialing"] as const) {
    const sum = stats.origins.reduce((total, each) => total + each.sockets[count], 0);
    assert.equal(stats.client.sockets[count], sum);
  }
  assert.equal(stats.client.pending, 4);
  assert.equal(stats.client.maxTotalSockets, 9);
});

test("every reason for which a connection can be closed is there, from the start", () => {
  const world = manualWorld();
  world.acquire();
  assert.deepEqual(Object.keys(statsOf(world).closed), Object.keys(retireReasons));
  assert(Object.values(statsOf(world).closed).every((count) => count === 0));
});

test("what is unknown or without end is null: JSON has no Infinity", () => {
  const endless = manualWorld({ keepAliveMsecs: Number.POSITIVE_INFINITY }, { dials: "wait" });
  endless.acquire();
  const { idleWindowMsecs, reuseRatio } = statsOf(endless);
  assert.deepEqual(idleWindowMsecs, {
    hinted: null,
    learned: null,
    used: null,
    usedUnlessReplayable: 25,
    closing: "unseen",
  });
  assert.equal(reuseRatio, null);
  const limited = manualWorld({ keepAliveMsecs: 700 });
  limited.acquire();
  assert.equal(statsOf(limited).idleWindowMsecs.used, 700);
});

test("a snapshot does not change with what happens later", () => {
  const world = manualWorld();
  world.acquire();
  const before = snapshot(world.pools, 0);
  const copy = structuredClone(before);
  world.acquire();
  assert.deepEqual(before, copy);
  assert.notDeepEqual(snapshot(world.pools, 0), copy);
});
