import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ManualServices,
  type ManualWorld,
  manualWorld,
} from "../../test/support/manual-world.ts";

const [a, b, c] = ["http://a.test", "http://b.test", "http://c.test"] as const;

/** The line of the client's sockets, or of a service's. */
function lineOf(world: ManualWorld, service?: string) {
  const own = [...world.pools.services].find((each) => each.name === service);
  const { line } = own?.budget ?? world.pools.budget;
  assert.ok(line);
  return line;
}

/** Who is first, as its origin and lane. */
function firstOf(world: ManualWorld, service?: string): string | null {
  const first = lineOf(world, service).first(world.now);
  return first === null ? null : `${first.pool.origin} ${first.lane.name}`;
}

test("the line of the client's sockets has one entry for each lane of a pool, the longest wait first", () => {
  const services: ManualServices = {
    s: { origins: ["a"], lanes: { x: {} } },
    t: { origins: ["b"], lanes: { x: { weight: 9 } } },
  };
  const world = manualWorld({ maxTotalSockets: 1 }, { services });
  world.acquire(c);
  const first = world.acquire(a, { lane: "x" });
  world.acquireMany(2, b, { lane: "x" });
  world.acquireMany(2, a);
  const line = lineOf(world);
  assert.deepEqual([line.size, line.entries().length], [3, 3]);
  assert.equal(firstOf(world), `${a} x`);
  assert.equal(line.hasBefore(world.lane("x", a), world.now), false);
  assert.equal(line.hasBefore(world.lane("x", b), world.now), true);
  // Its next request came last of all.
  world.acquire(a, { lane: "x" });
  world.cancel(first);
  assert.equal(firstOf(world), `${b} x`);
  assert.equal(line.hasBefore(world.lane("x", a), world.now), true);
});

test("who waits no more leaves the line, however it ends", () => {
  const world = manualWorld({ maxTotalSockets: 1 });
  const holder = world.acquire(a);
  const given = world.acquire(b);
  const late = world.acquire(c, { queueTimeoutMsecs: 10 });
  assert.equal(firstOf(world), `${b} default`);
  world.cancel(given);
  assert.equal(firstOf(world), `${c} default`);
  world.advance(10);
  assert.equal(late.outcome?.kind, "refused");
  assert.deepEqual([firstOf(world), lineOf(world).size], [null, 0]);
  world.release(holder);
  assert.equal(world.counts(a).idle, 1);
});

test("a service's line has first the lane with the least sockets for its weight, and in a lane the longest wait", () => {
  const lanes = { x: { weight: 2 }, y: {} };
  const services = { s: { origins: ["a", "b", "c"], maxTotalSockets: 3, lanes } };
  const world = manualWorld({}, { services });
  const holders = world.acquireMany(3, a, { lane: "y" });
  world.acquire(c, { lane: "y" });
  const [older] = world.acquireMany(2, b, { lane: "x" });
  const [younger] = world.acquireMany(1, c, { lane: "x" });
  assert.equal(lineOf(world, "s").size, 3);
  assert.equal(firstOf(world, "s"), `${b} x`);
  world.release(holders[0] as (typeof holders)[number]);
  assert.deepEqual([older?.isHolding, younger?.isHolding], [true, false]);
  // Of two lanes with as much for their weights the one that waits for longer: x has one of 2, y none of 1.
  assert.equal(firstOf(world, "s"), `${b} x`);
});

test("who must leave what is left to a reservation is passed by, in both lines", () => {
  const lanes = { x: { reservedSockets: 1 }, y: { weight: 9 } };
  const ofService: ManualServices = { s: { origins: ["a", "b"], maxTotalSockets: 2, lanes } };
  const ofClient: ManualServices = { s: { origins: ["a", "b"], lanes } };
  for (const [world, service] of [
    [manualWorld({}, { services: ofService }), "s"],
    [manualWorld({ maxTotalSockets: 2 }, { services: ofClient }), undefined],
  ] as const) {
    world.acquire(a, { lane: "y" });
    world.acquire(a, { lane: "y" });
    world.acquire(b, { lane: "y" });
    assert.deepEqual([lineOf(world, service).size, firstOf(world, service)], [2, null]);
    assert.equal(world.pools.budget.open, 1);
    const ofX = world.acquire(b, { lane: "x" });
    assert.ok(ofX.isHolding);
  }
});
