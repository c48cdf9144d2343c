/**
 * Aborts in every phase of a request, a hundred at once: each rejects with the signal's reason, and
 * nothing is left of it.
 */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import type { LookupFunction } from "node:net";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import {
  Client,
  ClientClosedError,
  type ClientResponse,
  type RequestOptions,
} from "../../src/index.ts";
import {
  assertNothingLeft,
  closedReasons,
  isSettled,
  makeClient,
  statsOf,
  until,
} from "../support/client-kit.ts";
import { answering, ok, type RawServer, rawServer } from "../support/raw-server.ts";

const count = 100;

/** A request with a signal of its own. */
interface Aborted {
  readonly controller: AbortController;
  readonly reason: unknown;
  readonly request: Promise<ClientResponse>;
}

/** Starts a hundred requests, some with reasons that are no errors. */
function start(
  client: Client,
  url: string,
  options: () => RequestOptions = () => ({}),
  length = count,
): Aborted[] {
  return Array.from({ length }, (_, index) => {
    const controller = new AbortController();
    const reason = index % 3 === 0 ? `reason ${index}` : new Error(`reason ${index}`);
    const request = client.request(url, { ...options(), signal: controller.signal });
    request.catch(() => {});
    return { controller, reason, request };
  });
}

function abortAll(requests: readonly Aborted[]): void {
  for (const { controller, reason } of requests) controller.abort(reason);
}

/** Every request rejected with its own reason, in the turn it was aborted in. */
async function assertAborted(requests: readonly Aborted[]): Promise<void> {
  for (const { request, reason, controller } of requests) {
    assert.ok(await isSettled(request, 1));
    assert.equal(await request.catch((error: unknown) => error), reason);
    assert.equal(getEventListeners(controller.signal, "abort").length, 0);
  }
}

/** After all that the client works, and no abort was counted as a failure. */
async function assertWorks(client: Client, url: string): Promise<void> {
  assert.equal(statsOf(client).failed, 0);
  assert.equal(statsOf(client).pending, 0);
  const { body } = await client.request(url);
  assert.equal(await body.text(), "fine");
  assert.equal(statsOf(client).sockets.busy, 0);
}

test("a request whose signal was aborted before rejects with its reason, and opens nothing", async (t) => {
  const server = await rawServer(t, () => {});
  const client = makeClient(t);
  for (let index = 0; index < count; index++) {
    const reason = { index };
    const signal = AbortSignal.abort(reason);
    const request = client.request(server.origin, { signal });
    assert.equal(await request.catch((error: unknown) => error), reason);
    assert.equal(getEventListeners(signal, "abort").length, 0);
  }
  assert.deepEqual(client.stats().origins, []);
  assert.equal(server.connectionCount, 0);
});

test("a body given with a signal that was aborted before is let go", async (t) => {
  const client = makeClient(t);
  const signal = AbortSignal.abort();
  const readable = Readable.from(["a"]);
  let isCancelled = false;
  const web = new ReadableStream<Uint8Array>({
    cancel() {
      isCancelled = true;
    },
  });
  for (const body of [readable, web]) {
    const request = client.request("http://127.0.0.1:1/", { method: "POST", body, signal });
    await assert.rejects(request, { name: "AbortError" });
  }
  assert.equal(readable.destroyed, true);
  assert.equal(isCancelled, true);
});

test("pending requests that are aborted settle at once and never get a connection", async (t) => {
  const paths: string[] = [];
  const server = await rawServer(t, async (connection) => {
    for (;;) {
      paths.push((await connection.request()).path);
      if (paths.length > 1) await connection.send(ok("fine"));
    }
  });
  const client = makeClient(t, { maxSockets: 1 });
  const holder = client.request(`${server.origin}/holder`);
  await until(() => paths.length === 1);
  const before = start(client, `${server.origin}/aborted`);
  const between = client.request(`${server.origin}/between`);
  const after = start(client, `${server.origin}/aborted`);
  assert.equal(statsOf(client).pending, 2 * count + 1);
  abortAll([...before, ...after]);
  assert.equal(statsOf(client).pending, 1);
  await assertAborted([...before, ...after]);
  await server.connections[0]?.send(ok("fine"));
  await holder;
  assert.equal(await (await between).body.text(), "fine");
  await assertWorks(client, `${server.origin}/last`);
  assert.deepEqual(paths, ["/holder", "/between", "/last"]);
  assert.equal(server.connectionCount, 1);
});

/** A lookup that answers when it is told to. */
function heldLookup() {
  const held: (() => void)[] = [];
  const lookup: LookupFunction = (_host, options, callback) => {
    held.push(() => {
      if (options.all === true) callback(null, [{ address: "127.0.0.1", family: 4 }]);
      else callback(null, "127.0.0.1", 4);
    });
  };
  return { held, lookup };
}

test("the dial of an aborted request serves the next one", async (t) => {
  const { held, lookup } = heldLookup();
  const server = await rawServer(t, answering(ok("fine")));
  const client = makeClient(t, { maxSockets: 1, connect: { lookup } });
  const url = `http://name.test:${server.port}/`;
  const requests = start(client, url);
  const next = client.request(url);
  assert.deepEqual(statsOf(client).sockets, { open: 1, idle: 0, busy: 0, dialing: 1 });
  abortAll(requests);
  await assertAborted(requests);
  assert.deepEqual(statsOf(client).sockets, { open: 1, idle: 0, busy: 0, dialing: 1 });
  for (const answer of held) answer();
  assert.equal(await (await next).body.text(), "fine");
  await assertWorks(client, url);
  assert.equal(server.connectionCount, 1);
  assert.equal(held.length, 1);
});

test("dials whose requests are all aborted end as idle connections", async (t) => {
  const { held, lookup } = heldLookup();
  const server = await rawServer(t, answering(ok("fine")));
  const client = makeClient(t, { connect: { lookup } });
  const url = `http://name.test:${server.port}/`;
  const requests = start(client, url);
  abortAll(requests);
  await assertAborted(requests);
  for (const answer of held) answer();
  await until(() => statsOf(client).sockets.dialing === 0);
  assert.deepEqual(statsOf(client).sockets, { open: count, idle: count, busy: 0, dialing: 0 });
  await assertWorks(client, url);
});

test("dials whose requests are all aborted may fail without harm", async (t) => {
  const refused: LookupFunction = (_host, _options, callback) => {
    setImmediate(() => callback(new Error("no such host"), "", 4));
  };
  const client = makeClient(t, { connect: { lookup: refused } });
  const requests = start(client, "http://name.test/");
  abortAll(requests);
  await assertAborted(requests);
  await until(() => statsOf(client).sockets.dialing === 0);
  assert.deepEqual(closedReasons(client), { "dial-failed": count });
  assert.equal(statsOf(client).failed, 0);
});

/** A server that serves the path `/fine` and begins on each other one with `start`. */
function server(t: TestContext, start: string): Promise<RawServer> {
  return rawServer(t, async (connection) => {
    const { path } = await connection.head();
    await connection.send(path === "/fine" ? ok("fine") : start);
    await connection.gone();
  });
}

test("requests that are aborted while they are sent let their source and their connection go", async (t) => {
  const held = await server(t, "");
  const client = makeClient(t);
  const sources: Readable[] = [];
  const requests = start(client, held.origin, () => {
    // Some sources have a piece at hand, others have none yet, some wait for 100 Continue.
    const source = new Readable({ read() {} });
    if (sources.length % 2 === 0) source.push("piece");
    const headers = sources.length % 5 === 0 ? { expect: "100-continue" } : {};
    sources.push(source);
    return { method: "POST", body: source, headers };
  });
  await until(() => held.connections.filter((each) => each.arrivedBytes > 0).length === count);
  abortAll(requests);
  await assertAborted(requests);
  assert.ok(sources.every((source) => source.destroyed));
  assert.deepEqual(closedReasons(client), { aborted: count });
  assert.equal(statsOf(client).sockets.open, 0);
  await until(() => held.openCount === 0);
  await assertWorks(client, `${held.origin}/fine`);
});

test("requests that are aborted while the server is slow to read let their source go", async (t) => {
  const held = await rawServer(t, async (connection) => {
    connection.socket.pause();
    await connection.gone();
  });
  const client = makeClient(t);
  const piece = Buffer.alloc(262_144);
  let pulled = 0;
  let ended = 0;
  async function* endless() {
    try {
      for (;;) {
        pulled++;
        yield piece;
      }
    } finally {
      ended++;
    }
  }
  // Ten only: the kernel holds megabytes for each.
  const requests = start(client, held.origin, () => ({ method: "POST", body: endless() }), 10);
  for (let before = -1; before !== pulled; ) {
    before = pulled;
    await isSettled(new Promise(() => {}), 100);
  }
  abortAll(requests);
  await assertAborted(requests);
  await until(() => ended === 10);
  assert.deepEqual(closedReasons(client), { aborted: 10 });
});

test("requests that are aborted while they wait for the head let their connection go", async (t) => {
  const held = await server(t, "HTTP/1.1 200 O");
  const client = makeClient(t);
  const requests = start(client, held.origin);
  await until(() => held.connections.length === count && statsOf(client).sockets.busy === count);
  abortAll(requests);
  await assertAborted(requests);
  assert.deepEqual(closedReasons(client), { aborted: count });
  assert.equal(statsOf(client).sockets.open, 0);
  await until(() => held.openCount === 0);
  await assertWorks(client, `${held.origin}/fine`);
});

for (const reading of ["read", "iterated", "not read"] as const) {
  test(`responses that are aborted while their body is ${reading} fail it with the reason`, async (t) => {
    const held = await server(t, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello");
    const client = makeClient(t);
    const requests = start(client, held.origin);
    const readings = await Promise.all(
      requests.map(async ({ request, controller, reason }) => {
        const { body } = await request;
        assert.equal(getEventListeners(controller.signal, "abort").length, 1);
        const result =
          reading === "read" ? body.text() : reading === "iterated" ? last(body) : undefined;
        result?.catch(() => {});
        return { body, result, reason };
      }),
    );
    abortAll(requests);
    for (const { body, result, reason } of readings) {
      const error = await (result ?? body.bytes()).catch((each: unknown) => each);
      assert.equal(error, reason);
    }
    for (const { controller } of requests) {
      assert.equal(getEventListeners(controller.signal, "abort").length, 0);
    }
    assert.deepEqual(closedReasons(client), { aborted: count });
    await until(() => held.openCount === 0);
    await assertWorks(client, `${held.origin}/fine`);
  });
}

async function last(pieces: AsyncIterable<Buffer>): Promise<Buffer | undefined> {
  let piece: Buffer | undefined;
  for await (piece of pieces);
  return piece;
}

test("an abort after the end does nothing, whether the body was read or not", async (t) => {
  const held = await rawServer(t, answering(ok("fine")));
  const client = makeClient(t, { maxSockets: 10 });
  const requests = start(client, held.origin);
  const responses = await Promise.all(requests.map(({ request }) => request));
  const texts = await Promise.all(responses.slice(0, 50).map(({ body }) => body.text()));
  for (const { controller } of requests) {
    assert.equal(getEventListeners(controller.signal, "abort").length, 0);
  }
  abortAll(requests);
  texts.push(...(await Promise.all(responses.slice(50).map(({ body }) => body.text()))));
  assert.deepEqual(texts, Array(count).fill("fine"));
  assert.deepEqual(closedReasons(client), {});
  assert.equal(statsOf(client).sockets.idle, 10);
  await assertWorks(client, held.origin);
});

test("one signal serves many requests: it warns of no leak and ends all of them", async (t) => {
  const held = await server(t, "");
  const client = makeClient(t, { maxSockets: 20, saturationMsecs: Number.POSITIVE_INFINITY });
  const warnings: Error[] = [];
  const note = (warning: Error): number => warnings.push(warning);
  process.on("warning", note);
  t.after(() => process.off("warning", note));
  const controller = new AbortController();
  const { signal } = controller;
  const requests = Array.from({ length: count }, () => client.request(held.origin, { signal }));
  await until(() => statsOf(client).sockets.busy === 20);
  assert.equal(getEventListeners(signal, "abort").length, 1);
  controller.abort();
  for (const result of await Promise.allSettled(requests)) {
    assert.equal(result.status, "rejected");
    assert.equal(result.reason, signal.reason);
  }
  assert.equal(getEventListeners(signal, "abort").length, 0);
  assert.deepEqual(closedReasons(client), { aborted: 20 });
  assert.deepEqual(warnings, []);
});

test("an abort or destroy() from within a body's own code, before its first piece, leaves nothing", async (t) => {
  const held = await server(t, "");
  for (const how of ["abort", "destroy"] as const) {
    const client = makeClient(t);
    const stop = new AbortController();
    let pulled = 0;
    let isCancelled = false;
    const body: AsyncIterable<string> = {
      [Symbol.asyncIterator]() {
        if (how === "abort") stop.abort();
        else client.destroy();
        return {
          async next() {
            pulled++;
            return { done: false, value: "piece" };
          },
          async return() {
            isCancelled = true;
            return { done: true, value: undefined };
          },
        };
      },
    };
    const { signal } = stop;
    const request = client.request(held.origin, { method: "POST", body, signal });
    await assert.rejects(request, how === "abort" ? { name: "AbortError" } : ClientClosedError);
    await until(() => isCancelled);
    assert.equal(pulled, 0);
    assert.equal(statsOf(client).sockets.open, 0);
    await until(() => held.openCount === 0);
  }
});

test("AbortSignal.timeout ends a request with a TimeoutError", async (t) => {
  const held = await server(t, "");
  const client = makeClient(t);
  const request = client.request(held.origin, { signal: AbortSignal.timeout(20) });
  await assert.rejects(request, { name: "TimeoutError" });
});

test("aborts at random instants leave nothing behind", async (t) => {
  const held = await rawServer(t, async (connection) => {
    for (;;) {
      await connection.request();
      await connection.drip(ok("x".repeat(1_000)), 500);
    }
  });
  const client = new Client({ maxSockets: 8 });
  let finished = 0;
  let aborted = 0;
  const one = async (index: number): Promise<void> => {
    const controller = new AbortController();
    const { signal } = controller;
    let turns = index % 4 === 0 ? Number.POSITIVE_INFINITY : index;
    const tick = (): void => {
      if (turns-- > 0) setImmediate(tick);
      else controller.abort(signal);
    };
    if (turns < 40) tick();
    const body = index % 8 < 4 ? Readable.from(["a", "b"]) : null;
    try {
      const response = await client.request(held.origin, { method: "POST", body, signal });
      assert.equal((await response.body.bytes()).length, 1_000);
      finished++;
    } catch (error) {
      assert.equal(error, signal);
      aborted++;
    }
    assert.equal(getEventListeners(signal, "abort").length, 0);
  };
  for (let round = 0; round < 20; round++) {
    await Promise.all(Array.from({ length: 40 }, (_, index) => one(index)));
  }
  assert.equal(finished + aborted, 800);
  assert.ok(finished > 0 && aborted > 0, `${finished} finished, ${aborted} aborted`);
  assert.equal(statsOf(client).failed, 0);
  await client.close();
  assertNothingLeft(client);
  await until(() => held.openCount === 0);
});
