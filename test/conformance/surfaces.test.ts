/**
 * What every surface promises, whichever way a request takes to the pools of a client.
 */
import assert from "node:assert/strict";
import type http from "node:http";
import net from "node:net";
import { test } from "node:test";
import { isSettled, makeClient, statsOf, until } from "../support/client-kit.ts";
import { holdingServer, plainServer } from "../support/loopback.ts";
import { allSurfaces } from "./surface-kinds.ts";

/** Answers with what it was sent. */
const echo: http.RequestListener = (request, response) => {
  response.setHeader("x-method", request.method ?? "");
  response.setHeader("x-given", request.headers["x-given"] ?? "");
  request.pipe(response);
};

/** All that `error` and its causes say. */
function story(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code = "", cause } = error as NodeJS.ErrnoException & { cause?: unknown };
  return `${error.name} ${code} ${error.message} ${cause === undefined ? "" : story(cause)}`;
}

for (const { name, send } of await allSurfaces()) {
  test(`${name}: requests one after another take the same connection`, async (t) => {
    const server = await plainServer(t, (request, response) => {
      response.end(String(request.socket.remotePort));
    });
    const client = makeClient(t);
    const first = await send(client, server.origin);
    for (let count = 0; count < 3; count++) {
      assert.deepEqual((await send(client, server.origin)).text, first.text);
    }
    assert.equal(server.connectionCount, 1);
    const { requests, reused, opened } = statsOf(client);
    assert.deepEqual({ requests, reused, opened }, { requests: 4, reused: 3, opened: 1 });
  });

  test(`${name}: method, fields, status and body arrive as they were sent, both ways`, async (t) => {
    const server = await plainServer(t, echo);
    const client = makeClient(t);
    const long = "0123456789abcdef".repeat(20_000);
    for (const body of ["short", long, ["a", "b", long]]) {
      const given = { method: "PUT", headers: { "x-given": "yes" }, body };
      const { status, headers, text } = await send(client, server.origin, given);
      assert.equal(status, 200);
      assert.equal(headers.get("x-method"), "PUT");
      assert.equal(headers.get("x-given"), "yes");
      assert.equal(text, typeof body === "string" ? body : body.join(""));
    }
  });

  test(`${name}: responses without a body leave their connection to the next request`, async (t) => {
    const server = await plainServer(t, (request, response) => {
      response.statusCode = request.url === "/none" ? 204 : 200;
      // Without a length Node's own parser would not use the connection again.
      if (request.url !== "/none") response.setHeader("content-length", 4);
      response.end(request.method === "HEAD" || request.url === "/none" ? undefined : "body");
    });
    const client = makeClient(t);
    const head = await send(client, server.origin, { method: "HEAD" });
    assert.deepEqual([head.status, head.text], [200, ""]);
    const none = await send(client, `${server.origin}/none`);
    assert.deepEqual([none.status, none.text], [204, ""]);
    assert.equal((await send(client, server.origin)).text, "body");
    assert.equal(server.connectionCount, 1);
  });

  test(`${name}: beyond maxSockets requests wait, and are served in the order in which they came`, async (t) => {
    const server = await holdingServer(t);
    const client = makeClient(t, { maxSockets: 2 });
    const order: string[] = [];
    const sent = ["/0", "/1", "/2", "/3", "/4", "/5"].map((path) =>
      send(client, server.origin + path),
    );
    for (let count = 0; count < 6; count++) {
      const { request, response } = await server.next();
      order.push(request.url ?? "");
      assert.ok(statsOf(client).sockets.open <= 2);
      response.end("done");
    }
    assert.deepEqual(
      (await Promise.all(sent)).map(({ text }) => text),
      Array(6).fill("done"),
    );
    assert.deepEqual([...order].sort(), ["/0", "/1", "/2", "/3", "/4", "/5"]);
    assert.deepEqual(order.slice(2), ["/2", "/3", "/4", "/5"]);
    assert.equal(server.connectionCount, 2);
  });

  test(`${name}: it waits for a connection that another surface has, and gets that one`, async (t) => {
    const server = await holdingServer(t);
    const client = makeClient(t, { maxSockets: 1 });
    const holder = client.request(server.origin).then((response) => response.body.text());
    const held = await server.next();
    const waiting = send(client, server.origin);
    await until(() => statsOf(client).pending === 1);
    assert.equal(await isSettled(waiting), false);
    held.response.end("first");
    assert.equal(await holder, "first");
    (await server.next()).response.end("second");
    assert.equal((await waiting).text, "second");
    assert.equal(server.connectionCount, 1);
  });

  test(`${name}: a lane has no more sockets than its own limit, and others go past it`, async (t) => {
    const server = await holdingServer(t);
    const lanes = { batch: { maxSockets: 1 } };
    const client = makeClient(t, { maxSockets: 4, services: { default: { lanes } } });
    const first = send(client, `${server.origin}/batch1`, { lane: "batch" });
    const held = await server.next();
    const second = send(client, `${server.origin}/batch2`, { lane: "batch" });
    await until(() => statsOf(client).pending === 1);
    const other = send(client, `${server.origin}/other`);
    const passed = await server.next();
    assert.equal(passed.request.url, "/other");
    passed.response.end("other");
    assert.equal((await other).text, "other");
    held.response.end("1");
    assert.equal((await first).text, "1");
    (await server.next()).response.end("2");
    assert.equal((await second).text, "2");
    assert.equal(statsOf(client).lanes.batch?.served, 2);
  });

  test(`${name}: an idle connection is closed after keepAliveMsecs, and the next request opens another`, async (t) => {
    const server = await plainServer(t);
    const client = makeClient(t, { keepAliveMsecs: 30 });
    await send(client, server.origin);
    await until(() => server.sockets.size === 0);
    await send(client, server.origin);
    assert.equal(server.connectionCount, 2);
    assert.equal(statsOf(client).closed["idle-timeout"], 1);
  });

  test(`${name}: an abort while it waits settles it at once, and the server never sees it`, async (t) => {
    const server = await holdingServer(t);
    const client = makeClient(t, { maxSockets: 1 });
    const holder = send(client, `${server.origin}/holder`);
    const held = await server.next();
    const controller = new AbortController();
    const waiting = send(client, `${server.origin}/waiting`, { signal: controller.signal });
    const rejected = assert.rejects(waiting, (error) => /abort/i.test(story(error)));
    await until(() => statsOf(client).pending === 1);
    controller.abort();
    await rejected;
    assert.equal(statsOf(client).pending, 0);
    held.response.end("held");
    assert.equal((await holder).text, "held");
    const after = send(client, `${server.origin}/after`);
    const next = await server.next();
    assert.equal(next.request.url, "/after");
    next.response.end();
    await after;
  });

  test(`${name}: an abort under way closes its connection, and the next request has another`, async (t) => {
    const server = await holdingServer(t);
    const client = makeClient(t, { maxSockets: 1 });
    const controller = new AbortController();
    const aborted = send(client, server.origin, { signal: controller.signal });
    const rejected = assert.rejects(aborted, (error) => /abort/i.test(story(error)));
    const held = await server.next();
    controller.abort();
    await rejected;
    await until(() => held.request.socket.destroyed);
    const after = send(client, server.origin);
    (await server.next()).response.end("after");
    assert.equal((await after).text, "after");
    assert.equal(server.connectionCount, 2);
  });

  test(`${name}: a signal that was aborted before sends nothing`, async (t) => {
    const server = await plainServer(t);
    const client = makeClient(t);
    await assert.rejects(send(client, server.origin, { signal: AbortSignal.abort() }));
    assert.equal(server.connectionCount, 0);
  });

  test(`${name}: a dial that is refused rejects with the system's error`, async (t) => {
    const server = net.createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as net.AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const client = makeClient(t);
    const sent = send(client, `http://127.0.0.1:${port}`);
    await assert.rejects(sent, (error) => story(error).includes("ECONNREFUSED"));
  });

  test(`${name}: a response that breaks off rejects, and its connection is not used again`, async (t) => {
    const server = await plainServer(t, (request, response) => {
      if (request.url !== "/broken") return void response.end("whole");
      response.writeHead(200, { "content-length": "100" });
      response.write("part", () => request.socket.destroy());
    });
    const client = makeClient(t);
    await assert.rejects(send(client, `${server.origin}/broken`));
    assert.equal((await send(client, server.origin)).text, "whole");
    assert.equal(server.connectionCount, 2);
  });

  test(`${name}: a full queue refuses at once, and the error says which limit`, async (t) => {
    const server = await holdingServer(t);
    const client = makeClient(t, { maxSockets: 1, maxPending: 0 });
    const holder = send(client, server.origin);
    const held = await server.next();
    const refused = send(client, server.origin);
    await assert.rejects(refused, (error) => story(error).includes("ERR_KEEPLINE_QUEUE_FULL"));
    held.response.end("held");
    assert.equal((await holder).text, "held");
  });

  test(`${name}: what waits for too long is refused, with the wait in its error`, async (t) => {
    const server = await holdingServer(t);
    const client = makeClient(t, { maxSockets: 1, queueTimeoutMsecs: 20 });
    await client.warm(server.origin, 1);
    const holder = send(client, server.origin);
    const held = await server.next();
    const late = send(client, server.origin);
    await assert.rejects(late, (error) => story(error).includes("ERR_KEEPLINE_QUEUE_TIMEOUT"));
    held.response.end("held");
    assert.equal((await holder).text, "held");
  });

  test(`${name}: a destroyed client rejects what is under way and what waits`, async (t) => {
    const server = await holdingServer(t);
    const client = makeClient(t, { maxSockets: 1 });
    const both = [send(client, server.origin), send(client, server.origin)];
    await server.next();
    await until(() => statsOf(client).pending === 1);
    client.destroy();
    for (const result of await Promise.allSettled(both)) assert.equal(result.status, "rejected");
    await assert.rejects(send(client, server.origin));
  });
}
