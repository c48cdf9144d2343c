import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ManualRequest,
  type ManualWorld,
  manualWorld,
} from "../../test/support/manual-world.ts";

const byHand = { dials: "wait" } as const;
const never = Number.POSITIVE_INFINITY;
const a = "http://a.test";
const b = "http://b.test";
const c = "http://c.test";

function origins(world: ManualWorld): string[] {
  return [...world.pools.all].map((pool) => pool.origin);
}

/** Leaves so many idle connections of `origin`. */
function leaveIdle(world: ManualWorld, count: number, origin: string): void {
  for (const request of world.acquireMany(count, origin)) world.release(request);
}

// One limit over all origins

test("the connection that has been idle longest, of whatever origin, makes room under maxTotalSockets", () => {
  const world = manualWorld({ maxTotalSockets: 3 });
  leaveIdle(world, 1, b);
  world.advance(10);
  leaveIdle(world, 1, c);
  world.advance(10);
  leaveIdle(world, 1, a);
  world.acquireMany(2, a);
  assert.deepEqual(
    world.retirements.map(({ connection, reason }) => [connection.pool.origin, reason]),
    [[b, "total-limit"]],
  );
  assert.equal(world.counts(c).idle, 1);
});

test("a full client closes no connection that is busy", () => {
  const world = manualWorld({ maxTotalSockets: 1 });
  const holder = world.acquire(a);
  const waiting = world.acquire(b);
  assert.equal(holder.isHolding, true);
  assert.equal(waiting.outcome, null);
  world.release(holder);
  assert.equal(world.grantedTo(), waiting);
});

test("a place that becomes free goes to the origin whose request has waited longest", () => {
  const world = manualWorld({ maxTotalSockets: 1, keepAlive: false });
  const holder = world.acquire(a);
  const expected: ManualRequest[] = [];
  for (const origin of [b, c, a, b, c, a]) expected.push(world.acquire(origin));
  let last = holder;
  for (const next of expected) {
    world.release(last);
    assert.equal(world.grantedTo(), next);
    last = next;
  }
});

test("who waited longest goes first also when several places become free at once", () => {
  const world = manualWorld({ maxTotalSockets: 1 }, byHand);
  world.acquire(a);
  for (const origin of [c, b, c, a]) world.acquire(origin);
  world.configure({ maxTotalSockets: 3 });
  assert.deepEqual(
    world.dials.map((each) => each.pool.origin),
    [a, c, b],
  );
});

test("a new request does not overtake another origin's request that waits for the same limit", () => {
  const world = manualWorld({ maxTotalSockets: 2 }, byHand);
  world.acquire(a);
  world.acquire(a);
  const waiting = world.acquire(b);
  const late = world.acquire(c);
  world.dialFailed();
  world.dialed(world.dialing.find((each) => each.pool.origin === b));
  assert.equal(world.grantedTo(), waiting);
  assert.equal(late.outcome, null);
});

test("a request whose dial failed another one is back in its place in line at once", () => {
  for (const isFollowed of [true, false]) {
    const services = { s: { origins: ["a"], lanes: { x: {}, y: { maxSockets: 1 } } } };
    const options = { maxTotalSockets: 2, connectTimeoutMsecs: 10 };
    const world = manualWorld(options, { ...byHand, services });
    world.acquireMany(2, a, { lane: "y" }); // the second one may not have a dial of its own
    const first = world.acquire(a, { lane: "x" });
    world.acquire(b);
    if (isFollowed) world.acquire(a, { lane: "x" });
    world.acquire(b, { queueTimeoutMsecs: 15 });
    world.configure({ maxTotalSockets: 1 });
    // Both dials fail, each with one of the requests in `y`; and a request of `b` gives up in the same tick.
    world.suspend(20);
    world.tick();
    assert.deepEqual([world.refusals.length, world.dialing.length], [3, 1]);
    world.dialed();
    assert.equal(world.grantedTo(), first);
  }
});

test("a back-off that ends in the tick in which another origin's dial fails lets neither wait", () => {
  const services = { s: { origins: ["a"], lanes: { x: {}, y: { maxSockets: 1 } } } };
  const world = manualWorld({ connectTimeoutMsecs: 10 }, { ...byHand, services });
  for (let failure = 0; failure < 2; failure++) {
    world.acquire(b);
    world.dialFailed();
  }
  world.advance(21);
  world.acquireMany(2, a, { lane: "y" }); // the second one may not have a dial of its own
  world.advance(5);
  world.acquire(a, { lane: "x" });
  world.acquire(b);
  assert.deepEqual(world.counts(b), { open: 0, idle: 0, busy: 0, dialing: 0, pending: 1 });
  // The first dial fails with the first request, and the other one is for the second, which came before the third.
  world.suspend(9);
  world.tick();
  assert.deepEqual(
    world.dialing.map((each) => each.pool.origin),
    [a, a, b],
  );
});

test("warm-up comes after all who wait, and is not forgotten for those who wait for something else", () => {
  const world = manualWorld({ maxTotalSockets: 2, maxSockets: 2 });
  const waiting = world.acquireMany(3, a)[2];
  world.cancel(world.acquire(b));
  world.configure({ maxTotalSockets: 3, minFreeSockets: 1 });
  assert.deepEqual([waiting?.isHolding, world.counts(b).idle], [false, 1]);
  world.configure({ maxSockets: 3 });
  assert.deepEqual([waiting?.isHolding, world.counts(b).idle], [true, 0]);
  world.configure({ maxSockets: 4, maxTotalSockets: 5 });
  assert.deepEqual([world.counts(a).idle, world.counts(b).idle], [1, 1]);
});

test("when the first in line gives up, its place in line goes to the next", () => {
  const world = manualWorld({ maxTotalSockets: 1 });
  const holder = world.acquire(a);
  const first = world.acquire(b);
  const second = world.acquire(c);
  world.cancel(first);
  world.release(holder);
  assert.equal(world.grantedTo(), second);
});

test("a busy origin keeps its connection while another one's request waits up to 100 ms longer", () => {
  const world = manualWorld({ maxTotalSockets: 1 });
  const holder = world.acquire(a);
  world.acquire(b);
  world.advance(100);
  const own = world.acquire(a);
  world.release(holder);
  assert.equal(world.grantedTo(), own);
  assert.equal(world.dials.length, 1);
});

test("a busy origin yields its connection to a request that has waited over 100 ms longer", () => {
  const world = manualWorld({ maxTotalSockets: 1 });
  const holder = world.acquire(a);
  const waiting = world.acquire(b);
  world.advance(100.5);
  const own = world.acquire(a);
  world.release(holder);
  assert.equal(world.grantedTo(), waiting);
  assert.equal(world.retiredFor(holder.connection), "total-limit");
  world.release(waiting);
  assert.equal(world.grantedTo(), own);
});

test("an origin that may not dial for its own limit stands in no line of the client's", () => {
  const world = manualWorld({ maxTotalSockets: 2, maxSockets: 1 });
  const [holder, own] = world.acquireMany(2, a) as [ManualRequest, ManualRequest];
  const other = world.acquire(b);
  assert.equal(other.isHolding, true);
  world.release(holder);
  assert.equal(world.grantedTo(), own);
});

test("an origin in a back-off does not hold up the line", () => {
  const world = manualWorld({ maxTotalSockets: 1 }, byHand);
  const [, , waiting] = world.acquireMany(3, a);
  world.dialFailed();
  const other = world.acquire(b);
  world.advance(1);
  world.dialFailed();
  assert.equal(waiting?.error.code, "ERR_KEEPLINE_CONNECT", "all of a down origin fail");
  const later = world.acquire(a);
  assert.equal(world.dialing[0]?.pool.origin, b);
  world.dialed();
  assert.equal(world.grantedTo(), other);
  world.release(other);
  world.advance(60);
  world.dialed();
  assert.equal(world.grantedTo(), later);
});

test("a dial ahead of demand does not take the place that another origin's request waits for", () => {
  const world = manualWorld({ maxTotalSockets: 2, minFreeSockets: 2 }, byHand);
  world.acquire(a);
  const waiting = world.acquire(b);
  world.dialFailed();
  const [dial] = world.dialing.filter((each) => each.pool.origin === b);
  assert.ok(dial, "the freed place went to the request");
  world.dialed(dial);
  assert.equal(world.grantedTo(), waiting);
});

// Live limits

test("a raised maxSockets lets pending requests dial at once", () => {
  const world = manualWorld({ maxSockets: 1 }, byHand);
  world.acquireMany(4);
  world.configure({ maxSockets: 3 });
  assert.equal(world.dialing.length, 3);
});

test("a lowered maxSockets closes idle connections at once, the longest idle first", () => {
  const world = manualWorld();
  const requests = world.acquireMany(4);
  for (const index of [1, 3, 0]) world.release(requests[index] as ManualRequest);
  world.configure({ maxSockets: 2 });
  assert.deepEqual(
    world.retirements.map(({ connection, reason }) => [connection, reason]),
    [
      [requests[1]?.connection, "max-sockets"],
      [requests[3]?.connection, "max-sockets"],
    ],
  );
});

test("a lowered maxSockets closes busy connections when they are released, and serves who waits within it", () => {
  const world = manualWorld();
  const holders = world.acquireMany(3);
  world.configure({ maxSockets: 1 });
  const waiting = world.acquire();
  assert.equal(world.counts().open, 3);
  world.release(holders[0] as ManualRequest);
  world.release(holders[1] as ManualRequest);
  assert.equal(world.counts().open, 1);
  assert.equal(waiting.outcome, null);
  world.release(holders[2] as ManualRequest);
  assert.equal(world.grantedTo(), waiting);
  assert.equal(waiting.connection, holders[2]?.connection);
});

test("a dial over a lowered limit is closed when it is open", () => {
  const world = manualWorld({}, byHand);
  world.acquireMany(2);
  world.configure({ maxSockets: 1 });
  const connection = world.dialed();
  assert.equal(world.retiredFor(connection), "max-sockets");
  world.dialed();
  assert.equal(world.counts().busy, 1);
});

test("a lowered maxTotalSockets closes the longest-idle connections of all origins", () => {
  const world = manualWorld();
  leaveIdle(world, 1, b);
  const holder = world.acquire(a);
  world.advance(5);
  leaveIdle(world, 1, c);
  world.configure({ maxTotalSockets: 2 });
  assert.deepEqual([world.counts(b).open, world.counts(c).open], [0, 1]);
  world.configure({ maxTotalSockets: 1 });
  assert.equal(world.counts(c).open, 0);
  assert.equal(holder.isHolding, true);
});

test("a lowered maxFreeSockets closes idle connections at once", () => {
  const world = manualWorld();
  leaveIdle(world, 3, a);
  world.configure({ maxFreeSockets: 1 });
  assert.equal(world.counts().idle, 1);
  assert.deepEqual(world.pool().tally.closed, { "max-free-sockets": 2 });
});

test("a changed keepAliveMsecs holds for connections that are idle already, from when they became idle", () => {
  const world = manualWorld({ keepAliveMsecs: 1_000 });
  leaveIdle(world, 1, a);
  world.advance(500);
  world.configure({ keepAliveMsecs: 2_000 });
  world.advance(1_400);
  assert.equal(world.counts().idle, 1);
  world.configure({ keepAliveMsecs: 1_950 });
  world.advance(50);
  assert.equal(world.counts().idle, 0);
});

test("a keepAlive that is turned off closes idle connections that have carried a request", () => {
  const world = manualWorld();
  leaveIdle(world, 1, a);
  world.warm(2);
  world.configure({ keepAlive: false });
  assert.deepEqual(world.pool().tally.closed, { "keep-alive-off": 1 });
  assert.equal(world.acquire().connection.requestCount, 1);
});

test("a lowered maxRequestsPerSocket or maxSocketAgeMsecs closes idle connections that are past it", () => {
  const world = manualWorld();
  leaveIdle(world, 1, a);
  world.release(world.acquire(a));
  world.configure({ maxRequestsPerSocket: 2 });
  assert.deepEqual(world.pool().tally.closed, { "max-requests": 1 });
  leaveIdle(world, 1, a);
  world.advance(300);
  world.configure({ maxSocketAgeMsecs: 300 });
  assert.deepEqual(world.pool().tally.closed, { "max-requests": 1, "max-age": 1 });
});

test("a raised minFreeSockets opens connections at once", () => {
  const world = manualWorld();
  leaveIdle(world, 1, a);
  world.configure({ minFreeSockets: 3 });
  assert.equal(world.counts().idle, 3);
});

test("changed options hold for origins to come", () => {
  const world = manualWorld();
  world.configure({ maxSockets: 1 });
  world.acquireMany(3, b);
  assert.equal(world.counts(b).open, 1);
});

// Close and destroy

test("a closed client refuses new requests", () => {
  const world = manualWorld();
  world.close();
  const { error } = world.acquire();
  assert.equal(error.code, "ERR_KEEPLINE_CLIENT_CLOSED");
  assert.equal(error.origin, a);
});

test("a closed client serves pending requests, and closes each connection when nobody waits for it", () => {
  const world = manualWorld({ maxSockets: 1 });
  leaveIdle(world, 1, b);
  const [holder, second, third] = world.acquireMany(3, a) as ManualRequest[];
  world.close();
  assert.equal(world.counts(b).open, 0);
  for (const request of [holder, second, third]) world.release(request as ManualRequest);
  assert.deepEqual(world.grants.slice(1), [holder, second, third]);
  assert.equal(world.live.size, 0);
  assert.equal(world.retiredFor(third?.connection as never), "client-closed");
  assert.equal(world.pools.timers.count, 0, "no timer keeps a closed client alive");
});

test("a closed client still dials for pending requests, also after a dial that fails", () => {
  const world = manualWorld({ maxSockets: 1 }, byHand);
  const [, second] = world.acquireMany(2);
  world.close();
  world.dialFailed();
  world.dialed();
  assert.equal(world.grantedTo(), second);
});

test("a dial that nobody needs any more is closed when it is open, once the client is closed", () => {
  const world = manualWorld({}, byHand);
  const request = world.acquire();
  world.close();
  world.cancel(request);
  const connection = world.dialed();
  assert.equal(world.retiredFor(connection), "client-closed");
});

test("a closed client holds no sockets ready", () => {
  const world = manualWorld({ minFreeSockets: 2 });
  const holder = world.acquire();
  world.close();
  assert.equal(world.counts().open, 1);
  world.release(holder);
  assert.equal(world.live.size, 0);
});

test("a warm-up fails when the client is closed meanwhile, or was closed before", () => {
  const world = manualWorld({}, byHand);
  const before = world.warm(1);
  world.close();
  const after = world.warm(1);
  for (const { outcome } of [before, after]) {
    assert.equal((outcome as { code?: string }).code, "ERR_KEEPLINE_CLIENT_CLOSED");
  }
});

test("a destroyed client settles every request and closes every connection at once", () => {
  const world = manualWorld({ maxSockets: 2 }, byHand);
  const requests = world.acquireMany(4, a);
  world.dialed();
  const warmer = world.warm(2, b);
  world.destroy();
  assert.equal(requests[0]?.isHolding, false);
  for (const request of requests.slice(1)) {
    assert.equal(request.error.code, "ERR_KEEPLINE_CLIENT_CLOSED");
    assert.match(request.error.message, /^the client was destroyed while a request to http:\/\/a/);
  }
  assert.equal((warmer.outcome as { code?: string }).code, "ERR_KEEPLINE_CLIENT_CLOSED");
  assert.deepEqual([world.live.size, world.pools.budget.open, world.pools.timers.count], [0, 0, 0]);
  assert.ok(world.retirements.every((each) => each.reason === "client-closed"));
});

test("what comes late to a destroyed client changes nothing", () => {
  const world = manualWorld({}, byHand);
  const [holder] = world.acquireMany(2, a) as ManualRequest[];
  const opened = world.dialed();
  const [dialing] = world.dialing;
  world.destroy();
  world.dialed(dialing);
  world.dialFailed(dialing);
  world.lose(opened);
  world.cancel(holder as ManualRequest);
  world.pools.released(opened, holder as ManualRequest, world.now);
  world.advance(100_000);
  world.destroy();
  assert.equal(world.retirements.length, 2);
});

test("a request that is made in answer to a destroyed one is refused, and destroying ends", () => {
  const world: ManualWorld = manualWorld(
    { maxSockets: 1 },
    { dials: "wait", reactions: { refused: () => world.requests.length < 9 && world.acquire() } },
  );
  world.acquireMany(3);
  world.destroy();
  assert.ok(world.requests.every((each) => each.outcome?.kind === "refused"));
});

// Pools come and go

test("a pool that has been empty for 30 s is dropped, and a later request gets a new one", () => {
  const world = manualWorld({ keepAliveMsecs: 1_000 });
  leaveIdle(world, 1, a);
  const first = world.pool(a);
  world.advance(1_000 + 29_999);
  assert.deepEqual(origins(world), [a]);
  world.advance(1);
  assert.deepEqual(origins(world), []);
  world.acquire(a);
  assert.notEqual(world.pool(a), first);
});

test("a request that comes to a dropped pool is served by the new one of its origin", () => {
  const world = manualWorld({ keepAliveMsecs: 1_000 });
  leaveIdle(world, 1, a);
  const dropped = world.pool(a);
  world.advance(40_000);
  assert.equal(dropped.isDropped, true);
  const request = world.acquire(dropped);
  assert.equal(request.connection.pool, world.pool(a));
  assert.notEqual(world.pool(a), dropped);
});

test("a pool that is used again is not dropped by the timer of its earlier emptiness", () => {
  const world = manualWorld({ keepAliveMsecs: 1_000 });
  leaveIdle(world, 1, a);
  world.advance(20_000);
  const request = world.acquire(a);
  world.advance(60_000);
  assert.deepEqual(origins(world), [a]);
  assert.equal(request.isHolding, true);
});

test("a pool whose only request was refused is dropped as well", () => {
  const world = manualWorld({ maxTotalSockets: 1, maxPending: 0 });
  world.acquire(a);
  assert.equal(world.acquire(b).error.code, "ERR_KEEPLINE_QUEUE_FULL");
  world.advance(30_000);
  assert.deepEqual(origins(world), [a]);
});

test("a pool whose only request was cancelled, timed out or failed is dropped as well", () => {
  const world = manualWorld({ queueTimeoutMsecs: 100, maxSockets: 1 }, byHand);
  world.cancel(world.acquire(a));
  world.lose(world.dialing[0] as never, "aborted");
  world.acquire(b);
  world.dialFailed();
  world.acquire(c);
  world.advance(100);
  world.dialFailed();
  world.advance(30_000);
  assert.deepEqual(origins(world), []);
});

test("a pool whose request fails while the port takes its place for another is dropped as well", () => {
  const world: ManualWorld = manualWorld(
    { maxTotalSockets: 1 },
    { dials: "wait", reactions: { retired: () => world.requests.length < 2 && world.acquire(b) } },
  );
  const request = world.acquire(a);
  world.dialFailed();
  assert.equal(request.error.code, "ERR_KEEPLINE_CONNECT");
  world.advance(30_000);
  assert.deepEqual(origins(world), [b]);
});

test("beyond maxOrigins the quiet pool that was unused for longest goes, with its connections", () => {
  const world = manualWorld({ maxOrigins: 2 });
  leaveIdle(world, 1, a);
  world.advance(5);
  leaveIdle(world, 1, b);
  world.advance(5);
  leaveIdle(world, 1, a);
  world.acquire(c);
  assert.deepEqual(origins(world), [a, c]);
  assert.deepEqual(
    world.retirements.map(({ connection, reason }) => [connection.pool.origin, reason]),
    [[b, "max-origins"]],
  );
});

test("pools with requests under way stay beyond maxOrigins, and go when they are quiet", () => {
  const world = manualWorld({ maxOrigins: 1 });
  const holder = world.acquire(a);
  world.acquire(b);
  assert.deepEqual(origins(world), [a, b]);
  world.release(holder);
  world.acquire(c);
  assert.deepEqual(origins(world), [b, c]);
});

test("a port that asks for the same origin while room is made for it gets the same pool", () => {
  const world: ManualWorld = manualWorld(
    { maxOrigins: 1 },
    { reactions: { retired: () => world.requests.length < 4 && world.acquire(b) } },
  );
  leaveIdle(world, 1, a);
  world.acquire(b);
  assert.deepEqual(origins(world), [b]);
  assert.equal(world.pools.budget.open, world.pool(b).budget.open);
});

test("a request whose pool is dropped while its stale connections are closed is served by a new one", () => {
  const world: ManualWorld = manualWorld(
    { maxOrigins: 1, keepAliveMsecs: 1_000 },
    { reactions: { retired: () => world.requests.length < 3 && world.acquire(b) } },
  );
  leaveIdle(world, 1, a);
  world.suspend(1_000);
  const request = world.acquire(a);
  assert.equal(request.isHolding, true);
  assert.equal(request.connection.pool, world.pool(a));
  // And counted once, though it has asked two pools.
  const past = [...world.pools.services].flatMap(({ lanes }) => [...lanes.values()]);
  const present = [...world.pools.all].flatMap(({ lanes }) => [...lanes.all]);
  const counted = [...past.map((lane) => lane.past), ...present];
  assert.equal(
    counted.reduce((sum, { requests }) => sum + requests, 0),
    world.requests.length,
  );
});

test("so is one that is sent again, when its pool is dropped while other stale connections are closed", () => {
  const world: ManualWorld = manualWorld(
    { maxOrigins: 1, keepAliveMsecs: 1_000 },
    { reactions: { retired: (_, reason) => reason === "idle-timeout" && world.acquire(b) } },
  );
  leaveIdle(world, 2, a);
  const request = world.acquire(a);
  world.suspend(1_000);
  assert.equal(world.fail(request), null);
  assert.equal(request.isHolding, true);
  assert.equal(request.connection.pool, world.pool(a));
});

test("many origins leave nothing behind", () => {
  const world = manualWorld({ keepAliveMsecs: never });
  for (let index = 0; index < 200; index++) leaveIdle(world, 1, `http://${index}.test`);
  assert.equal(world.pools.size, 200);
  world.configure({ keepAliveMsecs: 1_000 });
  world.advance(31_001);
  assert.equal(world.pools.size, 0);
  assert.equal(world.pools.timers.count, 0);
});

// Sites

test("pools of one origin that are dialed in different ways have sockets of their own, under one service", () => {
  const world = manualWorld({ maxSockets: 1, maxTotalSockets: 2 });
  const route = { via: "a proxy" };
  const plain = world.acquire(a);
  const routed = world.pools.pool({ origin: a, key: `${a} via a proxy`, route }, world.now);
  const other = world.acquire(routed);
  assert.ok(plain.isHolding && other.isHolding);
  assert.deepEqual(
    [...world.pools.all].map((pool) => [pool.origin, pool.site.route, pool.budget.open]),
    [
      [a, null, 1],
      [a, route, 1],
    ],
  );
  assert.equal(routed.service, world.pool(a).service);
  world.release(plain);
  world.release(other);
  assert.equal(world.acquire(routed).isHolding, true);
  assert.deepEqual(
    [...world.pools.all].map((pool) => [pool.roster.busy, pool.roster.idleCount]),
    [
      [0, 1],
      [1, 0],
    ],
  );
});

test("a pool that was dropped is made anew with its route", () => {
  const world = manualWorld({ keepAliveMsecs: 5 });
  const site = { origin: a, key: `${a} via a proxy`, route: {} };
  const dropped = world.pools.pool(site, world.now);
  world.release(world.acquire(dropped));
  world.advance(60_000);
  assert.equal(dropped.isDropped, true);
  const again = world.acquire(dropped);
  assert.equal(again.isHolding, true);
  const present = world.pools.pool(site, world.now);
  assert.notEqual(present, dropped);
  assert.deepEqual([present.site, present.budget.open], [site, 1]);
  assert.deepEqual(origins(world), [a]);
});
