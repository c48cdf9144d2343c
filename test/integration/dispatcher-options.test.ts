/**
 * What the options of `dispatch` put on the wire, and what its errors are.
 */
import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { KeeplineError } from "../../src/index.ts";
import type { DispatchHeaders, DispatchOptions } from "../../src/surfaces/undici/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { makeClient, until } from "../support/client-kit.ts";
import { dispatched, recorder, undicis } from "../support/dispatch-kit.ts";
import { holdingServer, plainServer } from "../support/loopback.ts";
import { deadPort, ok, type RawRequest, rawServer } from "../support/raw-server.ts";

/** The request as it arrives for `options`. */
async function sent(t: TestContext, options: Partial<DispatchOptions>): Promise<RawRequest> {
  const arrived: RawRequest[] = [];
  const server = await rawServer(t, async (connection) => {
    arrived.push(await connection.request());
    await connection.send(ok("ok"));
  });
  const { origin } = server;
  const told = await dispatched(makeClient(t).dispatcher(), { origin, ...options });
  assert.equal(told.error, null);
  return arrived[0] as RawRequest;
}

const headerForms: [what: string, headers: DispatchHeaders][] = [
  ["an object", { "X-One": "1", "x-two": ["a", "b"], "x-none": undefined, "x-three": 3 }],
  ["a flat array", ["X-One", "1", "x-two", ["a", "b"], "x-three", "3"]],
  [
    "pairs",
    new Map<string, string | string[]>([
      ["X-One", "1"],
      ["x-two", ["a", "b"]],
      ["x-three", "3"],
    ]),
  ],
];

for (const [what, headers] of headerForms) {
  test(`headers as ${what} are sent as they are given`, async (t) => {
    const { fields } = await sent(t, { headers });
    const own = fields.filter(([name]) => name.startsWith("x-"));
    assert.deepEqual(own, [
      ["x-one", "1"],
      ["x-two", "a"],
      ["x-two", "b"],
      ["x-three", "3"],
    ]);
  });
}

test("headers as Headers are sent", async (t) => {
  const request = await sent(t, { headers: new Headers({ "x-one": "1" }) });
  assert.equal(request.field("x-one"), "1");
});

test("options that an object has from its class are taken as if it had them itself", async (t) => {
  class Options {
    readonly path = "/";
    readonly method = "GET";
    get headers() {
      return { "x-one": "1" };
    }
    get query() {
      return { a: "b" };
    }
  }
  const arrived: RawRequest[] = [];
  const server = await rawServer(t, async (connection) => {
    arrived.push(await connection.request());
    await connection.send(ok("ok"));
  });
  const told = recorder("modern");
  const options = Object.assign(new Options(), { origin: server.origin });
  makeClient(t).dispatcher().dispatch(options, told.handler);
  await told.over;
  assert.deepEqual([arrived[0]?.path, arrived[0]?.field("x-one")], ["/?a=b", "1"]);
});

test("the same request is another one when the client keeps connections no more", async (t) => {
  const arrived: RawRequest[] = [];
  const server = await rawServer(t, async (connection) => {
    for (;;) {
      arrived.push(await connection.request());
      await connection.send(ok("ok"));
    }
  });
  const client = makeClient(t);
  const dispatcher = client.dispatcher();
  for (const keepAlive of [true, false, true]) {
    client.configure({ keepAlive });
    await dispatched(dispatcher, { origin: server.origin });
  }
  const said = arrived.map((each) => each.field("connection"));
  assert.deepEqual(said, ["keep-alive", "close", "keep-alive"]);
});

test("null, booleans and Buffers are header values, and a host of one's own is sent once", async (t) => {
  const request = await sent(t, {
    headers: ["x-null", null, "x-yes", true, "x-bytes", Buffer.from("é", "latin1")] as never,
  });
  assert.equal(request.field("x-null"), "");
  assert.equal(request.field("x-yes"), "true");
  assert.equal(request.field("x-bytes"), "é");
  const hosted = await sent(t, { headers: { Host: "other.example" } });
  assert.equal(hosted.field("host"), "other.example");
});

test("a query is appended to the path as undici writes it", async (t) => {
  const { path } = await sent(t, { path: "/a", query: { b: "x y", c: [1, 2], d: true } });
  assert.equal(path, "/a?b=x%20y&c=1&c=2&d=true");
});

test("a method is sent as it is given", async (t) => {
  assert.equal((await sent(t, { method: "patch" })).method, "patch");
});

test("reset asks the server to close, as does a connection header that lists close", async (t) => {
  assert.equal((await sent(t, {})).field("connection"), "keep-alive");
  assert.equal((await sent(t, { reset: true })).field("connection"), "close");
  const headers = { connection: "close, te" };
  assert.equal((await sent(t, { headers })).field("connection"), "close");
  assert.equal((await sent(t, { headers, reset: false })).field("connection"), "keep-alive");
});

const form = new FormData();
form.append("name", "value");

const bodies: [what: string, body: () => unknown, bytes: string][] = [
  ["a string", () => "téxt", "téxt"],
  ["a Buffer", () => Buffer.from("bytes"), "bytes"],
  ["a typed array", () => new Uint16Array(new Uint8Array(Buffer.from("abcd")).buffer), "abcd"],
  ["a DataView", () => new DataView(new TextEncoder().encode("xview").buffer, 1), "view"],
  ["an ArrayBuffer", () => new TextEncoder().encode("buffer").buffer, "buffer"],
  ["a Readable", () => Readable.from(["a", "b"]), "ab"],
  ["an iterable", () => ["a", Buffer.from("b")], "ab"],
  ["an async iterable", () => Readable.from(["a", "b"]).iterator(), "ab"],
  ["a ReadableStream", () => new Blob(["web"]).stream(), "web"],
  ["a Blob", () => new Blob(["blob"], { type: "text/x" }), "blob"],
  ["URLSearchParams", () => new URLSearchParams({ a: "b" }), "a=b"],
  ["an empty string", () => "", ""],
  ["null", () => null, ""],
];

for (const [what, body, bytes] of bodies) {
  test(`${what} is a body`, async (t) => {
    const request = await sent(t, { method: "POST", body: body() as never });
    assert.equal(request.body.toString(), bytes);
    assert.ok(
      (request.field("content-length") === String(Buffer.byteLength(bytes))) !==
        (request.field("transfer-encoding") === "chunked"),
    );
  });
}

test("FormData is a body, undici's own as well", async (t) => {
  const forms = [
    form,
    ...undicis.map(([, undici]) => {
      const own = new undici.FormData();
      own.append("name", "value");
      return own;
    }),
  ];
  for (const body of forms) {
    const request = await sent(t, { method: "POST", body: body as never });
    assert.match(String(request.field("content-type")), /^multipart\/form-data; boundary=/);
    assert.match(request.body.toString(), /name="name"\r\n\r\nvalue\r\n/);
  }
});

test("a GET without a body says nothing of one, also when a content-length was given", async (t) => {
  const request = await sent(t, { headers: { "content-length": "5" } });
  assert.equal(request.field("content-length"), undefined);
  assert.equal(request.field("transfer-encoding"), undefined);
});

test("a body of another length than its content-length fails before it is sent", async (t) => {
  const told = await dispatched(makeClient(t).dispatcher(), {
    origin: "http://127.0.0.1:1",
    method: "POST",
    body: "abc",
    headers: { "content-length": "5" },
  });
  assert.equal(told.error?.code, "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH");
});

test("a stream that fails ends its request with its own error", async (t) => {
  const server = await plainServer(t);
  const { origin } = server;
  const body = new PassThrough();
  const told = recorder("legacy");
  makeClient(t).dispatcher().dispatch({ origin, path: "/", method: "POST", body }, told.handler);
  body.write("some");
  const reason = new Error("no more");
  body.destroy(reason);
  await told.over;
  assert.equal(told.error, reason);
});

test("an abort lets the stream go that was to be sent", async (t) => {
  const server = await holdingServer(t);
  const { origin } = server;
  const body = new PassThrough();
  const told = recorder("modern");
  makeClient(t).dispatcher().dispatch({ origin, path: "/", method: "POST", body }, told.handler);
  body.write("some");
  await server.next();
  told.abort();
  await until(() => body.destroyed);
});

test("an abort lets the stream go of a request that was never sent", async (t) => {
  const server = await holdingServer(t);
  const { origin } = server;
  const dispatcher = makeClient(t, { maxSockets: 1 }).dispatcher();
  const first = recorder("modern");
  dispatcher.dispatch({ origin, path: "/", method: "GET" }, first.handler);
  await server.next();
  const body = new PassThrough();
  const told = recorder("modern");
  dispatcher.dispatch({ origin, path: "/", method: "POST", body }, told.handler);
  told.abort();
  await until(() => body.destroyed);
  first.abort();
});

test("expectContinue holds the body until the server asks for it", async (t) => {
  const asked = await plainServer(t);
  const { origin } = asked;
  const told = await dispatched(makeClient(t).dispatcher(), {
    origin,
    method: "POST",
    body: "late",
    expectContinue: true,
  });
  assert.ok(told.events.includes("head 100"), "Node's server says 100 when it is expected");
  assert.equal(told.text, "ok");
});

test("idempotent decides whether a request is sent again", async (t) => {
  const seen = new WeakSet<object>();
  const server = await plainServer(t, (request, response) => {
    request.resume();
    if (seen.has(request.socket)) request.socket.destroy();
    else response.end("ok");
    seen.add(request.socket);
  });
  const { origin } = server;
  const outcomeOf = async (options: Partial<DispatchOptions>) => {
    // Time stands still: what has been idle for no time is taken for any request.
    const dispatcher = makeClient(t, { clock: new ManualClock() }).dispatcher();
    await dispatched(dispatcher, { origin });
    const told = await dispatched(dispatcher, { origin, ...options });
    return told.error?.code ?? told.text;
  };
  assert.equal(await outcomeOf({ method: "POST", body: "x", idempotent: true }), "ok");
  assert.match(await outcomeOf({ method: "POST", body: "x" }), /UND_ERR_SOCKET|ECONNRESET/);
  assert.match(await outcomeOf({ idempotent: false }), /UND_ERR_SOCKET|ECONNRESET/);
});

test("headersTimeout and bodyTimeout are the request's own, 0 means none", async (t) => {
  const server = await holdingServer(t);
  const { origin } = server;
  const client = makeClient(t, { headersTimeoutMsecs: 30, bodyTimeoutMsecs: 30 });
  const dispatcher = client.dispatcher();
  const own = await dispatched(dispatcher, { origin, headersTimeout: 20 });
  assert.equal(own.error?.code, "UND_ERR_HEADERS_TIMEOUT");
  assert.equal(own.error?.name, "HeadersTimeoutError");
  assert.match(String(own.error?.message), /within 20 ms/);
  const clients = await dispatched(dispatcher, { origin });
  assert.match(String(clients.error?.message), /within 30 ms/);
  await server.next();
  await server.next();
  const body = recorder("modern");
  dispatcher.dispatch(
    { origin, path: "/", method: "GET", bodyTimeout: 20, headersTimeout: 0 },
    body.handler,
  );
  (await server.next()).response.write("some");
  await body.over;
  assert.equal(body.error?.code, "UND_ERR_BODY_TIMEOUT");
  const none = recorder("modern");
  dispatcher.dispatch(
    { origin, path: "/", method: "GET", bodyTimeout: 0, headersTimeout: 0 },
    none.handler,
  );
  const { response } = await server.next();
  await new Promise((resolve) => setTimeout(resolve, 80));
  response.write("some");
  await until(() => none.chunks.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 80));
  response.end("more");
  await none.over;
  assert.equal(none.text, "somemore");
});

test("a paused response has no body timeout", async (t) => {
  const server = await holdingServer(t);
  const { origin } = server;
  const told = recorder("modern", { data: ({ chunks }) => chunks.length === 1 });
  makeClient(t)
    .dispatcher()
    .dispatch({ origin, path: "/", method: "GET", bodyTimeout: 20 }, told.handler);
  const { response } = await server.next();
  response.write("some");
  await until(() => told.chunks.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 60));
  response.end("more");
  told.resume();
  await told.over;
  assert.equal(told.text, "somemore");
});

test("the whole request has requestTimeoutMsecs of its service", async (t) => {
  const server = await holdingServer(t);
  const { origin } = server;
  const client = makeClient(t, { requestTimeoutMsecs: 20 });
  const told = await dispatched(client.dispatcher(), { origin });
  assert.equal(told.error?.code, "ERR_KEEPLINE_REQUEST_TIMEOUT");
});

test("errors have undici's codes and classes, and keepline's own as their cause", async (t) => {
  const silent = await rawServer(t, async (connection) => {
    await connection.request();
    connection.end();
  });
  const garbled = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send("nonsense\r\n\r\n");
  });
  const large = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send(`HTTP/1.1 200 OK\r\nx: ${"x".repeat(20_000)}\r\n\r\n`);
  });
  const dispatcher = makeClient(t).dispatcher();
  const cases = [
    [silent.origin, "UND_ERR_SOCKET", "SocketError"],
    [large.origin, "UND_ERR_HEADERS_OVERFLOW", "HeadersOverflowError"],
    [`http://127.0.0.1:${await deadPort()}`, "ECONNREFUSED", null],
  ] as const;
  for (const [origin, code, name] of cases) {
    const { error } = await dispatched(dispatcher, { origin, method: "POST" });
    assert.equal(error?.code, code);
    assert.ok(error?.cause instanceof KeeplineError);
    for (const [, undici] of undicis) {
      assert.equal(error instanceof undici.errors.SocketError, name === "SocketError");
      assert.equal(error instanceof undici.errors.UndiciError, name !== null);
    }
  }
  const { error } = await dispatched(dispatcher, { origin: garbled.origin });
  assert.equal(error?.code, "ERR_KEEPLINE_RESPONSE_PARSE");
});

test("limits of keepline that undici has not are its own errors", async (t) => {
  const server = await holdingServer(t);
  const { origin } = server;
  const client = makeClient(t, { maxSockets: 1, maxPending: 0 });
  const dispatcher = client.dispatcher();
  const first = recorder("modern");
  dispatcher.dispatch({ origin, path: "/", method: "GET" }, first.handler);
  await server.next();
  const second = await dispatched(dispatcher, { origin });
  assert.equal(second.error?.code, "ERR_KEEPLINE_QUEUE_FULL");
  first.abort();
});
