/**
 * Uploads that wait or are overtaken: Expect: 100-continue (RFC 9110, section 10.1.1), and responses
 * that come before their request has been sent.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SocketClosedError } from "../../src/index.ts";
import {
  closedReasons,
  isSettled,
  makeClient,
  rejection,
  statsOf,
  until,
} from "../support/client-kit.ts";
import { ok, type RawConnection, rawServer } from "../support/raw-server.ts";

/** A source of pieces that says how many were taken and whether it was cancelled. */
class Source implements AsyncIterable<Uint8Array> {
  pulled = 0;
  isCancelled = false;
  readonly #pieces: readonly (string | Uint8Array)[];
  readonly #endless: boolean;

  constructor(pieces: readonly (string | Uint8Array)[], ending: "ends" | "goes on" = "ends") {
    this.#pieces = pieces;
    this.#endless = ending === "goes on";
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: async () => {
        const piece = this.#pieces[this.#endless ? this.pulled % this.#pieces.length : this.pulled];
        if (piece === undefined) return { done: true, value: undefined };
        this.pulled++;
        return { done: false, value: Buffer.from(piece as Uint8Array) };
      },
      return: async () => {
        this.isCancelled = true;
        return { done: true, value: undefined };
      },
    };
  }
}

const expecting = { method: "POST", headers: { Expect: "100-continue" } } as const;
const kinds = ["text", "bytes", "stream"] as const;

function bodyOf(kind: (typeof kinds)[number]) {
  if (kind === "text") return "hello";
  return kind === "bytes" ? Buffer.from("hello") : new Source(["hel", "lo"]);
}

for (const kind of kinds) {
  test(`a ${kind} body that expects 100 Continue is sent after it, and the connection is used again`, async (t) => {
    const server = await rawServer(t, async (connection) => {
      for (const _ of [1, 2]) {
        const head = await connection.head();
        assert.equal(head.field("expect"), "100-continue");
        assert.equal(connection.unread.length, 0);
        await connection.send("HTTP/1.1 100 Continue\r\n\r\n");
        if (kind === "stream") await connection.through("0\r\n\r\n");
        else assert.equal((await connection.bytes(5)).toString(), "hello");
        await connection.send(ok("thanks"));
      }
    });
    const client = makeClient(t);
    for (const requestCount of [1, 2]) {
      const response = await client.request(server.origin, { ...expecting, body: bodyOf(kind) });
      assert.equal(await response.body.text(), "thanks");
      assert.equal(response.connection.requestCount, requestCount);
    }
  });
}

test("100 Continue sends the body at once, whatever is left of the second", async (t) => {
  const server = await rawServer(t, async (connection) => {
    for (;;) {
      await connection.head();
      await connection.send("HTTP/1.1 100 Continue\r\n\r\n");
      await connection.bytes(5);
      await connection.send(ok());
    }
  });
  const client = makeClient(t);
  const startedAt = performance.now();
  for (let count = 0; count < 10; count++) {
    await client.request(server.origin, { ...expecting, body: "hello" });
  }
  // A second for each would be ten.
  assert.ok(performance.now() - startedAt < 8_000);
});

test("other interim responses do not stand for 100 Continue", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.head();
    await connection.drip("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n", 30);
    await connection.send("HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\n\r\n");
    await connection.gone();
    assert.equal(connection.unread.length, 0);
  });
  const client = makeClient(t);
  const source = new Source(["hello"]);
  const response = await client.request(server.origin, { ...expecting, body: source });
  assert.equal(response.statusCode, 417);
  assert.equal(source.pulled, 0);
  await server.connections[0]?.gone();
});

test("a body that expects 100 Continue is sent a second later when none comes", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.head();
    const startedAt = performance.now();
    assert.equal((await connection.bytes(5)).toString(), "hello");
    // Not earlier than a second after the head, less what the head took to arrive.
    assert.ok(performance.now() - startedAt > 500);
    await connection.send(ok("thanks"));
  });
  const client = makeClient(t);
  const response = await client.request(server.origin, { ...expecting, body: "hello" });
  assert.equal(await response.body.text(), "thanks");
  assert.equal(statsOf(client).sockets.idle, 1);
});

test("an Expect without a body is not sent", async (t) => {
  const server = await rawServer(t, async (connection) => {
    assert.equal((await connection.request()).field("expect"), undefined);
    await connection.send(ok());
  });
  await makeClient(t).request(server.origin, expecting);
});

for (const kind of kinds) {
  test(`a final response in place of 100 Continue: a ${kind} body is never sent, nor the connection used again`, async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.head();
      await connection.send("HTTP/1.1 417 Expectation Failed\r\ncontent-length: 4\r\n\r\nsorr");
    });
    const client = makeClient(t);
    const body = bodyOf(kind);
    const response = await client.request(server.origin, { ...expecting, body });
    assert.equal(response.statusCode, 417);
    assert.equal(await response.body.text(), "sorr");
    const connection = server.connections[0] as RawConnection;
    await connection.gone();
    assert.equal(connection.unread.length, 0);
    assert.deepEqual(closedReasons(client), { "request-unfinished": 1 });
    if (body instanceof Source) {
      assert.equal(body.pulled, 0);
      assert.equal(body.isCancelled, true);
    }
  });
}

test("a final response in place of 100 Continue forbids the body, however long its own body takes", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.head();
    await connection.send("HTTP/1.1 417 Expectation Failed\r\ncontent-length: 4\r\n\r\nso");
    // The second after which a body is sent without 100 Continue passes.
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    assert.equal(connection.unread.length, 0);
    await connection.send("rr");
    await connection.gone();
    assert.equal(connection.unread.length, 0);
  });
  const client = makeClient(t);
  const source = new Source(["hello"]);
  const response = await client.request(server.origin, { ...expecting, body: source });
  assert.equal(await response.body.text(), "sorr");
  assert.equal(source.pulled, 0);
  assert.equal(source.isCancelled, true);
  assert.deepEqual(closedReasons(client), { "request-unfinished": 1 });
});

test("a server that closes in place of 100 Continue fails the request and cancels its body", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.head();
    connection.end();
  });
  const client = makeClient(t);
  const source = new Source(["hello"]);
  await rejection(client.request(server.origin, { ...expecting, body: source }), SocketClosedError);
  assert.equal(source.isCancelled, true);
  assert.equal(source.pulled, 0);
});

test("100 Continue twice, or without being asked for, does not send a body twice", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.head();
    await connection.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
    assert.equal((await connection.bytes(5)).toString(), "hello");
    await connection.send(`HTTP/1.1 100 Continue\r\n\r\n${ok("thanks")}`);
    assert.equal((await connection.request()).body.toString(), "again");
    await connection.send(`HTTP/1.1 100 Continue\r\n\r\n${ok("thanks")}`);
  });
  const client = makeClient(t);
  const first = await client.request(server.origin, { ...expecting, body: "hello" });
  assert.equal(await first.body.text(), "thanks");
  const second = await client.request(server.origin, { method: "POST", body: "again" });
  assert.equal(await second.body.text(), "thanks");
  assert.equal(second.connection.reused, true);
});

test("a response that overtakes its upload is delivered; the rest is not sent and the connection not used again", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.head();
    await connection.bytes(100_000);
    await connection.send(ok("too much"));
  });
  const client = makeClient(t);
  const source = new Source([Buffer.alloc(10_000)], "goes on");
  const response = await client.request(server.origin, { method: "POST", body: source });
  assert.equal(await response.body.text(), "too much");
  await until(() => source.isCancelled);
  assert.deepEqual(closedReasons(client), { "request-unfinished": 1 });
  assert.equal(statsOf(client).failed, 0);
});

test("a response that overtakes an upload of bytes is delivered, and the connection not used again", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.head();
    connection.socket.pause();
    await connection.send(ok("too much"));
  });
  const client = makeClient(t);
  const body = Buffer.alloc(64 * 1024 * 1024);
  const response = await client.request(server.origin, { method: "POST", body });
  assert.equal(await response.body.text(), "too much");
  assert.deepEqual(closedReasons(client), { "request-unfinished": 1 });
});

test("an upload goes on while its response arrives, and both complete", async (t) => {
  const server = await rawServer(t, async (connection) => {
    const head = await connection.head();
    assert.equal(head.field("transfer-encoding"), "chunked");
    await connection.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    // An echo, chunk by chunk.
    for (;;) {
      const size = Number.parseInt(await connection.through("\r\n"), 16);
      const data = (await connection.bytes(size)).toString("latin1");
      await connection.through("\r\n");
      await connection.send(`${size.toString(16)}\r\n${data}\r\n`);
      if (size === 0) return;
    }
  });
  const client = makeClient(t);
  let heard = 0;
  let wake = (): void => {};
  async function* talk() {
    for (let said = 0; said < 50; said++) {
      // Each piece waits for the echo of the one before.
      while (heard < said * 4) await new Promise<void>((resolve) => (wake = resolve));
      yield "ping";
    }
  }
  const response = await client.request(server.origin, { method: "POST", body: talk() });
  for await (const piece of response.body) {
    heard += piece.length;
    wake();
  }
  assert.equal(heard, 200);
  assert.deepEqual(closedReasons(client), {});
  assert.equal(statsOf(client).sockets.idle, 1);
});

test("a source is pulled no further than the socket takes while the server reads nothing", async (t) => {
  const server = await rawServer(t, async (connection) => {
    connection.socket.pause();
    await connection.gone();
  });
  const client = makeClient(t);
  const piece = Buffer.alloc(65_536);
  const source = new Source([piece], "goes on");
  const stop = new AbortController();
  const request = client.request(server.origin, {
    method: "POST",
    body: source,
    signal: stop.signal,
  });
  // Until the kernel takes no more: nothing is pulled for a while.
  for (let before = -1; before !== source.pulled; ) {
    before = source.pulled;
    await isSettled(request, 2_000);
  }
  assert.ok(source.pulled > 0);
  assert.ok(source.pulled * piece.length < 32 * 1024 * 1024, `${source.pulled} pieces pulled`);
  // The server reads on: so does the source.
  const before = source.pulled;
  server.connections[0]?.socket.resume();
  await until(() => source.pulled > before + 100);
  stop.abort();
  await assert.rejects(request, { name: "AbortError" });
  assert.equal(source.isCancelled, true);
});
