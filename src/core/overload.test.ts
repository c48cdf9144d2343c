import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AcquireOptions,
  type ManualRequest,
  type ManualService,
  type ManualWorld,
  manualWorld,
} from "../../test/support/manual-world.ts";
import { QueueFullError, QueueTimeoutError } from "./errors.ts";

const [a, b] = ["http://a.test", "http://b.test"] as const;
const never = Number.POSITIVE_INFINITY;

type Lanes = Required<ManualService>["lanes"];

/** One service with the origins a and b, of so many sockets each. */
function worldOf(lanes: Lanes, maxSockets = 1, service: ManualService = {}): ManualWorld {
  const services = { s: { origins: ["a", "b"], ...service, lanes } };
  return manualWorld({ maxSockets }, { services });
}

const inX = { lane: "x" } as const;

test("a lane that queues lets maxPending requests wait, and refuses the newest beyond", () => {
  const world = worldOf({ x: { maxPending: 2 } });
  const [holder, ...waiting] = world.acquireMany(3, a, inX) as [ManualRequest, ...ManualRequest[]];
  const { error, outcome } = world.acquire(a, inX);
  assert.ok(error instanceof QueueFullError);
  assert.equal(outcome?.at, world.now);
  assert.equal(
    error.message,
    "the queue of http://a.test is full (pending 2/2, open 1/1 maxSockets, lane x): raise a limit or send less at once",
  );
  assert.deepEqual([error.service, error.lane, error.requestSent], ["s", "x", false]);
  world.release(holder);
  assert.ok(waiting[0]?.isHolding);
  assert.equal(world.acquire(a, inX).outcome, null);
});

test("maxPending 0 lets a request wait for its own dial only", () => {
  const services = { s: { origins: ["a"], lanes: { x: { maxPending: 0 } } } };
  const world = manualWorld({ maxSockets: 2 }, { services, dials: "wait" });
  const [first, second, third] = world.acquireMany(3, a, inX);
  assert.deepEqual([first?.outcome, second?.outcome], [null, null]);
  assert.match(third?.error.message ?? "", /\(pending 0\/0, open 2\/2 maxSockets, lane x\)/);
});

test("a lane that rejects lets none wait for a socket that another request has", () => {
  const world = worldOf({ x: { overload: "reject", maxPending: 50 } }, 2);
  const holders = world.acquireMany(2, a, inX);
  const { error } = world.acquire(a, inX);
  assert.ok(error instanceof QueueFullError);
  assert.equal(
    error.message,
    "no socket to http://a.test is free, and its lane lets no request wait (open 2/2 maxSockets, lane x): raise a limit or send less at once",
  );
  world.release(holders[0] as ManualRequest);
  assert.ok(world.acquire(a, inX).isHolding);
  assert.equal(world.lane("x").refused, 1);
});

test("where the newest goes first, it has the next socket, and the oldest is refused for it", () => {
  const world = worldOf({ x: { overload: "newest-first", maxPending: 2 } });
  const [holder, oldest, older] = world.acquireMany(3, a, inX) as [
    ManualRequest,
    ManualRequest,
    ManualRequest,
  ];
  world.advance(5);
  const newest = world.acquire(a, inX);
  assert.equal(newest.outcome, null);
  assert.ok(oldest.error instanceof QueueFullError);
  assert.match(oldest.error.message, /\(pending 2\/2, open 1\/1 maxSockets, lane x\)/);
  world.release(holder);
  assert.deepEqual([newest.isHolding, older.isHolding], [true, false]);
  world.release(newest);
  assert.ok(older.isHolding);
});

test("without maxPending none is refused where the newest goes first", () => {
  const world = worldOf({ x: { overload: "newest-first" } });
  const [holder, ...others] = world.acquireMany(20, a, inX) as [ManualRequest, ...ManualRequest[]];
  world.release(holder);
  for (const each of others.reverse()) world.release(each);
  assert.equal(world.refusals.length, 0);
});

test("a lane's full queue refuses nothing of another lane, nor at another origin", () => {
  const world = worldOf({ x: { maxPending: 1 }, y: { maxPending: 1 } });
  world.acquireMany(3, a, inX);
  world.acquireMany(2, b, inX);
  world.acquireMany(1, a, { lane: "y" });
  world.acquireMany(9, a);
  assert.deepEqual(
    world.refusals.map((each) => each.id),
    [3],
  );
  world.acquire(a, { lane: "y" });
  world.acquire(b, inX);
  assert.deepEqual(
    world.refusals.slice(1).map((each) => [each.origin, each.lane]),
    [
      [a, "y"],
      [b, "x"],
    ],
  );
});

test("an error names the limit that stood against the request: the lane's, the origin's, the service's or the client's", () => {
  const full = { maxPending: 0 };
  const cases: readonly [expected: RegExp, world: ManualWorld][] = [
    [/open 1\/1 maxSockets of lane x,/, worldOf({ x: { ...full, maxSockets: 1 } }, 5)],
    [/open 1\/1 maxSockets,/, worldOf({ x: full }, 1)],
    [/open 1\/1 maxTotalSockets of service s,/, worldOf({ x: full }, 5, { maxTotalSockets: 1 })],
    [
      /open 1\/2 maxSockets less what other lanes reserve,/,
      worldOf({ x: full, y: { reservedSockets: 1 } }, 2),
    ],
    [
      /open 1\/2 maxTotalSockets of service s less what other lanes reserve,/,
      worldOf({ x: full, y: { reservedSockets: 1 } }, 5, { maxTotalSockets: 2 }),
    ],
    [
      /open 1\/1 maxTotalSockets,/,
      manualWorld(
        { maxTotalSockets: 1 },
        { services: { s: { origins: ["a"], lanes: { x: full } } } },
      ),
    ],
  ];
  for (const [expected, world] of cases) {
    const [holder, refused] = world.acquireMany(2, a, inX);
    assert.ok(holder?.isHolding);
    assert.match(refused?.error.message ?? "", expected);
  }
});

test("the longest wait is the request's own, else its lane's, else the service's", () => {
  const cases: readonly [AcquireOptions, number][] = [
    [{ lane: "x", queueTimeoutMsecs: 10 }, 10],
    [{ lane: "x" }, 20],
    [{ lane: "y" }, 30],
    [{ lane: "y", queueTimeoutMsecs: 40 }, 40],
  ];
  for (const [options, msecs] of cases) {
    const world = worldOf({ x: { queueTimeoutMsecs: 20 }, y: {} }, 1, {
      options: { queueTimeoutMsecs: 30 },
    });
    world.acquire(a, { queueTimeoutMsecs: never });
    const request = world.acquire(a, options);
    world.advance(msecs - 1);
    assert.equal(request.outcome, null);
    world.advance(1);
    assert.ok(request.error instanceof QueueTimeoutError);
    assert.deepEqual([request.error.waitedMsecs, request.error.predictedMsecs], [msecs, null]);
    assert.equal(world.lane(options.lane ?? "").timedOut, 1);
  }
});

/** So many sockets that serve in `serviceMsecs`, each request of lane x waiting behind those before it. Every one is shed that would meet its timeout. */
class Served {
  readonly world: ManualWorld;
  readonly #underWay: { readonly request: ManualRequest; readonly until: number }[] = [];

  constructor(lanes: Lanes, sockets: number, serviceMsecs: (request: ManualRequest) => number) {
    const granted = (request: ManualRequest): void => {
      this.#underWay.push({ request, until: this.world.now + serviceMsecs(request) });
      this.#underWay.sort((one, other) => one.until - other.until);
    };
    const services = { s: { origins: ["a"], lanes } };
    this.world = manualWorld({ maxSockets: sockets }, { services, reactions: { granted } });
  }

  advance(msecs: number): void {
    const until = this.world.now + msecs;
    for (let [next] = this.#underWay; next !== undefined && next.until <= until; ) {
      this.#underWay.shift();
      this.world.advance(next.until - this.world.now);
      this.world.release(next.request);
      [next] = this.#underWay;
    }
    this.world.advance(until - this.world.now);
  }
}

/** When a request with so little time was shed, what was predicted; and what the same wait was without a limit. */
function predictionBehind(ahead: number, sockets: number, lanes: Lanes) {
  const play = (options: AcquireOptions): ManualRequest => {
    const served = new Served(lanes, sockets, () => 40);
    const { world } = served;
    world.acquireMany(sockets, a, inX);
    served.advance(100); // now its service time is known
    for (const lane of Object.keys(lanes)) world.acquireMany(sockets + ahead, a, { lane });
    served.advance(10);
    const request = world.acquire(a, { ...inX, ...options });
    served.advance(60_000);
    return request;
  };
  const { error } = play({ queueTimeoutMsecs: 0.001 });
  assert.ok(error instanceof QueueTimeoutError);
  const { predictedMsecs, message } = error;
  const plain = play({});
  assert.equal(plain.outcome?.kind, "granted");
  return { predictedMsecs, message, waitedMsecs: (plain.outcome?.at ?? 0) - plain.enqueuedAt };
}

test("the wait that is predicted is the one that there is, to a response time", () => {
  const shedLate = true;
  for (const sockets of [1, 2, 5]) {
    for (const ahead of [1, 4, 20]) {
      const { predictedMsecs, waitedMsecs } = predictionBehind(ahead, sockets, { x: { shedLate } });
      const what = `${predictedMsecs} ms predicted, ${waitedMsecs} ms waited`;
      assert.ok(predictedMsecs !== null && predictedMsecs <= waitedMsecs + 40, what);
      assert.ok(predictedMsecs >= waitedMsecs - 40, what);
    }
  }
});

test("the wait that is predicted counts a lane's share and its own limit", () => {
  const shedLate = true;
  const cases: readonly Lanes[] = [
    { x: { shedLate, maxSockets: 2 } },
    { x: { shedLate }, y: {} },
    { x: { shedLate, weight: 3 }, y: {} },
  ];
  for (const lanes of cases) {
    const { predictedMsecs, waitedMsecs } = predictionBehind(24, 4, lanes);
    const ratio = (predictedMsecs ?? 0) / waitedMsecs;
    assert.ok(ratio > 0.7 && ratio < 1.4, `${predictedMsecs} ms, not ${waitedMsecs} ms`);
  }
});

test("lanes that may have no more sockets take nothing from the wait that is predicted", () => {
  const lanes = { x: { shedLate: true }, y: { weight: 9, maxSockets: 1 } };
  const { predictedMsecs, waitedMsecs } = predictionBehind(24, 4, lanes);
  // Three of four sockets are its own, however heavy the other lane is.
  const ratio = (predictedMsecs ?? 0) / waitedMsecs;
  assert.ok(ratio > 0.7 && ratio < 1.4, `${predictedMsecs} ms, not ${waitedMsecs} ms`);
});

test("a request that is shed is told at once for how long it would have waited, and of nothing else", () => {
  const { message, predictedMsecs } = predictionBehind(4, 1, { x: { shedLate: true } });
  const about = Math.round(predictedMsecs ?? 0);
  assert.match(
    message,
    new RegExp(
      `^no socket to http://a.test will be free for about ${about} ms, which is too late for the request \\(open 1/1 maxSockets, pending \\d+, lane x\\)$`,
    ),
  );
});

test("whether a request is shed is decided by what is shorter, its wait's limit or its own less a response", () => {
  const lanes = { x: { shedLate: true, queueTimeoutMsecs: 500 } };
  const isShed = (ahead: number, options: AcquireOptions): boolean => {
    const served = new Served(lanes, 1, () => 100);
    const { world } = served;
    world.acquire(a, { ...inX });
    served.advance(150);
    world.acquireMany(1 + ahead, a, { ...inX, queueTimeoutMsecs: never });
    const { outcome } = world.acquire(a, { ...inX, ...options });
    assert.equal(world.lane("x").shed, outcome === null ? 0 : 1);
    return outcome !== null;
  };
  // Behind n that wait, n × 100 ms at least.
  assert.deepEqual([isShed(5, {}), isShed(6, {})], [false, true]);
  const short = { queueTimeoutMsecs: 200 };
  assert.deepEqual([isShed(2, short), isShed(3, short)], [false, true]);
  const whole = { requestTimeoutMsecs: 300 };
  assert.deepEqual([isShed(2, whole), isShed(3, whole)], [false, true]);
});

test("nothing is shed before a response time is known, nor where shedLate is not set", () => {
  for (const shedLate of [true, false]) {
    const world = worldOf({ x: { shedLate } });
    const holder = world.acquire(a, inX);
    if (!shedLate) {
      world.advance(100);
      world.release(holder);
    }
    for (let count = 0; count < 20; count++) {
      assert.notEqual(world.acquire(a, { ...inX, queueTimeoutMsecs: 1 }).outcome?.kind, "refused");
    }
  }
});

test("a request that has a dial of its own is not shed", () => {
  const services = { s: { origins: ["a"], lanes: { x: { shedLate: true } } } };
  const world = manualWorld({ maxSockets: 3 }, { services, dials: "wait" });
  const first = world.acquire(a, inX);
  world.dialed();
  world.advance(500);
  const second = world.acquire(a, { ...inX, requestTimeoutMsecs: 10 });
  world.release(first);
  const third = world.acquire(a, { ...inX, requestTimeoutMsecs: 10 });
  assert.deepEqual([second.isHolding, third.outcome], [true, null]);
});

test("a request that is next in line is not shed, whatever its time: how long it waits is not known", () => {
  const world = worldOf({ x: { shedLate: true } });
  const first = world.acquire(a, inX);
  world.advance(100);
  world.release(first);
  world.acquire(a, inX);
  assert.equal(world.acquire(a, { ...inX, requestTimeoutMsecs: 1 }).outcome, null);
  // Behind it there is a response to wait for, and its own.
  const options = (requestTimeoutMsecs: number) => ({ ...inX, requestTimeoutMsecs });
  assert.equal(world.acquire(a, options(199)).outcome?.kind, "refused");
  assert.equal(world.acquire(a, options(201)).outcome, null);
});
