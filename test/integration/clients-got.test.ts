/**
 * got over a client, by its agents.
 */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import got, { type ExtendOptions, type Got, HTTPError, TimeoutError } from "got";
import type { Client } from "../../src/index.ts";
import { makeClient, until } from "../support/client-kit.ts";
import { promisesOf } from "../support/client-promises.ts";
import { deafListener } from "../support/loopback.ts";
import { formWithFile, readFormWithFile, serviceOrigin } from "../support/service-origin.ts";

function over(client: Client, options: ExtendOptions = {}): Got {
  return got.extend({
    agent: { http: client.httpAgent(), https: client.httpsAgent() },
    retry: { limit: 0 },
    ...options,
  });
}

promisesOf({
  name: "got",
  over: (client) => {
    const api = over(client);
    return async (url, { method = "GET", body, type, signal } = {}) => {
      const { statusCode, body: content } = await api(url, {
        method,
        ...(body === undefined ? {} : { body }),
        headers: type === undefined ? {} : { "content-type": type },
        ...(signal === undefined ? {} : { signal }),
      });
      return { status: statusCode, text: content };
    };
  },
  hasAgents: true,
  redirects: "kept",
  errors: {
    refused: { name: "RequestError", code: "ECONNREFUSED" },
    broken: { name: /^(ReadError|RequestError)$/, code: "ECONNRESET" },
    aborted: { name: "AbortError", code: "ERR_ABORTED" },
  },
});

test("got: objects go out and come back as JSON", async (t) => {
  const server = await serviceOrigin(t);
  const sent = { list: [1, 2, 3], nested: { yes: true } };
  const api = over(makeClient(t));
  assert.deepEqual(await api.put(`${server.origin}/echo`, { json: sent }).json(), sent);
});

test("got: a form with a file arrives as multipart", async (t) => {
  const server = await serviceOrigin(t);
  const api = over(makeClient(t));
  const read = await api.put(`${server.origin}/form`, { body: formWithFile() }).json();
  assert.deepEqual(read, readFormWithFile);
});

test("got: streams go up and come down as they are written", async (t) => {
  const server = await serviceOrigin(t);
  const stream = over(makeClient(t)).stream.put(`${server.origin}/hold`);
  const pieces = new Readable({ read() {} });
  const sent = pipeline(pieces, stream);
  pieces.push("first");
  const { request, response } = await server.next();
  assert.equal(String((await request[Symbol.asyncIterator]().next()).value), "first");
  pieces.push(null);
  response.end("down");
  assert.equal(await text(stream), "down");
  await sent;
});

test("got: 4xx and 5xx reject with their response, and leave their connection to the next", async (t) => {
  const server = await serviceOrigin(t);
  const api = over(makeClient(t));
  for (const code of [404, 503]) {
    await assert.rejects(api(`${server.origin}/status?code=${code}`), (error) => {
      assert.ok(error instanceof HTTPError);
      assert.equal(error.response.statusCode, code);
      assert.deepEqual(JSON.parse(String(error.response.body)), { message: "as asked" });
      return true;
    });
  }
  assert.equal(await api(server.origin).text(), "ok");
  assert.equal(server.connectionCount, 1);
});

test("got: its retries go on over the client, and take the same connection", async (t) => {
  const server = await serviceOrigin(t);
  const api = over(makeClient(t), { retry: { limit: 1, calculateDelay: () => 1 } });
  const asked = api(`${server.origin}/hold`);
  (await server.next()).response.writeHead(503).end();
  (await server.next()).response.end("at last");
  assert.equal(await asked.text(), "at last");
  assert.equal(server.connectionCount, 1);
});

for (const phase of ["request", "response", "socket"] as const) {
  test(`got: timeout.${phase} ends a request under way and its connection, and the next works`, async (t) => {
    const server = await serviceOrigin(t);
    const api = over(makeClient(t));
    await api(server.origin);
    const late = api(`${server.origin}/hold`, { timeout: { [phase]: 100 } });
    await assert.rejects(late, (error) => {
      assert.ok(error instanceof TimeoutError, String(error));
      assert.equal(error.event, phase);
      assert.equal(error.code, "ETIMEDOUT");
      return true;
    });
    await until(() => server.sockets.size === 0, "the server sees the close");
    assert.equal(await api(server.origin).text(), "ok");
    assert.equal(server.connectionCount, 2);
  });
}

test("got: timeout.request also bounds the wait for a socket", async (t) => {
  const server = await serviceOrigin(t);
  const client = makeClient(t, { maxSockets: 1 });
  const api = over(client);
  const holder = api(`${server.origin}/hold`).text();
  const held = await server.next();
  const late = api(`${server.origin}/late`, { timeout: { request: 50 } });
  await assert.rejects(late, { name: "TimeoutError", event: "request" });
  await until(() => client.stats().client.pending === 0);
  held.response.end("held");
  assert.equal(await holder, "held");
  assert.deepEqual(server.seen, ["GET /hold"]);
});

test("got: its other timeouts begin with the socket, so queueTimeoutMsecs bounds the wait before", async (t) => {
  const server = await serviceOrigin(t);
  const client = makeClient(t, { maxSockets: 1 });
  const api = over(client);
  const holder = api(`${server.origin}/hold`).text();
  const held = await server.next();
  client.configure({ queueTimeoutMsecs: 300 });
  const timeout = { socket: 50, response: 50, send: 50 };
  await assert.rejects(api(`${server.origin}/late`, { timeout }), {
    name: "RequestError",
    code: "ERR_KEEPLINE_QUEUE_TIMEOUT",
  });
  held.response.end("held");
  assert.equal(await holder, "held");
});

test("got: sockets come to it connected, so connectTimeoutMsecs bounds the dial, and timeout.connect does not", async (t) => {
  const port = await deafListener(t, "127.0.0.1");
  const api = over(makeClient(t, { connectTimeoutMsecs: 300 }));
  const timeout = { lookup: 50, connect: 50, secureConnect: 50 };
  await assert.rejects(api(`http://127.0.0.1:${port}/`, { timeout }), {
    name: "RequestError",
    code: "ERR_KEEPLINE_CONNECT_TIMEOUT",
  });
});
