/**
 * What happens when the server ends a connection, in every phase of a response, by FIN and by RST.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SocketClosedError } from "../../src/index.ts";
import { closedReasons, makeClient, rejection, statsOf, until } from "../support/client-kit.ts";
import { answering, ok, type RawConnection, rawServer } from "../support/raw-server.ts";

type Close = "FIN" | "RST";

function close(connection: RawConnection, by: Close): void {
  if (by === "FIN") connection.end();
  else connection.reset();
}

function assertIsSocketClosed(
  error: SocketClosedError,
  origin: string,
  cause: "ECONNRESET" | undefined,
): void {
  assert.equal(error.code, "ERR_KEEPLINE_SOCKET_CLOSED");
  assert.equal(error.requestSent, true);
  assert.equal(error.origin, origin);
  assert.ok(error.message.includes(origin), error.message);
  assert.match(error.message, /first request on this connection/);
  assert.equal((error.cause as NodeJS.ErrnoException | undefined)?.code, cause);
}

const causeOf = { FIN: undefined, RST: "ECONNRESET" } as const;

const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

const beforeHead: readonly { when: string; sent: string; says: RegExp }[] = [
  { when: "before any byte", sent: "", says: /closed the connection before it responded/ },
  {
    when: "in the status line",
    sent: "HTTP/1.1 2",
    says: /closed the connection before the response was complete/,
  },
  {
    when: "in the head",
    sent: "HTTP/1.1 200 OK\r\nconte",
    says: /closed the connection before the response was complete/,
  },
  {
    when: "after an interim response",
    sent: "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n",
    says: /closed the connection before the response was complete/,
  },
];

for (const by of ["FIN", "RST"] as const) {
  for (const { when, sent, says } of beforeHead) {
    test(`a ${by} ${when} rejects the request with SocketClosedError, and the next one gets a fresh socket`, async (t) => {
      const server = await rawServer(t, async (connection) => {
        await connection.request();
        if (connection.index > 0) return connection.send(ok("fine"));
        await connection.send(sent);
        close(connection, by);
      });
      const client = makeClient(t);
      const error = await rejection(client.request(server.origin), SocketClosedError);
      // libuv reports a reset as an end when it comes in one poll with bytes.
      const cause =
        by === "RST" && sent !== "" && error.cause === undefined ? undefined : causeOf[by];
      assertIsSocketClosed(error, server.origin, cause);
      assert.match(error.message, says);
      assert.deepEqual(closedReasons(client), { "socket-error": 1 });
      assert.equal(statsOf(client).failed, 1);
      assert.equal(statsOf(client).sockets.open, 0);

      const next = await client.request(server.origin);
      assert.equal(next.connection.reused, false);
      assert.equal(await next.body.text(), "fine");
    });
  }
}

const inBody: readonly { when: string; sent: string }[] = [
  {
    when: "in a body with Content-Length",
    sent: "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello",
  },
  { when: "in a chunk size", sent: `${chunked}5\r\nhello\r\n1` },
  { when: "in a chunk", sent: `${chunked}a\r\nhello` },
  { when: "behind the data of a chunk", sent: `${chunked}5\r\nhello` },
  { when: "between chunks", sent: `${chunked}5\r\nhello\r\n` },
  { when: "behind the last chunk", sent: `${chunked}5\r\nhello\r\n0\r\n` },
  { when: "in the trailers", sent: `${chunked}5\r\nhello\r\n0\r\nx-check` },
  { when: "before the last line end", sent: `${chunked}5\r\nhello\r\n0\r\nx-check: 1\r\n\r` },
];

for (const by of ["FIN", "RST"] as const) {
  for (const { when, sent } of inBody) {
    test(`a ${by} ${when} fails the body with SocketClosedError, after what had arrived`, async (t) => {
      const server = await rawServer(t, async (connection) => {
        await connection.request();
        await connection.send(sent);
      });
      const client = makeClient(t);
      const response = await client.request(server.origin);
      const pieces: Buffer[] = [];
      const reading = (async () => {
        for await (const piece of response.body) {
          pieces.push(piece);
          if (Buffer.concat(pieces).toString() === "hello") {
            close(server.connections[0] as RawConnection, by);
          }
        }
      })();
      const error = await rejection(reading, SocketClosedError);
      assertIsSocketClosed(error, server.origin, causeOf[by]);
      assert.equal(Buffer.concat(pieces).toString(), "hello");
      assert.deepEqual(response.trailers, Object.create(null));
      assert.deepEqual(closedReasons(client), { "socket-error": 1 });
      assert.equal(statsOf(client).failed, 1);
    });
  }
}

test("a connection that has not taken the whole head of a request is not free when the response is there", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.until(() => connection.unread.length > 0);
    connection.socket.pause();
    await connection.send("HTTP/1.1 431 Too Large\r\ncontent-length: 0\r\n\r\n");
    await connection.gone();
  });
  const client = makeClient(t);
  const headers = { large: "x".repeat(16_000_000) };
  const response = await client.request(server.origin, { headers });
  await response.body.dump();
  assert.equal(response.statusCode, 431);
  assert.deepEqual(closedReasons(client), { "request-unfinished": 1 });
  (await server.connection(0)).socket.resume();
});

test("an error on a reused connection says which request it was and how long the connection had been idle", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send(ok());
    await connection.request();
    connection.end();
  });
  const client = makeClient(t);
  await (await client.request(server.origin)).body.dump();
  // Not one that could be sent again.
  const request = client.request(server.origin, { method: "POST", body: "once" });
  const error = await rejection(request, SocketClosedError);
  assert.match(error.message, /request 2 on this connection, which had been idle for \d+ ms/);
});

test("a body that ends with the connection is complete at the server's FIN", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send("HTTP/1.1 200 OK\r\n\r\nhello ");
    await connection.send("world");
    connection.end();
  });
  const client = makeClient(t);
  const response = await client.request(server.origin);
  assert.equal(await response.body.text(), "hello world");
  await until(() => statsOf(client).sockets.open === 0);
  assert.deepEqual(closedReasons(client), { "connection-close": 1 });
  assert.equal(statsOf(client).failed, 0);
});

test("a response whose body breaks off still says which connection it was, and so does one that closed it", async (t) => {
  const ports: (number | undefined)[] = [];
  let seeHead = (): void => {};
  const headCame = new Promise<void>((resolve) => {
    seeHead = resolve;
  });
  const server = await rawServer(t, async (connection) => {
    ports.push(connection.socket.remotePort);
    const request = await connection.request();
    if (request.path === "/cut") {
      await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
      await headCame;
      connection.reset();
    } else await connection.send(ok("all", "connection: close"));
  });
  const client = makeClient(t);
  for (const path of ["/cut", "/close"]) {
    const response = await client.request(`${server.origin}${path}`);
    seeHead();
    await response.body.text().catch(() => {});
    await until(() => statsOf(client).sockets.open === 0);
    // Asked now for the first time.
    const { localPort, remoteAddress } = response.connection;
    assert.deepEqual([localPort, remoteAddress], [ports.at(-1), "127.0.0.1"], path);
  }
});

test("a body that ends with the connection fails when that is reset", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send("HTTP/1.1 200 OK\r\n\r\nhello");
  });
  const client = makeClient(t);
  const { body } = await client.request(server.origin);
  const reading = body.text();
  server.connections[0]?.reset();
  const error = await rejection(reading, SocketClosedError);
  assertIsSocketClosed(error, server.origin, "ECONNRESET");
});

for (const by of ["FIN", "RST"] as const) {
  test(`a ${by} on an idle connection retires it, and no request notices`, async (t) => {
    const server = await rawServer(t, answering(ok("fine")));
    const client = makeClient(t);
    await (await client.request(server.origin)).body.text();
    assert.equal(statsOf(client).sockets.idle, 1);
    close(await server.connection(0), by);
    await until(() => statsOf(client).sockets.open === 0);
    assert.deepEqual(closedReasons(client), { "server-closed": 1 });

    const next = await client.request(server.origin);
    assert.equal(next.connection.reused, false);
    assert.equal(await next.body.text(), "fine");
    assert.equal(statsOf(client).failed, 0);
    assert.equal(server.connectionCount, 2);
  });
}

test("a server that answers and closes at once, without saying so, costs no request while none is waiting", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    connection.socket.end(ok("fine"));
  });
  const client = makeClient(t);
  for (let count = 1; count <= 20; count++) {
    const response = await client.request(server.origin);
    assert.equal(await response.body.text(), "fine");
    await until(() => statsOf(client).closed["server-closed"] === count);
  }
  assert.equal(statsOf(client).failed, 0);
});

test("bytes on an idle connection retire it: they are never read as the next response", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send(ok(`response ${connection.index}`));
  });
  const client = makeClient(t);
  assert.equal(await (await client.request(server.origin)).body.text(), "response 0");
  await server.connections[0]?.send(ok("forged"));
  await until(() => statsOf(client).sockets.open === 0);
  assert.deepEqual(closedReasons(client), { "unexpected-bytes": 1 });
  assert.equal(await (await client.request(server.origin)).body.text(), "response 1");
});

test("a second response in one packet with the first reaches no request that waits", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send(ok(`response ${connection.index}`) + ok("forged"));
  });
  const client = makeClient(t, { maxSockets: 1 });
  const bodies = [0, 1, 2, 3, 4].map(async () => {
    const response = await client.request(server.origin);
    return response.body.text();
  });
  assert.deepEqual(
    await Promise.all(bodies),
    [0, 1, 2, 3, 4].map((index) => `response ${index}`),
  );
  assert.deepEqual(closedReasons(client), { "unexpected-bytes": 5 });
  assert.equal(statsOf(client).failed, 0);
});

for (const [what, response] of [
  ["Content-Length", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello, and more"],
  ["its last chunk", `${chunked}5\r\nhello\r\n0\r\n\r\n and more`],
  ["a 304", "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\nhello"],
] as const) {
  test(`a response with bytes beyond ${what} is delivered, and its connection retired`, async (t) => {
    const server = await rawServer(t, answering(response));
    const client = makeClient(t);
    const { statusCode, body } = await client.request(server.origin);
    assert.equal(await body.text(), statusCode === 304 ? "" : "hello");
    assert.deepEqual(closedReasons(client), { "unexpected-bytes": 1 });
    assert.equal(statsOf(client).failed, 0);
  });
}
