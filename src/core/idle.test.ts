// Resends, and which idle connections a request may take, in the manual world.
import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultOrigin, type ManualRequest, manualWorld } from "../../test/support/manual-world.ts";

const never = Number.POSITIVE_INFINITY;
const byHand = { dials: "wait" } as const;

/** A world with `count` idle connections, and the requests that they carried. */
function withIdle(count: number, options: Parameters<typeof manualWorld>[0] = {}) {
  const world = manualWorld({ keepAliveMsecs: 600_000, ...options });
  const requests = world.acquireMany(count);
  for (const request of requests) world.release(request);
  return { world, requests };
}

function outcomeOf(request: ManualRequest): string {
  return request.outcome?.kind ?? "pending";
}

test("a request whose reused connection fails goes to a fresh one, before all that wait", () => {
  const world = manualWorld({ maxSockets: 1 }, byHand);
  world.release(world.acquireThen(() => world.dialed()));
  const request = world.acquire();
  const waiting = world.acquire();
  const { connection } = request;
  assert.equal(world.fail(request), null);
  assert.equal(world.retiredFor(connection), "socket-error");
  assert.deepEqual([outcomeOf(request), outcomeOf(waiting)], ["pending", "pending"]);
  world.dialed();
  assert.equal(world.grantedTo(), request);
  assert.notEqual(request.connection, connection);
  assert.deepEqual([request.resending?.count, world.pool().tally.resent], [1, 1]);
  world.release(request);
  assert.equal(world.grantedTo(), waiting);
});

test("the failure of a fresh connection is reported", () => {
  const world = manualWorld();
  const request = world.acquire();
  assert.equal(world.fail(request), "fresh-connection");
  assert.equal(world.pool().tally.resent, 0);
});

test("the failure of a connection that was opened ahead of demand is not: it may have been closed for being idle", () => {
  const world = manualWorld();
  world.warm(1);
  world.advance(10);
  const request = world.acquire();
  assert.equal(request.connection.requestCount, 1);
  assert.equal(world.fail(request), null);
});

test("a resend takes no idle connection that is older than the failed one", () => {
  const { world, requests } = withIdle(3, { scheduling: "fifo" });
  world.lose(requests[0]?.connection as never); // so that the first is no longer the oldest
  world.advance(1);
  const middle = world.acquire();
  world.release(middle);
  // By the order of opening: middle, last. Last is the one idle for longest.
  const last = world.acquire();
  assert.equal(last.connection, requests[2]?.connection);
  const opened = world.dials.length;
  assert.equal(world.fail(last), null);
  assert.equal(world.dials.length, opened + 1);
  assert.equal(last.connection.requestCount, 1);
});

test("a resend takes idle connections that are newer, as often as there were idle ones, then a fresh one", () => {
  const { world } = withIdle(4, { scheduling: "fifo" });
  const request = world.acquire();
  const ids: number[] = [];
  for (;;) {
    ids.push(request.connection.id);
    const refusal = world.fail(request);
    if (refusal === null) continue;
    assert.equal(refusal, "fresh-connection");
    break;
  }
  // The shortest idle first: beyond it there is no newer one.
  assert.deepEqual(ids, [1, 4, 5]);
  assert.equal(request.resending?.count, 2);
});

test("a request that waits for a fresh connection lets those behind it have the others", () => {
  const world = manualWorld({ maxSockets: 2 }, byHand);
  const holder = world.acquireThen(() => world.dialed());
  const first = world.acquireThen(() => world.dialed());
  world.release(first);
  const request = world.acquire();
  const behind = world.acquire();
  assert.equal(world.fail(request), null);
  world.release(holder);
  assert.deepEqual([outcomeOf(request), outcomeOf(behind)], ["pending", "granted"]);
  world.dialed();
  assert.equal(world.grantedTo(), request);
});

test("a request that waits for a fresh connection, with no place for one, gets that of the next released", () => {
  const world = manualWorld({ maxTotalSockets: 2 }, byHand);
  const holder = world.acquireThen(() => world.dialed());
  world.release(world.acquireThen(() => world.dialed()));
  const request = world.acquire();
  // The place that the failure leaves is taken by another origin, at once.
  world.reactions.retired = () => {
    world.reactions.retired = () => {};
    world.acquire("http://b.test");
  };
  assert.equal(world.fail(request), null);
  assert.deepEqual([world.counts().dialing, world.counts("http://b.test").dialing], [0, 1]);
  const { connection } = holder;
  world.release(holder);
  assert.equal(world.retiredFor(connection), "made-room");
  assert.equal(world.counts().dialing, 1);
});

test("room is made for every request that waits for a fresh connection", () => {
  const services = { s: { origins: ["a"], lanes: { x: { overload: "newest-first" } } } } as const;
  const world = manualWorld({ maxSockets: 2 }, { ...byHand, services });
  const acquireBoth = () => world.acquireMany(2, "http://a.test", { lane: "x" });
  const first = acquireBoth();
  for (const connection of world.dialing) world.dialed(connection);
  for (const each of first) world.release(each);
  const resent = acquireBoth();
  for (const each of resent) world.fail(each);
  // Their dials serve who came later, so that they need two more.
  const later = acquireBoth();
  for (const connection of world.dialing) world.dialed(connection);
  for (const each of later) {
    const { connection } = each;
    world.release(each);
    assert.equal(world.retiredFor(connection), "made-room");
  }
  for (const connection of world.dialing) world.dialed(connection);
  assert.ok(resent.every((each) => each.isHolding));
});

test("a pool does not yield its place to its own requests that wait for longer", () => {
  const world = manualWorld({ maxTotalSockets: 1 }, byHand);
  const first = world.acquire();
  world.dialed(undefined, { capacity: 2 });
  world.acquire();
  const waiting = world.acquire();
  world.advance(200);
  assert.equal(world.fail(first, { isWritten: false }), null);
  world.dialed(undefined, { capacity: 2 });
  assert.deepEqual([outcomeOf(first), outcomeOf(waiting)], ["granted", "granted"]);
});

test("a request under way is sent again also when the client is being closed, and not when it is destroyed", () => {
  const closing = withIdle(1).world;
  const request = closing.acquire();
  closing.close();
  assert.equal(closing.fail(request), null);
  assert.equal(outcomeOf(request), "granted");

  const destroyed = withIdle(1).world;
  const last = destroyed.acquire();
  destroyed.reactions.retired = () => destroyed.destroy();
  assert.equal(destroyed.fail(last), null);
  assert.equal(outcomeOf(last), "refused");
});

test("an error of a request that waits to be sent again says that the server may have seen it", () => {
  const world = manualWorld({ maxSockets: 1 }, byHand);
  world.release(world.acquireThen(() => world.dialed()));
  const request = world.acquire();
  world.fail(request);
  world.dialFailed();
  assert.equal(request.outcome?.kind === "refused" && request.outcome.error.requestSent, true);
});

test("a request not to be sent twice takes no connection that was idle for longer than any was seen to be kept", () => {
  const { world } = withIdle(1);
  world.advance(20);
  const soon = world.acquire(undefined, { isReplayable: false });
  assert.equal(
    soon.connection.requestCount,
    2,
    "a server of which nothing is known is trusted for 25 ms",
  );
  world.release(soon);
  world.advance(400);
  const late = world.acquire(undefined, { isReplayable: false });
  assert.equal(
    late.connection.requestCount,
    1,
    "nothing says that the server keeps one for 400 ms",
  );
  world.release(late);
  world.advance(100);
  // The first was idle for 500 ms by now, and is open.
  world.release(world.acquire());
  world.advance(300);
  const proven = world.acquire(undefined, { isReplayable: false });
  assert.ok(proven.connection.requestCount > 1);
});

test("a connection that was opened ahead of demand is good for a request not to be sent twice", () => {
  const world = manualWorld({ keepAliveMsecs: 60_000 });
  world.warm(1);
  world.advance(10_000);
  const request = world.acquire(undefined, { isReplayable: false });
  assert.deepEqual([request.connection.lastIdleMsecs, world.dials.length], [10_000, 1]);
});

test("what was idle while the process was suspended proves nothing", () => {
  const { world } = withIdle(2);
  world.advance(100);
  world.suspend(60_000);
  const request = world.acquire(undefined, { isReplayable: false });
  assert.equal(request.connection.requestCount, 1);
});

test("at the limit an idle connection makes room for a request that cannot take it", () => {
  const { world, requests } = withIdle(1, { maxSockets: 1 });
  world.advance(1_000);
  const request = world.acquire(undefined, { isReplayable: false });
  assert.equal(world.retiredFor(requests[0]?.connection as never), "made-room");
  assert.equal(request.connection.requestCount, 1);
});

test("a request that waits for a fresh connection does not keep others from the idle ones", () => {
  const world = manualWorld({ keepAliveMsecs: never }, byHand);
  world.release(world.acquireThen(() => world.dialed()));
  world.advance(1_000);
  const careful = world.acquire(undefined, { isReplayable: false });
  const other = world.acquire();
  assert.deepEqual([outcomeOf(careful), outcomeOf(other)], ["pending", "granted"]);
});

test("idle closes are learned: the next connection is retired before the server would close it", () => {
  const { world, requests } = withIdle(2);
  world.advance(1_000);
  for (const { connection } of requests) world.lose(connection);
  assert.equal(world.pool().idle.history.learnedMsecs, 1_000);
  const request = world.acquire();
  assert.equal(request.connection.requestCount, 1);
  world.release(request);
  world.advance(899);
  assert.equal(world.retiredFor(request.connection), null);
  const next = world.acquire();
  assert.equal(next.connection, request.connection);
  world.release(next);
  world.advance(901);
  assert.ok(world.acquire().connection !== request.connection);
});

test("past the window one connection stays as a scout, which no request takes, until it has outlived the limit", () => {
  const { world } = withIdle(3);
  world.advance(1_000);
  for (const connection of world.live) world.lose(connection);
  for (const request of world.acquireMany(3)) world.release(request);
  world.advance(950);
  const { scout } = world.pool().idle;
  assert.ok(scout !== null);
  assert.equal(world.counts().idle, 1);
  const request = world.acquire();
  assert.notEqual(request.connection, scout);
  world.release(request);
  world.advance(320);
  assert.equal(world.retiredFor(scout), "idle-window");
});

test("a scout does not hide connections that became idle before it", () => {
  const world = manualWorld({ keepAliveMsecs: 100_000 });
  const first = world.acquire();
  world.release(first);
  world.advance(4_000);
  world.lose(first.connection);
  const lasting = world.acquire();
  const brief = world.acquire();
  world.release(lasting);
  world.advance(10);
  world.hint(brief.connection, 1_000);
  world.release(brief);
  world.advance(1_500);
  assert.equal(world.pool().idle.scout, brief.connection);
  assert.equal(world.acquire().connection, lasting.connection);
});

test("a request not to be sent twice keeps to its window also when it is sent again", () => {
  const { world, requests } = withIdle(2);
  const [older, newer] = requests as [ManualRequest, ManualRequest];
  // The one that was opened first is the one that was idle for the shorter time.
  const again = world.acquire();
  const other = world.acquire();
  assert.deepEqual([again.connection, other.connection], [newer.connection, older.connection]);
  world.release(again);
  world.advance(5_000);
  world.release(other);
  world.advance(10);
  const careful = world.acquire(undefined, { isReplayable: false });
  assert.equal(careful.connection, older.connection);
  assert.equal(world.fail(careful, { isWritten: false, isIdempotent: false }), null);
  assert.ok(careful.connection !== newer.connection, "it was idle for 5 s, which nothing proves");
});

test("what is learned of one connection holds for those that are idle already", () => {
  const world = manualWorld({ keepAliveMsecs: 60_000 });
  const [first, second, third] = world.acquireMany(3) as [
    ManualRequest,
    ManualRequest,
    ManualRequest,
  ];
  world.release(first);
  world.advance(50);
  world.release(second);
  world.advance(50);
  world.release(third);
  world.advance(900);
  world.lose(first.connection);
  // After 1,000 ms; the second was idle for 950 and is the scout, the third for 900 and is at its end.
  assert.equal(world.pool().idle.scout, second.connection);
  assert.equal(world.retiredFor(third.connection), "idle-window");
});

test("an idle time that ended while the process was suspended proves nothing", () => {
  const { world } = withIdle(1);
  world.suspend(1_000_000);
  world.tick();
  assert.equal(world.counts().open, 0);
  assert.equal(world.pool().idle.history.provenMsecs, 0);
});

test("the scout counts for no spare connection", () => {
  const world = manualWorld({ keepAliveMsecs: 60_000, minFreeSockets: 1 });
  world.release(world.acquire());
  world.advance(1_000);
  for (const connection of world.live) world.lose(connection);
  world.release(world.acquire());
  world.advance(1_000);
  assert.ok(world.pool().idle.scout !== null);
  assert.equal(world.counts().idle, 2);
});

test("an idle connection that makes room for a fresh one again and again is tried at last", () => {
  const { world } = withIdle(1, { maxSockets: 1 });
  let dials = 0;
  for (let count = 0; count < 30; count++) {
    world.advance(1_000);
    const request = world.acquire(undefined, { isReplayable: false });
    if (request.connection.requestCount === 1) dials++;
    world.release(request);
  }
  assert.equal(dials, 5);
});

test("a close before the first request of a connection teaches nothing: servers count that time otherwise", () => {
  const world = manualWorld({ keepAliveMsecs: 60_000 });
  world.warm(1);
  world.advance(50);
  for (const connection of world.live) world.lose(connection);
  assert.equal(world.pool().idle.history.learnedMsecs, null);
});

test("a failure right after an idle time is a close that was under way; a later one has another cause", () => {
  const { world } = withIdle(2);
  world.advance(1_000);
  const early = world.acquire();
  world.advance(15);
  world.fail(early);
  assert.equal(world.pool().idle.history.learnedMsecs, 1_015);

  const { world: other } = withIdle(2);
  other.advance(1_000);
  const late = other.acquire();
  other.advance(500);
  other.fail(late);
  assert.equal(other.pool().idle.history.learnedMsecs, null);
});

test("408 on an idle connection is a close", () => {
  const { world, requests } = withIdle(1);
  world.advance(5_000);
  world.lose(requests[0]?.connection as never, "unexpected-bytes");
  assert.equal(world.pool().idle.history.learnedMsecs, 5_000);
});

test("the round trip is the shortest of late over all lanes, and rises slowly", () => {
  const services = { s: { origins: ["a"], lanes: { x: {} } } };
  const world = manualWorld({}, { services });
  const pool = world.pools.pool(defaultOrigin, world.now);
  const [one, other] = ["default", "x"].map((name) => pool.lanes.of(name));
  assert.equal(pool.idle.roundTripMsecs, 0);
  for (const msecs of [40, 20, 90]) one?.responded(msecs);
  assert.ok(pool.idle.roundTripMsecs >= 20 && pool.idle.roundTripMsecs < 20.1);
  for (let count = 0; count < 5_000; count++) other?.responded(100);
  assert.ok(pool.idle.roundTripMsecs > 95);
});
