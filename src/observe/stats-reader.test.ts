import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultOrigin, type ManualRequest, manualWorld } from "../../test/support/manual-world.ts";
import { readerOf } from "./stats-reader.ts";

const other = "http://b.test";

test("each reader has the least and the most since it last read itself", () => {
  const world = manualWorld({ maxSockets: 2 }, { services: { s: { origins: ["a"] } } });
  const often = readerOf(world.pools, () => world.now);
  const seldom = readerOf(world.pools, () => world.now);
  const requests = world.acquireMany(4);
  const read = (reader: typeof often) => {
    const { client, services, origins } = reader.read().marks;
    return { client, service: services.find((each) => each.service === "s"), origins };
  };
  let { client, service, origins } = read(often);
  const first = {
    open: { low: 0, high: 2 },
    idle: { low: 0, high: 0 },
    busy: { low: 0, high: 2 },
    pending: { low: 0, high: 2 },
  };
  assert.deepEqual(client, first);
  assert.deepEqual(service, {
    service: "s",
    ...first,
    lanes: { default: { busy: 2, pending: 2 } },
  });
  assert.deepEqual(origins, [{ origin: defaultOrigin, service: "s", ...first }]);

  world.release(requests[0] as ManualRequest);
  ({ client } = read(often));
  // The connection went to the one that waited, and was not free for a moment.
  assert.deepEqual(client, {
    open: { low: 2, high: 2 },
    idle: { low: 0, high: 0 },
    busy: { low: 2, high: 2 },
    pending: { low: 1, high: 2 },
  });
  for (const request of requests.slice(1)) world.release(request);
  world.acquire();
  ({ client, service } = read(often));
  assert.deepEqual(client.idle, { low: 0, high: 2 });
  assert.deepEqual(client.busy, { low: 0, high: 2 });
  assert.deepEqual(service?.lanes, { default: { busy: 2, pending: 1 } });
  assert.deepEqual(read(often).client.busy, { low: 1, high: 1 });

  ({ client, service } = read(seldom));
  assert.deepEqual(client, {
    open: { low: 0, high: 2 },
    idle: { low: 0, high: 2 },
    busy: { low: 0, high: 2 },
    pending: { low: 0, high: 2 },
  });
  assert.deepEqual(service?.lanes, { default: { busy: 2, pending: 2 } });
});

test("an origin and a service that came between two readings have marks from their beginning", () => {
  const world = manualWorld({ keepAliveMsecs: 10 });
  const reader = readerOf(world.pools, () => world.now);
  reader.read();
  for (const request of world.acquireMany(4, other)) world.release(request);
  world.advance(10);
  const { marks, sinceMsecs } = reader.read();
  assert.equal(sinceMsecs, 10);
  assert.deepEqual(marks.origins[0]?.open, { low: 0, high: 4 });
  world.configure({}, { s: { origins: ["b"] } });
  assert.equal(reader.read().marks.services.length, 2);
  world.acquire(other);
  assert.deepEqual(reader.read().marks.services.at(-1)?.open, { low: 0, high: 1 });
});

test("a connection that is closed was not busy for that", () => {
  const world = manualWorld({ keepAliveMsecs: 10 });
  world.release(world.acquire());
  const reader = readerOf(world.pools, () => world.now);
  world.advance(10);
  const { client } = reader.read().marks;
  assert.deepEqual(
    [client.open, client.busy],
    [
      { low: 0, high: 1 },
      { low: 0, high: 0 },
    ],
  );
});

test("nothing is marked before there is a reader, and after the last is closed", () => {
  const world = manualWorld();
  world.acquire();
  assert.equal(world.pools.budget.marks, null);
  const [one, two] = [1, 2].map(() => readerOf(world.pools, () => world.now));
  one?.close();
  assert.notEqual(world.pools.budget.marks, null);
  two?.close();
  assert.equal(world.pools.marking, null);
  for (const { budget, service } of world.pools.all) {
    assert.deepEqual([budget.marks, service.budget.marks], [null, null]);
    for (const lane of service.lanes.values()) assert.equal(lane.marks, null);
  }
  assert.deepEqual(two?.read().marks.client.open, { low: 1, high: 1 });
});
