/**
 * When a handler of `client.dispatcher()` gets what came with the head: after the program could say how it reads it.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Client } from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { makeClient } from "../support/client-kit.ts";
import { dispatched, kinds, type Recorder, recorder } from "../support/dispatch-kit.ts";
import { certificate, holdingServer, plainServer, tlsServer } from "../support/loopback.ts";
import { rawServer } from "../support/raw-server.ts";

const whole = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
const half = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello";
const untilHead = ["start", "started", "head 200"];

/** A client with another request under way, as one alone has nothing to wait for. */
async function busyClient(t: TestContext, options?: Parameters<typeof makeClient>[1]) {
  const server = await holdingServer(t);
  const client = makeClient(t, options);
  client.request(server.origin).catch(() => {});
  await server.next();
  return client;
}

/** A request of `told`, up to the head of the response, in the turn in which that came. */
async function headed(t: TestContext, client: Client, told: Recorder, answer = whole) {
  const { origin } = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send(answer);
  });
  client.dispatcher().dispatch({ origin, path: "/", method: "GET" }, told.handler);
  await told.headed;
}

for (const kind of kinds) {
  test(`a ${kind} handler gets what came with the head after all that the head has started`, async (t) => {
    const client = await busyClient(t);
    const told = recorder(kind);
    await headed(t, client, told);
    for (let hops = 0; hops < 10; hops++) await null;
    await new Promise<void>((resolve) => process.nextTick(resolve));
    assert.deepEqual(told.events, untilHead);
    await told.over;
    assert.deepEqual(told.events, [...untilHead, "data", "end"]);
    assert.equal(told.text, "hello");
  });

  test(`a ${kind} handler whose request is under way alone gets all of it at once`, async (t) => {
    const told = recorder(kind);
    await headed(t, makeClient(t), told);
    assert.deepEqual(told.events, [...untilHead, "data", "end"]);
  });

  test(`a ${kind} handler that aborts before it got what came is told of that alone, and the connection is free`, async (t) => {
    const client = await busyClient(t);
    const told = recorder(kind);
    await headed(t, client, told);
    const reason = new Error("not this one");
    told.abort(reason);
    await new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
    assert.deepEqual(told.events, [...untilHead, "error"]);
    assert.equal(told.error, reason);
    assert.equal(client.stats().client.sockets.idle, 1);
  });

  test(`a ${kind} handler gets what came before its connection was closed, then the error`, async (t) => {
    const client = await busyClient(t);
    const told = recorder(kind);
    await headed(t, client, told, half);
    client.destroy();
    assert.deepEqual(told.events, [...untilHead, "data", "error"]);
    assert.equal(told.text, "hello");
  });

  test(`a ${kind} handler that paused on the head and resumes in the same turn gets all of it then`, async (t) => {
    const client = await busyClient(t);
    const told = recorder(kind, { head: () => true });
    await headed(t, client, told);
    assert.deepEqual(told.events, untilHead);
    told.resume();
    assert.deepEqual(told.events, [...untilHead, "data", "end"]);
  });

  test(`a timeout cannot end what has come for a ${kind} handler, and knows that the request was sent`, async (t) => {
    const clock = new ManualClock();
    const requestTimeoutMsecs = 1_000_000;
    const client = await busyClient(t, { clock, requestTimeoutMsecs, headersTimeoutMsecs: 1_000 });
    const told = recorder(kind);
    await headed(t, client, told);
    clock.advance(2_000);
    assert.deepEqual(told.events, untilHead);
    await told.over;
    assert.deepEqual(told.events, [...untilHead, "data", "end"]);

    const paused = recorder(kind, { head: () => true });
    await headed(t, client, paused);
    clock.advance(requestTimeoutMsecs);
    await paused.over;
    const { name, cause } = paused.error as Error & { cause?: unknown };
    const timeout = name === "RequestTimeoutError" ? paused.error : cause;
    assert.equal((timeout as { requestSent?: boolean }).requestSent, true);
  });

  test(`a ${kind} handler gets a large body whole and in order`, async (t) => {
    const body = Buffer.from(Array.from({ length: 60_000 }, (_, index) => index).join());
    const server = await plainServer(t, (_request, response) => void response.end(body));
    const { origin } = server;
    const told = await dispatched((await busyClient(t)).dispatcher(), { origin }, kind);
    assert.equal(told.text, String(body));
    assert.equal(told.events.at(-1), "end");
  });

  test(`no more than one read is held for a ${kind} handler`, async (t) => {
    const { cert, key } = certificate();
    // Records of one answer come in one turn, and each of them is a read of its own.
    const server = await tlsServer(t, { cert, key }, (_request, response) => {
      response.setHeader("content-length", 40_000);
      response.end(Buffer.alloc(40_000));
    });
    const client = await busyClient(t, { connect: { tls: { ca: cert } } });
    const told = recorder(kind, { head: () => void setImmediate(() => events.push("turn")) });
    const { origin } = server;
    const { events } = told;
    client.dispatcher().dispatch({ origin, path: "/", method: "GET" }, told.handler);
    await told.over;
    assert.deepEqual(events.slice(0, 4), [...untilHead, "data"]);
  });
}

test("a controller that pauses before it got what came gets it when it resumes", async (t) => {
  const client = await busyClient(t);
  const told = recorder("modern");
  await headed(t, client, told);
  told.controller?.pause();
  await new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
  assert.deepEqual(told.events, untilHead);
  told.controller?.resume();
  assert.deepEqual(told.events, [...untilHead, "data", "end"]);
});
