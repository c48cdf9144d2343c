import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultOrigin, type ManualRequest, manualWorld } from "../../test/support/manual-world.ts";
import { ConnectError, QueueFullError, QueueTimeoutError } from "./errors.ts";

const byHand = { dials: "wait" } as const;
const never = Number.POSITIVE_INFINITY;

function codes(requests: readonly ManualRequest[]): string[] {
  return requests.map((each) => each.error.code);
}

// Dials and late binding

test("a request without an idle connection dials, and gets the connection when it is open", () => {
  const world = manualWorld({}, byHand);
  const request = world.acquire();
  assert.deepEqual(world.counts(), { open: 1, idle: 0, busy: 0, dialing: 1, pending: 1 });
  world.dialed();
  assert.equal(world.grantedTo(), request);
  assert.deepEqual(world.counts(), { open: 1, idle: 0, busy: 1, dialing: 0, pending: 0 });
});

test("a connection that is released first serves the request whose dial is still under way", () => {
  const world = manualWorld({}, byHand);
  const holder = world.acquire();
  const released = world.dialed();
  const waiting = world.acquire();
  world.release(holder);
  assert.equal(waiting.connection, released);
  assert.equal(world.counts().dialing, 1);
});

test("a dial that nobody needs any more serves the next request instead of another dial", () => {
  const world = manualWorld({}, byHand);
  const holder = world.acquire();
  world.dialed();
  world.acquire();
  world.release(holder);
  const next = world.acquire();
  assert.equal(world.dials.length, 2);
  const connection = world.dialed();
  assert.equal(next.connection, connection);
});

test("a dial that nobody needs becomes idle when no request comes", () => {
  const world = manualWorld({}, byHand);
  const request = world.acquire();
  world.cancel(request);
  world.dialed();
  assert.deepEqual(world.counts(), { open: 1, idle: 1, busy: 0, dialing: 0, pending: 0 });
});

test("there are never more dials under way than requests wait", () => {
  const world = manualWorld({}, byHand);
  const [first, second, third] = world.acquireMany(3);
  assert.equal(world.dialing.length, 3);
  for (const request of [first, second, third]) world.cancel(request as ManualRequest);
  world.acquireMany(3);
  assert.equal(world.dials.length, 3);
  world.acquire();
  assert.equal(world.dials.length, 4);
});

test("every open connection is dialed once for one request that waits, up to maxSockets", () => {
  const world = manualWorld({ maxSockets: 3 }, byHand);
  world.acquireMany(5);
  assert.deepEqual(world.counts(), { open: 3, idle: 0, busy: 0, dialing: 3, pending: 5 });
});

test("a dial that fails fails the request that has waited longest, with the cause", () => {
  const world = manualWorld({ maxSockets: 2 }, byHand);
  const [first, second, third] = world.acquireMany(3);
  const cause = new Error("connect ECONNREFUSED");
  world.dialFailed(world.dialing[1], cause);
  assert.deepEqual(world.refusals, [first]);
  assert.equal(first?.error.code, "ERR_KEEPLINE_CONNECT");
  assert.equal(first?.error.cause, cause);
  assert.match(first?.error.message ?? "", /^cannot connect to http:\/\/a\.test: connect ECONN/);
  assert.equal(second?.outcome ?? third?.outcome, null);
});

test("after a failed dial the next request dials at once", () => {
  const world = manualWorld({ maxSockets: 1 }, byHand);
  const [, second] = world.acquireMany(2);
  world.dialFailed();
  assert.equal(world.dialing.length, 1);
  world.dialed();
  assert.equal(world.grantedTo(), second);
});

test("a dial that fails fails nobody while the other dials suffice for all who wait", () => {
  const world = manualWorld({}, byHand);
  const [first, second] = world.acquireMany(2);
  world.cancel(first as ManualRequest);
  world.dialFailed();
  assert.equal(second?.outcome, null);
  world.dialed();
  assert.equal(world.grantedTo(), second);
});

test("a failed dial ahead of demand fails no request", () => {
  const world = manualWorld({ minFreeSockets: 2 }, byHand);
  const request = world.acquire();
  assert.equal(world.dialing.length, 3);
  world.dialFailed();
  world.dialFailed();
  assert.equal(request.outcome, null);
  world.dialed();
  assert.equal(world.grantedTo(), request);
});

test("repeated failures back off: 25 to 50 ms after the second, twice that after the third", () => {
  const world = manualWorld({}, byHand);
  world.acquire();
  world.dialFailed();
  world.acquire();
  world.dialFailed();
  for (const step of [50, 100, 200, 400, 800, 1_000, 1_000]) {
    world.acquire();
    world.advance(step / 2 - 2);
    assert.equal(world.dialing.length, 0, `half of ${step} ms is not over`);
    world.advance(step / 2 + 3);
    assert.equal(world.dialing.length, 1, `${step} ms are over`);
    world.dialFailed();
  }
});

test("an origin that is down is asked by one dial at a time, and a success ends that", () => {
  const world = manualWorld({}, byHand);
  world.acquire();
  world.dialFailed();
  world.acquire();
  world.dialFailed();
  world.acquireMany(3);
  world.advance(60);
  assert.equal(world.dialing.length, 1);
  world.dialed();
  assert.equal(world.counts().busy, 1);
  assert.equal(world.dialing.length, 2);
});

test("dials that were under way together fail only their own requests", () => {
  const world = manualWorld({}, byHand);
  const requests = world.acquireMany(4);
  world.advance(10);
  for (const _ of requests) world.dialFailed();
  assert.deepEqual(world.refusals, requests);
  world.acquire();
  assert.equal(world.dialing.length, 1, "they count as one failure");
});

test("with no connection at all and repeated failures every pending request fails", () => {
  const world = manualWorld({ maxSockets: 1 }, byHand);
  const requests = world.acquireMany(4);
  world.dialFailed();
  assert.equal(world.refusals.length, 1);
  world.advance(1);
  world.dialFailed();
  assert.deepEqual(world.refusals, requests);
});

test("with a connection left repeated failures fail one request each, and the others wait for it", () => {
  const world = manualWorld({ maxSockets: 2 }, byHand);
  const holder = world.acquire();
  world.dialed();
  const [first, second, third] = world.acquireMany(3);
  world.dialFailed();
  world.advance(1);
  world.dialFailed();
  assert.deepEqual(world.refusals, [first, second]);
  world.release(holder);
  assert.equal(world.grantedTo(), third);
});

test("a request that is made in answer to a refusal does not fail with the same dial", () => {
  const again: ManualRequest[] = [];
  const world = manualWorld(
    {},
    {
      dials: "wait",
      reactions: {
        refused: () => {
          if (again.length < 5) again.push(world.acquire());
        },
      },
    },
  );
  world.acquire();
  world.dialFailed();
  world.dialFailed();
  assert.equal(again.length, 2);
  assert.equal(again[1]?.outcome, null);
  world.advance(60);
  world.dialed();
  assert.equal(world.grantedTo(), again[1]);
});

test("a dial that takes too long fails its request, and what it brings later is ignored", () => {
  const world = manualWorld({ connectTimeoutMsecs: 300 }, byHand);
  const request = world.acquire();
  const [dial] = world.dialing;
  world.advance(299);
  assert.equal(request.outcome, null);
  world.advance(1);
  assert.equal(request.error.message, "connecting to http://a.test took longer than 300 ms");
  assert.equal(world.retiredFor(dial as never), "connect-timeout");
  world.dialed(dial);
  world.dialFailed(dial);
  assert.deepEqual(world.counts(), { open: 0, idle: 0, busy: 0, dialing: 0, pending: 0 });
});

test("dials that are answered inside the call that makes them serve and fail requests all the same", () => {
  const world = manualWorld(
    { maxSockets: 2 },
    {
      dials: "wait",
      reactions: {
        dialing: (connection) => {
          if (connection.id % 2 === 1) world.dialed(connection);
          else world.dialFailed(connection);
        },
      },
    },
  );
  const [first, second] = world.acquireMany(2);
  assert.equal(first?.connection.id, 1);
  assert.equal(second?.error.code, "ERR_KEEPLINE_CONNECT");
});

// Reuse and retirement

test("a request takes an idle connection rather than dial", () => {
  const world = manualWorld();
  const first = world.acquire();
  world.release(first);
  world.advance(40);
  const second = world.acquire();
  assert.equal(second.connection, first.connection);
  assert.equal(second.connection.lastIdleMsecs, 40);
  const { opened } = world.pool().tally;
  const { requests, served, reused } = world.lane("default");
  assert.deepEqual(
    { requests, served, opened, reused },
    { requests: 2, served: 2, opened: 1, reused: 1 },
  );
});

test("lifo uses the connection that became idle last, so that extras expire", () => {
  const world = manualWorld({ scheduling: "lifo", keepAliveMsecs: 100 });
  for (const request of world.acquireMany(3)) world.release(request);
  for (let turn = 0; turn < 10; turn++) {
    world.advance(30);
    world.release(world.acquire());
  }
  assert.equal(world.counts().open, 1);
});

test("fifo uses the connection that has been idle longest, so that all are used", () => {
  const world = manualWorld({ scheduling: "fifo" });
  for (const request of world.acquireMany(3)) world.release(request);
  const used = Array.from({ length: 6 }, () => {
    const request = world.acquire();
    world.release(request);
    return request.connection.id;
  });
  assert.deepEqual(used, [1, 2, 3, 1, 2, 3]);
});

test("beyond maxFreeSockets the connection that has been idle longest is closed", () => {
  const world = manualWorld({ maxFreeSockets: 2 });
  const requests = world.acquireMany(3);
  for (const request of [2, 0, 1]) world.release(requests[request] as ManualRequest);
  assert.equal(world.retiredFor(requests[2]?.connection as never), "max-free-sockets");
  assert.equal(world.counts().idle, 2);
});

test("with maxFreeSockets 0 connections still pass from request to request", () => {
  const world = manualWorld({ maxFreeSockets: 0, maxSockets: 1 });
  const [first, second] = world.acquireMany(2) as [ManualRequest, ManualRequest];
  world.release(first);
  assert.equal(second.connection, first.connection);
  world.release(second);
  assert.equal(world.retiredFor(first.connection), "max-free-sockets");
});

test("an idle connection is closed when keepAliveMsecs are over", () => {
  const world = manualWorld({ keepAliveMsecs: 200 });
  const request = world.acquire();
  world.advance(1_000);
  world.release(request);
  world.advance(199);
  assert.equal(world.counts().idle, 1);
  world.advance(1);
  assert.equal(world.retiredFor(request.connection), "idle-timeout");
});

test("with keepAliveMsecs 0 no connection becomes idle, and with Infinity none ends by it", () => {
  const none = manualWorld({ keepAliveMsecs: 0 });
  none.release(none.acquire());
  assert.equal(none.counts().open, 0);
  const endless = manualWorld({ keepAliveMsecs: never });
  endless.release(endless.acquire());
  endless.advance(1e9);
  assert.equal(endless.counts().idle, 1);
});

test("a hint of the server ends the use of a connection before the server does", () => {
  const world = manualWorld({ keepAliveMsecs: 60_000 });
  const request = world.acquire();
  world.hint(request.connection, 5_000);
  world.release(request);
  assert.equal(world.pool().idle.windowMsecs, 4_000);
  world.advance(3_999);
  assert.equal(world.counts().idle, 1);
  world.advance(1);
  assert.equal(world.retiredFor(request.connection), "idle-window");
});

test("the margin of a hint grows by the shortest time that a response took", () => {
  const world = manualWorld({ keepAliveMsecs: 60_000 });
  const request = world.acquire();
  for (const msecs of [400, 150, 150.5]) world.lane("default").responded(msecs);
  world.hint(request.connection, 5_000);
  world.release(request);
  assert.equal(Math.round(request.connection.usableUntil), world.now + 3_850);
});

test("a hint that is too short to be met closes the connection at once", () => {
  const world = manualWorld();
  const request = world.acquire();
  world.hint(request.connection, 100);
  world.release(request);
  assert.equal(world.retiredFor(request.connection), "idle-window");
});

test("a hint longer than keepAliveMsecs changes nothing", () => {
  const world = manualWorld({ keepAliveMsecs: 1_000 });
  const request = world.acquire();
  world.hint(request.connection, 60_000);
  world.release(request);
  world.advance(1_000);
  assert.equal(world.retiredFor(request.connection), "idle-timeout");
});

test("after `Keep-Alive: max=N` a connection carries N further requests", () => {
  const world = manualWorld();
  const request = world.acquire();
  const { connection } = request;
  world.hint(connection, null, 1);
  world.release(request);
  const last = world.acquire();
  assert.equal(last.connection, connection);
  world.release(last);
  assert.equal(world.retiredFor(connection), "max-requests");
});

test("a stale connection is not used although no timer has told: the clock is looked at", () => {
  for (const scheduling of ["lifo", "fifo"] as const) {
    const world = manualWorld({ keepAliveMsecs: 1_000, scheduling });
    for (const request of world.acquireMany(3)) world.release(request);
    world.suspend(1_000);
    const request = world.acquire();
    assert.equal(request.connection.id, 4);
    assert.equal(world.retirements.length, 3);
  }
});

test("one instant before its end an idle connection is still used", () => {
  const world = manualWorld({ keepAliveMsecs: 1_000 });
  const first = world.acquire();
  world.release(first);
  world.suspend(999.9);
  assert.equal(world.acquire().connection, first.connection);
});

test("the timer of an idle connection does not close it once it is in use again", () => {
  const world = manualWorld({ keepAliveMsecs: 100 });
  world.release(world.acquire());
  world.advance(50);
  const request = world.acquire();
  world.advance(500);
  assert.equal(request.isHolding, true);
});

test("a connection ends up to 10 % before maxSocketAgeMsecs, each at its own time, and only when free", () => {
  const world = manualWorld({ maxSocketAgeMsecs: 10_000, keepAliveMsecs: never });
  const requests = world.acquireMany(20);
  const holder = world.acquire();
  for (const request of requests) world.release(request);
  world.advance(8_999);
  assert.equal(world.retirements.length, 0);
  world.advance(500);
  const early = world.retirements.length;
  assert.ok(early > 0 && early < 20, `${early} of 20 were closed half-way`);
  world.advance(501);
  assert.equal(world.retirements.length, 20);
  assert.ok(world.retirements.every((each) => each.reason === "max-age"));
  assert.equal(holder.isHolding, true);
  world.release(holder);
  assert.equal(world.retiredFor(holder.connection), "max-age");
});

test("with keepAlive false a request gets a fresh connection, also one dialed for another request", () => {
  const world = manualWorld({ keepAlive: false }, byHand);
  const [first, second] = world.acquireMany(2) as [ManualRequest, ManualRequest];
  world.dialed();
  world.release(first);
  assert.equal(world.retiredFor(first.connection), "keep-alive-off");
  world.cancel(second);
  world.dialed();
  assert.equal(world.acquire().connection.requestCount, 1);
  assert.equal(world.dials.length, 2);
});

test("a connection that is lost while it is busy makes room for the next request", () => {
  const world = manualWorld({ maxSockets: 1 });
  const [holder, next] = world.acquireMany(2) as [ManualRequest, ManualRequest];
  world.lose(holder.connection, "socket-error");
  assert.equal(world.grantedTo(), next);
  assert.equal(next.connection.id, 2);
  assert.deepEqual(world.pool().tally.closed, { "socket-error": 1 });
});

test("a connection that the server closes while it is idle is never granted", () => {
  const world = manualWorld();
  const first = world.acquire();
  world.release(first);
  world.lose(first.connection);
  assert.notEqual(world.acquire().connection, first.connection);
  assert.equal(world.retiredFor(first.connection), "server-closed");
});

test("a draining connection gets no further request and is closed with its last lease", () => {
  const world = manualWorld({ maxSockets: 1 });
  const [holder, next] = world.acquireMany(2) as [ManualRequest, ManualRequest];
  world.drain(holder.connection, "connection-close");
  assert.equal(world.counts().busy, 1);
  world.release(holder);
  assert.equal(world.retiredFor(holder.connection), "connection-close");
  assert.equal(next.connection.id, 2);
});

test("an idle connection that is drained is closed at once, and replaced where some are kept ready", () => {
  const world = manualWorld({ minFreeSockets: 1 }, byHand);
  const request = world.acquire();
  for (const connection of world.dialing) world.dialed(connection);
  const idle = [...world.live].find((each) => each.state.kind === "idle");
  world.drain(idle as never, "unexpected-bytes");
  assert.equal(world.retiredFor(idle as never), "unexpected-bytes");
  assert.equal(world.dialing.length, 1);
  assert.equal(request.isHolding, true);
});

test("a release of what is not leased is reported as a defect; one of a closed connection is not", () => {
  const world = manualWorld({}, byHand);
  const request = world.acquire();
  const [dialing] = world.dialing;
  const releasedAt = () => world.pools.released(dialing as never, request, world.now);
  assert.throws(releasedAt, /connection 1 was released while dialing/);
  world.dialed();
  world.release(request);
  assert.throws(releasedAt, /connection 1 was released while idle/);
  world.destroy();
  releasedAt();
});

// The queue

test("requests are served in the order in which they came", () => {
  const world = manualWorld({ maxSockets: 2 });
  const requests = world.acquireMany(6);
  for (const request of requests) world.release(request);
  assert.deepEqual(world.grants, requests);
});

test("a freed connection goes to the longest-waiting live request", () => {
  const world = manualWorld({ maxSockets: 1 });
  const [holder, cancelled, next, last] = world.acquireMany(4) as ManualRequest[];
  world.cancel(cancelled as ManualRequest);
  world.release(holder as ManualRequest);
  assert.equal(world.grantedTo(), next);
  assert.equal(last?.outcome, null);
});

test("a cancelled pending request never receives a connection", () => {
  const world = manualWorld({ maxSockets: 1 });
  const [holder, cancelled] = world.acquireMany(2) as [ManualRequest, ManualRequest];
  world.cancel(cancelled);
  world.release(holder);
  assert.equal(world.grantedTo(), holder);
  assert.equal(world.counts().idle, 1);
});

test("to cancel what is granted, refused or cancelled already changes nothing", () => {
  const world = manualWorld({ maxSockets: 1, maxPending: 1 });
  const [holder, waiting, refused] = world.acquireMany(3) as ManualRequest[];
  world.cancel(waiting as ManualRequest);
  for (const request of [holder, waiting, refused]) world.cancel(request as ManualRequest);
  assert.equal(holder?.isHolding, true);
  assert.deepEqual(world.counts(), { open: 1, idle: 0, busy: 1, dialing: 0, pending: 0 });
});

test("maxPending counts requests without a dial of their own, and refuses the one beyond at once", () => {
  const world = manualWorld({ maxSockets: 2, maxPending: 1 }, byHand);
  const [, , third, fourth] = world.acquireMany(4);
  assert.equal(third?.outcome, null);
  assert.ok(fourth?.error instanceof QueueFullError);
  assert.match(
    fourth.error.message,
    /^the queue of http:\/\/a\.test is full \(pending \d\/1, open 2\/2 maxSockets\)/,
  );
  assert.equal(world.lane("default").refused, 1);
});

test("with maxPending 0 a request is refused unless it gets a connection or a dial at once", () => {
  const world = manualWorld({ maxSockets: 1, maxPending: 0 });
  const holder = world.acquire();
  assert.deepEqual(codes([world.acquire()]), ["ERR_KEEPLINE_QUEUE_FULL"]);
  world.release(holder);
  assert.equal(world.acquire().isHolding, true);
});

test("a request that has waited for queueTimeoutMsecs fails with the evidence", () => {
  const world = manualWorld({ maxSockets: 1, queueTimeoutMsecs: 250.5 });
  world.acquire();
  world.advance(10);
  const [late, alsoLate] = world.acquireMany(2) as [ManualRequest, ManualRequest];
  world.cancel(alsoLate);
  world.advance(250);
  assert.equal(late.outcome, null);
  world.advance(1);
  assert.ok(late.error instanceof QueueTimeoutError);
  assert.ok(late.error.waitedMsecs >= 250.5 && late.error.waitedMsecs <= 251.5);
  assert.match(
    late.error.message,
    /^no socket to http:\/\/a\.test became free in 251 ms \(open 1\/1 maxSockets, pending 1\)$/,
  );
  assert.equal(late.error.lane, "default");
  assert.equal(world.lane("default").timedOut, 1);
});

test("a queue timeout names the limit of the client when that is the one in the way", () => {
  const world = manualWorld({ maxTotalSockets: 1, queueTimeoutMsecs: 100 });
  world.acquire("http://b.test");
  const late = world.acquire();
  world.advance(100);
  assert.match(late.error.message, /\(open 1\/1 maxTotalSockets, pending 1\)$/);
});

test("the wait for a dial counts towards the queue timeout, whose cause is the last failed dial", () => {
  const world = manualWorld({ maxSockets: 1, queueTimeoutMsecs: 100 }, byHand);
  world.acquire();
  const late = world.acquire();
  const cause = new Error("connect ECONNRESET");
  world.dialFailed(undefined, cause);
  world.advance(100);
  assert.ok(late.error instanceof QueueTimeoutError);
  assert.equal(late.error.cause, cause);
});

test("a request's own queueTimeoutMsecs takes the place of the pool's", () => {
  const world = manualWorld({ maxSockets: 1, queueTimeoutMsecs: 100 });
  world.acquire();
  const patient = world.acquire(defaultOrigin, { queueTimeoutMsecs: 300 });
  const hasty = world.acquire(defaultOrigin, { queueTimeoutMsecs: 20 });
  world.advance(20);
  assert.deepEqual(world.refusals, [hasty]);
  world.advance(279);
  assert.equal(patient.outcome, null);
  world.advance(1);
  assert.deepEqual(world.refusals, [hasty, patient]);
});

test("the dial of a request that timed out serves the next one", () => {
  const world = manualWorld({ maxSockets: 1 }, byHand);
  world.acquire(defaultOrigin, { queueTimeoutMsecs: 50 });
  const next = world.acquire();
  world.advance(50);
  world.dialed();
  assert.equal(world.grantedTo(), next);
});

test("a request that is granted has no deadline left", () => {
  const world = manualWorld({ queueTimeoutMsecs: 100 }, byHand);
  const request = world.acquire();
  world.dialed();
  world.advance(1_000);
  assert.equal(request.isHolding, true);
});

// Connections that carry several requests at once

test("a connection carries as many requests at once as its capacity, and then the next one waits", () => {
  const world = manualWorld({ maxSockets: 1 }, byHand);
  const requests = world.acquireMany(2);
  world.dialed(undefined, { capacity: 3 });
  const third = world.acquire();
  const fourth = world.acquire();
  assert.deepEqual(world.grants, [...requests, third]);
  world.release(third);
  assert.equal(world.grantedTo(), fourth);
  assert.equal(world.dials.length, 1);
});

test("a shared connection is idle when its last lease ends, and never leased beyond its capacity", () => {
  const world = manualWorld({}, byHand);
  const first = world.acquire();
  world.dialed(undefined, { capacity: 2 });
  const second = world.acquire();
  world.release(first);
  assert.equal(world.counts().busy, 1);
  world.release(second);
  assert.deepEqual(world.counts(), { open: 1, idle: 1, busy: 0, dialing: 0, pending: 0 });
});

test("a shared connection carries no more than maxRequestsPerSocket, also when many wait for it", () => {
  const world = manualWorld({ maxSockets: 1, maxRequestsPerSocket: 2 }, byHand);
  const requests = world.acquireMany(4) as ManualRequest[];
  const connection = world.dialed(undefined, { capacity: 3 });
  assert.deepEqual(world.grants, requests.slice(0, 2));
  for (const request of requests.slice(0, 2)) world.release(request);
  assert.equal(world.retiredFor(connection), "max-requests");
  world.dialed(undefined, { capacity: 3 });
  assert.deepEqual(world.grants, requests);
});

test("a driver that releases inside the grant does not get more leases than the capacity", () => {
  let releases = 1;
  const world = manualWorld(
    { maxSockets: 1 },
    {
      dials: "wait",
      reactions: {
        granted: (request) => {
          if (releases-- > 0) world.release(request);
        },
      },
    },
  );
  const requests = world.acquireMany(5);
  world.dialed(undefined, { capacity: 2 });
  assert.deepEqual(world.grants, requests.slice(0, 3));
});

test("a shared connection that is drained ends when all its leases have", () => {
  const world = manualWorld({}, byHand);
  const [first, second] = world.acquireMany(2) as [ManualRequest, ManualRequest];
  const connection = world.dialed(undefined, { capacity: 2 });
  world.drain(connection);
  world.release(first);
  assert.equal(world.retiredFor(connection), null);
  world.release(second);
  assert.equal(world.retiredFor(connection), "connection-close");
});

test("a stale connection makes room for a look at what the port opened meanwhile", () => {
  let isOnce = true;
  const world = manualWorld(
    { keepAliveMsecs: 1_000, maxSockets: 1 },
    {
      dials: "wait",
      reactions: {
        dialing: (connection) => world.dialed(connection, { capacity: 2 }),
        retired: () => {
          if (isOnce) world.acquire();
          isOnce = false;
        },
      },
    },
  );
  world.release(world.acquire());
  world.suspend(1_000);
  const request = world.acquire();
  assert.equal(request.isHolding, true);
  assert.equal(request.connection.leases, 2);
});

// Ahead of demand

test("minFreeSockets are held ready beside the busy ones, and replaced when they are used or end", () => {
  const world = manualWorld({ minFreeSockets: 2, keepAliveMsecs: 1_000 });
  const first = world.acquire();
  assert.deepEqual([world.counts().idle, world.counts().busy], [2, 1]);
  world.acquire();
  assert.deepEqual([world.counts().idle, world.counts().busy], [2, 2]);
  world.lose(first.connection);
  assert.deepEqual([world.counts().idle, world.counts().busy], [2, 1]);
  world.advance(1_000);
  assert.equal(world.counts().idle, 2);
  assert.ok(world.retirements.some((each) => each.reason === "idle-timeout"));
});

test("a server that closes connections before they are used is not dialed ahead of demand over and over", () => {
  const world = manualWorld({ minFreeSockets: 1 });
  world.acquire();
  const before = world.dials.length;
  const loseIdle = (): void => {
    for (const each of world.live) if (each.state.kind === "idle") world.lose(each);
  };
  loseIdle();
  assert.equal(world.dials.length, before);
  world.advance(999);
  assert.equal(world.dials.length, before);
  world.advance(1);
  assert.equal(world.dials.length, before + 1);
  loseIdle();
  world.acquire();
  assert.equal(world.dials.length, before + 2, "a request does not wait for that");
});

test("dials ahead of demand serve pending requests first", () => {
  const world = manualWorld({ minFreeSockets: 2, maxSockets: 3 }, byHand);
  const requests = world.acquireMany(3);
  assert.equal(world.dialing.length, 3);
  for (const connection of world.dialing) world.dialed(connection);
  assert.deepEqual(world.grants, requests);
});

test("sockets that could not be kept are not opened ahead of demand, over and over", () => {
  const world = manualWorld({ minFreeSockets: 1, keepAliveMsecs: 0 }, byHand);
  const request = world.acquire();
  world.dialed();
  world.release(request);
  assert.equal(world.dials.length, 1);
});

test("a warm-up opens so many connections and is ready when they are open", () => {
  const world = manualWorld({}, byHand);
  const warmer = world.warm(3);
  assert.equal(world.dialing.length, 3);
  world.dialed();
  world.dialed();
  assert.equal(warmer.outcome, null);
  world.dialed();
  assert.equal(warmer.outcome, 3);
  assert.equal(world.counts().idle, 3);
});

test("a warm-up counts connections that there are, busy ones included", () => {
  const world = manualWorld();
  world.acquire();
  assert.equal(world.warm(1).outcome, 1);
  assert.equal(world.dials.length, 1);
});

test("a warm-up that a limit stands against is ready with fewer", () => {
  const own = manualWorld({ maxSockets: 2 });
  assert.equal(own.warm(5).outcome, 2);
  const shared = manualWorld({ maxTotalSockets: 3 });
  shared.acquire("http://b.test");
  assert.equal(shared.warm(5).outcome, 2);
});

test("a warm-up of more than maxFreeSockets is ready with what is kept, and dials no more", () => {
  const world = manualWorld({ maxFreeSockets: 2 }, byHand);
  const warmer = world.warm(4);
  for (let turn = 0; turn < 10 && world.dialing.length > 0; turn++) world.dialed();
  assert.equal(warmer.outcome, 2);
  assert.equal(world.dials.length, 2);
});

test("a warm-up takes no other origin's idle socket", () => {
  const world = manualWorld({ maxTotalSockets: 1 });
  world.release(world.acquire("http://b.test"));
  assert.equal(world.warm(1).outcome, 0);
  assert.equal(world.counts("http://b.test").idle, 1);
});

test("a warm-up fails with the first dial that does", () => {
  const world = manualWorld({}, byHand);
  const warmer = world.warm(2);
  const cause = new Error("refused");
  world.dialFailed(undefined, cause);
  assert.equal((warmer.outcome as Error).cause, cause);
  world.dialed();
  assert.equal(world.counts().idle, 1);
});

test("a warm-up in a back-off fails at once, with the last failure", () => {
  const world = manualWorld({}, byHand);
  const cause = new Error("refused");
  world.acquire();
  world.dialFailed();
  world.acquire();
  world.dialFailed(undefined, cause);
  assert.equal((world.warm(2).outcome as Error).cause, cause);
});

test("a warm-up that has its connections is ready also in a back-off", () => {
  const world = manualWorld({}, byHand);
  world.acquire();
  world.dialed();
  world.acquire();
  world.dialFailed();
  world.acquire();
  world.dialFailed();
  assert.equal(world.warm(1).outcome, 1);
  assert.ok(world.warm(2).outcome instanceof ConnectError);
});

test("a warm-up that has its connections is ready, whatever became of an earlier dial", () => {
  const world = manualWorld({ maxSockets: 2 }, byHand);
  world.acquire();
  world.dialed();
  world.acquire();
  world.dialFailed();
  assert.equal(world.warm(1).outcome, 1);
  const more = world.warm(2);
  assert.equal(more.outcome, null);
  world.dialed();
  assert.equal(more.outcome, 2);
});

test("several warm-ups share their dials, and each is told when it has enough", () => {
  const world = manualWorld({}, byHand);
  const [one, two] = [world.warm(1), world.warm(2)];
  assert.equal(world.dialing.length, 2);
  world.dialed();
  assert.deepEqual([one.outcome, two.outcome], [1, null]);
  world.dialed();
  assert.deepEqual([one.outcome, two.outcome], [1, 2]);
});

test("what a pool did is counted: opened, resumed, closed by reason, waits and handshakes", () => {
  const world = manualWorld({ maxSockets: 1 }, byHand);
  const [first, second] = world.acquireMany(2) as [ManualRequest, ManualRequest];
  world.advance(30);
  world.dialed(undefined, { connectMsecs: 10, tlsMsecs: 20, tlsResumed: true });
  world.advance(70);
  world.release(first);
  world.lose(second.connection, "socket-error");
  const { tally } = world.pool();
  const lane = world.lane("default");
  assert.deepEqual(
    [lane.requests, lane.served, tally.opened, tally.resumedTls, lane.reused, tally.closed],
    [2, 2, 1, 1, 1, { "socket-error": 1 }],
  );
  assert.deepEqual([lane.waits.count, lane.waits.max, lane.unqueued], [2, 100, 0]);
  assert.deepEqual([lane.use.count, lane.use.max], [2, 70]);
  assert.deepEqual([tally.dial.max, tally.connect.max, tally.tls.max], [30, 10, 20]);
  assert.deepEqual([tally.life.count, tally.life.max, lane.idle.count], [1, 70, 0]);
});
