/**
 * What a program is told of lanes whose requests wait for too long: events, a warning now and then that says what
 * to change, and marks in the stats.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import {
  type Client,
  type ClientOptions,
  QueueFullError,
  QueueTimeoutError,
  type Saturation,
} from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { makeClient, rejection, statsOf, until } from "../support/client-kit.ts";
import { answerAll, answerNext } from "../support/lane-kit.ts";
import { holdingServer, outcomeOf } from "../support/loopback.ts";
import { httpServer } from "../support/raw-server.ts";
import { programFile } from "../support/root.ts";

interface Warned {
  readonly message: string;
  readonly type: string;
  readonly code: string;
  readonly detail: string;
}

/** A client whose clock the test moves, and what it was heard to say. */
function watched(t: TestContext, options: ClientOptions) {
  const clock = new ManualClock();
  const client = makeClient(t, { maxSockets: 1, ...options, clock });
  const events: (readonly ["saturated" | "relieved", Saturation])[] = [];
  client.on("saturated", (lane) => events.push(["saturated", lane]));
  client.on("relieved", (lane) => events.push(["relieved", lane]));
  const warnings: Warned[] = [];
  t.mock.method(process, "emitWarning", (message: string, more: Omit<Warned, "message">) => {
    warnings.push({ message, ...more });
  });
  return {
    client,
    events,
    warnings,
    /** Events as one word each. */
    words: () => events.map(([word, { lane }]) => `${lane} ${word}`),
    /** Time passes in steps, as it does, and what it brings is told. */
    async pass(msecs: number, stepMsecs = 100): Promise<void> {
      for (let passed = 0; passed < msecs; passed += stepMsecs) {
        clock.advance(stepMsecs);
        await turn();
      }
    },
  };
}

/** Requests in `lane`, `count` of them. */
function sendMany(client: Client, origin: string, lane: string, count: number) {
  const send = () => outcomeOf(client.request(`${origin}/${lane}`, { lane }));
  return Array.from({ length: count }, send);
}

test("a lane that waits for saturationMsecs is told of once, and once when it is over", async (t) => {
  const server = await holdingServer(t);
  const { client, events, warnings, words, pass } = watched(t, {
    maxSockets: 2,
    services: { api: { origins: server.origin, lanes: { bulk: {} } } },
  });
  const requests = sendMany(client, server.origin, "bulk", 6);
  await until(() => statsOf(client).sockets.busy === 2);
  await pass(900);
  assert.equal(events.length, 0);
  assert.equal(statsOf(client).lanes.bulk?.isSaturated, false);
  await pass(5_000);
  assert.deepEqual(words(), ["bulk saturated"]);
  assert.deepEqual(events[0]?.[1], {
    origin: server.origin,
    service: "api",
    lane: "bulk",
    limitName: "maxSockets",
    limit: 2,
    open: 2,
    pending: 4,
    waitedMsecs: 1_000,
    refused: 0,
    serviceMsecs: null,
  });
  assert.equal(statsOf(client).lanes.bulk?.isSaturated, true);
  assert.equal(warnings.length, 1);

  answerAll(server);
  assert.deepEqual(new Set(await Promise.all(requests)), new Set([200]));
  await pass(5_000);
  assert.deepEqual(words(), ["bulk saturated", "bulk relieved"]);
  const [, end] = events[1] ?? assert.fail();
  assert.deepEqual([end.pending, end.waitedMsecs], [0, 0]);
  assert((end.serviceMsecs ?? 0) > 0);
  const { isSaturated, highWater } = statsOf(client).lanes.bulk ?? assert.fail();
  assert.equal(isSaturated, false);
  assert.deepEqual(highWater, { busy: 2, pending: 6, waitMsecs: 5_900 });
  const { lanes } = client.service("api").stats();
  assert.deepEqual(lanes.bulk?.highWater, { busy: 2, pending: 6, waitMsecs: 5_900 });
  assert.equal(lanes.default?.highWater.pending, 0);
});

test("relief is told when none has waited for so long for saturationMsecs, and not before", async (t) => {
  const server = await holdingServer(t);
  const { client, words, pass } = watched(t, {});
  const requests = sendMany(client, server.origin, "default", 2);
  await until(() => statsOf(client).sockets.busy === 1);
  await pass(1_900);
  answerAll(server);
  await Promise.all(requests);
  await pass(900);
  assert.deepEqual(words(), ["default saturated"]);
  await pass(200);
  assert.deepEqual(words(), ["default saturated", "default relieved"]);
});

test("the warning says service, lane, limit, queue and wait, and what to change", async (t) => {
  const server = await holdingServer(t);
  const { client, warnings, pass } = watched(t, {
    services: { api: { origins: server.origin, lanes: { bulk: { maxPending: 3 } } } },
    saturationMsecs: 2_000,
  });
  const [served] = sendMany(client, server.origin, "bulk", 1);
  await until(() => statsOf(client).sockets.busy === 1);
  await pass(100);
  await answerNext(server, 1);
  assert.equal(await served, 200);
  const requests = sendMany(client, server.origin, "bulk", 4);
  await pass(2_000);
  const [{ message, type, code, detail }] = warnings as [Warned];
  assert.equal(
    message,
    `lane bulk of service api is saturated at ${server.origin}: 3 requests wait, the longest for 2000 ms (open 1/1 maxSockets); each holds a socket for about 100 ms`,
  );
  assert.deepEqual([type, code], ["KeeplineWarning", "KEEPLINE_SATURATED"]);
  assert.equal(
    detail,
    "Raise maxSockets of service api, or send less at once in lane bulk. maxPending, queueTimeoutMsecs and shedLate bound what waits.\n" +
      'Listen to the client\'s events "saturated" and "relieved" to act on it; saturationMsecs sets the limit.',
  );
  answerAll(server);
  await Promise.all(requests);
});

/** What stands against a request of lane `bulk`, and what is said of it then. */
const limits: readonly {
  readonly what: string;
  readonly options: ClientOptions["services"];
  readonly client?: ClientOptions;
  readonly limit: readonly [open: number, limit: number, name: string];
  readonly advice: string;
}[] = [
  {
    what: "the lane's cap",
    options: { default: { maxSockets: 3, lanes: { bulk: { maxSockets: 2 } } } },
    limit: [2, 2, "maxSockets of lane bulk"],
    advice: "Raise maxSockets of lane bulk, ",
  },
  {
    what: "the service's total",
    options: { default: { maxSockets: 3, maxTotalSockets: 2, lanes: { bulk: {} } } },
    limit: [2, 2, "maxTotalSockets of service default"],
    advice: "Raise maxTotalSockets of service default, ",
  },
  {
    what: "the client's total",
    options: { default: { maxSockets: 3, lanes: { bulk: {} } } },
    client: { maxTotalSockets: 2 },
    limit: [2, 2, "maxTotalSockets"],
    advice: "Raise maxTotalSockets, ",
  },
  {
    what: "a reservation",
    options: { default: { maxSockets: 3, lanes: { bulk: {}, vital: { reservedSockets: 1 } } } },
    limit: [2, 3, "maxSockets less what other lanes reserve"],
    advice: "Reserve less for other lanes, or raise the limit that they reserve of.",
  },
];

for (const { what, options, client: clientOptions = {}, limit, advice } of limits) {
  test(`${what} is named where it is the limit`, async (t) => {
    const server = await holdingServer(t);
    const { client, events, warnings, pass } = watched(t, { ...clientOptions, services: options });
    const requests = sendMany(client, server.origin, "bulk", 4);
    await until(() => statsOf(client).sockets.busy === 2);
    await pass(1_000);
    const [, told] = events[0] ?? assert.fail();
    assert.deepEqual([told.open, told.limit, told.limitName], limit);
    const [{ message, detail }] = warnings as [Warned];
    assert(message.includes(`(open ${limit[0]}/${limit[1]} ${limit[2]})`), message);
    assert(detail.startsWith(advice), detail);
    answerAll(server);
    await Promise.all(requests);
  });
}

test("where dials fail or hang, no limit is blamed", async (t) => {
  const { client, warnings, pass } = watched(t, { maxSockets: 9, connect: { lookup: () => {} } });
  const request = outcomeOf(client.request("http://slow.test"));
  await pass(1_000);
  assert.match(warnings[0]?.detail ?? "", /^No limit is reached: connections to this origin fail/);
  client.destroy();
  assert.equal(await request, "ERR_KEEPLINE_CLIENT_CLOSED");
});

test("a request that is refused or times out tells of its lane at once", async (t) => {
  const server = await holdingServer(t);
  const { client, events, warnings, words, pass } = watched(t, {
    services: {
      default: {
        lanes: { full: { maxPending: 0 }, late: { queueTimeoutMsecs: 300 }, plain: {} },
      },
    },
  });
  const requests = sendMany(client, server.origin, "plain", 1);
  await until(() => statsOf(client).sockets.busy === 1);
  await rejection(client.request(server.origin, { lane: "full" }), QueueFullError);
  await turn();
  assert.deepEqual(words(), ["full saturated"]);
  const late = rejection(client.request(server.origin, { lane: "late" }), QueueTimeoutError);
  await pass(300);
  await late;
  assert.deepEqual(words(), ["full saturated", "late saturated"]);
  assert.deepEqual(
    events.map(([, { refused, pending }]) => [refused, pending]),
    [
      [1, 0],
      [1, 0],
    ],
  );
  assert.match(warnings[0]?.message ?? "", /; refused or timed out so far: 1$/);
  // Further ones put the end off.
  await pass(600);
  await rejection(client.request(server.origin, { lane: "full" }), QueueFullError);
  await pass(600);
  assert.deepEqual(words(), ["full saturated", "late saturated", "late relieved"]);
  await pass(400);
  assert.deepEqual(words().slice(3), ["full relieved"]);
  answerAll(server);
  await Promise.all(requests);
});

test("a client warns once a minute, over all its lanes, and counts what it did not say", async (t) => {
  const server = await holdingServer(t);
  const lanes = Object.fromEntries(["a", "b", "c", "d"].map((name) => [name, { maxPending: 0 }]));
  const { client, warnings, words, pass } = watched(t, { services: { default: { lanes } } });
  const holder = outcomeOf(client.request(server.origin));
  await server.next().then(async ({ response }) => {
    const refuse = (lane: string) =>
      rejection(client.request(server.origin, { lane }), QueueFullError);
    for (const lane of ["a", "b", "c"]) await refuse(lane);
    await pass(59_000, 1_000);
    for (const lane of ["a", "b"]) await refuse(lane);
    await turn();
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]?.message ?? "", /^lane a of .* so far: 1$/);
    await pass(1_000);
    await refuse("d");
    await turn();
    assert.equal(warnings.length, 2);
    assert.match(warnings[1]?.message ?? "", /^lane d .*; 4 more since the last warning$/);
    await pass(60_000, 1_000);
    await refuse("c");
    await turn();
    assert.equal(warnings.length, 3);
    assert.doesNotMatch(warnings[2]?.message ?? "", /more since/);
    // Every event was told.
    assert.equal(words().filter((each) => each.endsWith("saturated")).length, 7);
    response.end();
  });
  assert.equal(await holder, 200);
});

test("with saturationMsecs Infinity nothing is told, of waits or of refusals", async (t) => {
  const server = await holdingServer(t);
  const { client, events, warnings, pass } = watched(t, {
    services: {
      default: { saturationMsecs: Number.POSITIVE_INFINITY, lanes: { full: { maxPending: 0 } } },
    },
  });
  const requests = sendMany(client, server.origin, "default", 3);
  await until(() => statsOf(client).sockets.busy === 1);
  await rejection(client.request(server.origin, { lane: "full" }), QueueFullError);
  await pass(200_000, 10_000);
  assert.deepEqual([events, warnings], [[], []]);
  const { default: lane, full } = statsOf(client).lanes;
  assert.deepEqual([lane?.isSaturated, full?.isSaturated], [false, false]);
  answerAll(server);
  await Promise.all(requests);
  const { highWater } = statsOf(client).lanes.default ?? assert.fail();
  assert.deepEqual(highWater, { busy: 1, pending: 3, waitMsecs: 200_000 });
});

test("a listener may act on it at once, and raise the limit", async (t) => {
  const server = await holdingServer(t);
  const { client, words, pass } = watched(t, { services: { api: { origins: server.origin } } });
  client.on("saturated", ({ service, limit, pending }) => {
    client.configureService(service, { maxSockets: limit + pending });
  });
  const requests = sendMany(client, server.origin, "default", 5);
  await until(() => statsOf(client).sockets.busy === 1);
  await pass(1_000);
  await until(() => statsOf(client).sockets.busy === 5);
  await pass(1_000);
  assert.deepEqual(words(), ["default saturated", "default relieved"]);
  answerAll(server);
  await Promise.all(requests);
});

test("a change of lanes does not tell of a saturated lane again, and its end is told", async (t) => {
  const server = await holdingServer(t);
  const { client, words, pass } = watched(t, { services: { api: { origins: server.origin } } });
  const requests = sendMany(client, server.origin, "default", 3);
  await until(() => statsOf(client).sockets.busy === 1);
  await pass(1_000);
  client.configureService("api", { lanes: { extra: {} } });
  await pass(3_000);
  assert.deepEqual(words(), ["default saturated"]);
  answerAll(server);
  await Promise.all(requests);
  await pass(2_000);
  assert.deepEqual(words(), ["default saturated", "default relieved"]);
});

test("the end is told also where the origin's pool has made room for another's", async (t) => {
  const [one, other] = [await holdingServer(t), await holdingServer(t)];
  const { client, words, pass } = watched(t, { maxOrigins: 1, maxPending: 0 });
  const requests = sendMany(client, one.origin, "default", 2);
  await answerNext(one, 1);
  assert.deepEqual(await Promise.all(requests), [200, "ERR_KEEPLINE_QUEUE_FULL"]);
  requests.push(...sendMany(client, other.origin, "default", 1));
  await answerNext(other, 1);
  await requests.at(-1);
  await pass(3_000);
  assert.deepEqual(words(), ["default saturated", "default relieved"]);
});

test("nothing is told of a client that is closed or destroyed", async (t) => {
  const server = await holdingServer(t);
  for (const end of ["close", "destroy"] as const) {
    const { client, events, pass } = watched(t, {});
    const requests = sendMany(client, server.origin, "default", 3);
    const { response } = await server.next();
    const ended = client[end]();
    await pass(5_000);
    response.end();
    if (end === "close") await answerNext(server, 2);
    await ended;
    await Promise.all(requests);
    await pass(5_000);
    assert.deepEqual(events, []);
  }
});

test("a listener that throws is the program's to know of: the client's requests go on", async (t) => {
  let under = 0;
  const server = await httpServer(t, (_, response) => {
    under++;
    setTimeout(() => response.end(), under === 1 ? 200 : 0);
  });
  const child = spawn(process.execPath, [programFile("thrown-event.mjs"), server.origin], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  t.after(() => child.kill("SIGKILL"));
  let output = "";
  for await (const text of child.stdout.setEncoding("utf8")) output += text;
  assert.notEqual(output, "", "the program did not end");
  assert.deepEqual(JSON.parse(output), {
    uncaught: ["saturated default", "relieved default"],
    outcomes: [200, 200, 200, "QueueFullError", "QueueFullError", 200],
    idle: 1,
    pending: 0,
  });
});
