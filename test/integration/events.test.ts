/**
 * The diagnostics channels tell what happened, in order, on all surfaces; and nothing that is secret.
 */
import assert from "node:assert/strict";
import { subscribe as subscribeToChannel, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import http from "node:http";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { InvalidOptionError, type RequestCreated, subscribe } from "../../src/index.ts";
import { closedReasons, makeClient, statsOf, until } from "../support/client-kit.ts";
import { type EventLog, eventLog } from "../support/event-log.ts";
import {
  certificate,
  closedUnderSecond,
  holdingServer,
  outcomeOf,
  plainServer,
  tlsServer,
} from "../support/loopback.ts";
import { deadPort, httpServer, ok, rawServer } from "../support/raw-server.ts";

const never = Number.POSITIVE_INFINITY;

const ofRequest = (id: number) => (message: Partial<Record<string, unknown>>) =>
  message.requestId === id;

test("the events of a request on a fresh and on a used connection are its phases in order", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t);
  const log = eventLog(t, client);
  const url = `${server.origin}/path/to?token=hidden`;
  for (const method of ["GET", "PUT"]) await outcomeOf(client.request(url, { method }));
  const whole = [
    "request:created",
    "request:queued",
    "connection:dialing",
    "connection:open",
    "request:granted",
    "request:sent",
    "request:head",
    "request:end",
    "connection:idle",
    "request:created",
    "request:granted",
    "request:sent",
    "request:head",
    "request:end",
    "connection:idle",
  ];
  assert.deepEqual(log.names(), whole);
  const times = log.all.map(({ message }) => message.at);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  for (const { message } of log.all) assert.equal(message.clientId, client.id);

  const [created, second] = log.of("request:created") as [RequestCreated, RequestCreated];
  const { at: _, ...facts } = created;
  assert.deepEqual(facts, {
    clientId: client.id,
    requestId: 1,
    origin: server.origin,
    service: "default",
    lane: "default",
    method: "GET",
    path: "/path/to",
  });
  assert.deepEqual([second.requestId, second.method], [2, "PUT"]);
  const [queued] = log.of("request:queued");
  assert.deepEqual([queued?.pending, queued?.open], [1, 0]);
  const [granted, reuse] = log.of("request:granted");
  assert.deepEqual(
    [granted?.reused, granted?.requestCount, reuse?.reused, reuse?.requestCount],
    [false, 1, true, 2],
  );
  assert.equal(granted?.connectionId, reuse?.connectionId);
  assert((granted?.queuedMsecs ?? 0) > 0 && reuse?.queuedMsecs === 0);
  const [end] = log.of("request:end");
  assert.deepEqual([end?.statusCode, end?.bodyBytes], [200, 2]);
  const [open] = log.of("connection:open");
  assert.equal(open?.remoteAddress, "127.0.0.1");
  assert((open?.dialMsecs ?? 0) >= (open?.connectMsecs ?? 0) && open?.tlsMsecs === null);
});

test("events tell of the handshake over TLS, and how each connection ended", async (t) => {
  const { cert, key } = certificate();
  const server = await tlsServer(t, { cert, key });
  const client = makeClient(t, { connect: { tls: { ca: cert } }, keepAliveMsecs: 20 });
  const log = eventLog(t, client);
  await outcomeOf(client.request(`https://localhost:${server.port}/`));
  await until(() => log.of("connection:retired").length === 1);
  const [open] = log.of("connection:open");
  assert((open?.tlsMsecs ?? 0) > 0 && open?.tlsResumed === false);
  const [idle] = log.of("connection:idle");
  assert.equal(Math.round(idle?.usableMsecs ?? 0), 20);
  const [retired] = log.of("connection:retired");
  assert.deepEqual(
    [retired?.reason, retired?.state, retired?.requestCount, retired?.error],
    ["idle-timeout", "idle", 1, null],
  );
  assert((retired?.idleMsecs ?? 0) >= 20 && (retired?.ageMsecs ?? 0) >= (retired?.idleMsecs ?? 0));
});

test("a request that is sent again tells which connection failed it, and why", async (t) => {
  const server = await rawServer(t, async (connection) => {
    for (let count = 1; ; count++) {
      await connection.request();
      if (count === 2 && connection.index === 0) {
        connection.end();
        return;
      }
      await connection.send(ok("fine"));
    }
  });
  const client = makeClient(t);
  const log = eventLog(t, client);
  await outcomeOf(client.request(server.origin));
  assert.equal(await outcomeOf(client.request(server.origin)), 200);
  assert.deepEqual(log.names(ofRequest(2)), [
    "request:created",
    "request:granted",
    "request:sent",
    "request:resend",
    "request:queued",
    "request:granted",
    "request:sent",
    "request:head",
    "request:end",
  ]);
  const [retired] = log.of("connection:retired");
  const [resend] = log.of("request:resend");
  assert.deepEqual([retired?.reason, retired?.state], ["socket-error", "busy"]);
  assert.deepEqual(
    [resend?.connectionId, resend?.reason, resend?.resends, resend?.requestSent],
    [retired?.connectionId, "socket-error", 1, true],
  );
  const at = (name: string): number => log.names().indexOf(name as "request:resend");
  assert.equal(at("connection:retired") + 1, at("request:resend"));
});

test("a request that fails tells what the program is told, with the causes under it", async (t) => {
  const origin = `http://127.0.0.1:${await deadPort()}`;
  const client = makeClient(t);
  const log = eventLog(t, client);
  await outcomeOf(client.request(origin));
  const [failed] = log.of("request:failed");
  const { error } = failed ?? assert.fail();
  assert.deepEqual(
    [error?.name, error?.code, error?.cause?.code, failed?.connectionId, failed?.requestSent],
    ["ConnectError", "ERR_KEEPLINE_CONNECT", "ECONNREFUSED", null, false],
  );
  const [retired] = log.of("connection:retired");
  assert.deepEqual(
    [retired?.reason, retired?.state, retired?.ageMsecs, retired?.error?.code],
    ["dial-failed", "dialing", null, "ECONNREFUSED"],
  );
});

test("each way to end has one end: refused, aborted, timed out, given up, closed", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, { maxSockets: 1, maxPending: 1, saturationMsecs: never });
  const log = eventLog(t, client);
  const controller = new AbortController();
  const holder = outcomeOf(client.request(server.origin));
  const arrived = await server.next();
  const waiting = outcomeOf(client.request(server.origin, { signal: controller.signal }));
  assert.equal(await outcomeOf(client.request(server.origin)), "ERR_KEEPLINE_QUEUE_FULL");
  controller.abort(new RangeError("enough"));
  assert.equal(await waiting, "RangeError");
  arrived.response.end();
  await holder;
  const late = client.request(server.origin, { headersTimeoutMsecs: 5 });
  await outcomeOf(late);
  await server.next();
  const unread = client.request(server.origin);
  const { response } = await server.next();
  response.writeHead(200, { "content-length": "1000000" }).write("some");
  for await (const _ of (await unread).body) break;
  const last = outcomeOf(client.request(server.origin));
  await server.next();
  client.destroy();
  await last;
  await turn();
  const ends = log.of("request:failed").map(({ requestId, error }) => [requestId, error?.name]);
  assert.deepEqual(
    ends.toSorted(([a], [b]) => Number(a) - Number(b)),
    [
      [2, "RangeError"],
      [3, "QueueFullError"],
      [4, "HeadersTimeoutError"],
      [5, undefined],
      [6, "ClientClosedError"],
    ],
  );
  assert.deepEqual(
    log.of("request:end").map(({ requestId }) => requestId),
    [1],
  );
});

test("fetch, dispatchers and agents tell the same story", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t);
  const log = eventLog(t, client);
  await (await client.fetch(`${server.origin}/fetched?a=b`)).text();
  const request = http.get(`${server.origin}/asked?a=b`, { agent: client.httpAgent() });
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  await response.resume().toArray();
  await until(() => log.of("connection:idle").length === 2);
  const phases = ["request:granted", "request:sent", "request:head", "request:end"];
  assert.deepEqual(log.names(ofRequest(1)), ["request:created", "request:queued", ...phases]);
  assert.deepEqual(
    log.names(ofRequest(2)),
    ["request:created", ...phases].filter((name) => name !== "request:sent"),
  );
  assert.deepEqual(
    log.of("request:created").map(({ path }) => path),
    ["/fetched", "/asked"],
  );
  assert.deepEqual(
    log.of("request:end").map(({ statusCode, bodyBytes }) => [statusCode, bodyBytes]),
    [
      [200, 2],
      [200, null],
    ],
  );
});

test("no message holds a header value, a body or a query", async (t) => {
  t.mock.method(process, "emitWarning", () => {});
  const server = await httpServer(t, (request, response) => {
    response.setHeader("set-cookie", "hush-cookie");
    response.setHeader("x-answer", "hush-answer");
    if (request.url?.startsWith("/bad") === true) response.socket?.end("HTTP/1.1 hush\r\n\r\n");
    else response.end("hush-response");
  });
  const client = makeClient(t, { saturationMsecs: 1, maxSockets: 1 });
  const log = eventLog(t, client);
  const options = {
    method: "POST",
    headers: { authorization: "hush-secret", cookie: "hush-cookie" },
    body: "hush-body",
  };
  await outcomeOf(client.request(`${server.origin}/path?key=hush-key#hush`, options));
  await outcomeOf(client.request(`${server.origin}/bad?key=hush-key`, options));
  await turn();
  assert(log.all.length > 10);
  for (const { name, message } of log.all) {
    assert.doesNotMatch(JSON.stringify(message), /hush-/, name);
  }
});

test("a saturated lane and a body that nobody reads are told", async (t) => {
  t.mock.method(process, "emitWarning", () => {});
  const server = await httpServer(t, (_, response) => response.end(Buffer.alloc(1_000_000)));
  const options = { maxSockets: 1, saturationMsecs: 5, leakTimeoutMsecs: 20 };
  const client = makeClient(t, options);
  const log = eventLog(t, client);
  const unread = await client.request(server.origin);
  const waiting = outcomeOf(client.request(server.origin));
  // A dial may saturate the lane for a moment before.
  await until(
    () => log.of("lane:saturated").at(-1)?.open === 1 && log.of("request:leaked").length > 0,
  );
  const [leaked] = log.of("request:leaked");
  assert.equal(leaked?.requestId, 1);
  assert((leaked?.unreadMsecs ?? 0) >= 20 && (leaked?.heldBytes ?? 0) > 0);
  assert.match(leaked?.stack ?? "", /events\.test/);
  const saturated = log.of("lane:saturated").at(-1);
  assert.deepEqual([saturated?.lane, saturated?.pending, saturated?.limit], ["default", 1, 1]);
  await unread.body.dump();
  await waiting;
  await until(() => log.of("lane:relieved").length === log.of("lane:saturated").length);
});

test("a subscriber may use the client, and what it throws reaches no request", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t, { maxSockets: 2 });
  let thrown = 0;
  let further = 0;
  const inner: Promise<unknown>[] = [];
  const caught: unknown[] = [];
  const note = (error: unknown): number => caught.push(error);
  const before = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", note);
  t.after(() => {
    process.off("uncaughtException", note);
    for (const each of before) process.on("uncaughtException", each);
  });
  t.after(
    subscribe(
      {
        "request:granted": () => {
          if (further < 20) inner.push(outcomeOf(client.request(server.origin)));
          further++;
        },
        "connection:idle": () => {
          thrown++;
          throw new Error("of a subscriber");
        },
      },
      client,
    ),
  );
  const outcomes = await Promise.all(
    Array.from({ length: 10 }, () => outcomeOf(client.request(server.origin))),
  );
  assert.deepEqual(new Set(outcomes), new Set([200]));
  await until(() => inner.length === 20);
  assert.deepEqual(new Set(await Promise.all(inner)), new Set([200]));
  await until(() => caught.length === thrown && thrown > 0);
});

test("only the events of the wanted client and name are told, and none after the end", async (t) => {
  const server = await plainServer(t);
  const [client, other] = [makeClient(t), makeClient(t)];
  const told: number[] = [];
  const stop = subscribe({ "request:created": ({ clientId }) => told.push(clientId) }, client);
  await Promise.all([client, other].map((each) => outcomeOf(each.request(server.origin))));
  assert.deepEqual(told, [client.id]);
  const all: unknown[] = [];
  const listener = (message: unknown): number => all.push(message);
  subscribeToChannel("keepline:request:end", listener);
  await outcomeOf(other.request(server.origin));
  stop();
  await outcomeOf(client.request(server.origin));
  unsubscribe("keepline:request:end", listener);
  await outcomeOf(client.request(server.origin));
  assert.deepEqual(told, [client.id]);
  assert.equal(all.length, 2);
  assert.throws(
    () => subscribe({ "request:made": () => {} } as object),
    (error) =>
      error instanceof InvalidOptionError &&
      /event must be one of request:created/.test(error.message),
  );
  assert.throws(() => subscribe({ "request:end": 5 as never }), InvalidOptionError);
});

test("a request that began before anybody listened is not told of, but its connection is", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t);
  const early = outcomeOf(client.request(server.origin));
  const arrived = await server.next();
  const log = eventLog(t, client);
  const later = outcomeOf(client.request(server.origin));
  (await server.next()).response.end();
  arrived.response.end();
  await Promise.all([early, later]);
  assert.deepEqual(
    new Set(log.all.flatMap(({ message }) => ("requestId" in message ? [message.requestId] : []))),
    new Set([1]),
  );
  assert.equal(log.of("request:end").length, 1);
  assert.equal(log.of("connection:idle").length, 2);
});

/** What the events of `log` add up to, of what `stats()` counts. */
function countsFrom(log: EventLog) {
  const reasons: Record<string, number> = {};
  for (const { reason } of log.of("connection:retired")) {
    reasons[reason] = (reasons[reason] ?? 0) + 1;
  }
  return {
    requests: log.of("request:created").length,
    served: log.of("request:granted").length,
    reused: log.of("request:granted").filter(({ reused }) => reused).length,
    resent: log.of("request:resend").length,
    opened: log.of("connection:open").length,
    closed: reasons,
  };
}

test("with servers that break, the events add up to what stats() counts, and each request and connection ends once", async (t) => {
  let count = 0;
  const server = await plainServer(t, (request, response) => {
    if (++count % 7 === 0) request.socket.destroy();
    else if (count % 5 === 0) response.writeHead(200, { connection: "close" }).end("ok");
    else response.end("ok");
  });
  const client = makeClient(t, { maxSockets: 5, maxPending: 30, saturationMsecs: never });
  const log = eventLog(t, client);
  const agent = client.httpAgent();
  const send = async (index: number): Promise<void> => {
    if (index % 3 === 0)
      await client.fetch(server.origin).then(
        (each) => each.text(),
        () => {},
      );
    else if (index % 3 === 1) {
      const method = index % 2 === 0 ? "GET" : "POST";
      const signal = index % 11 === 0 ? AbortSignal.timeout(2) : undefined;
      await outcomeOf(client.request(server.origin, signal ? { method, signal } : { method }));
    } else {
      const request = http.get(server.origin, { agent }, (response) => response.resume());
      request.on("error", () => {});
      await new Promise((resolve) => request.on("close", resolve));
    }
  };
  for (let round = 0; round < 6; round++) {
    await Promise.all(Array.from({ length: 40 }, (_, index) => send(index)));
  }
  client.destroy();
  await turn();
  const stats = statsOf(client);
  const { served } = stats.lanes.default ?? assert.fail();
  const { requests, reused, resent, opened } = stats;
  const closed = closedReasons(client);
  assert.deepEqual(countsFrom(log), { requests, served, reused, resent, opened, closed });
  assert(resent > 0 && stats.failed > 0 && (closed["connection-close"] ?? 0) > 0);
  const ends = [...log.of("request:end"), ...log.of("request:failed")].map(
    (each) => each.requestId,
  );
  assert.equal(new Set(ends).size, ends.length);
  assert.equal(ends.length, requests);
  const dialed = log.of("connection:dialing").map((each) => each.connectionId);
  const retired = log.of("connection:retired").map((each) => each.connectionId);
  assert.deepEqual(new Set(retired), new Set(dialed));
  assert.equal(retired.length, new Set(retired).size);
});

test("without subscribers nothing looks on", async (t) => {
  assert.equal((await closedUnderSecond(t, {}, {}))[0], 200);
  const client = makeClient(t);
  const server = await plainServer(t);
  await outcomeOf(client.request(server.origin));
  // The number of a request is given when it is looked at.
  const log = eventLog(t, client);
  await outcomeOf(client.request(server.origin));
  assert.equal(log.of("request:created")[0]?.requestId, 1);
});
