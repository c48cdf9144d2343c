/**
 * Lanes on real sockets: which one a request is in, what its options do to it, and how lanes share the sockets of
 * an origin, as the origin's server sees it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Client,
  type ClientOptions,
  InvalidOptionError,
  type KeeplineError,
  type LaneOptions,
  type LaneRequest,
  QueueFullError,
  QueueTimeoutError,
  type RequestOptions,
  RequestTimeoutError,
} from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { isSettled, makeClient, rejection, seeded, statsOf, until } from "../support/client-kit.ts";
import { answerNext, countingServer, settledAfter } from "../support/lane-kit.ts";
import { holdingServer, outcomeOf, plainServer } from "../support/loopback.ts";

const never = Number.POSITIVE_INFINITY;

/** Options of a client with these lanes, for all origins. */
function withLanes(lanes: Readonly<Record<string, Partial<LaneOptions>>>): ClientOptions {
  return { services: { default: { lanes } } };
}

/** Sends `count` requests in `lane`, with its name as the path. */
function sendMany(client: Client, origin: string, lane: string, count: number) {
  const send = () => outcomeOf(client.request(`${origin}/${lane}`, { lane }));
  return Array.from({ length: count }, send);
}

/** How many requests of each lane were served. */
function servedOf(client: Client): Record<string, number> {
  const lanes = Object.entries(statsOf(client).lanes);
  return Object.fromEntries(lanes.map(([name, { served }]) => [name, served]));
}

test("a request in a lane that there is not is refused with those there are, and nothing is sent", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t, {
    services: { api: { origins: server.origin, lanes: { checkout: {}, reports: {} } } },
  });
  const asked = client.request(server.origin, { lane: "report" });
  const error = await rejection(asked, InvalidOptionError);
  assert.equal(
    error.message,
    'client.request(): lane must be one of "checkout", "reports", "default" of service api, not "report"; did you mean "reports"?',
  );
  assert.deepEqual(client.stats().origins, []);
  assert.equal(server.connectionCount, 0);
});

test("laneFor chooses by method, origin, path and headers, unless the request names its lane", async (t) => {
  const server = await plainServer(t);
  const asked: LaneRequest[] = [];
  const lanes = { writes: {}, reports: {}, vip: {} };
  const laneFor = (request: LaneRequest): string | undefined => {
    asked.push(request);
    const { method, path, headers } = request;
    if (method !== "GET") return "writes";
    if (path.startsWith("/reports?")) return "reports";
    return headers instanceof Headers && headers.has("x-vip") ? "vip" : undefined;
  };
  const client = makeClient(t, { services: { default: { lanes, laneFor } } });
  const headers = new Headers({ "X-Vip": "1" });
  const requests: readonly (readonly [path: string, options: RequestOptions])[] = [
    ["/", {}],
    ["/reports", { query: { of: 2024 } }],
    ["/reports", {}],
    ["/", { method: "delete" }],
    ["/", { method: "POST", body: "x" }],
    ["/", { headers }],
    ["/", { headers, lane: "reports" }],
    ["/", { method: "PUT", lane: "default" }],
  ];
  for (const [path, options] of requests) {
    assert.equal(await outcomeOf(client.request(`${server.origin}${path}`, options)), 200);
  }
  assert.deepEqual(servedOf(client), { default: 3, reports: 2, writes: 2, vip: 1 });
  const origin = server.origin;
  assert.deepEqual(asked, [
    { method: "GET", origin, path: "/", headers: undefined },
    { method: "GET", origin, path: "/reports?of=2024", headers: undefined },
    { method: "GET", origin, path: "/reports", headers: undefined },
    { method: "DELETE", origin, path: "/", headers: undefined },
    { method: "POST", origin, path: "/", headers: undefined },
    { method: "GET", origin, path: "/", headers },
  ]);
});

test("a laneFor that throws, or names no lane, rejects that request alone and leaves nothing", async (t) => {
  const server = await plainServer(t);
  const reason = new RangeError("mine");
  const answers: Record<string, () => unknown> = {
    "/throws": () => {
      throw reason;
    },
    "/unknown": () => "nowhere",
    "/number": () => 5,
    "/promise": () => Promise.resolve("bulk"),
    "/null": () => null,
    "/bulk": () => "bulk",
  };
  const client = makeClient(t, {
    services: {
      default: {
        lanes: { bulk: {} },
        laneFor: ({ path }) => answers[path]?.() as string | undefined,
      },
    },
  });
  const requests = Object.keys(answers).map((path) => client.request(server.origin + path));
  const [throws, unknown, number, promise, ...good] = requests as [
    Promise<never>,
    Promise<never>,
    Promise<never>,
    Promise<never>,
  ];
  const goodOutcomes = Promise.all(good.map(outcomeOf));
  assert.equal(await throws.catch((error: unknown) => error), reason);
  const named = await rejection(unknown, InvalidOptionError);
  assert.equal(
    named.message,
    'services.default.laneFor(): lane must be one of "bulk", "default" of service default, not "nowhere"',
  );
  assert.equal((await rejection(number, InvalidOptionError)).nature, "TypeError");
  assert.equal((await rejection(promise, InvalidOptionError)).nature, "TypeError");
  assert.deepEqual(await goodOutcomes, [200, 200]);
  const { requests: counted, pending } = statsOf(client);
  assert.deepEqual([counted, pending], [2, 0]);
  assert.deepEqual(servedOf(client), { default: 1, bulk: 1 });
  await client.close();
});

test("a timeout is the request's own, else its lane's, else its service's, else the client's", async (t) => {
  const server = await holdingServer(t);
  for (const name of ["queueTimeoutMsecs", "requestTimeoutMsecs"] as const) {
    // Each level is stricter than those around it, and then the laxest.
    for (const [client, service, lane, request, expected] of [
      [500, undefined, undefined, undefined, 500],
      [500, 400, undefined, undefined, 400],
      [500, 400, 300, undefined, 300],
      [500, 400, 300, 200, 200],
      [500, 400, 300, never, null],
      [500, 400, never, undefined, null],
      [500, never, undefined, undefined, null],
      [100, 200, 300, 400, 400],
      [100, undefined, 300, undefined, 300],
    ]) {
      const clock = new ManualClock();
      const made = makeClient(t, {
        maxSockets: 1,
        [name]: client,
        services: {
          api: {
            origins: server.origin,
            [name]: service,
            lanes: { other: { [name]: 50 }, own: { [name]: lane } },
          },
        },
        clock,
      });
      // Holds the only socket for good.
      const holder = made.request(server.origin, {
        lane: "own",
        queueTimeoutMsecs: never,
        requestTimeoutMsecs: never,
      });
      await server.next();
      const waiting = made.request(server.origin, { lane: "own", [name]: request });
      const seen = await settledAfter(clock, waiting, 100, 600);
      const what = `${name} ${[client, service, lane, request].join(" ")}`;
      assert.equal(seen, expected, what);
      if (expected !== null) {
        const error = await rejection<KeeplineError>(
          waiting,
          name === "queueTimeoutMsecs" ? QueueTimeoutError : RequestTimeoutError,
        );
        assert.deepEqual([error.service, error.lane], ["api", "own"], what);
        assert.match(error.message, new RegExp(` ${expected} ms`), what);
      }
      made.destroy();
      assert.deepEqual(await outcomeOf(holder), "ERR_KEEPLINE_CLIENT_CLOSED");
      if (expected === null) await waiting.catch(() => {});
    }
  }
});

test("maxPending is the lane's, else the service's, and holds for each lane alone", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, {
    maxSockets: 1,
    maxPending: 0,
    services: {
      api: { origins: server.origin, maxPending: 2, lanes: { wide: { maxPending: 4 }, plain: {} } },
    },
  });
  const requests = [
    ...sendMany(client, server.origin, "plain", 4), // one of them has a dial
    ...sendMany(client, server.origin, "wide", 5),
    ...sendMany(client, server.origin, "default", 3),
  ];
  const { lanes } = statsOf(client);
  const refused = Object.entries(lanes).map(([name, lane]) => [name, lane.pending, lane.refused]);
  assert.deepEqual(refused, [
    ["plain", 3, 1],
    ["wide", 4, 1],
    ["default", 2, 1],
  ]);
  await answerNext(server, 9);
  const full = "ERR_KEEPLINE_QUEUE_FULL";
  const expected = [200, 200, 200, full, 200, 200, 200, 200, full, 200, 200, full];
  assert.deepEqual(await Promise.all(requests), expected);
});

test("a lane that rejects lets none wait for another's socket, only for its own dial", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, {
    maxSockets: 3,
    ...withLanes({ live: { overload: "reject" }, bulk: { maxSockets: 2 } }),
  });
  const bulk = sendMany(client, server.origin, "bulk", 5);
  const [dials] = sendMany(client, server.origin, "live", 1);
  assert.equal(statsOf(client).sockets.dialing, 3);
  const error = await rejection(client.request(server.origin, { lane: "live" }), QueueFullError);
  assert.match(error.message, /its lane lets no request wait \(open 3\/3 maxSockets, lane live\)/);
  assert.deepEqual([error.lane, error.requestSent], ["live", false]);
  const answered = await answerNext(server, 6);
  assert.deepEqual(answered.filter((kind) => kind === "live").length, 1);
  assert.deepEqual([...(await Promise.all(bulk)), await dials], [200, 200, 200, 200, 200, 200]);
  // Now that sockets are idle, it has one at once.
  const again = sendMany(client, server.origin, "live", 1);
  await answerNext(server, 1);
  assert.deepEqual(await Promise.all(again), [200]);
  assert.equal(statsOf(client).lanes.live?.refused, 1);
});

test("a newest-first lane serves the newest first, and beyond maxPending refuses the oldest", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, {
    maxSockets: 1,
    ...withLanes({ feed: { overload: "newest-first", maxPending: 3 } }),
  });
  const holder = outcomeOf(client.request(`${server.origin}/holder`));
  const held = await server.next();
  const send = (name: string) => client.request(`${server.origin}/${name}`, { lane: "feed" });
  const requests = ["1", "2", "3", "4", "5"].map(send);
  const outcomes = requests.map(outcomeOf);
  assert.match((await rejection(requests[0] as never, QueueFullError)).message, /pending 3\/3/);
  await rejection(requests[1] as never, QueueFullError);
  held.response.end();
  assert.deepEqual(await answerNext(server, 3), ["5", "4", "3"]);
  const full = "ERR_KEEPLINE_QUEUE_FULL";
  assert.deepEqual(await Promise.all(outcomes), [full, full, 200, 200, 200]);
  assert.equal(await holder, 200);
});

test("shedLate refuses at once who would wait for too long, by the service times that were measured", async (t) => {
  const clock = new ManualClock();
  const server = await holdingServer(t);
  const client = makeClient(t, {
    maxSockets: 1,
    clock,
    ...withLanes({ quick: { shedLate: true, queueTimeoutMsecs: 250 } }),
  });
  // Of the first ones nothing is known, so none is refused.
  const [first] = sendMany(client, server.origin, "quick", 1);
  const { response } = await server.next();
  clock.advance(100);
  response.end();
  assert.equal(await first, 200);
  assert.equal(statsOf(client).lanes.quick?.serviceMsecs, 100);

  const served = sendMany(client, server.origin, "quick", 4); // the last waits for 300 ms, 200 of them for others
  const late = client.request(server.origin, { lane: "quick" });
  const error = await rejection(late, QueueTimeoutError);
  assert.deepEqual([error.waitedMsecs, error.predictedMsecs], [0, 300]);
  assert.match(error.message, /will be free for about 300 ms, .*\(open 1\/1 .*, lane quick\)/);
  assert.deepEqual([error.lane, error.requestSent], ["quick", false]);
  // Who says that it has more time waits, and so does who is in another lane.
  const patient = outcomeOf(
    client.request(server.origin, { lane: "quick", queueTimeoutMsecs: 1_000 }),
  );
  const others = sendMany(client, server.origin, "default", 3);
  const { shed, refused, timedOut, pending } = statsOf(client).lanes.quick ?? assert.fail();
  assert.deepEqual([shed, refused, timedOut, pending], [1, 0, 0, 4]);
  await answerNext(server, 8);
  const outcomes = await Promise.all([...served, patient, ...others]);
  assert.deepEqual(new Set(outcomes), new Set([200]));
  // The whole request counts, too.
  const [holder, next] = sendMany(client, server.origin, "quick", 2);
  const hopeless = client.request(server.origin, { lane: "quick", requestTimeoutMsecs: 0.001 });
  const { predictedMsecs } = await rejection(hopeless, QueueTimeoutError);
  assert.ok((predictedMsecs ?? 0) > 0);
  await answerNext(server, 2);
  assert.equal(await next, 200);
  assert.equal(await holder, 200);
});

test("a lane has its reserved socket at once while hundreds of others are queued", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, {
    maxSockets: 4,
    ...withLanes({ vital: { reservedSockets: 1 }, batch: {} }),
  });
  const batch = sendMany(client, server.origin, "batch", 300);
  const held = [await server.next(), await server.next(), await server.next()];
  assert.deepEqual(statsOf(client).sockets, { open: 3, idle: 0, busy: 3, dialing: 0 });
  assert.equal(statsOf(client).lanes.batch?.pending, 297);
  // Again and again: it is not lent when it is idle.
  for (let count = 0; count < 3; count++) {
    const [vital] = sendMany(client, server.origin, "vital", 1);
    assert.deepEqual(await answerNext(server, 1), ["vital"]);
    assert.equal(await vital, 200);
    assert.deepEqual([statsOf(client).sockets.open, statsOf(client).sockets.idle], [4, 1]);
  }
  // A second one at a time waits its turn like any other.
  const vitals = sendMany(client, server.origin, "vital", 2);
  assert.equal(statsOf(client).lanes.vital?.pending, 1);
  for (const { response } of held) response.end();
  const rest = await answerNext(server, 299);
  assert.deepEqual(rest.slice(0, 5).sort(), ["batch", "batch", "vital", "vital", "batch"].sort());
  assert.deepEqual(new Set(await Promise.all([...batch, ...vitals])), new Set([200]));
});

test("no lane has more under way than its maxSockets, and all have the service's together", async (t) => {
  const random = seeded(11);
  const server = await countingServer(t, () => random() * 5);
  const client = makeClient(t, {
    maxSockets: 6,
    ...withLanes({ narrow: { maxSockets: 1 }, mean: { maxSockets: 2, weight: 9 } }),
  });
  const requests = ["narrow", "mean", "default"].flatMap((lane) =>
    sendMany(client, server.origin, lane, 60),
  );
  assert.deepEqual(new Set(await Promise.all(requests)), new Set([200]));
  const { tally } = server;
  assert.deepEqual([tally.most("narrow"), tally.most("mean"), tally.most()], [1, 2, 6]);
  assert.equal(server.connectionCount, 6);
  const { lanes } = statsOf(client);
  const busy = ["narrow", "mean"].map((name) => lanes[name]?.highWater.busy);
  assert.deepEqual(busy, [1, 2]);
});

test("lanes that wait are served by their weights at every moment, and in a lane the first comes first", async (t) => {
  const server = await holdingServer(t);
  const weights = { heavy: 5, middle: 3, light: 1 };
  const entries = Object.entries(weights);
  const client = makeClient(t, {
    maxSockets: 1,
    ...withLanes(Object.fromEntries(entries.map(([name, weight]) => [name, { weight }]))),
  });
  const requests = entries.flatMap(([lane, weight]) =>
    Array.from({ length: 12 * weight }, (_, index) =>
      outcomeOf(client.request(`${server.origin}/${lane}-${index}`, { lane })),
    ),
  );
  const served = { heavy: 0, middle: 0, light: 0 };
  for (let turns = 1; turns <= 108; turns++) {
    const [kind = ""] = await answerNext(server, 1);
    const [lane, index] = kind.split("-") as [keyof typeof served, string];
    assert.equal(Number(index), served[lane]++, "the first of its lane");
    for (const [name, weight] of entries) {
      const share = (turns * weight) / 9;
      const had = served[name as keyof typeof served];
      assert(Math.abs(had - share) <= 1 + 1e-9, `${name} had ${had} of ${turns} turns`);
    }
  }
  assert.deepEqual(new Set(await Promise.all(requests)), new Set([200]));
});

test("a lane without requests lends its share, and has it again from its next request on", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, {
    maxSockets: 1,
    ...withLanes({ a: { weight: 1 }, b: { weight: 1 } }),
  });
  const requests = sendMany(client, server.origin, "a", 30);
  // All that b did not use is a's, and is not owed to b later.
  assert.deepEqual(await answerNext(server, 20), Array(20).fill("a"));
  await until(() => statsOf(client).lanes.a?.served === 21);
  requests.push(...sendMany(client, server.origin, "b", 9));
  const order = await answerNext(server, 19);
  const counts = order.map((_, index) => order.slice(1, index + 1).filter((k) => k === "b").length);
  for (const [index, count] of counts.entries()) {
    assert(Math.abs(count - index / 2) <= 1, `${count} of b in ${index} turns: ${order.join("")}`);
  }
  assert.deepEqual(new Set(await Promise.all(requests)), new Set([200]));
  assert.equal(await isSettled(client.close()), true);
});
