/**
 * Every fault of a `FaultProxy`, as a plain client and a plain server see it.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Fault,
  FaultProxy,
  type FaultProxyOptions,
  type ProxiedConnection,
} from "../../src/testing/index.ts";
import { seeded, until } from "../support/client-kit.ts";
import { ok } from "../support/raw-server.ts";

/** One end of a connection, and what it noticed, in order. */
class Peer {
  readonly socket: Socket;
  /** Sizes of the pieces that were read. */
  readonly sizes: number[] = [];
  readonly events: string[] = [];
  byteCount = 0;
  #pieces: Buffer[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (piece: Buffer) => {
      this.sizes.push(piece.length);
      this.byteCount += piece.length;
      this.#pieces.push(piece);
    });
    socket.on("end", () => this.events.push("fin"));
    socket.on("error", (error: NodeJS.ErrnoException) => this.events.push(error.code ?? ""));
    socket.on("close", () => this.events.push("closed"));
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  get text(): string {
    return this.bytes.toString("latin1");
  }

  async reads(text: string): Promise<void> {
    await until(() => this.text.length >= text.length, `reads ${text}`);
    assert.equal(this.text, text);
  }

  async notices(...events: string[]): Promise<void> {
    await until(() => this.events.length >= events.length, `notices ${events.join()}`);
    assert.deepEqual(this.events, events);
  }
}

/** Both ends of one connection through a proxy. */
interface Pair {
  readonly proxy: FaultProxy;
  readonly connection: ProxiedConnection;
  readonly client: Peer;
  readonly server: Peer;
}

/** A proxy before a server that does nothing by itself. */
async function proxied(t: TestContext, options: Partial<FaultProxyOptions> = {}) {
  const accepted: Peer[] = [];
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  server.on("connection", (socket) => {
    accepted.push(new Peer(socket));
    t.after(() => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const proxy = await FaultProxy.listen({ target: { host: "127.0.0.1", port }, ...options });
  t.after(() => proxy.close());
  return { proxy, accepted };
}

/** One connection through a proxy, open on both sides. */
async function pair(t: TestContext, options: Partial<FaultProxyOptions> = {}): Promise<Pair> {
  const { proxy, accepted } = await proxied(t, options);
  const client = new Peer(dial(t, proxy.port));
  await until(() => accepted.length === 1, "the server has the connection");
  const [connection] = proxy.connections as [ProxiedConnection];
  return { proxy, connection, client, server: accepted[0] as Peer };
}

function dial(t: TestContext, port: number): Socket {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
  t.after(() => socket.destroy());
  return socket;
}

test("without faults bytes, FIN and half-open connections pass as they are", async (t) => {
  const { client, server, connection } = await pair(t);
  client.socket.write("ping");
  await server.reads("ping");
  server.socket.end("pong");
  await client.reads("pong");
  await client.notices("fin");
  client.socket.write(" again");
  await server.reads("ping again");
  assert.equal(connection.bytesToServer, 10);
  assert.equal(connection.bytesToClient, 4);
  client.socket.end();
  await server.notices("fin", "closed");
  await client.notices("fin", "closed");
  await connection.closed;
  assert.equal(connection.isOpen, false);
});

test("an RST of either end arrives at the other as RST", async (t) => {
  const first = await pair(t);
  first.client.socket.resetAndDestroy();
  await first.server.notices("ECONNRESET", "closed");
  await first.connection.closed;

  const second = await pair(t);
  second.server.socket.write("last words");
  await second.client.reads("last words");
  second.server.socket.resetAndDestroy();
  await second.client.notices("ECONNRESET", "closed");
  await second.connection.closed;
});

test("a target that refuses connections resets the client's", async (t) => {
  const { proxy: other } = await proxied(t);
  const { port } = other;
  await other.close();
  const proxy = await FaultProxy.listen({ target: `http://127.0.0.1:${port}` });
  t.after(() => proxy.close());
  const client = new Peer(dial(t, proxy.port));
  await client.notices("ECONNRESET", "closed");
  await until(() => proxy.connections.length === 0);
  assert.equal(proxy.connectionCount, 1);
});

test("fin closes both ends, and who writes all the same finds the connection broken", async (t) => {
  const { connection, client, server } = await pair(t);
  connection.apply({ kind: "fin" });
  await client.notices("fin");
  await server.notices("fin");
  client.socket.write("late");
  await finds(client);
  assert.equal(server.text, "");
  server.socket.end();
  await connection.closed;
});

test("fin and reset toward one end leave the other in the dark", async (t) => {
  for (const [kind, noticed] of [
    ["fin", ["fin"]],
    ["reset", ["ECONNRESET", "closed"]],
  ] as const) {
    const { connection, client, server } = await pair(t);
    connection.apply({ kind, toward: "client" });
    await client.notices(...noticed);
    client.socket.destroy();
    server.socket.write("nobody reads this");
    await until(() => client.socket.closed);
    await sleep(20);
    assert.deepEqual(server.events, []);
    assert.equal(connection.isOpen, true);

    const other = await pair(t);
    other.connection.apply({ kind, toward: "server" });
    await other.server.notices(...noticed);
    other.server.socket.destroy();
    await sleep(20);
    assert.deepEqual(other.client.events, []);
  }
});

test("reset breaks both ends with RST, behind the bytes that were forwarded before", async (t) => {
  const { connection, client, server } = await pair(t);
  connection.at({ after: "bytes-to-client", bytes: 5 }, { kind: "reset" });
  server.socket.write("12345678");
  await client.notices("ECONNRESET", "closed");
  await server.notices("ECONNRESET", "closed");
  assert.equal(client.text, "12345");
  assert.equal(connection.bytesToClient, 5);
});

test("half-close ends one direction, and the other goes on", async (t) => {
  for (const toward of ["client", "server"] as const) {
    const { connection, ...ends } = await pair(t);
    const [told, other] =
      toward === "client" ? [ends.client, ends.server] : [ends.server, ends.client];
    connection.apply({ kind: "half-close", toward });
    await told.notices("fin");
    other.socket.write("dropped");
    told.socket.write("still flows");
    await other.reads("still flows");
    assert.equal(told.text, "");
    assert.deepEqual(other.events, []);
  }
});

test("stall holds bytes and FIN until it is over, of one direction only when told so", async (t) => {
  const { connection, client, server } = await pair(t);
  connection.apply({ kind: "stall", toward: "client" });
  server.socket.end("held");
  client.socket.write("not held");
  await server.reads("not held");
  await sleep(20);
  assert.equal(client.text, "");
  assert.deepEqual(client.events, []);
  connection.resume();
  await client.reads("held");
  await client.notices("fin");
});

test("stall ends by itself after its time, not before", async (t) => {
  const { connection, client, server } = await pair(t);
  const startedAt = performance.now();
  connection.apply({ kind: "stall", msecs: 60 });
  server.socket.write("slow");
  await client.reads("slow");
  assert.ok(performance.now() - startedAt >= 59);
});

test("a stalled direction holds a bounded number of bytes, and lets them all pass in the end", async (t) => {
  const { connection, client, server } = await pair(t);
  const sent = randomBytes(32 * 1024 * 1024);
  connection.apply({ kind: "stall", toward: "client" });
  const before = process.memoryUsage().arrayBuffers;
  server.socket.write(sent);
  await standsStill(() => server.socket.bytesWritten - server.socket.writableLength);
  const grownBytes = process.memoryUsage().arrayBuffers - before;
  assert.ok(grownBytes < 8 * 1024 * 1024, `${grownBytes} bytes more are held`);
  connection.resume();
  await until(() => client.byteCount === sent.length);
  assert.ok(client.bytes.equals(sent));
});

test("a reader that does not read makes the writer wait, and not the proxy hold it all", async (t) => {
  const { connection, client, server } = await pair(t);
  const sent = randomBytes(64 * 1024 * 1024);
  client.socket.pause();
  server.socket.write(sent);
  await standsStill(() => connection.bytesToClient);
  const queued = sent.length - connection.bytesToClient;
  // The rest is in the kernel's buffers and in the writer, not in the proxy.
  assert.ok(queued > sent.length / 2, `only ${queued} bytes wait outside`);
  client.socket.resume();
  await until(() => connection.bytesToClient === sent.length);
});

test("split forwards in pieces that the reader gets one by one", async (t) => {
  const { connection, client, server } = await pair(t);
  connection.apply({ kind: "split", toward: "client", bytes: 3 });
  server.socket.write("abcdefgh");
  await client.reads("abcdefgh");
  assert.deepEqual(client.sizes, [3, 3, 2]);
  server.socket.end("ijkl");
  await client.reads("abcdefghijkl");
  await client.notices("fin");
  assert.deepEqual(client.sizes, [3, 3, 2, 3, 1]);
});

test("split begins at the byte at which it was set, and can be as small as one byte", async (t) => {
  const plan = (connection: ProxiedConnection): void => {
    connection.at({ after: "bytes-to-server", bytes: 4 }, { kind: "split", bytes: 1 });
  };
  const { client, server } = await pair(t, { plan });
  client.socket.write("abcdefg");
  await server.reads("abcdefg");
  assert.deepEqual(server.sizes.slice(-3), [1, 1, 1]);
  assert.equal(server.sizes[0], 4);
});

test("truncate forwards so many bytes and then FIN or RST", async (t) => {
  for (const [by, noticed] of [
    ["fin", ["fin"]],
    ["reset", ["ECONNRESET", "closed"]],
  ] as const) {
    const { connection, client, server } = await pair(t);
    server.socket.write("whole");
    await client.reads("whole");
    connection.apply({ kind: "truncate", bytes: 3, by });
    server.socket.write("part of this");
    await client.notices(...noticed);
    await server.notices(...noticed);
    assert.equal(client.text, "wholepar");

    const other = await pair(t);
    other.connection.apply({ kind: "truncate", toward: "server", bytes: 2, by });
    other.client.socket.write("part of this");
    await other.server.notices(...noticed);
    assert.equal(other.server.text, "pa");
  }
});

test("the delay holds for bytes, FIN and RST, each way", async (t) => {
  const delayMsecs = 40;
  const { client, server } = await pair(t, { delayMsecs });
  let at = performance.now();
  client.socket.write("ping");
  await server.reads("ping");
  took();
  server.socket.end("pong");
  await client.reads("pong");
  took();
  await client.notices("fin");
  at = performance.now();
  client.socket.end();
  await server.notices("fin", "closed");
  took();

  const second = await pair(t, { delayMsecs });
  at = performance.now();
  second.server.socket.resetAndDestroy();
  await second.client.notices("ECONNRESET", "closed");
  took();

  const third = await pair(t, { delayMsecs });
  at = performance.now();
  third.connection.apply({ kind: "fin" });
  await third.client.notices("fin");
  took();

  function took(): void {
    const now = performance.now();
    // The reader's clock is not read at the same instant as the proxy's.
    assert.ok(now - at >= delayMsecs - 1, `took ${now - at} ms`);
    at = now;
  }
});

test("a request that meets a FIN under way reaches no server, and finds a broken connection", async (t) => {
  const { connection, client, server } = await pair(t, { delayMsecs: 30 });
  connection.apply({ kind: "fin" });
  client.socket.write("GET / HTTP/1.1\r\n\r\n");
  await client.notices("fin");
  await finds(client);
  assert.equal(server.text, "");
});

test("jitter changes when pieces arrive, not their order", async (t) => {
  const { client, server } = await pair(t, { jitterMsecs: 5, random: seeded(7) });
  let sent = "";
  for (let count = 0; count < 100; count++) {
    const piece = `${count} `;
    sent += piece;
    server.socket.write(piece);
    if (count % 10 === 0) await sleep(1);
  }
  server.socket.end();
  await client.notices("fin");
  assert.equal(client.text, sent);
});

test("a fault comes after its time, and after idle time only when nothing passes", async (t) => {
  const { connection, client, server } = await pair(t);
  const startedAt = performance.now();
  connection.at({ after: "idle", msecs: 100 }, { kind: "fin" });
  for (let count = 0; count < 4; count++) {
    await sleep(30);
    client.socket.write(".");
  }
  const lastAt = performance.now();
  await client.notices("fin");
  assert.ok(performance.now() - lastAt >= 99);

  const second = await pair(t);
  second.connection.at({ after: "msecs", msecs: 40 }, { kind: "reset" });
  await second.server.notices("ECONNRESET", "closed");
  assert.ok(performance.now() - startedAt >= 39);
  assert.equal(server.text, "....");
});

test("a fault can wait for the nth request or the last byte of the nth response", async (t) => {
  const { connection, client, server } = await pair(t);
  connection.at({ after: "responses", count: 2 }, { kind: "half-close", toward: "client" });
  const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  client.socket.write("HEAD / HTTP/1.1\r\n\r\n");
  await until(() => server.text !== "");
  server.socket.write(
    "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",
  );
  await until(() => client.text.endsWith("9\r\n\r\n"));
  const before = client.text;
  client.socket.write("GET / HTTP/1.1\r\n\r\n");
  await until(() => server.text.includes("GET"));
  server.socket.write(`${chunked}${ok("unasked")}`);
  await client.notices("fin");
  assert.equal(client.text, before + chunked);

  const second = await pair(t);
  second.connection.at({ after: "requests", count: 2 }, { kind: "reset" });
  second.client.socket.write("GET /1 HT");
  await until(() => second.server.text !== "");
  second.client.socket.write("TP/1.1\r\n\r\n");
  await until(() => second.server.text.endsWith("\r\n\r\n"));
  second.server.socket.write(ok("1"));
  await second.client.reads(ok("1"));
  second.client.socket.write("GET /2 HTTP/1.1\r\n\r\n");
  await second.client.notices("ECONNRESET", "closed");
  assert.ok(second.server.text.endsWith("GET /2 HTTP/1.1\r\n\r\n"));
});

test("faults in any order at any time leave nothing open when the proxy is closed", async (t) => {
  const seed = Number(process.env.KEEPLINE_SEED ?? 1);
  t.diagnostic(`seed ${seed}`);
  const random = seeded(seed);
  const upTo = (limit: number): number => Math.floor(random() * limit);
  const faults: Fault[] = [
    { kind: "fin" },
    { kind: "fin", toward: "client" },
    { kind: "reset" },
    { kind: "reset", toward: "server" },
    { kind: "half-close", toward: "server" },
    { kind: "half-close", toward: "client" },
    { kind: "stall", msecs: 3 },
    { kind: "stall", toward: "client" },
    { kind: "split", bytes: 7 },
    { kind: "truncate", bytes: 100, by: "fin" },
    { kind: "truncate", bytes: 100, by: "reset" },
  ];
  const { proxy, accepted } = await proxied(t, {
    delayMsecs: 1,
    jitterMsecs: 2,
    random,
    plan(connection) {
      for (let count = upTo(4); count > 0; count--) {
        const fault = faults[upTo(faults.length)] as Fault;
        if (upTo(2) === 0) connection.at({ after: "msecs", msecs: upTo(8) }, fault);
        else connection.at({ after: "bytes-to-server", bytes: upTo(2_000) }, fault);
      }
    },
  });
  const clients: Peer[] = [];
  for (let count = 0; count < 200; count++) {
    const client = new Peer(dial(t, proxy.port));
    clients.push(client);
    for (let writes = upTo(4); writes > 0; writes--) client.socket.write(Buffer.alloc(upTo(3_000)));
    if (upTo(3) === 0) client.socket.end();
    if (count % 20 === 0) {
      await sleep(1);
      for (const server of accepted.slice(-10)) {
        const choice = upTo(3);
        if (choice === 0) server.socket.end("bye");
        else if (choice === 1) server.socket.destroy();
      }
    }
  }
  await until(() => proxy.connectionCount === 200);
  await sleep(10);
  await proxy.close();
  assert.equal(proxy.connections.length, 0);
  for (const each of [...clients, ...accepted]) each.socket.end();
  await until(() => [...clients, ...accepted].every((each) => each.socket.destroyed));
});

test("a thousand connections close cleanly, and leave nothing behind", async (t) => {
  const { proxy, accepted } = await proxied(t);
  const clients: Peer[] = [];
  for (let count = 0; count < 1_000; count++) {
    clients.push(new Peer(dial(t, proxy.port)));
    // Within what a kernel queues of connections that nobody has accepted yet.
    if (count % 100 === 99) await until(() => accepted.length === count + 1);
  }
  assert.equal(proxy.connections.length, 1_000);
  for (const client of clients) client.socket.end("bye");
  await until(() => accepted.every((server) => server.events.length === 1));
  for (const server of accepted) server.socket.end("bye");
  await until(() => proxy.connections.length === 0);
  for (const each of [...clients, ...accepted]) {
    await each.notices("fin", "closed");
    assert.equal(each.text, "bye");
  }
});

test("close destroys what is open, leaves no handle, and can be called again", async (t) => {
  const { proxy, connection, client, server } = await pair(t, { delayMsecs: 60_000 });
  connection.at({ after: "msecs", msecs: 60_000 }, { kind: "fin" });
  client.socket.write("under way for a minute");
  const timerCount = (): number =>
    process.getActiveResourcesInfo().filter((each) => each === "Timeout").length;
  await until(() => timerCount() === 2, "a fault and a piece wait");
  await Promise.all([proxy.close(), proxy.close()]);
  await until(() => client.events.length > 0 && server.events.length > 0);
  assert.equal(connection.isOpen, false);
  assert.equal(timerCount(), 0);
  const refused = new Peer(dial(t, proxy.port));
  await refused.notices("ECONNREFUSED", "closed");
});

test("what a plan throws ends the connection and is thrown by close", async (t) => {
  const { proxy } = await proxied(t, {
    plan(connection) {
      connection.apply({ kind: "sever" } as unknown as Fault);
    },
  });
  const client = new Peer(dial(t, proxy.port));
  await until(() => client.events.length > 0);
  await assert.rejects(proxy.close(), new TypeError('there is no fault "sever"'));
  // Told; the test's own clean-up must not be told again.
  t.mock.method(proxy, "close", async () => {});
});

test("options, moments and faults that make no sense are refused with a message that says why", async (t) => {
  const target = "http://127.0.0.1:1";
  await assert.rejects(
    FaultProxy.listen({ target, delayMsecs: -1 }),
    new RangeError("delayMsecs must be a finite number of milliseconds of at least 0, not -1"),
  );
  await assert.rejects(
    FaultProxy.listen({ target: "ftp://host" }),
    new TypeError('target must be http or https, not "ftp://host"'),
  );
  await assert.rejects(
    FaultProxy.listen({ target: { host: "127.0.0.1", port: 0 } }),
    new RangeError("target.port must be a whole number from 1 to 65535, not 0"),
  );
  const { connection } = await pair(t);
  assert.throws(
    () => connection.apply({ kind: "split", bytes: 0 }),
    new RangeError("bytes must be a whole number of at least 1, not 0"),
  );
  assert.throws(
    () => connection.apply({ kind: "half-close" } as unknown as Fault),
    new TypeError('toward must be "client" or "server", not undefined'),
  );
  assert.throws(
    () => connection.at({ after: "requests", count: 0 }, { kind: "fin" }),
    new RangeError("count must be a whole number of at least 1, not 0"),
  );
});

/** Writes until `peer` finds that its connection is broken. */
async function finds(peer: Peer): Promise<void> {
  await until(() => {
    if (!peer.socket.destroyed) peer.socket.write("more");
    return peer.socket.closed;
  }, "finds a broken connection");
  assert.match(peer.events.join(), /^fin,(ECONNRESET|EPIPE),closed$/);
}

/** Waits until `count` has not changed for a while. */
async function standsStill(count: () => number): Promise<void> {
  let last = Number.NaN;
  for (;;) {
    const now = count();
    if (now === last) return;
    last = now;
    await sleep(150);
  }
}
