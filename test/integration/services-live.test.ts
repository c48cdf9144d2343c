/**
 * Services and lanes that change while connections are open and requests wait: no request is lost, new limits
 * hold at once for what is idle or waits, and a change that is refused has changed nothing.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Client,
  InvalidOptionError,
  InvalidRequestError,
  type LiveServiceOptions,
  QueueFullError,
} from "../../src/index.ts";
import { makeClient, rejection, seeded, statsOf, until } from "../support/client-kit.ts";
import { answerNext, countingServer, kindOf, makeTally } from "../support/lane-kit.ts";
import { holdingServer, outcomeOf, plainServer, statsFor } from "../support/loopback.ts";

/** Sends `count` requests in `lane`, with its name as the path. */
function sendMany(client: Client, origin: string, lane: string, count: number) {
  const send = () => outcomeOf(client.request(`${origin}/${lane}`, { lane }));
  return Array.from({ length: count }, send);
}

/** Asserts that all were answered. */
async function assertAnswered(requests: readonly Promise<unknown>[]): Promise<void> {
  assert.deepEqual(new Set(await Promise.all(requests)), new Set([200]));
}

test("a lane's cap that is lowered holds when what is under way has ended, one that is raised at once", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, { services: { default: { lanes: { bulk: { maxSockets: 4 } } } } });
  const requests = sendMany(client, server.origin, "bulk", 12);
  const held = [];
  for (let count = 0; count < 4; count++) held.push(await server.next());
  client.configureService("default", { lanes: { bulk: { maxSockets: 1 } } });
  assert.deepEqual(statsOf(client).lanes.bulk?.busy, 4);
  for (const { response } of held) response.end();
  for (let count = 0; count < 3; count++) {
    const { response } = await server.next();
    assert.equal(statsOf(client).lanes.bulk?.busy, 1);
    response.end();
  }
  const one = await server.next();
  client.configureService("default", { lanes: { bulk: { maxSockets: 3 } } });
  const two = [await server.next(), await server.next()];
  assert.equal(statsOf(client).lanes.bulk?.busy, 3);
  for (const { response } of [one, ...two]) response.end();
  await answerNext(server, 2);
  await assertAnswered(requests);
});

test("a weight that is changed holds from the next turn on", async (t) => {
  const server = await holdingServer(t);
  const lanes = { a: { weight: 3 }, b: { weight: 1 } };
  const client = makeClient(t, { maxSockets: 1, services: { default: { lanes } } });
  const requests = ["a", "b"].flatMap((lane) => sendMany(client, server.origin, lane, 40));
  const countOfA = (kinds: string[]) => kinds.filter((kind) => kind === "a").length;
  const before = countOfA(await answerNext(server, 20));
  assert(Math.abs(before - 15) <= 1, `${before} of 20`);
  client.configureService("default", { lanes: { a: { weight: 1 }, b: { weight: 4 } } });
  const after = countOfA(await answerNext(server, 20));
  assert(Math.abs(after - 4) <= 2, `${after} of 20`);
  await answerNext(server, 40);
  await assertAnswered(requests);
});

test("limits of a service that shrink close idle connections at once, and busy ones when they are free", async (t) => {
  for (const option of ["maxSockets", "maxTotalSockets"] as const) {
    const server = await holdingServer(t);
    const client = makeClient(t, { services: { api: { origins: server.origin } } });
    const requests = sendMany(client, server.origin, "default", 5);
    const held = [];
    for (let count = 0; count < 5; count++) held.push(await server.next());
    for (const { response } of held.splice(0, 2)) response.end();
    await until(() => statsOf(client).sockets.idle === 2);
    client.configureService("api", { [option]: 1 });
    // The idle ones go, though the busy ones are too many, too.
    assert.deepEqual(statsOf(client).sockets, { open: 3, idle: 0, busy: 3, dialing: 0 });
    requests.push(...sendMany(client, server.origin, "default", 2));
    for (const { response } of held) response.end();
    await answerNext(server, 2);
    await assertAnswered(requests);
    assert.deepEqual(statsOf(client).sockets, { open: 1, idle: 1, busy: 0, dialing: 0 });
    assert.equal(statsOf(client).closed["max-sockets"], 4);
    await until(() => server.sockets.size === 1);
  }
});

test("of the idle connections of a service the longest idle go first, whichever origin they are to", async (t) => {
  const servers = [await plainServer(t), await plainServer(t), await plainServer(t)];
  const origins = servers.map(({ origin }) => origin) as [string, string, string];
  const client = makeClient(t, { services: { api: { origins } } });
  const stranger = await plainServer(t);
  for (const origin of [stranger.origin, ...origins, origins[0]]) {
    assert.equal(await outcomeOf(client.request(origin)), 200);
  }
  const openOf = () =>
    [...origins, stranger.origin].map((each) => statsFor(client, each).sockets.open);
  client.configureService("api", { maxTotalSockets: 2 });
  assert.deepEqual(openOf(), [1, 0, 1, 1]);
  client.configureService("api", { maxTotalSockets: 1 });
  assert.deepEqual(openOf(), [1, 0, 0, 1]);
});

test("an origin in use goes over to a service that is added, with its connections and all that waits", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, { maxSockets: 3 });
  const requests = sendMany(client, server.origin, "default", 8);
  const held = [await server.next(), await server.next(), await server.next()];
  client.configureService("api", {
    origins: server.origin,
    maxSockets: 2,
    lanes: { vital: { weight: 100 } },
  });
  const { service, pending, sockets } = statsOf(client);
  assert.deepEqual([service, pending, sockets.busy], ["api", 5, 3]);
  const counts = client.stats().services.map((each) => [each.service, each.pending, each.origins]);
  assert.deepEqual(counts, [
    ["default", 0, 0],
    ["api", 5, 1],
  ]);
  requests.push(...sendMany(client, server.origin, "vital", 1));
  for (const { response } of held) response.end();
  // One connection goes, over the limit; the lane that was added has its turn first.
  const [next, other] = [await server.next(), await server.next()];
  assert.equal([next, other].filter(({ request }) => kindOf(request) === "vital").length, 1);
  assert.equal(statsOf(client).sockets.open, 2);

  client.removeService("api");
  assert.deepEqual([statsOf(client).service, statsOf(client).pending], ["default", 4]);
  // Now three again, one of them by a new dial.
  const third = await server.next();
  assert.equal(statsOf(client).sockets.busy, 3);
  for (const { response } of [next, other, third]) response.end();
  await answerNext(server, 3);
  await assertAnswered(requests);
  assert.equal(server.connectionCount, 4);
  // What was idle went along, too.
  client.configureService("api", { origins: server.origin });
  const again = sendMany(client, server.origin, "default", 1);
  assert.deepEqual(await answerNext(server, 1), ["default"]);
  await assertAnswered(again);
  assert.equal(server.connectionCount, 4);
  assert.equal(client.service("api").stats().sockets.idle, statsOf(client).sockets.open);
});

test("requests of a lane that is removed wait in the lane default, by their arrival", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, {
    maxSockets: 1,
    services: { default: { lanes: { bulk: { maxSockets: 1 } } } },
  });
  const send = (path: string, lane: string) =>
    outcomeOf(client.request(`${server.origin}/${path}`, { lane }));
  const requests = ["0", "1", "2", "3", "4", "5"].map((path, index) =>
    send(path, index % 2 === 0 ? "bulk" : "default"),
  );
  const { request, response } = await server.next();
  assert.equal(kindOf(request), "0");
  client.configureService("default", { lanes: { bulk: null } });
  const { lanes } = statsOf(client);
  assert.deepEqual(
    Object.entries(lanes).map(([name, { busy, pending }]) => [name, busy, pending]),
    [["default", 1, 5]],
  );
  await rejection(client.request(server.origin, { lane: "bulk" }), InvalidOptionError);
  response.end();
  assert.deepEqual(await answerNext(server, 5), ["1", "2", "3", "4", "5"]);
  await assertAnswered(requests);
});

test("a lane that is added and reserves sockets has them as soon as they are free", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, { maxSockets: 2 });
  const requests = sendMany(client, server.origin, "default", 6);
  const held = [await server.next(), await server.next()];
  client.configureService("default", { lanes: { vital: { reservedSockets: 1 } } });
  requests.push(...sendMany(client, server.origin, "vital", 1));
  held[0]?.response.end();
  const vital = await server.next();
  assert.equal(kindOf(vital.request), "vital");
  vital.response.end();
  await until(() => statsOf(client).sockets.idle === 1);
  // What is idle now is kept for it.
  assert.equal(statsOf(client).lanes.default?.pending, 4);
  requests.push(...sendMany(client, server.origin, "vital", 1));
  assert.deepEqual(await answerNext(server, 1), ["vital"]);
  client.configureService("default", { lanes: { vital: { reservedSockets: 0 } } });
  await until(() => statsOf(client).sockets.busy === 2);
  held[1]?.response.end();
  await answerNext(server, 4);
  await assertAnswered(requests);
});

test("a queue that may hold fewer keeps those that wait, and refuses new ones", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, { maxSockets: 1, services: { api: { origins: server.origin } } });
  const requests = sendMany(client, server.origin, "default", 4);
  await server.next().then(({ response }) => {
    client.configureService("api", { maxPending: 1 });
    assert.equal(statsOf(client).pending, 3);
    response.end();
  });
  await rejection(client.request(server.origin), QueueFullError);
  await answerNext(server, 3);
  await assertAnswered(requests);
});

test("what was counted of a lane stays when others come and go, or its service does", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t, { services: { api: { origins: server.origin } } });
  await assertAnswered(sendMany(client, server.origin, "default", 3));
  const { served, serviceMsecs, highWater } = statsOf(client).lanes.default ?? assert.fail();
  assert.equal(served, 3);
  client.configureService("api", { lanes: { extra: {} } });
  const { default: lane } = statsOf(client).lanes;
  assert.deepEqual(
    [lane?.served, lane?.serviceMsecs, lane?.highWater],
    [served, serviceMsecs, highWater],
  );
  client.removeService("api");
  assert.equal(statsOf(client).lanes.default?.served, served);
});

test("a change that is refused throws, and nothing has changed", async (t) => {
  const [server, other] = [await holdingServer(t), await plainServer(t)];
  const client = makeClient(t, {
    maxTotalSockets: 20,
    services: {
      api: {
        origins: server.origin,
        maxSockets: 4,
        lanes: { vital: { reservedSockets: 2 }, bulk: { maxSockets: 3 } },
      },
      picky: { origins: (origin) => origin === other.origin },
    },
  });
  await outcomeOf(client.request(other.origin));
  const requests = sendMany(client, server.origin, "bulk", 6);
  await until(() => statsFor(client, server.origin).sockets.busy === 2);
  const counted = () => ({ ...client.stats(), at: 0 });
  const [before, options] = [counted(), client.options];
  const refused: readonly (readonly [name: string, change: unknown, message: RegExp])[] = [
    ["api", null, /options must be an object, not null/],
    ["api", { maxSockets: 0 }, /services\.api\.maxSockets must be/],
    ["api", { maxSocket: 3 }, /did you mean services\.api\.maxSockets/],
    ["api", { maxSockets: 2 }, /reservedSockets must be at most 1 in sum/],
    ["api", { maxSockets: 9, origins: [] }, /services\.api\.origins must be/],
    ["api", { lanes: { bulk: { maxSockets: 1 }, vital: { weight: 0 } } }, /vital\.weight/],
    ["api", { lanes: { vital: { reservedSockets: 19 } } }, /reservedSockets must be at most/],
    ["api", { lanes: { bulk: null, extra: 5 } }, /services\.api\.lanes\.extra must be/],
    ["new", { maxSockets: 5 }, /services\.new\.origins must be/],
    ["new", { origins: server.origin }, /which services\.api\.origins has/],
    ["default", { origins: server.origin }, /services\.default\.origins must be absent/],
    ["new", { origins: other.origin }, /which services\.picky\.origins has/],
    ["a\n", { origins: "http://new.test" }, /a name in services must be/],
  ];
  for (const [name, change, message] of refused) {
    assert.throws(
      () => client.configureService(name, change as LiveServiceOptions),
      (error: unknown) => error instanceof InvalidOptionError && message.test(error.message),
      String(message),
    );
    assert.equal(client.options, options);
    assert.deepEqual(counted(), before);
  }
  // What functions say is known when they are asked: of the origins in use.
  assert.throws(
    () => client.configureService("new", { origins: (each) => each !== server.origin }),
    (error: unknown) => error instanceof InvalidRequestError && error.origin === other.origin,
  );
  const reason = new RangeError("mine");
  const origins = (): never => {
    throw reason;
  };
  assert.throws(
    () => client.configureService("new", { origins, maxSockets: 1 }),
    (error: unknown) => error === reason,
  );
  assert.throws(() => client.removeService("new"), /service must be one of "default", "api"/);
  assert.equal(client.options, options);
  assert.deepEqual(counted(), before);
  // Nor has it for origins that are new.
  const fresh = await plainServer(t);
  assert.equal(await outcomeOf(client.request(fresh.origin)), 200);
  assert.equal(statsFor(client, fresh.origin).service, "default");
  await answerNext(server, 6);
  await assertAnswered(requests);
});

test("a program may change services where it is asked about a request", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t, {
    services: {
      api: {
        origins: server.origin,
        lanes: { bulk: {} },
        laneFor: ({ path }) => {
          if (path === "/remove") client.removeService("api");
          if (path === "/lane") client.configureService("api", { lanes: { bulk: null } });
          return "bulk";
        },
      },
    },
  });
  const send = (path: string) => client.request(server.origin + path);
  // The lane that it names was there when the request was made.
  assert.equal(await outcomeOf(send("/lane")), 200);
  await rejection(send("/remove"), InvalidOptionError);
  assert.deepEqual([statsOf(client).requests, statsOf(client).service], [1, "default"]);
  assert.equal(await outcomeOf(client.request(server.origin)), 200);
  await client.close();
});

test("through a hundred random changes under load no request is lost, and no limit broken for long", async (t) => {
  const random = seeded(5);
  const tally = makeTally();
  const servers = [];
  for (let count = 0; count < 3; count++)
    servers.push(await countingServer(t, () => random() * 4, tally));
  const [one, two, three] = servers.map(({ origin }) => origin) as [string, string, string];
  const client = makeClient(t, { maxSockets: 5, maxTotalSockets: 12 });
  const below = (limit: number): number => Math.floor(random() * limit);
  const requests: Promise<unknown>[] = [];
  const changes: readonly (() => void)[] = [
    () => client.configureService("api", { origins: [one, two], maxTotalSockets: 2 + below(6) }),
    () => client.configureService("api", { origins: two, maxSockets: 1 + below(5) }),
    () => client.configureService("other", { origins: (each) => each === three }),
    () => client.removeService("api"),
    () => client.removeService("other"),
    () => client.configureService("api", { origins: one, lanes: { bulk: { maxSockets: 1 } } }),
    () => client.configureService("api", { origins: one, lanes: { bulk: null } }),
    () => client.configureService("default", { lanes: { bulk: { weight: 1 + below(9) } } }),
    () => client.configureService("default", { lanes: { vital: { reservedSockets: below(2) } } }),
    () => client.configureService("default", { lanes: { bulk: { overload: "newest-first" } } }),
    () => client.configureService("default", { lanes: { bulk: null, vital: null } }),
    () => client.configure({ maxSockets: 2 + below(5), maxTotalSockets: 6 + below(8) }),
  ];
  for (let round = 0; round < 100; round++) {
    for (let count = 0; count < 6; count++) {
      const origin = [one, two, three][below(3)] as string;
      const lane = ["bulk", "vital", "default"][below(3)] as string;
      // A lane that is not there is refused at once; then it goes without.
      const send = (options = {}) =>
        client.request(`${origin}/load`, options).then((r) => r.body.text());
      requests.push(
        send({ lane }).catch((error: unknown) => {
          if (error instanceof InvalidOptionError) return send();
          throw error;
        }),
      );
    }
    try {
      changes[below(changes.length)]?.();
    } catch (error) {
      // Some do not fit what there is, and then change nothing.
      assert(error instanceof InvalidOptionError, String(error));
    }
    if (round % 4 === 0) await requests[below(requests.length)];
  }
  await assertAnswered(requests.map((each) => each.then((text) => (text === "load" ? 200 : text))));
  assert.equal(tally.arrived.length, requests.length);
  assert(tally.most() <= 13, `${tally.most()} at once`);
  const { client: all, services, origins } = client.stats();
  assert.deepEqual([all.pending, all.sockets.busy, all.sockets.dialing], [0, 0, 0]);
  for (const { lanes, pending } of services) {
    assert.equal(pending, 0);
    for (const lane of Object.values(lanes)) assert.deepEqual([lane.busy, lane.pending], [0, 0]);
  }
  const open = services.reduce((sum, each) => sum + each.sockets.open, 0);
  assert.equal(open, all.sockets.open);
  assert.equal(origins.length, 3);
});
