/**
 * What a server sends at the wrong time costs it the connection, for a reason that says so, and never
 * becomes a part of another response: after each poison every request gets the answer to its own id.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as delay, setImmediate as turn } from "node:timers/promises";
import {
  type Client,
  type ClientOptions,
  type ClientResponse,
  type RequestOptions,
  ResponseParseError,
  type RetireReason,
  SocketClosedError,
} from "../../src/index.ts";
import { closedReasons, makeClient, rejection, statsOf, until } from "../support/client-kit.ts";
import { certificate } from "../support/loopback.ts";
import {
  ok,
  type RawConnection,
  type RawRequest,
  type RawServer,
  rawServer,
} from "../support/raw-server.ts";
import { tlsFront } from "../support/tls-front.ts";

/** Answers a request to /poison, and does whatever else it likes. */
type Poison = (connection: RawConnection, request: RawRequest) => Promise<void>;

const forged = ok("forged", "x-id: forged", "x-forged: 1");
const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/** The answer to `path`, recognizable in its head and in its body. */
function answerTo(path: string): string {
  return ok(`the answer to ${path}`, `x-id: ${path}`);
}

/** A server with `origin`, what arrived on each of its connections, and a client of it. */
interface Scene {
  readonly client: Client;
  readonly origin: string;
  readonly server: RawServer;
  /** Paths of the requests by connection. */
  readonly arrived: readonly (readonly string[])[];
}

/** A server that answers each request with its id, and a request to /poison as `poison` does. */
async function scene(
  t: TestContext,
  over: "TCP" | "TLS",
  poison: Poison,
  options: ClientOptions = {},
): Promise<Scene> {
  const arrived: string[][] = [];
  const server = await rawServer(t, async (connection) => {
    const paths: string[] = [];
    arrived[connection.index] = paths;
    for (;;) {
      const head = await connection.head();
      paths.push(head.path);
      if (head.path === "/poison") {
        await poison(connection, head);
        if (connection.isGone) return;
        continue;
      }
      assert.equal(head.field("content-length") ?? "0", "0");
      await connection.send(answerTo(head.path));
    }
  });
  if (over === "TCP") {
    return { client: makeClient(t, options), origin: server.origin, server, arrived };
  }
  const front = await tlsFront(t, server.port, certificate());
  const connect = { tls: { ca: certificate().cert } };
  return { client: makeClient(t, { ...options, connect }), origin: front.origin, server, arrived };
}

/** Asks for `id` and asserts that head and body are the answer to it and to nothing else. */
async function ask({ client, origin }: Scene, id: string): Promise<void> {
  await assertIsAnswerTo(`/${id}`, await client.request(`${origin}/${id}`));
}

async function assertIsAnswerTo(path: string, response: ClientResponse): Promise<void> {
  assert.equal(response.statusCode, 200);
  assert.deepEqual(
    { ...response.headers },
    { "content-length": String(`the answer to ${path}`.length), "x-id": path },
  );
  assert.equal(await response.body.text(), `the answer to ${path}`);
  assert.deepEqual({ ...response.trailers }, {});
}

/** Ten requests after each other and ten at once, each of which must get its own answer. */
async function assertNothingLeaks(the: Scene): Promise<void> {
  for (let count = 0; count < 10; count++) await ask(the, `after-${count}`);
  const ids = Array.from({ length: 10 }, (_, count) => `beside-${count}`);
  await Promise.all(ids.map((id) => ask(the, id)));
  assert.equal(statsOf(the.client).sockets.busy, 0);
}

/** The connection of the first request was closed for `reason`, and carried nothing but it. */
async function assertIsRetired(the: Scene, reason: RetireReason): Promise<void> {
  await until(() => (closedReasons(the.client)[reason] ?? 0) > 0, reason);
  await assertNothingLeaks(the);
  assert.deepEqual(the.arrived[0], ["/poison"]);
  // An idle connection that ended teaches how long the server keeps one: others may go for that.
  const { "idle-window": _, ...closed } = closedReasons(the.client);
  assert.deepEqual(closed, { [reason]: 1 });
  assert.equal(statsOf(the.client).failed, 0);
  await (await the.server.connection(0)).gone();
}

// Nobody waits: the connection is idle when the bytes come.

const lateBytes: readonly { what: string; send: (connection: RawConnection) => Promise<void> }[] = [
  { what: "one byte", send: (connection) => connection.send("H") },
  { what: "a CRLF", send: (connection) => connection.send("\r\n") },
  { what: "a NUL", send: (connection) => connection.send("\0") },
  { what: "a forged response", send: (connection) => connection.send(forged) },
  {
    what: "a forged response byte by byte",
    send: async (connection) => {
      // The first byte costs the connection: the rest may find nobody.
      await connection.drip(forged).catch(() => {});
    },
  },
  { what: "100 Continue", send: (connection) => connection.send("HTTP/1.1 100 Continue\r\n\r\n") },
  {
    what: "103 Early Hints",
    send: (connection) => connection.send("HTTP/1.1 103 Early Hints\r\nx-forged: 1\r\n\r\n"),
  },
  { what: "half a head", send: (connection) => connection.send("HTTP/1.1 200 OK\r\nx-forged: ") },
  { what: "100 kB of junk", send: (connection) => connection.send("junk".repeat(25_000)) },
];

for (const over of ["TCP", "TLS"] as const) {
  for (const { what, send } of lateBytes) {
    test(`${what} on an idle ${over} connection costs that connection and no request`, async (t) => {
      const the = await scene(t, over, (connection) => connection.send(answerTo("/poison")));
      await ask(the, "poison");
      await turn();
      assert.equal(statsOf(the.client).sockets.idle, 1);
      await send(await the.server.connection(0));
      await assertIsRetired(the, "unexpected-bytes");
    });
  }

  for (const { what, send } of lateBytes.slice(0, 4)) {
    test(`${what} on a ${over} connection that has been idle for 50 ms costs it and no request`, async (t) => {
      const the = await scene(t, over, (connection) => connection.send(answerTo("/poison")));
      await ask(the, "poison");
      await delay(50);
      await send(await the.server.connection(0));
      await assertIsRetired(the, "unexpected-bytes");
    });
  }

  test(`bytes on a ${over} connection that was opened ahead of any request cost it and no request`, async (t) => {
    const the = await scene(t, over, async () => {});
    await the.client.warm(the.origin, 3);
    const connections = [0, 1, 2].map((index) => the.server.connection(index));
    for (const connection of await Promise.all(connections)) await connection.send(forged);
    await until(() => statsOf(the.client).closed["unexpected-bytes"] === 3);
    await assertNothingLeaks(the);
    assert.deepEqual(the.arrived.slice(0, 3), [[], [], []]);
  });
}

// What follows the end of a response.

const tails: readonly { what: string; tail: string }[] = [
  { what: "more of its body", tail: ", and more" },
  { what: "one byte", tail: "x" },
  { what: "an extra CRLF", tail: "\r\n" },
  { what: "a second response", tail: forged },
  { what: "an interim response", tail: "HTTP/1.1 100 Continue\r\n\r\n" },
  { what: "an interim response and a second one", tail: `HTTP/1.1 102 x\r\n\r\n${forged}` },
];

const ends: readonly {
  what: string;
  response: string;
  options?: RequestOptions;
  body: string;
  trailers?: object;
}[] = [
  { what: "its Content-Length", response: ok("own"), body: "own" },
  { what: "Content-Length: 0", response: ok(), body: "" },
  { what: "a 204", response: "HTTP/1.1 204 No Content\r\n\r\n", body: "" },
  {
    what: "a 304 with a Content-Length",
    response: "HTTP/1.1 304 Not Modified\r\ncontent-length: 6\r\n\r\n",
    body: "",
  },
  {
    what: "the head of a response to HEAD",
    response: "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n",
    options: { method: "HEAD" },
    body: "",
  },
  { what: "its last chunk", response: `${chunked}3\r\nown\r\n0\r\n\r\n`, body: "own" },
  {
    what: "its trailers",
    response: `${chunked}3\r\nown\r\n0\r\nx-sum: 1\r\n\r\n`,
    body: "own",
    trailers: { "x-sum": "1" },
  },
];

for (const { what: end, response, options, body, trailers = {} } of ends) {
  const assertIsOwn = async (answer: ClientResponse): Promise<void> => {
    assert.equal(answer.headers["x-forged"], undefined);
    assert.equal(await answer.body.text(), body);
    assert.deepEqual({ ...answer.trailers }, trailers);
  };

  for (const { what, tail } of tails) {
    test(`${what} in one packet behind ${end} reaches none of the requests that wait`, async (t) => {
      const poison: Poison = (connection) => connection.send(response + tail);
      const the = await scene(t, "TCP", poison, { maxSockets: 1 });
      const own = the.client.request(`${the.origin}/poison`, options ?? {});
      const waiting = Array.from({ length: 10 }, (_, count) => ask(the, `waiting-${count}`));
      await assertIsOwn(await own);
      await Promise.all(waiting);
      await assertIsRetired(the, "unexpected-bytes");
    });
  }

  for (const pace of ["at once", "byte by byte"] as const) {
    test(`a second response behind ${end}, in a later packet ${pace}, reaches no request`, async (t) => {
      const the = await scene(t, "TCP", (connection) => connection.send(response));
      await assertIsOwn(await the.client.request(`${the.origin}/poison`, options ?? {}));
      await until(() => statsOf(the.client).sockets.idle === 1);
      const connection = await the.server.connection(0);
      await (pace === "at once"
        ? connection.send(forged)
        : connection.drip(forged).catch(() => {}));
      await assertIsRetired(the, "unexpected-bytes");
    });
  }
}

test("a second response in one TLS record with the first reaches none of the requests that wait", async (t) => {
  const poison: Poison = (connection) => connection.send(answerTo("/poison") + forged);
  const the = await scene(t, "TLS", poison, { maxSockets: 1 });
  const own = ask(the, "poison");
  await Promise.all(Array.from({ length: 10 }, (_, count) => ask(the, `waiting-${count}`)));
  await own;
  await assertIsRetired(the, "unexpected-bytes");
});

test("a 100 Continue that comes too late, behind the next request, changes nothing about its response", async (t) => {
  const the = await scene(t, "TCP", async (connection) => {
    await connection.send(answerTo("/poison"));
    const { path } = await connection.head();
    await connection.send(`HTTP/1.1 100 Continue\r\nx-forged: 1\r\n\r\n${answerTo(path)}`);
  });
  await ask(the, "poison");
  await ask(the, "next");
  await assertNothingLeaks(the);
  assert.deepEqual(closedReasons(the.client), {});
});

for (const what of ["one byte", "a CRLF", "half a status line"] as const) {
  const bytes = { "one byte": "x", "a CRLF": "\r\n", "half a status line": "HTTP/1.1 2" }[what];
  test(`${what} that comes between a request and its response fails that request and no other`, async (t) => {
    const the = await scene(t, "TCP", (connection) => connection.send(bytes + answerTo("/poison")));
    await ask(the, "before");
    const error = await rejection(ask(the, "poison"), ResponseParseError);
    assert.equal(error.requestSent, true);
    await assertNothingLeaks(the);
    assert.deepEqual(the.arrived[0], ["/before", "/poison"]);
    assert.deepEqual(closedReasons(the.client), { "parse-error": 1 });
  });
}

// Responses that come before their request has been sent.

/** Two pieces; the second, which comes when `released` resolves, is a request for who reads it as one. */
async function* slowUpload(released: Promise<void>): AsyncGenerator<string> {
  yield "the first piece";
  await released;
  yield smuggled;
}

/** A promise, and what resolves it. */
function signal(): { readonly promise: Promise<void>; give(): void } {
  let give = (): void => {};
  const promise = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { promise, give };
}

const smuggled = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";

for (const over of ["TCP", "TLS"] as const) {
  for (const [what, tail, reason] of [
    ["", "", "request-unfinished"],
    [" and a second response behind it", forged, "unexpected-bytes"],
  ] as const) {
    test(`a response that overtakes its upload${what} over ${over} ends the connection: nothing more of the upload is sent`, async (t) => {
      const the = await scene(t, over, async (connection) => {
        await connection.through("the first piece\r\n");
        await connection.send(answerTo("/poison") + tail);
        await connection.gone();
        assert.equal(connection.unread.toString(), "");
      });
      const released = signal();
      const url = `${the.origin}/poison`;
      const body = slowUpload(released.promise);
      await assertIsAnswerTo("/poison", await the.client.request(url, { method: "POST", body }));
      released.give();
      await assertIsRetired(the, reason);
    });
  }
}

test("a response that refuses an upload of bytes before they are sent ends the connection", async (t) => {
  const the = await scene(t, "TCP", async (connection) => {
    await connection.send(answerTo("/poison"));
    // Reads no more: what the kernels do not hold is never sent.
    connection.socket.pause();
    await connection.gone();
  });
  const body = Buffer.alloc(50_000_000, "GET /smuggled HTTP/1.1\r\n\r\n");
  const url = `${the.origin}/poison`;
  await assertIsAnswerTo("/poison", await the.client.request(url, { method: "POST", body }));
  await until(() => statsOf(the.client).sockets.open === 0);
  assert.deepEqual(closedReasons(the.client), { "request-unfinished": 1 });
  (await the.server.connection(0)).socket.destroy();
  await assertNothingLeaks(the);
});

// Connection: close.

const closes: readonly (readonly [what: string, fields: readonly string[]])[] = [
  ["Connection: close", ["Connection: close"]],
  ["connection: CLOSE", ["connection: CLOSE"]],
  ["close, keep-alive", ["Connection: close, keep-alive"]],
  ["Keep-Alive, Close", ["Connection: Keep-Alive, Close"]],
  ["close in a long list", ["Connection: te, upgrade ,\tclose\t, x-hop"]],
  ["two Connection fields, close last", ["Connection: keep-alive", "Connection: close"]],
  ["two Connection fields, close first", ["Connection: close", "Connection: keep-alive"]],
  ["Connection: close beside Keep-Alive", ["Connection: close", "Keep-Alive: timeout=60, max=9"]],
  ["Proxy-Connection: close", ["Proxy-Connection: close"]],
];

for (const [what, fields] of closes) {
  test(`${what}: the connection carries no further request, those that wait go elsewhere`, async (t) => {
    // The server leaves it open and would answer.
    const poison: Poison = (connection) => connection.send(ok("own", ...fields));
    const the = await scene(t, "TCP", poison, { maxSockets: 1 });
    const own = the.client.request(`${the.origin}/poison`);
    const waiting = Array.from({ length: 10 }, (_, count) => ask(the, `waiting-${count}`));
    assert.equal(await (await own).body.text(), "own");
    await Promise.all(waiting);
    await assertIsRetired(the, "connection-close");
    assert.equal(the.server.connectionCount, 2);
  });
}

for (const { what: end, response, options } of ends) {
  test(`Connection: close is honoured where a response ends with ${end}`, async (t) => {
    const closing = response.replace("\r\n", "\r\nConnection: close\r\n");
    const poison: Poison = (connection) => connection.send(closing);
    const the = await scene(t, "TCP", poison, { maxSockets: 1 });
    const own = the.client.request(`${the.origin}/poison`, options ?? {});
    const waiting = Array.from({ length: 10 }, (_, count) => ask(the, `waiting-${count}`));
    await (await own).body.text();
    await Promise.all(waiting);
    await assertIsRetired(the, "connection-close");
  });
}

test("a word that only looks like close closes nothing", async (t) => {
  const poison: Poison = (connection) => connection.send(ok("own", "Connection: closed, x-close"));
  const the = await scene(t, "TCP", poison, { maxSockets: 1 });
  await (await the.client.request(`${the.origin}/poison`)).body.text();
  await assertNothingLeaks(the);
  assert.equal(the.server.connectionCount, 1);
});

test("Connection: close in an interim response fails its request, and those that wait go elsewhere", async (t) => {
  const poison: Poison = (connection) => {
    const interim = "HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n";
    return connection.send(interim + answerTo("/poison"));
  };
  const the = await scene(t, "TCP", poison, { maxSockets: 1 });
  const own = rejection(ask(the, "poison"), ResponseParseError);
  const waiting = Array.from({ length: 10 }, (_, count) => ask(the, `waiting-${count}`));
  assert.match((await own).message, /a 103 response with Connection: close/);
  await Promise.all(waiting);
  assert.deepEqual(the.arrived[0], ["/poison"]);
  assert.deepEqual(closedReasons(the.client), { "parse-error": 1 });
});

test("a body that goes on after Connection: close is delivered whole before the next request is sent", async (t) => {
  const the = await scene(
    t,
    "TCP",
    async (connection) => {
      await connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 6\r\n\r\nown");
      await turn();
      assert.equal(the.server.connectionCount, 1);
      await connection.send("own");
    },
    { maxSockets: 1 },
  );
  const own = the.client.request(`${the.origin}/poison`);
  const next = ask(the, "next");
  assert.equal(await (await own).body.text(), "ownown");
  await next;
  await assertIsRetired(the, "connection-close");
});

// FIN.

for (const over of ["TCP", "TLS"] as const) {
  test(`a FIN directly behind a response over ${over}: each request that waits gets its own answer or SocketClosedError`, async (t) => {
    const the = await scene(
      t,
      over,
      async (connection) => {
        connection.socket.end(answerTo("/poison"));
        await connection.gone();
      },
      { maxSockets: 1 },
    );
    const own = ask(the, "poison");
    const ids = Array.from({ length: 10 }, (_, count) => `waiting-${count}`);
    const outcomes = await Promise.allSettled(ids.map((id) => ask(the, id)));
    await own;
    const failures = outcomes.filter((each) => each.status === "rejected");
    // The one that was written before the FIN could be seen.
    assert.ok(failures.length <= 1, `${failures.length} failures`);
    for (const { reason } of failures) assert.ok(reason instanceof SocketClosedError, reason);
    await assertNothingLeaks(the);
    assert.equal(the.server.connectionCount, 2);
  });

  test(`a server that closes its side of an idle ${over} connection and reads on is sent nothing more`, async (t) => {
    const the = await scene(t, over, (connection) => connection.send(answerTo("/poison")));
    await ask(the, "poison");
    const connection = await the.server.connection(0);
    connection.socket.allowHalfOpen = true;
    connection.end();
    await assertIsRetired(the, "server-closed");
  });

  test(`a server that closes its side behind an early response over ${over} gets nothing more of the upload`, async (t) => {
    const the = await scene(t, over, async (connection) => {
      await connection.through("the first piece\r\n");
      connection.socket.allowHalfOpen = true;
      connection.socket.end(answerTo("/poison"));
      await connection.gone();
      assert.equal(connection.unread.toString(), "");
    });
    const released = signal();
    const url = `${the.origin}/poison`;
    const body = slowUpload(released.promise);
    await assertIsAnswerTo("/poison", await the.client.request(url, { method: "POST", body }));
    released.give();
    await assertIsRetired(the, "request-unfinished");
  });
}

test("a server that closes its side in the middle of a response fails that request and no other", async (t) => {
  const the = await scene(t, "TCP", async (connection) => {
    connection.socket.allowHalfOpen = true;
    connection.socket.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
    await connection.gone();
  });
  const response = await the.client.request(`${the.origin}/poison`);
  await rejection(response.body.text(), SocketClosedError);
  await assertNothingLeaks(the);
  assert.deepEqual(the.arrived[0], ["/poison"]);
  assert.deepEqual(closedReasons(the.client), { "socket-error": 1 });
});

// What one read cannot show: the end of a response is also the end of what was read, with more behind it.

test("a second response behind a first that fills a whole read reaches no other request", async (t) => {
  await assertUnseenTailIsHarmless(t, "TCP", 65_536, true);
});

test("a second response in a TLS record of its own, in one packet with the first, reaches no other request", async (t) => {
  await assertUnseenTailIsHarmless(t, "TLS", 16_384, true);
  await assertUnseenTailIsHarmless(t, "TLS", 16_384, false);
});

for (const [what, bytes] of [
  ["a forged response", forged],
  ["one byte", "x"],
] as const) {
  test(`${what} that has come when a POST takes the connection is no answer to it: it goes elsewhere`, async (t) => {
    // The hint makes the connection good for a request that must not be sent twice.
    const hinting = ok("own", "keep-alive: timeout=60");
    const the = await scene(t, "TCP", (connection) => connection.send(hinting));
    await (await the.client.request(`${the.origin}/poison`)).body.text();
    // Idle for so long that such a request looks at it first.
    await delay(100);
    const connection = await the.server.connection(0);
    // Both within this turn of the loop: the client reads it when it has taken the connection.
    const sent = connection.send(bytes);
    const posted = the.client.request(`${the.origin}/posted`, { method: "POST" });
    await assertIsAnswerTo("/posted", await posted);
    await sent;
    await assertIsRetired(the, "unexpected-bytes");
  });
}

/** A response of exactly `size` bytes, with another one behind it; `isWaited`: with requests that wait. */
async function assertUnseenTailIsHarmless(
  t: TestContext,
  over: "TCP" | "TLS",
  size: number,
  isWaited: boolean,
): Promise<void> {
  const frame = ok("x".repeat(size)).length - size;
  const first = ok("x".repeat(size - frame));
  assert.equal(first.length, size);
  const poison: Poison = (connection) => connection.send(first + forged);
  const the = await scene(t, over, poison, { maxSockets: 1 });
  const own = the.client.request(`${the.origin}/poison`);
  const count = isWaited ? 10 : 0;
  const waiting = Array.from({ length: count }, (_, index) => ask(the, `waiting-${index}`));
  assert.equal((await (await own).body.text()).length, size - frame);
  // At once, if nobody waited.
  await Promise.all([...waiting, ask(the, "next")]);
  await assertIsRetired(the, "unexpected-bytes");
}
