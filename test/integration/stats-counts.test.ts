/**
 * Numbers that must agree with one another, and with what a program saw, after many requests.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { DurationSummary, OriginStats, ServiceStats } from "../../src/index.ts";
import { makeClient, statsOf, until } from "../support/client-kit.ts";
import { answerAll } from "../support/lane-kit.ts";
import { holdingServer, outcomeOf, plainServer } from "../support/loopback.ts";
import { rawServer } from "../support/raw-server.ts";

/** Asserts what holds for every distribution that is not empty. */
function assertOrdered({ count, mean, p50, p90, p99, max }: DurationSummary): void {
  assert(
    count > 0 && mean !== null && p50 !== null && p90 !== null && p99 !== null && max !== null,
  );
  assert(p50 >= 0 && mean >= 0);
  assert(p50 <= p90 && p90 <= p99 && p99 <= max, JSON.stringify({ p50, p90, p99, max }));
  assert(mean <= max);
}

test("after many requests the counters agree with each other and with what was seen", async (t) => {
  let answered = 0;
  const server = await plainServer(t, (_, response) => {
    // Some connections are closed, so that there is more than reuse to count.
    if (++answered % 10 === 0) response.setHeader("connection", "close");
    response.end("ok");
  });
  const client = makeClient(t, { maxSockets: 4 });
  let reused = 0;
  const ids = new Set<number>();
  const requests = Array.from({ length: 200 }, async () => {
    const { body, connection } = await client.request(server.origin);
    await body.text();
    ids.add(connection.id);
    if (connection.reused) reused++;
  });
  await Promise.all(requests);
  const stats = statsOf(client);
  assert.equal(stats.requests, 200);
  assert.equal(stats.lanes.default?.served, 200);
  assert.equal(stats.opened, ids.size);
  assert.equal(stats.opened, server.connectionCount);
  assert.equal(stats.reused, reused);
  assert.equal(stats.reused, 200 - stats.opened);
  assert.equal(stats.reuseRatio, reused / 200);
  const { highWater } = stats.lanes.default ?? assert.fail();
  // All came in one turn, and none had a connection then.
  assert.deepEqual([highWater.busy, highWater.pending], [4, 200]);
  assert.equal(highWater.waitMsecs, stats.timings.queue.max);
  assert.equal(stats.closed["connection-close"], 20);
  const closed = Object.values(stats.closed).reduce((sum, count) => sum + count, 0);
  assert.equal(stats.sockets.open, stats.opened - closed);
  assert.equal(stats.failed, 0);
  const { queue, connect, firstByte, tls } = stats.timings;
  assert.deepEqual(
    [queue.count, connect.count, firstByte.count, tls.count],
    [200, stats.opened, 200, 0],
  );
  for (const each of [queue, connect, firstByte]) assertOrdered(each);
});

test("waits that were long are in the distribution of waits as long as they were", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, { maxSockets: 1 });
  const first = outcomeOf(client.request(server.origin));
  const { response } = await server.next();
  const second = client.request(server.origin);
  await sleep(50);
  response.end();
  (await server.next()).response.end();
  const { timings, body } = await second;
  await body.text();
  await first;
  const { queue, firstByte } = statsOf(client).timings;
  assert(timings.queued >= 49, `queued ${timings.queued}`);
  assert.equal(queue.max, timings.queued);
  assert((queue.p99 ?? 0) >= 0.9 * timings.queued);
  assert((firstByte.max ?? 0) >= 49);
});

test("a response that overtakes its request has no time to first byte, and none below 0", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.head();
    await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nok");
    await connection.through("0\r\n\r\n");
    await connection.send("ay");
  });
  const client = makeClient(t);
  let goOn = () => {};
  const gate = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  async function* pieces() {
    yield "a";
    await gate;
    yield "b";
  }
  const response = await client.request(server.origin, { method: "POST", body: pieces() });
  assert.equal(response.timings.firstByte, 0);
  goOn();
  assert.equal(await response.body.text(), "okay");
  assert.equal(response.timings.firstByte, 0);
  assert.equal(statsOf(client).timings.firstByte.max, 0);
});

test("total is null until the body has ended, and not less than the parts after that", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t);
  const request = client.request(server.origin);
  const arrived = await server.next();
  await sleep(20);
  arrived.response.write("part");
  const response = await request;
  assert.equal(response.timings.total, null);
  await sleep(20);
  arrived.response.end();
  await response.body.text();
  const { queued, dns, connect, tls, firstByte, total } = response.timings;
  assert.deepEqual([dns, tls], [null, null]);
  assert(firstByte >= 19 && total !== null && connect !== null && connect > 0);
  assert(total >= queued + connect + firstByte + 19);
});

test("idle time is that before the request, and 0 when a connection is handed over", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, { maxSockets: 1 });
  const first = outcomeOf(client.request(server.origin));
  const handed = client.request(server.origin);
  (await server.next()).response.end();
  (await server.next()).response.end();
  await first;
  const { connection, body } = await handed;
  await body.text();
  assert.deepEqual(
    [connection.reused, connection.requestCount, connection.idleMsecs],
    [true, 2, 0],
  );
  await sleep(30);
  const third = client.request(server.origin);
  (await server.next()).response.end();
  const { connection: rested } = await third;
  assert(rested.idleMsecs >= 29, `${rested.idleMsecs}`);
  assert.equal(rested.requestCount, 3);
});

test("what a server sees of a connection is what the response says of it", async (t) => {
  const server = await plainServer(t, (request, response) => {
    response.end(String(request.socket.remotePort));
  });
  const { body, connection } = await makeClient(t).request(server.origin);
  assert.equal(await body.text(), String(connection.localPort));
  assert.equal(connection.remoteAddress, "127.0.0.1");
});

test("a connection that the server closes while it is idle is counted as that", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t);
  await outcomeOf(client.request(server.origin));
  for (const socket of server.sockets) socket.end();
  await until(() => statsOf(client).sockets.open === 0);
  assert.equal(statsOf(client).closed["server-closed"], 1);
  assert.equal(statsOf(client).failed, 0);
});

test("lanes add up to their origins, and origins to their services", async (t) => {
  const servers = [await holdingServer(t), await holdingServer(t), await holdingServer(t)];
  const [one, other, stranger] = servers.map(({ origin }) => origin) as [string, string, string];
  const client = makeClient(t, {
    maxSockets: 2,
    services: { api: { origins: [one, other], lanes: { bulk: { maxSockets: 1 } } } },
  });
  const send = (origin: string, lane: string, count: number) =>
    Array.from({ length: count }, () => outcomeOf(client.request(origin, { lane })));
  const requests = [
    ...send(one, "bulk", 4),
    ...send(one, "default", 3),
    ...send(other, "bulk", 2),
    ...send(stranger, "default", 3),
  ];
  await until(() => client.stats().client.sockets.busy === 5);

  const busy = client.stats();
  const [fallback, api] = busy.services as [ServiceStats, ServiceStats];
  assert.deepEqual(
    [fallback, api].map(({ service, origins, sockets, pending }) => [
      service,
      origins,
      sockets.busy,
      pending,
    ]),
    [
      ["default", 1, 2, 1],
      ["api", 2, 3, 6],
    ],
  );
  assert.deepEqual(client.service("api").stats(), api);
  for (const service of busy.services) assertAddsUp(service, busy.origins);
  assert.deepEqual(
    busy.origins.map(({ lanes }) => Object.entries(lanes).map(([name, lane]) => [name, lane.busy])),
    [
      [
        ["bulk", 1],
        ["default", 1],
      ],
      [["bulk", 1]],
      [["default", 2]],
    ],
  );

  for (const server of servers) answerAll(server);
  assert.deepEqual(new Set(await Promise.all(requests)), new Set([200]));
  const after = client.stats();
  for (const service of after.services) assertAddsUp(service, after.origins);
  for (const origin of after.origins) {
    const lanes = Object.values(origin.lanes);
    const served = lanes.reduce((sum, lane) => sum + lane.served, 0);
    assert.equal(served, origin.timings.queue.count);
    for (const lane of lanes) assert.deepEqual([lane.busy, lane.pending], [0, 0]);
    const longest = Math.max(...lanes.map(({ highWater }) => highWater.waitMsecs));
    assert.equal(longest, origin.timings.queue.max);
  }
  const { highWater, lanes } = client.service("api").stats();
  assert.deepEqual(highWater, { open: 3, pending: 9 });
  assert.deepEqual([lanes.bulk?.highWater.busy, lanes.bulk?.highWater.pending], [2, 6]);
  assert.deepEqual([lanes.default?.highWater.busy, lanes.default?.highWater.pending], [1, 3]);
});

/** What a service counts is what its origins count together. */
function assertAddsUp(service: ServiceStats, origins: readonly OriginStats[]): void {
  const own = origins.filter((each) => each.service === service.service);
  const sum = (count: (each: OriginStats) => number): number =>
    own.reduce((total, each) => total + count(each), 0);
  assert.equal(service.origins, own.length);
  assert.equal(
    service.pending,
    sum((each) => each.pending),
  );
  for (const name of ["open", "idle", "busy", "dialing"] as const) {
    assert.equal(
      service.sockets[name],
      sum((each) => each.sockets[name]),
    );
  }
  for (const [name, lane] of Object.entries(service.lanes)) {
    for (const count of ["busy", "pending"] as const) {
      const total = sum((each) => each.lanes[name]?.[count] ?? 0);
      assert.equal(lane[count], total, `${service.service}.${name}.${count}`);
    }
  }
}
