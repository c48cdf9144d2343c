/**
 * Response bodies whose bytes are lent and not copied: `forEachChunk`, and `pipeTo` on top of it.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { open, readFile } from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import { PassThrough, Writable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { InvalidOptionError, type ResponseBody, SocketClosedError } from "../../src/index.ts";
import { closedReasons, makeClient, rejection, statsOf, until } from "../support/client-kit.ts";
import { plainServer } from "../support/loopback.ts";
import { answering, ok, rawServer } from "../support/raw-server.ts";
import { temporaryFolder } from "../support/temporary.ts";

/** Bytes of which no two reads look alike. */
function pattern(bytes: number): Buffer {
  const made = Buffer.allocUnsafe(bytes);
  for (let at = 0; at < bytes; at++) made[at] = (at * 31 + (at >> 16)) & 0xff;
  return made;
}

const large = pattern(3_000_000);

/** A client of a server whose every response is `content`, chunked where it says so. */
async function serving(t: TestContext, content: Buffer, isChunked = false) {
  const server = await plainServer(t, (_, response) => {
    if (!isChunked) response.setHeader("content-length", content.length);
    response.end(content);
  });
  const client = makeClient(t);
  const get = async () => (await client.request(server.origin)).body;
  return { server, client, get };
}

/** Collects what it is lent, by a copy within the call. */
async function collected(body: ResponseBody): Promise<Buffer> {
  const pieces: Buffer[] = [];
  await body.forEachChunk((bytes) => void pieces.push(Buffer.from(bytes)));
  return Buffer.concat(pieces);
}

test("forEachChunk lends all bytes in their order, whether they wait already or are to come", async (t) => {
  for (const isChunked of [false, true]) {
    const { server, get } = await serving(t, large, isChunked);
    assert.ok((await collected(await get())).equals(large));
    const waiting = await get();
    await until(() => server.sockets.size === 1);
    assert.ok((await collected(waiting)).equals(large));
    assert.equal(server.connectionCount, 1);
  }
  const { get } = await serving(t, Buffer.from("short"));
  assert.equal((await collected(await get())).toString(), "short");
});

test("what forEachChunk lends is written over by what comes next: nothing is copied", async (t) => {
  const { get } = await serving(t, large);
  const buffers = new Set<ArrayBufferLike>();
  let count = 0;
  const body = await get();
  await body.forEachChunk((bytes) => {
    if (bytes.length >= 4_096 && ++count > 3) buffers.add(bytes.buffer);
  });
  assert.equal(buffers.size, 1);
});

test("what the function of forEachChunk throws is what it rejects with, and the connection is closed", async (t) => {
  const { client, get } = await serving(t, large);
  const fault = new Error("enough");
  const body = await get();
  const thrown = body.forEachChunk(() => {
    throw fault;
  });
  await assert.rejects(thrown, fault);
  assert.deepEqual(closedReasons(client), { "body-unread": 1 });
});

test("an async function is refused by forEachChunk: the bytes would be others when it goes on", async (t) => {
  const { get } = await serving(t, large);
  const body = await get();
  await assert.rejects(
    body.forEachChunk((async () => {}) as () => void),
    /takes no async function/,
  );
});

test("a body that breaks off rejects forEachChunk and pipeTo, after what came before it", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart");
    connection.end();
  });
  const client = makeClient(t);
  let seen = "";
  const lent = (await client.request(server.origin)).body.forEachChunk((bytes) => {
    seen += Buffer.from(bytes).toString();
  });
  await rejection(lent, SocketClosedError);
  assert.equal(seen, "part");
  const stream = new PassThrough().on("error", () => {});
  const piped = (await client.request(server.origin)).body.pipeTo(stream);
  await rejection(piped, SocketClosedError);
  assert.equal(stream.destroyed, true);
});

test("it is read once, by whichever way", async (t) => {
  const server = await rawServer(t, answering(ok("text")));
  const { body } = await makeClient(t).request(server.origin);
  await body.forEachChunk(() => {});
  assert.equal(body.used, true);
  await assert.rejects(body.text(), /read already/);
  await assert.rejects(
    body.forEachChunk(() => {}),
    /read already/,
  );
});

test("pipeTo writes a file byte for byte, through a handle that stays open or a stream that is ended", async (t) => {
  const folder = temporaryFolder(t);
  for (const size of [0, 5, 65_536, 262_144, large.length]) {
    const content = large.subarray(0, size);
    const { get } = await serving(t, content);
    const byHandle = path.join(folder, `handle-${size}`);
    const handle = await open(byHandle, "w");
    await (await get()).pipeTo(handle);
    await handle.write("!");
    await handle.close();
    assert.ok((await readFile(byHandle)).equals(Buffer.concat([content, Buffer.from("!")])));
    const byStream = path.join(folder, `stream-${size}`);
    const stream = createWriteStream(byStream);
    await (await get()).pipeTo(stream);
    assert.equal(stream.writableFinished, true);
    assert.ok((await readFile(byStream)).equals(content));
  }
});

test("pipeTo gives a stream that keeps what it gets pieces of its own", async (t) => {
  const { get } = await serving(t, large);
  const kept: Buffer[] = [];
  const keeper = new Writable({
    write(piece: Buffer, _, callback) {
      kept.push(piece);
      setImmediate(callback);
    },
  });
  await (await get()).pipeTo(keeper);
  assert.ok(Buffer.concat(kept).equals(large));
  const through = new PassThrough();
  const [whole] = await Promise.all([buffer(through), (await get()).pipeTo(through)]);
  assert.ok(whole.equals(large));
});

test("pipeTo goes at the pace of a socket, and loses nothing", async (t) => {
  const { server: origin, client, get } = await serving(t, large);
  const received: Buffer[] = [];
  let reader: net.Socket | null = null;
  const sink = net.createServer((socket) => {
    reader = socket.pause();
    socket.on("data", (piece) => received.push(piece));
  });
  t.after(() => sink.close());
  await once(sink.listen(0, "127.0.0.1"), "listening");
  const outgoing = net.connect((sink.address() as net.AddressInfo).port, "127.0.0.1");
  const piped = (await get()).pipeTo(outgoing);
  // Held up by a reader that does not read, the origin's connection stays busy.
  await until(() => reader !== null);
  assert.equal(statsOf(client).sockets.busy, 1);
  (reader as net.Socket | null)?.resume();
  await piped;
  await until(() => received.reduce((sum, each) => sum + each.length, 0) === large.length);
  assert.ok(Buffer.concat(received).equals(large));
  assert.equal(origin.connectionCount, 1);
});

test("a destination that fails rejects pipeTo with its error, and the connection is closed", async (t) => {
  for (const when of [0, 3]) {
    const { client, get } = await serving(t, large);
    const fault = new Error("disk full");
    let count = 0;
    const failing = new Writable({
      highWaterMark: 1,
      write(_piece, _encoding, callback) {
        setImmediate(() => callback(count++ >= when ? fault : null));
      },
    });
    await assert.rejects((await get()).pipeTo(failing), fault);
    assert.deepEqual(closedReasons(client), { "body-unread": 1 });
  }
  const { get } = await serving(t, large);
  const handle = await open(path.join(temporaryFolder(t), "read-only"), "w+");
  await handle.close();
  await assert.rejects((await get()).pipeTo(handle));
});

test("what can be written to neither as a file nor as a stream is refused, and the body can still be read", async (t) => {
  const { get } = await serving(t, Buffer.from("still there"));
  const body = await get();
  for (const wrong of [null, "path", {}, 1] as unknown as Writable[]) {
    await rejection(body.pipeTo(wrong), InvalidOptionError);
  }
  assert.equal(await body.text(), "still there");
});
