/**
 * `ScriptedOrigin` by itself: what a script reads is what a client sent, what it sends is what the client
 * gets, and a script that fails is reported.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { Client } from "../../src/index.ts";
import {
  answering,
  ok,
  type Script,
  ScriptedOrigin,
  type ScriptedOriginOptions,
  type ScriptedRequest,
} from "../../src/testing/index.ts";
import { until } from "../support/client-kit.ts";

async function listen(t: TestContext, script: Script, options?: ScriptedOriginOptions) {
  const origin = await ScriptedOrigin.listen(script, options);
  t.after(() => origin.close().catch(() => {}));
  return origin;
}

/** A connection, and what it has received. */
function dial(t: TestContext, where: NetConnectOpts): { socket: Socket; received: Buffer[] } {
  const socket = connect(where).setNoDelay(true);
  const received: Buffer[] = [];
  socket.on("data", (piece: Buffer) => received.push(piece));
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  return { socket, received };
}

test("a request is read whole, however it is framed and however it arrives", async (t) => {
  const requests: ScriptedRequest[] = [];
  const { port } = await listen(t, async (connection) => {
    for (;;) requests.push(await connection.request());
  });
  const { socket } = dial(t, { port });
  const sent =
    "POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello" +
    "PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nA\r\n0123456789\r\n0\r\n\r\n" +
    "GET / HTTP/1.1\r\nX: 1\r\nx: 2\r\n\r\n";
  for (const byte of sent) socket.write(byte);
  await until(() => requests.length === 3);
  const [post, put, get] = requests as [ScriptedRequest, ScriptedRequest, ScriptedRequest];
  assert.deepEqual([post.method, post.path, post.line], ["POST", "/a?b", "POST /a?b HTTP/1.1"]);
  assert.equal(post.field("host"), "x");
  assert.equal(post.field("absent"), undefined);
  assert.equal(post.body.toString(), "hello");
  assert.equal(put.body.toString(), "ab0123456789");
  assert.deepEqual(put.chunkSizes, [2, 10]);
  assert.throws(() => get.field("x"), /^Error: x came 2 times$/);
});

test("through, bytes and head read so far and no further", async (t) => {
  const read: string[] = [];
  const origin = await listen(t, async (connection) => {
    read.push(await connection.through(";"));
    read.push((await connection.bytes(2)).toString());
    read.push((await connection.head()).line);
    read.push(connection.unread.toString());
    assert.equal(connection.arrivedBytes, 37);
    await connection.gone();
    read.push("gone");
  });
  const { socket } = dial(t, { port: origin.port });
  socket.write("first;xyPOST / HTTP/1.1\r\na: b\r\n\r\nrest");
  await until(() => read.length === 4);
  assert.deepEqual(read, ["first;", "xy", "POST / HTTP/1.1", "rest"]);
  assert.equal(origin.openCount, 1);
  socket.end();
  await until(() => read.length === 5 && origin.openCount === 0);
  assert.equal(origin.connectionCount, 1);
  await origin.close();
});

test("drip sends piece by piece, and the client can read each by itself", async (t) => {
  const { port } = await listen(t, async (connection) => {
    await connection.drip("abcdefgh", 3);
    connection.end();
  });
  const { socket, received } = dial(t, { port });
  await until(() => socket.readableEnded);
  assert.deepEqual(received.map(String), ["abc", "def", "gh"]);
});

test("reset sends RST, also when FIN was sent already, where it only closes", async (t) => {
  const { port } = await listen(t, (connection) => {
    if (connection.index === 1) connection.end();
    connection.reset();
  });
  for (const expected of [["ECONNRESET"], []]) {
    const { socket } = dial(t, { port });
    const codes: (string | undefined)[] = [];
    socket.on("error", (error: NodeJS.ErrnoException) => codes.push(error.code));
    await until(() => socket.closed);
    assert.deepEqual(codes, expected);
  }
});

test("a script that waits for a client that goes away ends quietly", async (t) => {
  let hasWaited = false;
  const origin = await listen(t, async (connection) => {
    try {
      await connection.request();
    } finally {
      hasWaited = true;
    }
  });
  dial(t, { port: origin.port }).socket.end("GET / HT");
  await until(() => hasWaited);
  await origin.close();
  assert.equal(origin.failure, null);
});

test("a script that throws closes its connection, and is reported by failure and by close", async (t) => {
  const broken = new Error("unexpected request");
  const origin = await listen(t, async (connection) => {
    await connection.head();
    throw broken;
  });
  const { socket } = dial(t, { port: origin.port });
  socket.write("GET / HTTP/1.1\r\n\r\n");
  await until(() => socket.closed);
  assert.equal(origin.failure, broken);
  await assert.rejects(origin.close(), broken);
  assert.equal(origin.openCount, 0);
});

test("a request with impossible framing is the script's failure", async (t) => {
  const heads = [
    "content-length: 5x\r\n\r\n",
    "transfer-encoding: gzip\r\n\r\n",
    "transfer-encoding: chunked\r\n\r\nzz\r\n",
    "transfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
  ];
  for (const head of heads) {
    const origin = await listen(t, answering(ok()));
    const { socket } = dial(t, { port: origin.port });
    socket.write(`POST / HTTP/1.1\r\n${head}`);
    await until(() => socket.closed);
    await assert.rejects(origin.close(), /^Error: (content-length|transfer-enc|chunk size|"b)/);
  }
});

test("it can listen on a given port, on a Unix domain socket, and is closed by await using", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "keepline-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const first = await listen(t, answering(ok("first")));
  await first.close();
  await first.close();
  const second = await listen(t, answering(ok("second")), { port: first.port });
  assert.equal(second.port, first.port);
  assert.equal(second.origin, `http://127.0.0.1:${first.port}`);
  await assert.rejects(
    ScriptedOrigin.listen(() => {}, { port: first.port }),
    {
      code: "EADDRINUSE",
    },
  );

  const socketPath = path.join(folder, "origin.sock");
  const third = await ScriptedOrigin.listen(answering(ok("third")), { path: socketPath });
  const client = new Client({ connect: { socketPath } });
  t.after(() => client.destroy());
  assert.equal(await (await client.request(third.origin)).body.text(), "third");
  await third[Symbol.asyncDispose]();
  assert.equal(third.openCount, 0);
});
