import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ManualRequest,
  type ManualServices,
  type ManualWorld,
  manualWorld,
} from "../../test/support/manual-world.ts";

const [a, b] = ["http://a.test", "http://b.test"] as const;
const inX = { lane: "x" } as const;
const never = Number.POSITIVE_INFINITY;

function worldOf(
  saturationMsecs = 1_000,
  lanes: Required<ManualServices[string]>["lanes"] = { x: {}, y: {} },
): ManualWorld {
  const services = { s: { origins: ["a", "b"], lanes } };
  return manualWorld({ maxSockets: 1, saturationMsecs }, { services });
}

/** What was reported, as `[change, lane, at]`. */
function reports(world: ManualWorld): string[] {
  return world.saturations.map(({ change, lane }) => `${change} ${lane.lane} ${lane.origin}`);
}

test("a lane is reported when a request of it has waited for saturationMsecs, and once", () => {
  const world = worldOf();
  world.acquireMany(3, a, inX);
  world.advance(999);
  assert.deepEqual(reports(world), []);
  world.advance(1);
  assert.deepEqual(reports(world), [`saturated x ${a}`]);
  world.advance(60_000);
  assert.equal(world.saturations.length, 1);
});

test("a lane that is served in time is never reported, however many requests it has", () => {
  const world = worldOf();
  world.acquireMany(2, a, inX);
  for (let count = 0; count < 40; count++) {
    world.advance(900);
    world.release(world.grantedTo() as ManualRequest);
    world.acquire(a, inX);
  }
  assert.deepEqual(reports(world), []);
});

test("a lane is relieved when nothing has waited for as long, nor was refused, for saturationMsecs", () => {
  const world = worldOf();
  const [first] = world.acquireMany(2, a, inX) as [ManualRequest];
  world.advance(5_500);
  world.release(first);
  world.advance(2_000);
  assert.deepEqual(reports(world), [`saturated x ${a}`, `relieved x ${a}`]);
  world.advance(60_000);
  assert.equal(world.saturations.length, 2);
  assert.equal(world.pools.timers.count, 0);
});

test("a lane that was relieved is reported anew when it is saturated again", () => {
  const world = worldOf();
  world.acquireMany(2, a, inX);
  for (let round = 0; round < 3; round++) {
    world.advance(1_000);
    world.release(world.grantedTo() as ManualRequest);
    world.advance(2_500);
    world.acquire(a, inX);
  }
  assert.deepEqual(
    world.saturations.map(({ change }) => change),
    ["saturated", "relieved", "saturated", "relieved", "saturated", "relieved"],
  );
});

test("a lane stays saturated while requests are refused, though none waits for long", () => {
  const world = worldOf(1_000, { x: { overload: "reject" } });
  const holder = world.acquire(a, inX);
  for (let count = 0; count < 10; count++) {
    world.acquire(a, inX);
    assert.deepEqual(reports(world), [`saturated x ${a}`]);
    world.advance(999);
  }
  world.release(holder);
  assert.equal(world.saturations.length, 1);
  world.advance(2);
  assert.deepEqual(reports(world), [`saturated x ${a}`, `relieved x ${a}`]);
});

test("a full queue, a wait that timed out and a request that was shed are refusals", () => {
  const full = worldOf(1_000, { x: { maxPending: 0 } });
  full.acquireMany(2, a, inX);
  const late = worldOf();
  late.acquireMany(2, a, { ...inX, queueTimeoutMsecs: 10 });
  late.advance(10);
  const shed = worldOf(1_000, { x: { shedLate: true } });
  const first = shed.acquire(a, inX);
  shed.advance(100);
  shed.release(first);
  shed.acquireMany(2, a, inX);
  shed.acquire(a, { ...inX, queueTimeoutMsecs: 1 });
  for (const world of [full, late, shed]) {
    assert.deepEqual(reports(world), [`saturated x ${a}`]);
    assert.equal(world.saturations[0]?.lane.refused, 1);
  }
});

test("a request that gave up, or whose dial failed, is none that was refused", () => {
  const world = manualWorld({ maxSockets: 1 }, { dials: "wait" });
  world.cancel(world.acquire());
  world.dialFailed();
  world.acquire();
  world.dialFailed();
  world.advance(5_000);
  assert.deepEqual(world.saturations, []);
});

test("lanes and origins are reported each for itself", () => {
  const world = worldOf();
  world.acquireMany(2, a, inX);
  world.acquireMany(2, b, { lane: "y" });
  world.advance(500);
  world.acquire(a, { lane: "y" });
  world.advance(500);
  assert.deepEqual(reports(world).sort(), [`saturated x ${a}`, `saturated y ${b}`]);
  world.advance(500);
  assert.deepEqual(reports(world).slice(2), [`saturated y ${a}`]);
});

test("a report says what stands against the lane, and for how long", () => {
  const world = worldOf(1_000, { x: { maxPending: 2 } });
  const first = world.acquire(a, inX);
  world.advance(40);
  world.release(first);
  world.acquireMany(3, a, inX);
  world.advance(600);
  world.acquire(a, inX);
  world.advance(1_000);
  const common = { origin: a, service: "s", lane: "x", limitName: "maxSockets", limit: 1, open: 1 };
  assert.deepEqual(world.saturations, [
    {
      change: "saturated",
      lane: { ...common, pending: 2, waitedMsecs: 600, refused: 1, serviceMsecs: 40 },
    },
  ]);
  for (const each of world.grants.slice(1)) world.release(each);
  for (const each of world.grants.slice(2)) if (each.isHolding) world.release(each);
  world.advance(3_000);
  const { lane } = world.saturations[1] as (typeof world.saturations)[number];
  assert.deepEqual([lane.pending, lane.waitedMsecs, lane.refused, lane.open], [0, 0, 1, 1]);
});

test("the wait that is reported is the longest also where the newest goes first", () => {
  const world = worldOf(1_000, { x: { overload: "newest-first" } });
  world.acquireMany(2, a, inX);
  world.advance(400);
  world.acquire(a, inX);
  world.advance(600);
  assert.equal(world.saturations[0]?.lane.waitedMsecs, 1_000);
});

test("the limit of a lane is named as its own", () => {
  const services = { s: { origins: ["a"], lanes: { x: { maxSockets: 2 } } } };
  const world = manualWorld({ maxSockets: 9 }, { services });
  world.acquireMany(3, a, inX);
  world.advance(1_000);
  const { limitName, limit, open, serviceMsecs } = world.saturations[0]?.lane ?? {};
  assert.deepEqual([limitName, limit, open, serviceMsecs], ["maxSockets of lane x", 2, 2, null]);
});

test("with Infinity nothing is reported, and no timer is set for it", () => {
  const world = worldOf(never, { x: { maxPending: 1 } });
  world.acquireMany(3, a, inX);
  assert.equal(world.refusals.length, 1);
  world.advance(100_000);
  assert.deepEqual(world.saturations, []);
  assert.equal(world.pools.timers.count, 0);
});

test("no look is left to come when the client is closed or destroyed, or the pool is dropped", () => {
  const saturated = (): ManualWorld => {
    const world = worldOf();
    world.acquireMany(2, a, inX);
    world.advance(1_000);
    return world;
  };
  const closed = saturated();
  closed.close();
  assert.equal(closed.pools.timers.count, 0);
  closed.advance(5_000);
  const destroyed = saturated();
  destroyed.destroy();
  assert.equal(destroyed.pools.timers.count, 0);
  const dropped = worldOf(100_000, { x: { overload: "reject" } });
  const [holder] = dropped.acquireMany(2, a, inX) as [ManualRequest];
  dropped.lose(holder.connection);
  dropped.advance(30_000);
  assert.deepEqual([dropped.findPool(a), dropped.pools.timers.count], [undefined, 0]);
  assert.deepEqual(reports(dropped), [`saturated x ${a}`, `relieved x ${a}`]);
  for (const world of [closed, destroyed, dropped]) {
    const count = world.saturations.length;
    world.advance(200_000);
    assert.equal(world.saturations.length, count);
  }
});

test("requests that wait while the client is being closed are not reported", () => {
  const world = worldOf(1_000, { x: { queueTimeoutMsecs: 50 } });
  const [holder] = world.acquireMany(2, a, inX) as [ManualRequest];
  world.close();
  world.advance(5_000);
  world.release(holder);
  assert.deepEqual([world.saturations.length, world.pools.timers.count], [0, 0]);
});

test("a request that is sent again while the client is being closed is not reported", () => {
  const world = manualWorld(
    { maxSockets: 1, saturationMsecs: 1_000, connectTimeoutMsecs: never },
    { dials: "wait" },
  );
  const first = world.acquire();
  world.dialed();
  world.release(first);
  const again = world.acquire();
  world.close();
  assert.equal(world.fail(again), null);
  world.advance(5_000);
  assert.deepEqual([world.counts().pending, world.saturations.length], [1, 0]);
});

test("a saturation and its end are reported once, also when the service has another lane meanwhile", () => {
  const world = worldOf(1_000, { x: {} });
  const [holder] = world.acquireMany(2, a, inX) as [ManualRequest];
  world.advance(1_500);
  world.configure({}, { s: { origins: ["a", "b"], lanes: { x: {}, y: {} } } });
  world.advance(3_000);
  assert.deepEqual(reports(world), [`saturated x ${a}`]);
  world.release(holder);
  world.advance(3_000);
  assert.deepEqual(reports(world), [`saturated x ${a}`, `relieved x ${a}`]);
});

test("a lane that is gone is relieved, and its requests may saturate the one that they go on in", () => {
  const world = worldOf(1_000, { x: {} });
  world.acquireMany(2, a, inX);
  world.advance(1_500);
  world.configure({}, { s: { origins: ["a", "b"] } });
  world.advance(1_000);
  assert.deepEqual(reports(world), [
    `saturated x ${a}`,
    `relieved x ${a}`,
    `saturated default ${a}`,
  ]);
});

test("nothing is reported of a client that is being closed when its lanes change", () => {
  const world = worldOf(1_000, { x: {} });
  world.acquireMany(2, a, inX);
  world.close();
  world.configure({}, { s: { origins: ["a", "b"], lanes: { x: {}, y: {} } } });
  world.advance(5_000);
  assert.deepEqual([world.saturations.length, world.pools.timers.count], [0, 0]);
});

test("another saturationMsecs counts for those who wait already, and Infinity relieves", () => {
  const world = worldOf();
  world.acquireMany(2, a, inX);
  world.advance(300);
  world.configure({ saturationMsecs: 400 });
  assert.deepEqual(reports(world), []);
  world.advance(100);
  assert.deepEqual(reports(world), [`saturated x ${a}`]);
  world.configure({ saturationMsecs: never });
  assert.deepEqual(reports(world), [`saturated x ${a}`, `relieved x ${a}`]);
  world.advance(5_000);
  assert.deepEqual([world.saturations.length, world.pools.timers.count], [2, 0]);
});
