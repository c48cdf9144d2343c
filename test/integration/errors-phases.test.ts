/**
 * What an error says about its request in every phase: `requestSent` is true exactly when a byte of it may
 * have reached the server, origin, service and lane are there from the moment an origin is known, and
 * the cause is what lies underneath.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  type Client,
  ClientClosedError,
  ConnectError,
  HeadersTimeoutError,
  InvalidOptionError,
  InvalidRequestError,
  KeeplineError,
  QueueFullError,
  RequestTimeoutError,
  ResponseParseError,
  SocketClosedError,
} from "../../src/index.ts";
import { makeClient, rejection } from "../support/client-kit.ts";
import { holdingServer, outcomeOf, plainServer } from "../support/loopback.ts";
import { deadPort, ok, type RawConnection, rawServer } from "../support/raw-server.ts";

/** Asserts what every error of a request has. */
function assertOf(error: KeeplineError, origin: string, requestSent: boolean): void {
  assert.deepEqual(
    [error.origin, error.service, error.lane, error.requestSent],
    [origin, "default", "default", requestSent],
  );
  assert.match(error.code, /^ERR_KEEPLINE_[A-Z_]+$/);
  assert(error.message.includes(origin) || error instanceof InvalidRequestError, error.message);
}

/** A client whose only socket to the server is busy. */
async function saturated(t: TestContext, maxPending: number) {
  const server = await holdingServer(t);
  const client = makeClient(t, { maxSockets: 1, maxPending });
  const holder = outcomeOf(client.request(server.origin));
  await server.next();
  return { server, client, holder };
}

test("every class is a KeeplineError and an Error, with its own name", () => {
  const context = { origin: "http://a.test" };
  const errors = [
    new InvalidOptionError("maxSockets", "TypeError", "wrong"),
    new InvalidRequestError("wrong"),
    new ConnectError({ ...context, cause: new Error("refused") }),
    new HeadersTimeoutError(5, context),
    new SocketClosedError("closed", context),
    new ClientClosedError("closed", context),
  ];
  for (const error of errors) {
    assert(error instanceof KeeplineError && error instanceof Error);
    assert.equal(error.name, error.constructor.name);
    assert(String(error).startsWith(`${error.constructor.name}: `));
  }
});

test("an error's facts are shown when it is logged", async () => {
  const { inspect } = await import("node:util");
  const error = new HeadersTimeoutError(5, { origin: "http://a.test", lane: "reports" });
  const shown = inspect(error);
  for (const fact of [
    "HeadersTimeoutError",
    "ERR_KEEPLINE_HEADERS_TIMEOUT",
    "http://a.test",
    "reports",
  ]) {
    assert(shown.includes(fact), shown);
  }
});

test("a request that is refused for a full queue was not sent, and says how full it was", async (t) => {
  const { server, client, holder } = await saturated(t, 2);
  const waiting = [1, 2].map(() => outcomeOf(client.request(server.origin)));
  const error = await rejection(client.request(server.origin), QueueFullError);
  assertOf(error, server.origin, false);
  assert.match(error.message, /\(pending 2\/2, open 1\/1 maxSockets\)/);
  client.destroy();
  const closed = "ERR_KEEPLINE_CLIENT_CLOSED";
  assert.deepEqual(await Promise.all([holder, ...waiting]), [closed, closed, closed]);
});

const destroy = (client: Client) => client.destroy();

test("destroying a client says of each request whether it had been sent", async (t) => {
  const { server, client } = await saturated(t, 5);
  const pending = client.request(server.origin);
  destroy(client);
  const error = await rejection(pending, ClientClosedError);
  assertOf(error, server.origin, false);
  assert.match(error.message, /waited for a socket$/);
});

test("a request that was sent when its client is destroyed says so, before and in its response", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t);
  const waiting = client.request(server.origin);
  await server.next();
  const reading = client.request(server.origin);
  (await server.next()).response.write("part");
  const { body } = await reading;
  const text = body.text();
  destroy(client);
  for (const promise of [waiting, text]) {
    const error = await rejection(promise, ClientClosedError);
    assertOf(error, server.origin, true);
    assert.match(error.message, /was destroyed during a request to /);
  }
});

for (const [how, close] of [
  ["closed", (client: Client) => client.close()],
  ["destroyed", async (client: Client) => client.destroy()],
] as const) {
  test(`a request to a client that is ${how} was not sent`, async (t) => {
    const server = await plainServer(t);
    const client = makeClient(t);
    await outcomeOf(client.request(server.origin));
    await close(client);
    const error = await rejection(client.request(server.origin), ClientClosedError);
    assert.deepEqual([error.origin, error.requestSent], [server.origin, false]);
    await rejection(client.warm(server.origin, 1), ClientClosedError);
  });
}

test("warming up fails with the origin and the cause of its dial", async (t) => {
  const origin = `http://127.0.0.1:${await deadPort()}`;
  const error = await rejection(makeClient(t).warm(origin, 2), ConnectError);
  assert.deepEqual([error.origin, error.requestSent], [origin, false]);
  assert.equal((error.cause as NodeJS.ErrnoException).code, "ECONNREFUSED");
  assert(error.message.includes((error.cause as Error).message));
});

/** How a server breaks off, and when that is. */
const breaks: readonly (readonly [
  when: string,
  (connection: RawConnection) => Promise<void>,
  RegExp,
])[] = [
  [
    "before its response",
    async (connection) => void (await connection.request()),
    /before it responded/,
  ],
  [
    "in its head",
    async (connection) => {
      await connection.request();
      await connection.send("HTTP/1.1 200 O");
    },
    /before the response was complete/,
  ],
  [
    "in its body",
    async (connection) => {
      await connection.request();
      await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart");
    },
    /before the response was complete/,
  ],
];

for (const [when, script, message] of breaks) {
  for (const way of ["ends", "resets"] as const) {
    test(`a server that ${way} ${when} fails a request that was sent`, async (t) => {
      const server = await rawServer(t, async (connection) => {
        await script(connection);
        if (way === "ends") connection.end();
        else connection.reset();
      });
      const read = async () => {
        const { body } = await makeClient(t).request(server.origin);
        await body.text();
      };
      const error = await rejection(read(), SocketClosedError);
      assertOf(error, server.origin, true);
      // What a reset overtakes never arrives.
      assert.match(error.message, way === "ends" ? message : /closed the connection before/);
      assert.match(error.message, /\(first request on this connection\)$/);
      const cause = error.cause as NodeJS.ErrnoException | undefined;
      // Behind data that was just read, libuv takes a reset for an end.
      const isPlain = way === "ends" || (when !== "before its response" && cause === undefined);
      assert.equal(cause?.code, isPlain ? undefined : "ECONNRESET");
    });
  }
}

test("a failure on a used connection says how often it was used, and how long it was idle", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send(ok());
    await connection.request();
    connection.end();
  });
  const client = makeClient(t);
  await outcomeOf(client.request(server.origin));
  const request = client.request(server.origin, { method: "POST" });
  const error = await rejection(request, SocketClosedError);
  assertOf(error, server.origin, true);
  assert.match(
    error.message,
    /\(request 2 on this connection, which had been idle for \d+ ms; not sent again: .*\)$/,
  );
});

test("a response that cannot be read says what is wrong, and for which request", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send(
      "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
    );
  });
  const error = await rejection(makeClient(t).request(server.origin), ResponseParseError);
  assertOf(error, server.origin, true);
  assert.match(
    error.problem,
    /^both Transfer-Encoding and Content-Length, at byte \d+ of the response$/,
  );
  assert.equal(error.message, `invalid response from ${server.origin}: ${error.problem}`);
});

test("a body that breaks its promise says that a part of it was sent, and for which request", async (t) => {
  const server = await rawServer(t, (connection) => connection.gone());
  async function* pieces() {
    yield "abc";
  }
  const request = makeClient(t).request(server.origin, {
    method: "POST",
    body: pieces(),
    headers: { "content-length": 5 },
  });
  const error = await rejection(request, InvalidRequestError);
  assertOf(error, server.origin, true);
  assert.match(error.message, /fewer bytes than its content-length of 5: 3 so far$/);
});

test("an error of the program's own body comes back as it is", async (t) => {
  const server = await rawServer(t, (connection) => connection.gone());
  const own = new RangeError("mine");
  async function* pieces(): AsyncGenerator<string> {
    yield "abc";
    throw own;
  }
  const request = makeClient(t).request(server.origin, { method: "POST", body: pieces() });
  assert.equal(await rejection(request, RangeError), own);
});

test("the whole request's timeout knows whether it was sent", async (t) => {
  const { server, client } = await saturated(t, 5);
  const pending = client.request(server.origin, { requestTimeoutMsecs: 20 });
  assertOf(await rejection(pending, RequestTimeoutError), server.origin, false);
  client.configure({ maxSockets: 2 });
  const sent = client.request(server.origin, { requestTimeoutMsecs: 300 });
  await server.next();
  assertOf(await rejection(sent, RequestTimeoutError), server.origin, true);
  client.destroy();
});

test("an abort is the signal's own reason in every phase, not an error of keepline", async (t) => {
  const server = await holdingServer(t);
  const reason = { why: "changed my mind" };
  const phases: readonly ((
    client: Client,
    signal: AbortSignal,
    abort: () => void,
  ) => Promise<unknown>)[] = [
    (client, signal, abort) => {
      abort();
      return client.request(server.origin, { signal });
    },
    (client, signal, abort) => {
      const request = client.request(server.origin, { signal });
      abort();
      return request;
    },
    async (client, signal, abort) => {
      const request = client.request(server.origin, { signal });
      await server.next();
      abort();
      return request;
    },
    async (client, signal, abort) => {
      const request = client.request(server.origin, { signal });
      (await server.next()).response.write("part");
      const { body } = await request;
      abort();
      return body.text();
    },
  ];
  for (const phase of phases) {
    const controller = new AbortController();
    const promise = phase(makeClient(t), controller.signal, () => controller.abort(reason));
    const [result] = await Promise.allSettled([promise]);
    assert.equal(result?.status, "rejected");
    assert.equal((result as PromiseRejectedResult).reason, reason);
  }
});
