/**
 * Requests whose reused connection the server closes under them: which are sent again, with what body, and
 * what the others fail with. Every server counts what reaches it.
 */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import {
  type BodyInput,
  type Client,
  type ClientOptions,
  KeeplineError,
  type RequestOptions,
  SocketClosedError,
} from "../../src/index.ts";
import { closedReasons, makeClient, rejection, statsOf, until } from "../support/client-kit.ts";
import { lookupOf } from "../support/loopback.ts";
import {
  deadPort,
  ok,
  type RawConnection,
  type RawRequest,
  rawServer,
} from "../support/raw-server.ts";

/** How a connection ends under its second request. */
type End = "fin" | "reset" | "after its head" | "after 103" | "in the response";

interface Scene {
  readonly client: Client;
  readonly origin: string;
  /** Second and later requests in order of arrival, those cut short included. */
  readonly arrived: RawRequest[];
}

/**
 * A server that answers the first request of each of its first `deadly` connections and closes it under the
 * second, and a client with one idle connection to it.
 */
async function scene(
  t: TestContext,
  end: End,
  options: ClientOptions = {},
  deadly = 1,
): Promise<Scene> {
  const arrived: RawRequest[] = [];
  const server = await rawServer(t, async (connection: RawConnection) => {
    for (let count = 1; ; count++) {
      if (count === 2 && connection.index < deadly && end === "after its head") {
        await connection.head();
        connection.reset();
        return;
      }
      const request = await connection.request();
      if (request.path !== "/first") arrived.push(request);
      if (count !== 2 || connection.index >= deadly) {
        await connection.send(ok(request.method === "HEAD" ? "" : "fine"));
        continue;
      }
      if (end === "after 103") await connection.send("HTTP/1.1 103 Early Hints\r\n\r\n");
      if (end === "in the response") await connection.send("HTTP/1.1 2");
      if (end === "reset") connection.reset();
      else connection.end();
      return;
    }
  });
  const client = makeClient(t, options);
  const { body } = await client.request(`${server.origin}/first`);
  await body.text();
  return { client, origin: server.origin, arrived };
}

const bytes = Buffer.from("some bytes and ünïcode");

/** Bodies that can be sent again, made anew for each test. */
const repeatable: Readonly<
  Record<string, () => { body?: BodyInput; json?: unknown; text: string }>
> = {
  "no body": () => ({ text: "" }),
  "a string": () => ({ body: bytes.toString(), text: bytes.toString() }),
  "a long string": () => ({ body: "lång ".repeat(50_000), text: "lång ".repeat(50_000) }),
  bytes: () => ({ body: bytes, text: bytes.toString() }),
  "many bytes": () => ({ body: Buffer.alloc(300_000, "x"), text: "x".repeat(300_000) }),
  "an ArrayBuffer": () => ({ body: new Uint8Array(bytes).buffer, text: bytes.toString() }),
  json: () => ({ json: { a: [1, 2] }, text: '{"a":[1,2]}' }),
  URLSearchParams: () => ({ body: new URLSearchParams({ a: "1", b: "ü" }), text: "a=1&b=%C3%BC" }),
  "a Blob": () => ({ body: new Blob([bytes]), text: bytes.toString() }),
  "a function that returns a generator": () => ({
    body: async function* () {
      yield "some ";
      yield Buffer.from("pieces");
    },
    text: "some pieces",
  }),
  "a function that returns a Readable": () => ({
    body: () => Readable.from(["one", "two"]),
    text: "onetwo",
  }),
  "a function that returns a promise": () => ({
    body: async () => Readable.from(["later"]),
    text: "later",
  }),
  "a function that returns a web stream": () => ({
    body: () => new Blob(["web"]).stream() as ReadableStream<Uint8Array>,
    text: "web",
  }),
};

for (const [what, make] of Object.entries(repeatable)) {
  test(`a PUT with ${what} is sent again, whole both times`, async (t) => {
    const { client, origin, arrived } = await scene(t, "fin");
    const { text, ...options } = make();
    const response = await client.request(origin, { method: "PUT", ...options });
    assert.equal(await response.body.text(), "fine");
    assert.deepEqual(
      arrived.map((each) => each.body.toString()),
      [text, text],
    );
    assert.deepEqual([response.resends, response.connection.reused], [1, false]);
    assert.deepEqual([statsOf(client).resent, statsOf(client).failed], [1, 0]);
    assert.deepEqual(closedReasons(client), { "socket-error": 1 });
  });
}

test("a PUT with FormData is sent again, the same bytes both times", async (t) => {
  const { client, origin, arrived } = await scene(t, "fin");
  const form = new FormData();
  form.set("field", "value");
  form.set("file", new Blob([bytes]), "file.txt");
  const response = await client.request(origin, { method: "PUT", body: form });
  assert.equal(response.resends, 1);
  const [first, second] = arrived.map((each) => each.body.toString());
  assert.equal(first, second);
  assert.match(first ?? "", /some bytes and ünïcode/);
});

for (const method of ["GET", "HEAD", "OPTIONS", "TRACE", "DELETE", "PUT"]) {
  for (const end of ["fin", "reset"] as const) {
    test(`a ${method} is sent again when its reused connection ends by ${end}`, async (t) => {
      const { client, origin, arrived } = await scene(t, end);
      const response = await client.request(origin, { method });
      assert.deepEqual([response.statusCode, response.resends, arrived.length], [200, 1, 2]);
    });
  }
}

for (const method of ["POST", "PATCH", "PROPFIND"]) {
  test(`a ${method} is not sent again: the server may have acted on it`, async (t) => {
    const { client, origin, arrived } = await scene(t, "fin");
    const request = client.request(origin, { method, body: "pay" });
    const error = await rejection(request, SocketClosedError);
    assert.equal(error.requestSent, true);
    assert.match(error.message, /not sent again: the server may have acted on it/);
    assert.deepEqual([arrived.length, statsOf(client).resent, statsOf(client).failed], [1, 0, 1]);
  });
}

for (const [what, headers] of [
  ["an Idempotency-Key", { "Idempotency-Key": "k1" }],
  ["an idempotency-key in pairs", [["idempotency-key", "k1"]]],
] as const) {
  test(`a POST with ${what} is sent again, with the same key`, async (t) => {
    const { client, origin, arrived } = await scene(t, "reset");
    const options: RequestOptions = { method: "POST", headers, body: "pay" };
    const response = await client.request(origin, options);
    assert.equal(response.resends, 1);
    assert.deepEqual(
      arrived.map((each) => each.field("idempotency-key")),
      ["k1", "k1"],
    );
  });
}

const streams: Readonly<Record<string, () => BodyInput>> = {
  "a Readable": () => Readable.from(["once"]),
  "an async iterable": () =>
    (async function* () {
      yield "once";
    })(),
  "a web stream": () => new Blob(["once"]).stream() as ReadableStream<Uint8Array>,
};

for (const [what, make] of Object.entries(streams)) {
  test(`a PUT with ${what} that was read is not sent again`, async (t) => {
    const { client, origin, arrived } = await scene(t, "fin");
    const request = client.request(origin, { method: "PUT", body: make() });
    const error = await rejection(request, SocketClosedError);
    assert.match(error.message, /not sent again: its body was a stream/);
    assert.deepEqual([arrived.length, statsOf(client).resent], [1, 0]);
  });

  test(`a PUT with ${what} that waits for 100 Continue is sent again: nobody has read it`, async (t) => {
    const { client, origin, arrived } = await scene(t, "after its head");
    const headers = { expect: "100-continue" };
    const response = await client.request(origin, { method: "PUT", headers, body: make() });
    assert.equal(response.resends, 1);
    assert.equal(arrived[0]?.body.toString(), "once");
  });
}

test("what a body function returned for a failed attempt is let go", async (t) => {
  const { client, origin } = await scene(t, "after its head");
  const made: Readable[] = [];
  const body = (): Readable => {
    const readable = Readable.from(
      (async function* () {
        for (let count = 0; count < 1_000; count++) {
          yield Buffer.alloc(10_000);
          await new Promise(setImmediate);
        }
      })(),
    );
    made.push(readable);
    return readable;
  };
  const response = await client.request(origin, { method: "PUT", body });
  assert.equal(response.resends, 1);
  assert.equal(made.length, 2);
  assert.equal(made[0]?.destroyed, true);
});

test("a body function of a request that is never sent is not called", async (t) => {
  const client = makeClient(t);
  let calls = 0;
  const body = (): Readable => {
    calls++;
    return Readable.from([]);
  };
  const url = `http://127.0.0.1:${await deadPort()}`;
  await assert.rejects(client.request(url, { method: "PUT", body }));
  await assert.rejects(client.request(url, { method: "PUT", body, signal: AbortSignal.abort() }));
  assert.equal(calls, 0);
});

test("a body function that returns no stream fails its request, and says what it returned", async (t) => {
  const { client, origin } = await scene(t, "fin");
  const body = (() => "text") as unknown as () => Readable;
  await assert.rejects(
    client.request(origin, { method: "PUT", body }),
    /a body function must return a Readable, an async iterable or a ReadableStream, or a promise of one, not "text"/,
  );
});

test("a body function that rejects fails its request with the same error", async (t) => {
  const { client, origin } = await scene(t, "fin");
  const reason = new Error("no such file");
  const body = (): Promise<Readable> => Promise.reject(reason);
  const error = await rejection(client.request(origin, { method: "PUT", body }), Error);
  assert.equal(error, reason);
});

test("a request that is aborted while its failed attempt is let go is not sent again", async (t) => {
  const { client, origin, arrived } = await scene(t, "after its head");
  const stop = new AbortController();
  let opened = 0;
  const body = (): AsyncIterable<string> => {
    opened++;
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<never>(() => {}),
        return: async () => {
          stop.abort(new Error("stop"));
          return { done: true as const, value: undefined };
        },
      }),
    };
  };
  const request = client.request(origin, { method: "PUT", body, signal: stop.signal });
  await assert.rejects(request, /^Error: stop$/);
  // Nothing of it is left that would keep `close` from waiting for others, or make it wait for ever.
  const other = client.request(`${origin}/first`);
  const closed = client.close();
  assert.equal((await other).statusCode, 200);
  await closed;
  assert.deepEqual([opened, arrived.length, statsOf(client).resent], [1, 0, 0]);
});

for (const end of ["after 103", "in the response"] as const) {
  test(`a GET that ends ${end} is not sent again: its response had begun`, async (t) => {
    const { client, origin, arrived } = await scene(t, end);
    const error = await rejection(client.request(origin), SocketClosedError);
    assert.equal(error.requestSent, true);
    assert.equal(arrived.length, 1);
  });
}

test("the failure of a fresh connection is reported, not hidden", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.head();
    connection.end();
  });
  const client = makeClient(t);
  const error = await rejection(client.request(server.origin), SocketClosedError);
  assert.match(error.message, /\(first request on this connection\)$/);
  assert.equal(server.connectionCount, 1);
});

test('with resend "never" the first failure is reported, of the client or of one request', async (t) => {
  const first = await scene(t, "fin", { resend: "never" });
  const error = await rejection(first.client.request(first.origin), SocketClosedError);
  assert.match(error.message, /not sent again: resend is "never"/);
  const second = await scene(t, "fin");
  await rejection(second.client.request(second.origin, { resend: "never" }), SocketClosedError);
});

test("many dead connections cost a request as many tries as there were idle ones, and no error", async (t) => {
  const { client, origin, arrived } = await scene(t, "fin", { scheduling: "fifo" }, 5);
  // All five are open and idle; each closes under the next request.
  const five = [1, 2, 3, 4, 5].map(() => client.request(`${origin}/first`));
  for (const { body } of await Promise.all(five)) await body.text();
  const response = await client.request(origin);
  assert.equal(response.statusCode, 200);
  assert.ok(response.resends >= 1 && response.resends <= 6, `${response.resends} resends`);
  assert.equal(arrived.length, response.resends + 1);
});

for (const [what, options, said] of [
  [
    "requestTimeoutMsecs",
    { requestTimeoutMsecs: 100 },
    /longer than 100 ms \(it was waiting for a socket\)/,
  ],
  ["queueTimeoutMsecs", { queueTimeoutMsecs: 100 }, /no socket to .* became free/],
  ["its signal", {}, /aborted due to timeout/],
] as const) {
  test(`${what} ends a request also while it waits to be sent again`, async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      await connection.send(ok("first"));
      await connection.request();
      connection.end();
    });
    // The first look-up is answered, the second one never is.
    let lookups = 0;
    const { lookup } = lookupOf(["127.0.0.1"]);
    const client = makeClient(t, {
      connect: { lookup: (...args) => void (lookups++ === 0 && lookup(...args)) },
    });
    const url = `http://slow.example:${server.port}`;
    await (await client.request(url)).body.text();
    const signal = what === "its signal" ? AbortSignal.timeout(100) : undefined;
    const error = await client.request(url, { ...options, signal }).then(
      () => assert.fail("it was answered"),
      (reason: unknown) => reason as Error,
    );
    assert.match(error.message, said);
    if (error instanceof KeeplineError) assert.equal(error.requestSent, true);
    assert.deepEqual([lookups, statsOf(client).resent, statsOf(client).pending], [2, 1, 0]);
  });
}

test("a request that the socket took nothing of is sent again, whatever it is", async (t) => {
  // Both ends live in one process: while it computes, the kernel has the reset and nobody was told of it.
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send(ok("fine"));
    if (connection.index > 0) return;
    await connection.head();
  });
  const client = makeClient(t);
  await (await client.request(server.origin)).body.text();
  const connection = await server.connection(0);
  connection.reset();
  const response = await client.request(server.origin, { method: "POST", body: "pay" });
  assert.deepEqual([response.statusCode, response.resends], [200, 1]);
  assert.equal(connection.unread.length, 0);
});

test("after a blocked event loop a request looks first: a close that has arrived costs it nothing", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send(ok("fine"));
    if (connection.index > 0) return;
    await connection.until(() => connection.isGone);
  });
  const client = makeClient(t);
  await (await client.request(server.origin)).body.text();
  const connection = await server.connection(0);
  connection.socket.end();
  const blockedUntil = performance.now() + 1_100;
  while (performance.now() < blockedUntil);
  const response = await client.request(server.origin);
  assert.deepEqual([response.statusCode, response.resends], [200, 1]);
  await until(() => connection.isGone);
  assert.equal(
    connection.unread.length,
    0,
    "something was written to a connection that was closed",
  );
});
