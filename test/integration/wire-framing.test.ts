/**
 * Where responses end and whether their connection lives on, as RFC 9112 has it, and the fields of a
 * response as a program sees them.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { test } from "node:test";
import { ResponseParseError } from "../../src/index.ts";
import { closedReasons, makeClient, rejection, statsOf, until } from "../support/client-kit.ts";
import { answering, ok, rawServer } from "../support/raw-server.ts";

/** Responses without a body, after which the connection must be good for another. */
const bodyless: readonly { what: string; method: string; response: string; status: number }[] = [
  {
    what: "a response to HEAD with a Content-Length",
    method: "HEAD",
    response: "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n",
    status: 200,
  },
  {
    what: "a response to HEAD that says chunked",
    method: "HEAD",
    response: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    status: 200,
  },
  { what: "a 204", method: "GET", response: "HTTP/1.1 204 No Content\r\n\r\n", status: 204 },
  {
    what: "a 304 with a Content-Length",
    method: "GET",
    response: "HTTP/1.1 304 Not Modified\r\ncontent-length: 1000\r\n\r\n",
    status: 304,
  },
  { what: "Content-Length: 0", method: "GET", response: ok(), status: 200 },
  {
    what: "an empty chunked body",
    method: "GET",
    response: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    status: 200,
  },
];

for (const { what, method, response, status } of bodyless) {
  test(`${what} has no body, and frees its connection at once, unread`, async (t) => {
    const server = await rawServer(t, answering(response));
    const client = makeClient(t, { maxSockets: 1 });
    for (const requestCount of [1, 2, 3]) {
      const { statusCode, connection, body } = await client.request(server.origin, { method });
      assert.equal(statusCode, status);
      assert.equal(connection.requestCount, requestCount);
      if (requestCount === 3) assert.equal((await body.bytes()).length, 0);
    }
    assert.equal(server.connectionCount, 1);
    assert.deepEqual(closedReasons(client), {});
  });
}

test("interim responses are skipped, in one packet with the final one or before it", async (t) => {
  const interim =
    "HTTP/1.1 100 Continue\r\n\r\n" +
    "HTTP/1.1 102 Processing\r\n\r\n" +
    "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n";
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send(interim + ok("one"));
    await connection.request();
    await connection.drip(interim, 11);
    await connection.send(ok("two"));
  });
  const client = makeClient(t);
  for (const expected of ["one", "two"]) {
    const response = await client.request(server.origin);
    assert.equal(response.statusCode, 200);
    assert.equal(response.headers.link, undefined);
    assert.equal(await response.body.text(), expected);
  }
  assert.equal(server.connectionCount, 1);
});

test("a 101 that nobody asked for is refused", async (t) => {
  const server = await rawServer(t, answering("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
  const client = makeClient(t);
  const error = await rejection(client.request(server.origin), ResponseParseError);
  assert.match(error.message, /101/);
  assert.deepEqual(closedReasons(client), { "parse-error": 1 });
});

test("chunks are joined wherever reads split them, their extensions skipped, their trailers kept", async (t) => {
  const response =
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-check\r\n\r\n" +
    '5\r\nhello\r\n1;a;b=c;d="e;\\"f"\r\n,\r\n006\r\n world\r\n0;last\r\n' +
    "X-Check: one\r\nx-check: two\r\nset-cookie: a=1\r\n\r\n";
  const server = await rawServer(t, async (connection) => {
    for (let size = 1; size <= 8; size++) {
      await connection.request();
      await connection.drip(response, size);
    }
    await connection.request();
    await connection.send(response);
  });
  const client = makeClient(t);
  for (let size = 1; size <= 9; size++) {
    const response = await client.request(server.origin);
    assert.equal(await response.body.text(), "hello, world");
    assert.equal(response.trailers["x-check"], "one, two");
  }
  assert.equal(server.connectionCount, 1);
});

test("trailers are empty until the body has ended, and joined as header fields are", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
    await connection.request();
  });
  const client = makeClient(t);
  const response = await client.request(server.origin);
  assert.deepEqual({ ...response.trailers }, {});
  await server.connections[0]?.send("0\r\nX-Check: one\r\nx-check: two\r\nset-cookie: a\r\n\r\n");
  assert.equal(await response.body.text(), "hello");
  assert.deepEqual({ ...response.trailers }, { "x-check": "one, two", "set-cookie": ["a"] });
});

test("HTTP/1.0 without keep-alive: the body ends with the connection, which is used once", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    connection.socket.end("HTTP/1.0 200 OK\r\n\r\nold");
  });
  const client = makeClient(t);
  for (const _ of [1, 2]) {
    assert.equal(await (await client.request(server.origin)).body.text(), "old");
  }
  assert.equal(server.connectionCount, 2);
  assert.deepEqual(closedReasons(client), { "connection-close": 2 });
});

test("HTTP/1.0 with a length but without keep-alive is complete at once and used once", async (t) => {
  // The server leaves the connection open.
  const server = await rawServer(t, answering("HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nold"));
  const client = makeClient(t);
  for (const _ of [1, 2]) {
    assert.equal(await (await client.request(server.origin)).body.text(), "old");
  }
  assert.equal(server.connectionCount, 2);
  assert.deepEqual(closedReasons(client), { "connection-close": 2 });
});

test("HTTP/1.0 with keep-alive and a length keeps its connection", async (t) => {
  const response = "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 3\r\n\r\nold";
  const server = await rawServer(t, answering(response));
  const client = makeClient(t);
  for (const _ of [1, 2, 3]) {
    assert.equal(await (await client.request(server.origin)).body.text(), "old");
  }
  assert.equal(server.connectionCount, 1);
});

test("Connection: close of the server retires the connection when the body has ended, though the server keeps it open", async (t) => {
  const server = await rawServer(t, answering(ok("bye", "connection: close")));
  const client = makeClient(t);
  for (const _ of [1, 2]) {
    assert.equal(await (await client.request(server.origin)).body.text(), "bye");
  }
  assert.equal(server.connectionCount, 2);
  assert.deepEqual(closedReasons(client), { "connection-close": 2 });
});

test("Connection: close of the request is sent, and closes the connection from this side", async (t) => {
  const server = await rawServer(t, async (connection) => {
    const request = await connection.request();
    assert.equal(request.field("connection"), "close");
    await connection.send(ok("bye"));
  });
  const client = makeClient(t);
  const response = await client.request(server.origin, { headers: { Connection: "close" } });
  assert.equal(await response.body.text(), "bye");
  await server.connections[0]?.gone();
  assert.deepEqual(closedReasons(client), { "keep-alive-off": 1 });
});

test("keepAlive: false says Connection: close with every request", async (t) => {
  const server = await rawServer(t, async (connection) => {
    const request = await connection.request();
    assert.equal(request.field("connection"), "close");
    await connection.send(ok());
  });
  const client = makeClient(t, { keepAlive: false });
  await client.request(server.origin);
  await client.request(server.origin);
  assert.equal(server.connectionCount, 2);
  assert.deepEqual(closedReasons(client), { "keep-alive-off": 2 });
});

test("Keep-Alive: max=N lets N further requests follow", async (t) => {
  const server = await rawServer(t, async (connection) => {
    for (let left = 2; ; left--) {
      await connection.request();
      await connection.send(ok("", `Keep-Alive: timeout=60, max=${left}`));
      assert.ok(left >= 0, "a request came after max=0");
    }
  });
  const client = makeClient(t);
  for (let count = 0; count < 9; count++) await client.request(server.origin);
  assert.equal(server.connectionCount, 3);
  assert.deepEqual(closedReasons(client), { "max-requests": 3 });
});

test("Keep-Alive: timeout=0 keeps no connection", async (t) => {
  const server = await rawServer(t, answering(ok("", "keep-alive: timeout=0")));
  const client = makeClient(t);
  await client.request(server.origin);
  await client.request(server.origin);
  assert.equal(server.connectionCount, 2);
  assert.deepEqual(closedReasons(client), { "idle-window": 2 });
});

test("Keep-Alive: timeout=1 retires an idle connection before the server does", async (t) => {
  const server = await rawServer(t, answering(ok("", "keep-alive: timeout=1")));
  const client = makeClient(t);
  await client.request(server.origin);
  assert.equal(statsOf(client).idleWindowMsecs.hinted, 1_000);
  await server.connections[0]?.gone();
  await until(() => statsOf(client).sockets.open === 0);
  assert.deepEqual(closedReasons(client), { "idle-window": 1 });
});

test("a Keep-Alive field that says nothing sensible is passed over", async (t) => {
  const silly = "keep-alive: timeout=soon, max=-1, =, ,timeout=99999999999999999999, x";
  const server = await rawServer(t, answering(ok("", silly)));
  const client = makeClient(t);
  for (const _ of [1, 2, 3]) await client.request(server.origin);
  assert.equal(server.connectionCount, 1);
});

const fields = [
  "Set-Cookie: a=1",
  "set-cookie: b=2",
  "X-Many: one",
  "x-many: two",
  "X-MANY: three",
  "Content-Type: text/plain",
  "content-type: text/html",
  "ETag: one",
  "etag: two",
  "Vary: a",
  "Vary: b",
  "Cookie: c=1",
  "cookie: d=2",
  "Retry-After: 1",
  "Retry-After: 2",
  "X-Empty:",
  "X-Space: \t padded \t ",
  "X-Latin: caf\xe9",
  "constructor: field",
  "toString: field",
  ...[
    "age",
    "authorization",
    "expires",
    "from",
    "if-modified-since",
    "if-unmodified-since",
    "last-modified",
    "location",
    "max-forwards",
    "proxy-authorization",
    "referer",
    "server",
    "user-agent",
    "host",
    "date",
    "link",
    "www-authenticate",
  ].flatMap((name) => [`${name}: first`, `${name}: second`]),
];

test("repeated response fields are joined as Node's http joins them, and rawHeaders are as received", async (t) => {
  const server = await rawServer(t, answering(ok("", ...fields)));
  const client = makeClient(t);
  const ours = await client.request(server.origin);
  const request = get(server.origin, { agent: false });
  const [theirs] = (await once(request, "response")) as [IncomingMessage];
  theirs.resume();
  assert.deepEqual(Object.entries(ours.headers), Object.entries(theirs.headers));
  assert.deepEqual(ours.rawHeaders, theirs.rawHeaders);
  assert.equal(ours.statusText, theirs.statusMessage);
  assert.equal(Object.getPrototypeOf(ours.headers), null);
});

test("a field named __proto__ is a field like any other", async (t) => {
  const server = await rawServer(t, answering(ok("", "__proto__: mine", "__proto__: too")));
  const { headers } = await makeClient(t).request(server.origin);
  assert.deepEqual(Object.entries(headers), [
    ["content-length", "0"],
    ["__proto__", "mine, too"],
  ]);
});

test("a status line without a reason, or with a strange one, is taken as it is", async (t) => {
  const reasons = ["", "Tr\xe8s bien", "a: b", "OK \t\x80"];
  const server = await rawServer(t, async (connection) => {
    for (const reason of reasons) {
      await connection.request();
      await connection.send(`HTTP/1.1 299 ${reason}\r\ncontent-length: 0\r\n\r\n`);
    }
  });
  const client = makeClient(t);
  for (const reason of reasons) {
    const response = await client.request(server.origin);
    assert.equal(response.statusCode, 299);
    assert.equal(response.statusText, reason);
  }
});

test("a head that arrives byte by byte is read as one that arrives at once", async (t) => {
  const response = ok("drop by drop", "x-one: 1", "x-two: 2", "keep-alive: timeout=30");
  const server = await rawServer(t, async (connection) => {
    for (const _ of [1, 2]) {
      await connection.request();
      await connection.drip(response);
    }
  });
  const client = makeClient(t);
  for (const requestCount of [1, 2]) {
    const { headers, body, connection } = await client.request(server.origin);
    assert.equal(headers["x-two"], "2");
    assert.equal(await body.text(), "drop by drop");
    assert.equal(connection.requestCount, requestCount);
  }
});
