import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ManualRequest,
  type ManualService,
  type ManualWorld,
  manualWorld,
} from "../../test/support/manual-world.ts";

const [a, b] = ["http://a.test", "http://b.test"] as const;
const byHand = { dials: "wait" } as const;

/** A client with one service, which has the origins a, b and c. */
function worldOf(service: ManualService, maxSockets = 64): ManualWorld {
  return manualWorld({ maxSockets }, { services: { s: { origins: ["a", "b", "c"], ...service } } });
}

/** The lanes of the next so many grants, each request being released as soon as it holds. */
function turns(world: ManualWorld, count: number): string[] {
  return Array.from({ length: count }, () => {
    const before = world.grants.length;
    const holder = world.requests.find((each) => each.isHolding);
    assert.ok(holder, "nobody holds a socket");
    world.release(holder);
    assert.equal(world.grants.length, before + 1, "one socket, one grant");
    return (world.grantedTo() as ManualRequest).lane;
  });
}

function countOf(lane: string, lanes: readonly string[]): number {
  return lanes.filter((each) => each === lane).length;
}

test("lanes have their shares by weight, one turn at a time", () => {
  const world = worldOf({ lanes: { x: { weight: 3 }, y: {} } }, 1);
  world.acquire();
  world.acquireMany(12, a, { lane: "y" });
  world.acquireMany(12, a, { lane: "x" });
  assert.equal(turns(world, 12).join(""), "xyxxxyxxxyxx");
});

test("within a lane first come is first served", () => {
  const world = worldOf({ lanes: { x: { weight: 2 }, y: {} } }, 2);
  const holders = world.acquireMany(2);
  const ofX = world.acquireMany(4, a, { lane: "x" });
  const ofY = world.acquireMany(2, a, { lane: "y" });
  for (const each of [...holders, ...ofX.slice(0, 2), ...ofY.slice(0, 1)]) {
    if (each.isHolding) world.release(each);
  }
  for (const own of [ofX, ofY]) {
    assert.deepEqual(
      world.grants.filter((each) => each.lane === own[0]?.lane),
      own.filter((each) => each.outcome !== null),
    );
  }
});

test("a request of a lane that the service does not have is one of its lane default", () => {
  const world = worldOf({ lanes: { x: {} } }, 1);
  world.acquire(a, { lane: "toString" });
  assert.equal(world.lane("default").held, 1);
  const refused = world.acquire(a, { lane: "nobody", queueTimeoutMsecs: 5 });
  world.advance(5);
  assert.equal(refused.error.lane, "default");
  assert.equal(world.lane("default").timedOut, 1);
});

test("a lane without pending requests lends its share, and has it again from the next turn on", () => {
  const world = worldOf({ lanes: { x: {}, y: {} } }, 1);
  world.acquire();
  world.acquireMany(300, a, { lane: "x" });
  world.acquireMany(2, a, { lane: "y" });
  assert.equal(countOf("y", turns(world, 4)), 2);
  assert.equal(countOf("x", turns(world, 100)), 100);
  world.acquireMany(100, a, { lane: "y" });
  // Its share at once, and no more than that for the time that it was away.
  for (let count = 1; count <= 20; count++) {
    assert.equal(countOf("y", turns(world, 2)), 1, `turns ${2 * count - 1} and ${2 * count}`);
  }
});

test("a heavy lane that came and went waits no longer than its share says, whoever was there meanwhile", () => {
  const heavy = { weight: 1_000 };
  const world = worldOf({ lanes: { x: heavy, y: heavy, light: {}, other: {} } }, 1);
  world.acquire();
  world.acquire(a, { lane: "light" });
  const waiting = world.acquire(a, { lane: "other" });
  assert.deepEqual(turns(world, 1), ["light"]);
  const away = world.acquire(a, { lane: "light" });
  world.acquire(a, { lane: "y" });
  assert.deepEqual(turns(world, 1), ["y"]);
  world.cancel(away);
  world.acquire(a, { lane: "x" });
  assert.deepEqual(turns(world, 1), ["x"]);
  world.cancel(waiting);
  world.acquireMany(60, a, { lane: "x" });
  world.acquireMany(60, a, { lane: "y" });
  // Two lanes of one weight: half of the turns each.
  const ofY = countOf("y", turns(world, 60));
  assert.ok(ofY >= 29, `lane y had ${ofY} of 60 turns`);
});

test("a lane at its maxSockets waits beside idle sockets, and others pass it", () => {
  const world = worldOf({ lanes: { x: { maxSockets: 1 }, y: {} } }, 3);
  for (const each of world.acquireMany(3)) world.release(each);
  const [first, second] = world.acquireMany(2, a, { lane: "x" }) as [ManualRequest, ManualRequest];
  assert.deepEqual([first.isHolding, second.isHolding, world.counts().idle], [true, false, 2]);
  assert.ok(world.acquire(a, { lane: "y" }).isHolding);
  world.release(first);
  assert.ok(second.isHolding);
});

test("a lane at its maxSockets dials no more", () => {
  const world = manualWorld(
    { maxSockets: 8 },
    { ...byHand, services: { s: { origins: ["a"], lanes: { x: { maxSockets: 2 } } } } },
  );
  world.acquireMany(5, a, { lane: "x" });
  assert.equal(world.counts().dialing, 2);
  world.dialed();
  assert.equal(world.counts().dialing, 1);
  world.release(world.grants[0] as ManualRequest);
  assert.deepEqual(world.counts(), { open: 2, idle: 0, busy: 1, dialing: 1, pending: 3 });
});

test("maxSockets of a lane counts at each origin for itself", () => {
  const world = worldOf({ lanes: { x: { maxSockets: 1 } } });
  const [first, second] = world.acquireMany(2, a, { lane: "x" }) as [ManualRequest, ManualRequest];
  assert.ok(world.acquire(b, { lane: "x" }).isHolding);
  assert.deepEqual([first.isHolding, second.isHolding], [true, false]);
});

test("a reserved socket is dialed at once, however many requests of other lanes wait", () => {
  const world = worldOf({ lanes: { x: { reservedSockets: 1 }, y: { weight: 1_000 } } }, 3);
  world.acquireMany(10, a, { lane: "y" });
  assert.deepEqual(world.counts(), { open: 2, idle: 0, busy: 2, dialing: 0, pending: 8 });
  const [first, second] = world.acquireMany(2, a, { lane: "x" }) as [ManualRequest, ManualRequest];
  assert.deepEqual([first.isHolding, second.isHolding], [true, false]);
  // Beyond its reservation it waits for its turn like the others, which comes once in 1,001.
  assert.ok(countOf("x", turns(world, 7)) <= 1);
});

test("a socket that is idle and reserved is kept for its lane, and taken by it at once", () => {
  const world = worldOf({ lanes: { x: { reservedSockets: 1 }, y: {} } }, 2);
  const [kept, used] = world.acquireMany(2, a, { lane: "x" }) as [ManualRequest, ManualRequest];
  world.acquireMany(3, a, { lane: "y" });
  world.release(used);
  world.release(kept);
  assert.deepEqual(world.counts(), { open: 2, idle: 1, busy: 1, dialing: 0, pending: 2 });
  const again = world.acquire(a, { lane: "x" });
  assert.deepEqual([again.connection, world.dials.length], [kept.connection, 2]);
});

test("a reservation counts over all origins of a service: an idle socket of another one makes room for it", () => {
  const world = worldOf({ maxTotalSockets: 2, lanes: { x: { reservedSockets: 1 }, y: {} } });
  const ofX = world.acquire(a, { lane: "x" });
  world.acquireMany(3, b, { lane: "y" });
  world.release(ofX);
  assert.deepEqual([world.counts(a).idle, world.counts(b).busy], [1, 1]);
  const elsewhere = world.acquire(b, { lane: "x" });
  assert.ok(elsewhere.isHolding);
  assert.equal(world.retiredFor(ofX.connection), "total-limit");
});

test("a reservation of a service is for all its origins together, and not for each", () => {
  const lanes = { x: { reservedSockets: 1 }, y: {}, z: { reservedSockets: 1 } };
  const world = worldOf({ maxTotalSockets: 3, lanes });
  for (const lane of ["x", "y"]) assert.ok(world.acquire(a, { lane }).isHolding);
  const second = world.acquire(b, { lane: "x" });
  assert.equal(second.outcome, null);
  assert.ok(world.acquire(b, { lane: "z" }).isHolding);
});

test("a lane that was held back by its cap has an idle socket when one of its own breaks", () => {
  const world = worldOf({ lanes: { x: { maxSockets: 1 } } }, 3);
  for (const each of world.acquireMany(2, a)) world.release(each);
  const [first, second] = world.acquireMany(2, a, { lane: "x" }) as [ManualRequest, ManualRequest];
  world.release(world.acquire(a));
  assert.equal(second.outcome, null);
  world.lose(first.connection);
  assert.ok(second.isHolding);
});

test("a request that is sent again goes before those of its lane that came later", () => {
  const world = worldOf({ lanes: { x: {} } }, 1);
  const first = world.acquire(a, { lane: "x" });
  world.release(first);
  const again = world.acquire(a, { lane: "x" });
  const later = world.acquire(a, { lane: "x" });
  assert.equal(world.fail(again), null);
  assert.deepEqual([again.isHolding, later.isHolding], [true, false]);
});

test("a dial is for the lane that may use it, and serves the lane that is due", () => {
  const services = { s: { origins: ["a"], lanes: { x: { maxSockets: 1 }, y: {} } } };
  const world = manualWorld({ maxSockets: 2 }, { ...byHand, services });
  const ofX = world.acquireMany(2, a, { lane: "x" });
  const ofY = world.acquire(a, { lane: "y" });
  assert.deepEqual(
    [...ofX, ofY].map((each) => each.covered),
    [true, false, true],
  );
  world.dialed();
  world.dialed();
  assert.deepEqual(
    [...ofX, ofY].map((each) => each.isHolding),
    [true, false, true],
  );
});

test("a connection that was dialed for a lane of an origin serves a request there, whoever is due elsewhere", () => {
  const scripts: readonly [Required<ManualService>["lanes"], (world: ManualWorld) => void][] = [
    // As old as another lane's, and younger at the head, where the newest goes first.
    [
      { x: { overload: "newest-first" }, y: {} },
      (world) => {
        const holder = world.acquire("http://c.test");
        world.dialed();
        for (const [origin, lane] of [
          [a, "x"],
          [b, "y"],
          [a, "x"],
        ] as const)
          world.acquire(origin, { lane });
        world.release(holder);
      },
    ],
    // Dialed for the heavy lane, where the light one has the next turn.
    [
      { x: { weight: 4 }, y: {}, z: { weight: 2 } },
      (world) => {
        const holder = world.acquire("http://c.test");
        world.dialed();
        for (const lane of ["x", "x", "y"]) world.acquire(a, { lane });
        world.acquire(b, { lane: "z" });
        world.release(holder);
        world.dialed();
        world.release(world.grantedTo() as ManualRequest);
      },
    ],
    // A lane that has waited for long at one origin, and begins to at the other.
    [
      { x: { weight: 4 }, y: {} },
      (world) => {
        const holder = world.acquire(a, { lane: "y" });
        world.dialed();
        world.acquire(b, { lane: "x" });
        world.acquire(a, { lane: "y" });
        world.advance(150);
        world.acquire(b, { lane: "y" });
        world.release(holder);
      },
    ],
  ];
  for (const [lanes, play] of scripts) {
    const service = { origins: ["a", "b", "c"], maxTotalSockets: 1, lanes };
    const world = manualWorld({}, { ...byHand, services: { s: service } });
    play(world);
    const before = world.grants.length;
    if (world.dialing.length > 0) {
      world.dialed();
      assert.equal(world.grants.length, before + 1, "it was opened, and serves nobody");
    }
    assert.equal(world.dialing.length, 0);
  }
});

/** Rounds of 20 ms, in which all connections come free and each request is followed by another one like it. */
function rounds(world: ManualWorld, count: number): ManualRequest[] {
  const before = world.grants.length;
  for (let round = 0; round < count; round++) {
    for (const each of world.dialing) world.dialed(each);
    world.advance(20);
    for (const each of world.requests.filter((request) => request.isHolding)) {
      world.release(each);
      world.acquire(each.origin, { lane: each.lane });
    }
  }
  return world.grants.slice(before);
}

function lanesOf(requests: readonly ManualRequest[]): string[] {
  return requests.map((each) => each.lane);
}

test("lanes of one service at two origins have their shares of its sockets, whoever had them first", () => {
  const world = worldOf({ maxTotalSockets: 6, lanes: { batch: {}, checkout: { weight: 4 } } });
  world.acquireMany(12, a, { lane: "batch" });
  world.acquireMany(12, b, { lane: "checkout" });
  const ofCheckout = countOf("checkout", lanesOf(rounds(world, 60)));
  assert.deepEqual([world.counts(a).open, world.counts(b).open], [1, 5]);
  // 360 turns, of which it has five of six, less what it takes to hand the connections over.
  assert.ok(Math.abs(ofCheckout - 300) <= 12, `${ofCheckout} turns`);
});

test("where there are fewer sockets than lanes, those at other origins have them in turn", () => {
  const world = worldOf({ maxTotalSockets: 1, lanes: { x: { weight: 9 }, y: {} } });
  world.acquireMany(4, a, { lane: "x" });
  world.acquireMany(4, b, { lane: "y" });
  const had = lanesOf(rounds(world, 60));
  // Who has none for 100 ms, which is five rounds, has the next one.
  const longest = Math.max(
    ...had
      .join("")
      .split("y")
      .map((each) => each.length),
  );
  assert.ok(longest <= 7 && countOf("x", had) > countOf("y", had), had.join(""));
});

test("a light lane beside a heavy one at its origin keeps no sockets from another origin", () => {
  const lanes = { x: { weight: 100 }, y: {}, z: { weight: 100 } };
  const world = worldOf({ maxTotalSockets: 2, lanes });
  world.acquireMany(4, a, { lane: "x" });
  world.acquireMany(4, a, { lane: "y" });
  world.acquireMany(4, b, { lane: "z" });
  const had = lanesOf(rounds(world, 60));
  // Its share is half of the sockets: one.
  const ofZ = countOf("z", had);
  assert.ok(ofZ >= 0.4 * had.length, `${ofZ} of ${had.length} turns`);
});

test("two busy origins of one service hand connections over until each has its share, and no longer", () => {
  const lanes = { x: {}, y: {} };
  const services = { s: { origins: ["a", "b"], maxTotalSockets: 6, lanes } };
  const world = manualWorld({}, { ...byHand, services });
  world.acquireMany(12, a, { lane: "x" });
  world.acquireMany(12, b, { lane: "y" });
  // A handshake takes a while, in which all other connections come free, too.
  rounds(world, 60);
  assert.ok(world.dials.length <= 30, `${world.dials.length} dials for ${world.grants.length}`);
  assert.deepEqual([world.counts(a).open, world.counts(b).open], [3, 3]);
});
