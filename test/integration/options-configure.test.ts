/**
 * `client.configure` while connections are open and requests are under way: new limits hold at once for
 * what is idle or waits, and for the rest when it is free.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { HeadersTimeoutError, QueueFullError, ResponseParseError } from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { closedReasons, makeClient, rejection, statsOf, until } from "../support/client-kit.ts";
import { holdingServer, outcomeOf, plainServer, statsFor } from "../support/loopback.ts";

const never = Number.POSITIVE_INFINITY;

test("raising maxSockets lets waiting requests go at once", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, { maxSockets: 1 });
  const requests = [1, 2, 3].map(() => outcomeOf(client.request(server.origin)));
  const first = await server.next();
  assert.equal(statsOf(client).pending, 2);
  client.configure({ maxSockets: 3 });
  assert.equal(statsOf(client).sockets.open, 3);
  const others = [await server.next(), await server.next()];
  assert.equal(statsOf(client).pending, 0);
  for (const { response } of [first, ...others]) response.end();
  assert.deepEqual(await Promise.all(requests), [200, 200, 200]);
});

test("lowering maxSockets closes busy connections when they are free, and serves who waits on the rest", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t);
  const requests = [1, 2, 3].map(() => outcomeOf(client.request(server.origin)));
  const arrived = [await server.next(), await server.next(), await server.next()];
  client.configure({ maxSockets: 1 });
  assert.equal(statsOf(client).sockets.open, 3);
  const waiting = outcomeOf(client.request(server.origin));
  const [first, second, last] = arrived;
  first?.response.end();
  second?.response.end();
  await Promise.race(requests);
  await until(() => statsOf(client).sockets.open === 1);
  assert.deepEqual(closedReasons(client), { "max-sockets": 2 });
  assert.equal(statsOf(client).pending, 1);
  last?.response.end();
  const next = await server.next();
  assert.equal(next.request.socket, last?.request.socket);
  next.response.end();
  assert.deepEqual(await Promise.all([...requests, waiting]), [200, 200, 200, 200]);
});

test("lowering maxSockets closes idle connections over it at once", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t);
  const requests = [1, 2, 3].map(() => outcomeOf(client.request(server.origin)));
  for (const _ of requests) (await server.next()).response.end();
  await Promise.all(requests);
  const { open } = statsOf(client).sockets;
  client.configure({ maxSockets: 1 });
  assert.deepEqual(statsOf(client).sockets, { open: 1, idle: 1, busy: 0, dialing: 0 });
  assert.deepEqual(closedReasons(client), { "max-sockets": open - 1 });
  await until(() => server.sockets.size === 1);
});

test("lowering maxFreeSockets closes idle connections over it at once, the longest idle first", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t);
  const requests = [1, 2].map(() => outcomeOf(client.request(server.origin)));
  const [first, second] = [await server.next(), await server.next()];
  first.response.end();
  await Promise.race(requests);
  second.response.end();
  await Promise.all(requests);
  client.configure({ maxFreeSockets: 1 });
  assert.deepEqual(closedReasons(client), { "max-free-sockets": 1 });
  await until(() => first.request.socket.destroyed);
  assert.equal(second.request.socket.destroyed, false);
  client.configure({ maxFreeSockets: 0 });
  await until(() => second.request.socket.destroyed);
  assert.equal(statsOf(client).sockets.open, 0);
});

test("lowering maxTotalSockets closes idle connections of any origin", async (t) => {
  const servers = [await plainServer(t), await plainServer(t), await plainServer(t)];
  const client = makeClient(t);
  for (const { origin } of servers) await outcomeOf(client.request(origin));
  client.configure({ maxTotalSockets: 1 });
  const stats = client.stats();
  assert.deepEqual(stats.client.sockets, { open: 1, idle: 1, busy: 0, dialing: 0 });
  assert.equal(stats.client.maxTotalSockets, 1);
  // The longest idle went first.
  assert.deepEqual(
    servers.map(({ origin }) => statsFor(client, origin).sockets.open),
    [0, 0, 1],
  );
});

test("lowering keepAliveMsecs closes a connection that is idle already sooner", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t, { keepAliveMsecs: 60_000 });
  await outcomeOf(client.request(server.origin));
  client.configure({ keepAliveMsecs: 20 });
  await until(() => server.sockets.size === 0);
  assert.deepEqual(closedReasons(client), { "idle-timeout": 1 });
  await outcomeOf(client.request(server.origin));
  client.configure({ keepAliveMsecs: 0 });
  await until(() => statsOf(client).sockets.open === 0);
});

test("raising keepAliveMsecs keeps a connection that is idle already for longer", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t, { keepAliveMsecs: 500 });
  await outcomeOf(client.request(server.origin));
  client.configure({ keepAliveMsecs: 60_000 });
  await sleep(600);
  const { connection } = await client.request(server.origin);
  assert.equal(connection.reused, true);
});

test("raising maxPending lets requests wait that would have been refused", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, { maxSockets: 1, maxPending: 0 });
  const holder = outcomeOf(client.request(server.origin));
  await rejection(client.request(server.origin), QueueFullError);
  client.configure({ maxPending: 1 });
  const waiting = outcomeOf(client.request(server.origin));
  (await server.next()).response.end();
  (await server.next()).response.end();
  assert.deepEqual([await holder, await waiting], [200, 200]);
});

test("a new timeout holds for the next request and not for one whose timeout runs already", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t);
  const running = outcomeOf(client.request(server.origin));
  const { response } = await server.next();
  client.configure({ headersTimeoutMsecs: 20 });
  const error = await rejection(client.request(server.origin), HeadersTimeoutError);
  assert.equal(error.timeoutMsecs, 20);
  response.end();
  assert.equal(await running, 200);
});

test("a timeout that is raised while it runs ends as it began, and its error says so", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, { headersTimeoutMsecs: 60 });
  const failure = rejection(client.request(server.origin), HeadersTimeoutError);
  await server.next();
  client.configure({ headersTimeoutMsecs: 60_000 });
  assert.equal((await failure).timeoutMsecs, 60);
});

test("keepAlive turned off closes what is idle at once, and what is busy after its request", async (t) => {
  const server = await plainServer(t, (request, response) => {
    response.end(request.headers.connection);
  });
  const client = makeClient(t);
  await outcomeOf(client.request(server.origin));
  client.configure({ keepAlive: false });
  assert.equal(await (await client.request(server.origin)).body.text(), "close");
  await until(() => server.sockets.size === 0);
  assert.deepEqual(closedReasons(client), { "keep-alive-off": 2 });
});

test("minFreeSockets raised opens connections to origins that are in use, and only there", async (t) => {
  const [used, unused] = [await plainServer(t), await plainServer(t)];
  const client = makeClient(t);
  await outcomeOf(client.request(used.origin));
  client.configure({ minFreeSockets: 3 });
  await until(() => statsOf(client).sockets.idle === 3);
  await until(() => used.connectionCount === 3);
  assert.equal(unused.connectionCount, 0);
});

test("a new maxHeaderBytes holds on connections that are open already", async (t) => {
  const server = await plainServer(t, (_, response) => {
    response.setHeader("x-long", "x".repeat(1_000));
    response.end();
  });
  const client = makeClient(t);
  assert.equal(await outcomeOf(client.request(server.origin)), 200);
  client.configure({ maxHeaderBytes: 500 });
  await rejection(client.request(server.origin), ResponseParseError);
});

test("a new connectTimeoutMsecs holds for the next dial", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t, { connect: { lookup: () => {} } });
  const url = `http://nowhere.example:${server.port}`;
  const first = outcomeOf(client.request(url));
  client.configure({ connectTimeoutMsecs: 20 });
  const second = outcomeOf(client.request(url));
  // The dial of the second ends first. It fails the request that has waited longest.
  assert.equal(await first, "ERR_KEEPLINE_CONNECT_TIMEOUT");
  client.destroy();
  assert.equal(await second, "ERR_KEEPLINE_CLIENT_CLOSED");
});

test("what a service said itself stays as it is, and what it took from the client goes along", async (t) => {
  const [own, others] = [await holdingServer(t), await holdingServer(t)];
  const client = makeClient(t, {
    maxSockets: 1,
    services: { api: { origins: own.origin, maxSockets: 2, lanes: { bulk: { maxPending: 1 } } } },
  });
  client.configure({ maxSockets: 3, maxPending: 0 });
  const send = (origin: string, lane: string) => outcomeOf(client.request(origin, { lane }));
  const requests = [1, 2, 3, 4, 5].map(() => send(others.origin, "default"));
  requests.push(...[1, 2, 3].map(() => send(own.origin, "default")));
  requests.push(...[1, 2].map(() => send(own.origin, "bulk")));
  assert.equal(statsFor(client, others.origin).sockets.open, 3);
  assert.equal(statsFor(client, own.origin).sockets.open, 2);
  for (let count = 0; count < 3; count++) (await others.next()).response.end();
  for (let count = 0; count < 3; count++) (await own.next()).response.end();
  const full = "ERR_KEEPLINE_QUEUE_FULL";
  assert.deepEqual(
    await Promise.all(requests),
    // The lane may have one that waits; all else has none.
    [200, 200, 200, full, full, 200, 200, full, 200, full],
  );
});

test("a refused change leaves services as they were", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, {
    services: { api: { origins: server.origin, lanes: { vital: { reservedSockets: 4 } } } },
  });
  const before = client.options;
  // The reservation does not fit into it.
  assert.throws(() => client.configure({ maxSockets: 3 }), /reservedSockets must be at most 2/);
  assert.throws(() => client.configure({ maxTotalSockets: 4 }), /reservedSockets must be at most/);
  assert.equal(client.options, before);
  const requests = [1, 2, 3, 4, 5].map(() => outcomeOf(client.request(server.origin)));
  assert.equal(statsOf(client).sockets.open, 5);
  for (const _ of requests) (await server.next()).response.end();
  assert.deepEqual(await Promise.all(requests), [200, 200, 200, 200, 200]);
});

test("a lane is reported by a new saturationMsecs, also while its requests wait already", async (t) => {
  t.mock.method(process, "emitWarning", () => {});
  const clock = new ManualClock();
  const server = await holdingServer(t);
  const client = makeClient(t, { maxSockets: 1, saturationMsecs: never, clock });
  const waits: number[] = [];
  client.on("saturated", ({ waitedMsecs }) => waits.push(waitedMsecs));
  const requests = [1, 2].map(() => outcomeOf(client.request(server.origin)));
  const first = await server.next();
  clock.advance(5_000);
  client.configure({ saturationMsecs: 6_000 });
  clock.advance(1_000);
  await turn();
  assert.deepEqual(waits, [6_000]);
  first.response.end();
  (await server.next()).response.end();
  assert.deepEqual(await Promise.all(requests), [200, 200]);
});
