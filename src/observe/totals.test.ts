import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultOrigin, type ManualRequest, manualWorld } from "../../test/support/manual-world.ts";
import { serviceStats, snapshot } from "./stats.ts";

const other = "http://b.test";

test("what a pool counted counts for its service when it is gone", () => {
  const world = manualWorld(
    { maxSockets: 1, keepAliveMsecs: 500 },
    { services: { s: { origins: ["a", "b"], lanes: { x: { maxPending: 1 } } } } },
  );
  for (const origin of [defaultOrigin, other]) {
    for (let round = 0; round < 2; round++) {
      const [first, second] = world.acquireMany(3, origin, { lane: "x" }) as ManualRequest[];
      world.advance(100);
      for (const request of [first, second]) {
        world.release(request as ManualRequest);
        world.advance(10);
      }
    }
  }
  const before = serviceStats(world.pools, "s");
  assert.equal(before.totals.requests, 12);
  assert.deepEqual([before.totals.opened, before.totals.reused], [2, 6]);
  const { x } = before.lanes;
  assert.deepEqual([x?.served, x?.refused, x?.timings.use.count], [8, 4, 8]);
  assert.deepEqual(
    [x?.timings.queue.max, before.totals.timings.queue.count, x?.timings.use.max],
    [100, 8, 100],
  );
  assert.deepEqual([before.totals.timings.idle.count, before.totals.timings.idle.max], [2, 10]);
  world.advance(31_000);
  assert.deepEqual(snapshot(world.pools, 0).origins, []);
  const after = serviceStats(world.pools, "s");
  const { closed, timings, ...totals } = after.totals;
  const { closed: _, timings: __, ...totalsBefore } = before.totals;
  assert.deepEqual(totals, totalsBefore);
  assert.equal(closed["idle-timeout"], 2);
  assert.equal(timings.life.count, 2);
  assert.deepEqual(timings.use, before.totals.timings.use);
  assert.deepEqual(after.lanes.x?.timings, x?.timings);
  assert.deepEqual([after.lanes.x?.served, after.lanes.x?.refused], [8, 4]);
  world.acquire(defaultOrigin, { lane: "x" });
  assert.equal(serviceStats(world.pools, "s").lanes.x?.served, 9);
});

test("a pool that makes room for another is counted with the connections that it loses by that", () => {
  const world = manualWorld({ maxOrigins: 1 });
  world.release(world.acquire());
  world.acquire(other);
  const { totals, origins } = serviceStats(world.pools, "default");
  assert.deepEqual([origins, totals.requests, totals.opened], [1, 2, 2]);
  assert.equal(totals.closed["max-origins"], 1);
});

test("what a lane counted that is gone stays in the numbers of its origin and service", () => {
  const services = { s: { origins: ["a"], lanes: { x: {}, y: {} } } };
  const world = manualWorld({}, { services });
  for (const lane of ["x", "y"]) world.release(world.acquire(defaultOrigin, { lane }));
  world.configure({}, { s: { origins: ["a"], lanes: { y: {} } } });
  const stats = snapshot(world.pools, 0);
  const [origin] = stats.origins;
  assert.deepEqual(Object.keys(origin?.lanes ?? {}), ["y"]);
  assert.equal(origin?.timings.use.count, 2);
  const service = stats.services.find((each) => each.service === "s");
  assert.equal(service?.totals.timings.use.count, 2);
  assert.equal(service?.lanes.y?.timings.use.count, 1);
});
