/**
 * `client.stats()`, `res.connection` and `res.timings` tell what happened on real sockets.
 */
import assert from "node:assert/strict";
import type { LookupFunction } from "node:net";
import { test } from "node:test";
import { ClientClosedError, ConnectError } from "../../src/index.ts";
import { makeClient, rejection, statsOf } from "../support/client-kit.ts";
import { certificate, holdingServer, lookupOf, tlsServer } from "../support/loopback.ts";
import { deadPort, httpServer } from "../support/raw-server.ts";

test("stats are plain JSON of the documented shape", async (t) => {
  const server = await httpServer(t, (_, response) => response.end("ok"));
  const client = makeClient(t);
  await (await client.request(server.origin)).body.text();
  const stats = client.stats();
  assert.deepEqual(JSON.parse(JSON.stringify(stats)), stats);
  assert.deepEqual(Object.keys(stats), ["at", "client", "services", "origins"]);
  assert.ok(Math.abs(stats.at - Date.now()) < 60_000);
  assert.deepEqual(stats.client, {
    sockets: { open: 1, idle: 1, busy: 0, dialing: 0 },
    pending: 0,
    maxTotalSockets: null,
  });
  const origin = statsOf(client);
  assert.equal(origin.origin, server.origin);
  assert.equal(origin.service, "default");
  const { default: lane, ...others } = origin.lanes;
  assert.deepEqual(others, {});
  assert.ok(lane !== undefined && lane.serviceMsecs !== null && lane.serviceMsecs > 0);
  // It waited for its dial.
  const { waitMsecs } = lane.highWater;
  assert.ok(waitMsecs > 0);
  const highWater = { busy: 1, pending: 1, waitMsecs };
  assert.deepEqual(lane, {
    busy: 0,
    pending: 0,
    served: 1,
    timedOut: 0,
    refused: 0,
    shed: 0,
    isSaturated: false,
    serviceMsecs: lane.serviceMsecs,
    highWater,
    timings: lane.timings,
  });
  const { closed, totals } = { closed: origin.closed, totals: stats.services[0]?.totals };
  assert.equal(lane.timings.use.count, 1);
  const counted = { served: 1, timedOut: 0, refused: 0, shed: 0, timings: lane.timings };
  assert.deepEqual(stats.services, [
    {
      service: "default",
      origins: 1,
      sockets: { open: 1, idle: 1, busy: 0, dialing: 0 },
      pending: 0,
      maxTotalSockets: null,
      highWater: { open: 1, pending: 1 },
      tuning: { mode: "off", maxFreeSockets: 256, keepAliveMsecs: 5_000, changes: 0 },
      totals: {
        requests: 1,
        opened: 1,
        resumedTls: 0,
        reused: 0,
        reuseRatio: 0,
        resent: 0,
        failed: 0,
        leaked: { reported: 0, collected: 0 },
        closed,
        timings: totals?.timings,
      },
      lanes: { default: { busy: 0, pending: 0, ...counted, highWater } },
    },
  ]);
  assert.deepEqual(totals?.timings, origin.timings);
  const names = ["queue", "firstByte", "use", "dial", "connect", "tls", "idle", "life"] as const;
  assert.deepEqual(Object.keys(origin.timings), names);
  for (const name of names) {
    assert.deepEqual(Object.keys(origin.timings[name]), [
      "count",
      "mean",
      "p50",
      "p90",
      "p99",
      "max",
    ]);
  }
  assert.equal(origin.timings.tls.count, 0);
  assert.equal(origin.timings.tls.p50, null);
});

test("counters tell a story of reuse, waiting and failure as it was", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, { maxSockets: 2, maxPending: 1 });
  const requests = [1, 2, 3].map(() => client.request(server.origin));
  const refused = client.request(server.origin).catch((error: Error) => error.name);
  const [first, second] = [await server.next(), await server.next()];
  assert.equal(await refused, "QueueFullError");
  const during = statsOf(client);
  assert.deepEqual(during.sockets, { open: 2, idle: 0, busy: 2, dialing: 0 });
  assert.deepEqual([during.pending, during.requests, during.opened, during.reused], [1, 4, 2, 0]);
  first.response.end("1");
  const third = await server.next();
  third.response.end("3");
  second.response.end("2");
  for (const request of requests) await (await request).body.text();
  const after = statsOf(client);
  assert.deepEqual(after.sockets, { open: 2, idle: 2, busy: 0, dialing: 0 });
  assert.deepEqual([after.opened, after.reused, after.failed], [2, 1, 0]);
  assert.equal(after.reuseRatio, 1 / 3);
  const { serviceMsecs, highWater, timings, ...lane } = after.lanes.default ?? assert.fail();
  assert.deepEqual(lane, {
    busy: 0,
    pending: 0,
    served: 3,
    timedOut: 0,
    refused: 1,
    shed: 0,
    isSaturated: true,
  });
  assert.ok((serviceMsecs ?? 0) > 0);
  assert.deepEqual([timings.queue.count, timings.use.count, timings.firstByte.count], [3, 3, 3]);
  // Each waited for a moment, the two that were dialed for, too; but not the one that was refused.
  assert.deepEqual([highWater.busy, highWater.pending], [2, 3]);
  assert.equal(after.timings.queue.count, 3);
  assert.equal(after.timings.connect.count, 2);
  assert.equal(after.timings.firstByte.count, 3);
  assert.ok((after.timings.queue.p50 ?? 0) <= (after.timings.queue.max ?? 0));
});

test("failures are counted, and aborts are not", async (t) => {
  const origin = `http://127.0.0.1:${await deadPort()}`;
  const client = makeClient(t);
  await rejection(client.request(origin), ConnectError);
  const signal = AbortSignal.abort();
  await client.request(origin, { signal }).catch(() => {});
  const { failed, requests, closed } = statsOf(client);
  assert.deepEqual({ failed, requests }, { failed: 1, requests: 1 });
  assert.equal(closed["dial-failed"], 1);
});

test("the idle window tells the server's hint, and what is left of it", async (t) => {
  const server = await httpServer(t, (_, response) => {
    response.setHeader("keep-alive", "timeout=3");
    response.end();
  });
  const client = makeClient(t);
  await (await client.request(server.origin)).body.dump();
  const { hinted, learned, used } = statsOf(client).idleWindowMsecs;
  assert.deepEqual({ hinted, learned }, { hinted: 3_000, learned: null });
  // Less a fifth, and a round trip of some milliseconds at most.
  assert.ok(used !== null && used > 2_200 && used <= 2_400, `used ${used}`);
});

test("res.connection and res.timings tell a fresh connection from a used one, over TLS by name", async (t) => {
  const { cert, key } = certificate();
  const server = await tlsServer(t, { cert, key });
  const { lookup } = lookupOf(["127.0.0.1"]);
  // As a real one, it answers later.
  const later: LookupFunction = (...asked) => setImmediate(() => lookup(...asked));
  const connect = { tls: { ca: cert }, lookup: later };
  const client = makeClient(t, { connect });
  const url = `https://localhost:${server.port}/`;
  const first = await client.request(url);
  await first.body.text();
  const second = await client.request(url);
  await second.body.text();

  const { id, localPort, ...fresh } = first.connection;
  assert.deepEqual(fresh, {
    reused: false,
    requestCount: 1,
    idleMsecs: fresh.idleMsecs,
    remoteAddress: "127.0.0.1",
  });
  assert.ok(typeof localPort === "number" && localPort > 0);
  assert.deepEqual(
    [second.connection.id, second.connection.localPort, second.connection.reused],
    [id, localPort, true],
  );
  assert.equal(second.connection.requestCount, 2);
  assert.ok(second.connection.idleMsecs >= 0);

  const { queued, dns, connect: tcp, tls, firstByte, total } = first.timings;
  assert.ok(dns !== null && tcp !== null && tls !== null && total !== null);
  assert.ok(dns >= 0 && tcp > 0 && tls > 0 && firstByte > 0);
  assert.ok(queued + dns + tcp + tls + firstByte <= total + 1e-6);
  assert.deepEqual(
    [second.timings.dns, second.timings.connect, second.timings.tls, second.timings.queued],
    [null, null, null, 0],
  );
});

test("a destroyed client still tells how its connections ended", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t);
  const request = client.request(server.origin);
  await server.next();
  client.destroy();
  await rejection(request, ClientClosedError);
  assert.equal(statsOf(client).closed["client-closed"], 1);
});
