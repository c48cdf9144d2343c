// Tuning on the manual clock: what is moved, what is not, and what the program's own changes do to it. How well it finds the
// values that cost least is seen in test/property/tuning.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type ManualWorld, manualWorld } from "../../test/support/manual-world.ts";
import type { CoreOptions } from "./options.ts";
import type { Given } from "./rules.ts";
import type { Tuning } from "./tuning-options.ts";

const intervalMsecs = 1_000;
const auto: Tuning = { intervalMsecs, maxFreeSockets: [1, 20], keepAliveMsecs: [100, 20_000] };
const small: Given<CoreOptions> = { tuning: auto, maxFreeSockets: 1, keepAliveMsecs: 5_000 };

/** Bursts of `size`, one every half a second, and then all is at rest. */
function bursts(world: ManualWorld, count: number, size = 4, origin = "http://a.test"): void {
  for (let burst = 0; burst < count; burst++) {
    for (const request of world.acquireMany(size, origin)) world.release(request);
    world.advance(500);
  }
}

/** What is in force for a service. */
function inForce(world: ManualWorld, name = "default") {
  const service = [...world.pools.services].find((each) => each.name === name);
  assert(service !== undefined, name);
  const { maxFreeSockets, keepAliveMsecs } = service.options;
  return { maxFreeSockets, keepAliveMsecs };
}

function steps(world: ManualWorld): string[] {
  return world.changes.map(({ option, from, to }) => `${option} ${from} > ${to}`);
}

test("a maxFreeSockets that is too small for bursts grows to their size, a step at a time, with the reason", () => {
  const world = manualWorld(small);
  bursts(world, 30);
  assert.deepEqual(steps(world), [
    "maxFreeSockets 1 > 2",
    "maxFreeSockets 2 > 3",
    "maxFreeSockets 3 > 4",
  ]);
  assert.equal(world.counts().idle, 4);
  const [first] = world.changes;
  assert(first !== undefined);
  assert.equal(first.service, "default");
  assert(Math.abs(first.before.openedPerSecond - 6) < 1.5, `${first.before.openedPerSecond}`);
  assert(first.after.openedPerSecond < first.before.openedPerSecond);
  assert(first.after.meanIdle > first.before.meanIdle);
  assert(first.after.costPerSecond < first.before.costPerSecond);
  assert.match(
    first.reason,
    /^with maxFreeSockets 4 and keepAliveMsecs 5000, [\d.]+ dials a second and [\d.]+ idle sockets; now [\d.]+ dials a second and [\d.]+ idle sockets$/,
  );
});

test("the first move waits for a second look, so that one burst moves nothing", () => {
  const world = manualWorld(small);
  bursts(world, 2);
  assert.deepEqual(steps(world), []);
  world.advance(60_000);
  assert.deepEqual(steps(world), []);
});

test("a client at rest is looked at once more, and then not woken any more", () => {
  const world = manualWorld({ ...small, keepAliveMsecs: 100 });
  bursts(world, 4);
  world.advance(200_000);
  assert.equal(world.wakeAt, Number.POSITIVE_INFINITY);
  assert.equal(world.pools.timers.count, 0);
});

test("connections that nothing needs any more are let go when they cost more than their dials", () => {
  const dear: Tuning = { ...auto, weights: { idleSecond: 1 } };
  const world = manualWorld({ tuning: dear, maxFreeSockets: 20, keepAliveMsecs: 20_000 });
  for (let burst = 0; burst < 60; burst++) {
    for (const request of world.acquireMany(6)) world.release(request);
    world.advance(15_000);
  }
  const { maxFreeSockets, keepAliveMsecs } = inForce(world);
  assert(maxFreeSockets === 1 || keepAliveMsecs < 1_000, JSON.stringify(inForce(world)));
  assert(world.counts().idle <= 1);
});

test("what is frozen from the beginning is as it was given, beyond all bounds, too", () => {
  const never = Number.POSITIVE_INFINITY;
  const values = { maxFreeSockets: never, keepAliveMsecs: never };
  assert.deepEqual(inForce(manualWorld({ ...values, tuning: "frozen" })), values);
});

test("what is frozen stays as it is, and is taken up from there", () => {
  const world = manualWorld(small);
  bursts(world, 7);
  const { maxFreeSockets } = inForce(world);
  assert(maxFreeSockets > 1 && maxFreeSockets < 4, `${maxFreeSockets}`);
  const before = steps(world);
  world.configure({ tuning: { ...auto, mode: "frozen" } });
  bursts(world, 20);
  assert.equal(inForce(world).maxFreeSockets, maxFreeSockets);
  assert.deepEqual(steps(world), before);
  world.configure({ tuning: auto });
  bursts(world, 20);
  assert.equal(world.changes[before.length]?.from, maxFreeSockets);
  assert.equal(world.counts().idle, 4);
});

test("turned off, the values that were given hold again, and what is over them is closed at once", () => {
  const world = manualWorld(small);
  bursts(world, 30);
  world.configure({ tuning: "off" });
  assert.deepEqual(inForce(world), { maxFreeSockets: 1, keepAliveMsecs: 5_000 });
  assert.equal(world.counts().idle, 1);
  assert.equal(world.pool().shadow, null);
  bursts(world, 30);
  assert.equal(world.counts().idle, 1);
});

test("a value that the program changes is where it goes on from, and other changes leave it where it is", () => {
  const world = manualWorld(small);
  bursts(world, 30);
  world.configure({ maxPending: 100 });
  assert.equal(inForce(world).maxFreeSockets, 4);
  world.configure({ maxFreeSockets: 8 });
  assert.equal(inForce(world).maxFreeSockets, 8);
  world.configure({ keepAliveMsecs: 50 });
  assert.deepEqual(inForce(world), { maxFreeSockets: 8, keepAliveMsecs: 100 }, "within the bounds");
  world.configure({ tuning: { ...auto, maxFreeSockets: [1, 3] } });
  assert.equal(inForce(world).maxFreeSockets, 3);
});

test("each service is tuned by what happens at its own origins", () => {
  const world = manualWorld(small, {
    services: { one: { origins: ["b"] }, two: { origins: ["c"], options: { tuning: "off" } } },
  });
  for (let round = 0; round < 30; round++) {
    for (const origin of ["http://b.test", "http://c.test"]) {
      for (const request of world.acquireMany(4, origin)) world.release(request);
    }
    const single = world.acquire("http://a.test");
    world.release(single);
    world.advance(500);
  }
  assert.deepEqual([...new Set(world.changes.map((each) => each.service))], ["one"]);
  assert.equal(world.counts("http://b.test").idle, 4);
  assert.equal(world.counts("http://c.test").idle, 1);
  assert.equal(inForce(world).maxFreeSockets, 1);
});

test("of an origin whose pool has been empty for long it is still known what it had", () => {
  const world = manualWorld({ tuning: { ...auto, keepAliveMsecs: [100, 60_000] } });
  for (let count = 0; count < 60; count++) {
    world.release(world.acquire());
    world.advance(50_000);
  }
  assert.equal(world.dials.length < 25, true, `${world.dials.length} dials`);
  assert(inForce(world).keepAliveMsecs > 50_000);
});

test("keepAliveMsecs does not grow beyond what the server allows", () => {
  const world = manualWorld({ ...small, keepAliveMsecs: 500, maxFreeSockets: 20 });
  for (let count = 0; count < 200; count++) {
    for (const request of world.acquireMany(2)) {
      world.hint(request.connection, 5_000);
      world.release(request);
    }
    world.advance(count % 2 === 0 ? 3_500 : 8_000);
  }
  const { keepAliveMsecs } = inForce(world);
  assert(keepAliveMsecs > 3_500 && keepAliveMsecs < 5_000, `${keepAliveMsecs}`);
});

test("connections that make room for other origins are not missed by a greater maxFreeSockets", () => {
  const world = manualWorld({ ...small, maxTotalSockets: 2, maxFreeSockets: 1 });
  for (let round = 0; round < 60; round++) {
    for (const origin of ["http://a.test", "http://b.test", "http://c.test"]) {
      for (const request of world.acquireMany(2, origin)) world.release(request);
      world.advance(200);
    }
  }
  assert.deepEqual(steps(world), []);
});

test("connections that the server closes at once are not missed by a longer keepAliveMsecs", () => {
  const world = manualWorld({ ...small, keepAliveMsecs: 500 });
  for (let count = 0; count < 60; count++) {
    const request = world.acquire();
    world.release(request);
    world.advance(10);
    world.lose(request.connection);
    world.advance(990);
  }
  assert.deepEqual(steps(world), []);
});

test("no value leaves its bounds, whatever the load", () => {
  const tuning: Tuning = { intervalMsecs, maxFreeSockets: [3, 6], keepAliveMsecs: [400, 900] };
  const world = manualWorld({ tuning, maxFreeSockets: 1, keepAliveMsecs: 5_000 });
  assert.deepEqual(inForce(world), { maxFreeSockets: 3, keepAliveMsecs: 900 });
  bursts(world, 40, 12); // the world checks the bounds after every event
  assert.deepEqual(inForce(world), { maxFreeSockets: 6, keepAliveMsecs: 900 });
  bursts(world, 40, 1);
});

test("a service that is removed is tuned no more, nor is a client that is closed", () => {
  const services = { one: { origins: ["a"] } };
  const world = manualWorld(small, { services });
  bursts(world, 6);
  assert.deepEqual([...new Set(world.changes.map((each) => each.service))], ["one"]);
  world.configure({}, {});
  bursts(world, 8);
  assert.equal(world.changes.at(-1)?.service, "default");
  world.close();
  assert.equal(world.pools.timers.count, 0);
});
