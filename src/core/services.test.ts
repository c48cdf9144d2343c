// Services, lanes and limits that change while connections are open and requests wait.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ManualLane,
  type ManualRequest,
  type ManualServices,
  type ManualWorld,
  manualWorld,
} from "../../test/support/manual-world.ts";
import { InvalidRequestError } from "./errors.ts";

const [a, b, c] = ["http://a.test", "http://b.test", "http://c.test"] as const;
const never = Number.POSITIVE_INFINITY;

function serviceOf(world: ManualWorld, name: string) {
  const service = [...world.pools.services].find((each) => each.name === name);
  assert.ok(service, `there is no service ${name}`);
  return service;
}

/** Releases what is under way until nothing waits any more. Returns the requests in the order of their grants. */
function finish(world: ManualWorld): ManualRequest[] {
  const before = world.grants.length;
  for (let turn = 0; world.requests.some((each) => each.outcome === null); turn++) {
    assert.ok(turn < 100, "requests wait although every lease ends");
    const holder = world.requests.find((each) => each.isHolding);
    assert.ok(holder, "requests wait and nothing is under way");
    world.release(holder);
  }
  return world.grants.slice(before);
}

/** An origin of the service default with two busy connections, two idle ones and three pending requests to another origin. */
function inUse(options: { readonly maxTotalSockets?: number } = {}) {
  const world = manualWorld({ maxSockets: 4, ...options });
  const requests = world.acquireMany(4, a);
  for (const each of requests.slice(2)) world.release(each);
  const busy = requests.slice(0, 2);
  const ofB = world.acquireMany(7, b);
  assert.deepEqual(world.counts(a), { open: 4, idle: 2, busy: 2, dialing: 0, pending: 0 });
  assert.deepEqual(world.counts(b), { open: 4, idle: 0, busy: 4, dialing: 0, pending: 3 });
  return { world, busy, ofB };
}

test("a service that takes origins over keeps their connections and requests, and counts them", () => {
  const { world, busy, ofB } = inUse();
  world.configure({}, { s: { origins: ["a", "b"], maxTotalSockets: 8 } });
  assert.equal(world.pool(a).service.name, "s");
  assert.deepEqual(
    [world.counts(a).idle, world.counts(a).busy, world.counts(b).pending],
    [2, 2, 3],
  );
  assert.equal(serviceOf(world, "s").budget.open, 8);
  assert.equal(serviceOf(world, "default").budget.open, 0);
  assert.equal(world.retirements.length, 0);
  for (const each of busy) world.release(each);
  assert.deepEqual(finish(world), ofB.slice(4));
  assert.equal(world.dials.length, 8);
});

test("over the limit of the service that takes them over idle connections go at once, busy ones when they are released", () => {
  const { world, busy, ofB } = inUse();
  world.configure({}, { s: { origins: ["a", "b"], maxTotalSockets: 3 } });
  assert.deepEqual(
    world.retirements.map((each) => [each.connection.pool.origin, each.reason]),
    [
      [a, "max-sockets"],
      [a, "max-sockets"],
    ],
  );
  const { budget } = serviceOf(world, "s");
  assert.equal(budget.open, 6);
  for (const each of [...busy, ...ofB.slice(0, 1)]) world.release(each);
  assert.equal(budget.open, 3);
  assert.equal(world.counts(b).pending, 3);
  assert.deepEqual(finish(world), ofB.slice(4));
  assert.equal(budget.open, 3);
});

test("over a service's limit the connection goes that has been idle for longest, at whichever origin", () => {
  const world = manualWorld({}, { services: { s: { origins: ["a", "b"] } } });
  const [ofA, ofB] = [world.acquire(a), world.acquire(b)];
  world.release(ofB);
  world.advance(5);
  world.release(ofA);
  world.configure({}, { s: { origins: ["a", "b"], maxTotalSockets: 1 } });
  assert.deepEqual([world.counts(a).idle, world.counts(b).idle], [1, 0]);
});

test("maxSockets of the service that takes an origin over holds from then on", () => {
  const { world } = inUse();
  world.configure({}, { s: { origins: ["a"], options: { maxSockets: 3, maxFreeSockets: 1 } } });
  assert.deepEqual(world.counts(a), { open: 3, idle: 1, busy: 2, dialing: 0, pending: 0 });
  assert.equal(world.counts(b).open, 4);
});

test("pending requests that a service has places for are served when it takes their origin over", () => {
  const world = manualWorld({ maxSockets: 1 });
  const [, second, third] = world.acquireMany(3, a);
  world.configure({}, { s: { origins: ["a"], options: { maxSockets: 2 } } });
  assert.deepEqual([second?.isHolding, third?.isHolding], [true, false]);
});

test("a service whose last origin was taken away, or that is gone, leaves its origins to default", () => {
  for (const services of [{ s: { origins: [] } }, {}] as ManualServices[]) {
    const world = manualWorld(
      { maxSockets: 4 },
      { services: { s: { origins: ["a"], maxTotalSockets: 1, lanes: { x: {} } } } },
    );
    const requests = world.acquireMany(3, a, { lane: "x" });
    world.configure({}, services);
    assert.equal(world.pool(a).service.name, "default");
    assert.ok(requests.every((each) => each.isHolding));
    assert.equal(world.lane("default").held, 3);
    const left = [...world.pools.services].find((each) => each.name === "s");
    assert.equal(left?.budget.open ?? 0, 0);
  }
});

test("an origin goes from one service to another, and what waits at others has the places that it leaves", () => {
  const services = { s: { origins: ["a", "b"], maxTotalSockets: 1 } };
  const world = manualWorld({}, { services });
  const holder = world.acquire(a);
  const waiting = world.acquire(b);
  world.configure({}, { ...services, s: { origins: ["b"], maxTotalSockets: 1 } });
  assert.deepEqual([holder.isHolding, waiting.isHolding], [true, true]);
});

test("requests of a lane that is gone go on in default, in the order of arrival", () => {
  const lanes = { x: { weight: 9 }, y: {} };
  const world = manualWorld({ maxSockets: 2 }, { services: { s: { origins: ["a"], lanes } } });
  const busy = [world.acquire(a, { lane: "x" }), world.acquire(a, { lane: "y" })];
  const waiting = ["default", "x", "default", "x", "y", "x", "default"].map((lane) =>
    world.acquire(a, { lane }),
  );
  world.configure({}, { s: { origins: ["a"] } });
  assert.equal(world.lane("default").held, 2);
  assert.equal(world.lane("default").queue.count, 7);
  assert.ok(busy.every((each) => each.isHolding));
  assert.deepEqual(finish(world), waiting);
});

test("a request that waits keeps the timeout that it began to wait with when its lane is gone", () => {
  const lanes = { x: { queueTimeoutMsecs: 50 } };
  const world = manualWorld({ maxSockets: 1 }, { services: { s: { origins: ["a"], lanes } } });
  const [, waiting] = world.acquireMany(2, a, { lane: "x" }) as [unknown, ManualRequest];
  world.advance(20);
  world.configure({}, { s: { origins: ["a"] } });
  world.advance(29);
  assert.equal(waiting.outcome, null);
  world.advance(1);
  assert.equal(waiting.error.code, "ERR_KEEPLINE_QUEUE_TIMEOUT");
  assert.equal(waiting.error.lane, "default");
});

test("a dial that was for a request of a lane that is gone is for it still", () => {
  const services = { s: { origins: ["a"], lanes: { x: {} } } };
  const world = manualWorld({}, { services, dials: "wait" });
  const requests = world.acquireMany(2, a, { lane: "x" });
  world.configure({}, { s: { origins: ["a"] } });
  assert.deepEqual(world.counts(a), { open: 2, idle: 0, busy: 0, dialing: 2, pending: 2 });
  world.dialed();
  world.dialed();
  assert.ok(requests.every((each) => each.isHolding));
});

test("a lowered maxSockets leaves a lane what is reserved for it, also while dials for others are under way", () => {
  const services = { s: { origins: ["a"], lanes: { x: { reservedSockets: 2 }, y: {} } } };
  const world = manualWorld({ maxSockets: 5 }, { dials: "wait", services });
  const ofY = world.acquireMany(3, a, { lane: "y" });
  world.configure({ maxSockets: 3 });
  for (const each of world.dialing) world.dialed(each);
  assert.deepEqual(
    ofY.map((each) => each.isHolding),
    [true, false, false],
  );
  const ofX = world.acquireMany(2, a, { lane: "x" });
  assert.ok(ofX.every((each) => each.isHolding));
});

test("lanes that begin anew wait on in the order of before, also across origins", () => {
  const services = { s: { origins: ["a", "b"] } };
  const world = manualWorld({ maxTotalSockets: 1 }, { dials: "wait", services });
  for (const origin of [c, a, b]) world.acquire(origin);
  world.configure({ maxTotalSockets: 2 }, { s: { origins: ["a", "b"], lanes: { x: {} } } });
  assert.equal(world.dialing.at(-1)?.pool.origin, a);
});

test("a weight that changes counts from the next turn on", () => {
  const services = (weight: number): ManualServices => ({
    s: { origins: ["a"], lanes: { x: { weight }, y: {} } },
  });
  const world = manualWorld({ maxSockets: 1 }, { services: services(1) });
  world.acquire(a);
  world.acquireMany(40, a, { lane: "x" });
  world.acquireMany(40, a, { lane: "y" });
  const ofX = (count: number): number => {
    const before = world.grants.length;
    while (world.grants.length < before + count) {
      world.release(world.requests.find((each) => each.isHolding) as ManualRequest);
    }
    return world.grants.slice(before).filter((each) => each.lane === "x").length;
  };
  assert.equal(ofX(10), 5);
  world.configure({}, services(4));
  assert.equal(ofX(20), 16);
  world.configure({}, services(1));
  assert.ok(Math.abs(ofX(10) - 5) <= 1);
});

test("a cap that is raised lets requests have idle sockets at once, and one that is lowered lets none be taken away", () => {
  const services = (maxSockets: number): ManualServices => ({
    s: { origins: ["a"], lanes: { x: { maxSockets } } },
  });
  const world = manualWorld({ maxSockets: 3 }, { services: services(1) });
  for (const each of world.acquireMany(3, a)) world.release(each);
  const requests = world.acquireMany(4, a, { lane: "x" });
  const holding = (): number => requests.filter((each) => each.isHolding).length;
  assert.equal(holding(), 1);
  world.configure({}, services(2));
  assert.equal(holding(), 2);
  world.configure({}, services(never));
  assert.equal(holding(), 3);
  world.configure({}, services(1));
  assert.equal(holding(), 3);
  world.release(requests[0] as ManualRequest);
  world.release(requests[1] as ManualRequest);
  assert.deepEqual([requests[3]?.isHolding, world.counts(a).idle], [false, 2]);
  world.release(requests[2] as ManualRequest);
  assert.ok(requests[3]?.isHolding);
});

test("a reservation that is made holds for the next free socket, and one that is lifted lends it at once", () => {
  const services = (reservedSockets: number): ManualServices => ({
    s: { origins: ["a"], lanes: { x: { reservedSockets }, y: {} } },
  });
  const world = manualWorld({ maxSockets: 2 }, { services: services(0) });
  const ofY = world.acquireMany(4, a, { lane: "y" }) as [
    ManualRequest,
    ManualRequest,
    ManualRequest,
    ManualRequest,
  ];
  world.configure({}, services(1));
  assert.deepEqual([ofY[0].isHolding, ofY[1].isHolding], [true, true]);
  world.release(ofY[0]);
  assert.deepEqual([ofY[2].isHolding, world.counts(a).idle], [false, 1]);
  assert.ok(world.acquire(a, { lane: "x" }).isHolding);
  world.release(ofY[1]);
  assert.deepEqual([ofY[2].isHolding, ofY[3].isHolding], [true, false]);
  world.release(world.requests[4] as ManualRequest);
  assert.equal(ofY[3].isHolding, false);
  world.configure({}, services(0));
  assert.ok(ofY[3].isHolding);
});

test("what becomes of a full lane changes for those who wait, too: by arrival, or not at all", () => {
  const services = (overload: "queue" | "reject" | "newest-first"): ManualServices => ({
    s: { origins: ["a"], lanes: { x: { overload } } },
  });
  const world = manualWorld({ maxSockets: 1 }, { services: services("newest-first") });
  const [holder, second, third] = world.acquireMany(3, a, { lane: "x" }) as [
    ManualRequest,
    ManualRequest,
    ManualRequest,
  ];
  world.configure({}, services("queue"));
  world.release(holder);
  assert.deepEqual([second.isHolding, third.isHolding], [true, false]);
  world.configure({}, services("reject"));
  assert.equal(third.error.code, "ERR_KEEPLINE_QUEUE_FULL");
  assert.ok(second.isHolding);
  assert.equal(world.acquire(a, { lane: "x" }).error.code, "ERR_KEEPLINE_QUEUE_FULL");
});

test("an origin of two services is an error, and nothing has changed then", () => {
  const services = { s: { origins: ["a"], maxTotalSockets: 1, lanes: { x: {} } } };
  const world = manualWorld({ maxSockets: 4 }, { services });
  const [, waiting] = world.acquireMany(2, a, { lane: "x" }) as [unknown, ManualRequest];
  const elsewhere = world.acquire(b);
  assert.throws(
    () =>
      world.configure(
        { maxSockets: 1 },
        { s: { ...services.s, maxTotalSockets: 9 }, t: { origins: ["a", "b"] } },
      ),
    (error: Error) =>
      error instanceof InvalidRequestError &&
      error.message ===
        "http://a.test is an origin of two services, s and t: leave it to one of them",
  );
  assert.deepEqual(
    [...world.pools.services].map((each) => each.name),
    ["default", "s"],
  );
  assert.equal(world.pools.options.maxSockets, 4);
  assert.equal(serviceOf(world, "s").budget.limit, 1);
  assert.equal(waiting.outcome, null);
  assert.equal(elsewhere.connection.pool.service.name, "default");
});

test("a pool that two services would have is refused when it is made, and the services go on", () => {
  const services = { s: { origins: ["c"] }, t: { origins: ["c"] } };
  const world = manualWorld({}, { services });
  assert.throws(() => world.pools.pool(c, world.now), InvalidRequestError);
  assert.ok(world.acquire(a).isHolding);
});

/** A lane x that has served two requests, refused one, and takes 40 ms for a response. */
function countedWorld(): ManualWorld {
  const services = { s: { origins: ["a"], lanes: { x: { maxPending: 0 } } } };
  const world = manualWorld({ maxSockets: 1 }, { services });
  for (let count = 0; count < 2; count++) {
    const holder = world.acquire(a, { lane: "x" });
    if (count === 0) world.acquire(a, { lane: "x" });
    world.advance(40);
    world.release(holder);
  }
  const { served, refused, serviceMsecs } = world.lane("x");
  assert.deepEqual([served, refused, serviceMsecs], [2, 1, 40]);
  return world;
}

test("what a lane counted, and how long its responses take, survives that other lanes come and go", () => {
  const world = countedWorld();
  const countedOf = ({ requests, served, unqueued, refused, use, firstByte }: ManualLane) => {
    const [uses, firstBytes] = [use.summary(), firstByte.summary()];
    return { requests, served, unqueued, refused, uses, firstBytes };
  };
  const before = countedOf(world.lane("x"));
  world.configure({}, { s: { origins: ["a"], lanes: { x: {}, y: { weight: 2 } } } });
  world.configure({}, { s: { origins: ["a"], lanes: { x: { overload: "newest-first" } } } });
  world.acquire(a, { lane: "x" });
  const expected = { ...before, requests: before.requests + 1, served: 3, unqueued: 3 };
  assert.deepEqual(countedOf(world.lane("x")), expected);
  assert.equal(world.lane("x").serviceMsecs, 40);
});

test("what a lane counted is forgotten with it", () => {
  const world = countedWorld();
  world.configure({}, { s: { origins: ["a"] } });
  world.configure({}, { s: { origins: ["a"], lanes: { x: {} } } });
  world.acquire(a, { lane: "x" });
  const { served, refused } = world.lane("x");
  assert.deepEqual([served, refused], [1, 0]);
});

test("limits and reservations of the client and of services may change together", () => {
  const world = manualWorld(
    { maxTotalSockets: 2 },
    { services: { s: { origins: ["a"], lanes: { x: { reservedSockets: 1 } } } } },
  );
  const ofB = world.acquireMany(3, b);
  assert.equal(world.counts(b).open, 1);
  world.configure(
    { maxTotalSockets: 4 },
    { s: { origins: ["a"], lanes: { x: { reservedSockets: 2 } } } },
  );
  assert.deepEqual(
    ofB.map((each) => each.isHolding),
    [true, true, false],
  );
  const ofX = world.acquireMany(2, a, { lane: "x" });
  assert.ok(ofX.every((each) => each.isHolding));
  world.configure({}, {});
  assert.deepEqual([world.pools.budget.reserved, ofB[2]?.isHolding], [0, false]);
  world.release(ofX[0] as ManualRequest);
  assert.ok(ofB[2]?.isHolding);
});
