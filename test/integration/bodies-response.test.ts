/**
 * Response bodies: each way to read one, what happens to its connection, and a server that is faster
 * than the program.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type TestContext, test } from "node:test";
import {
  type ClientResponse,
  InvalidOptionError,
  type ResponseBody,
  SocketClosedError,
} from "../../src/index.ts";
import {
  closedReasons,
  isSettled,
  makeClient,
  rejection,
  seeded,
  statsOf,
  until,
} from "../support/client-kit.ts";
import { answering, httpServer, ok, type RawConnection, rawServer } from "../support/raw-server.ts";

const kibibyte = 1_024;

/** A response with `body` that arrives at once. */
async function responseOf(t: TestContext, body: string | Buffer, ...fields: readonly string[]) {
  const text = typeof body === "string" ? Buffer.from(body) : body;
  const server = await rawServer(t, answering(ok(text.toString("latin1"), ...fields)));
  return (await makeClient(t).request(server.origin)).body;
}

const mark = "\ufeff";

test("text() decodes UTF-8 wherever reads split it, without a byte order mark", async (t) => {
  const texts = ["", "plain", "aé€😀", `${mark}marked`, `${mark}${mark}twice`, mark, `a${mark}`];
  const server = await rawServer(t, async (connection) => {
    for (const text of texts) {
      const response = ok(Buffer.from(text).toString("latin1"));
      await connection.request();
      await connection.send(response);
      await connection.request();
      await connection.drip(response);
    }
  });
  const client = makeClient(t);
  for (const text of texts) {
    const expected = text.startsWith(mark) ? text.slice(1) : text;
    assert.equal(await (await client.request(server.origin)).body.text(), expected);
    assert.equal(await (await client.request(server.origin)).body.text(), expected);
  }
});

test("text() replaces what is not UTF-8", async (t) => {
  const body = await responseOf(t, Buffer.from([0x61, 0xff, 0xc3, 0x62]));
  assert.equal(await body.text(), "a\ufffd\ufffdb");
});

test("json() parses, with or without a byte order mark", async (t) => {
  for (const [text, value] of [
    ['{"a":[1,"é"]}', { a: [1, "é"] }],
    [`${mark}[1]`, [1]],
    ["null", null],
    ['"text"', "text"],
  ] as const) {
    assert.deepEqual(await (await responseOf(t, text)).json(), value);
  }
});

test("json() of what is no JSON rejects with a SyntaxError, and the connection is used again", async (t) => {
  for (const text of ["", "{", "undefined", "<html>"]) {
    const server = await rawServer(t, answering(ok(text)));
    const client = makeClient(t);
    await assert.rejects((await client.request(server.origin)).body.json(), SyntaxError);
    await assert.rejects((await client.request(server.origin)).body.json(), SyntaxError);
    assert.equal(server.connectionCount, 1);
  }
});

test("bytes(), arrayBuffer() and blob() give every byte, in memory of their own", async (t) => {
  const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const server = await rawServer(
    t,
    answering(ok(every.toString("latin1"), "Content-Type: image/png")),
  );
  const client = makeClient(t);
  const body = async (): Promise<ResponseBody> => (await client.request(server.origin)).body;

  const bytes = await (await body()).bytes();
  assert.equal(bytes.constructor, Uint8Array);
  assert.equal(bytes.buffer.byteLength, 256);
  assert.deepEqual(Buffer.from(bytes), every);

  const arrayBuffer = await (await body()).arrayBuffer();
  assert.ok(arrayBuffer instanceof ArrayBuffer);
  assert.deepEqual(Buffer.from(arrayBuffer), every);

  const blob = await (await body()).blob();
  assert.equal(blob.type, "image/png");
  assert.deepEqual(Buffer.from(await blob.arrayBuffer()), every);
});

test("a blob of a response without a Content-Type has no type", async (t) => {
  const blob = await (await responseOf(t, "a")).blob();
  assert.equal(blob.type, "");
  assert.equal(blob.size, 1);
});

const readers: readonly { name: string; read: (body: ResponseBody) => unknown }[] = [
  { name: "text()", read: (body) => body.text() },
  { name: "json()", read: (body) => body.json() },
  { name: "bytes()", read: (body) => body.bytes() },
  { name: "arrayBuffer()", read: (body) => body.arrayBuffer() },
  { name: "blob()", read: (body) => body.blob() },
  { name: "dump()", read: (body) => body.dump() },
  { name: "for await", read: (body) => drain(body) },
  { name: "toReadable()", read: (body) => drain(body.toReadable()) },
];

async function drain(pieces: AsyncIterable<unknown>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(piece as Buffer);
  return Buffer.concat(all);
}

for (const { name, read } of readers) {
  test(`after ${name} a second reading is refused, while the first goes on and when it has ended`, async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n12");
    });
    const { body } = await makeClient(t).request(server.origin);
    assert.equal(body.used, false);
    const reading = read(body);
    assert.equal(body.used, true);
    const refused = async (): Promise<void> => {
      for (const second of readers) {
        await assert.rejects(async () => second.read(body), {
          name: "TypeError",
          message: /read once/,
        });
      }
    };
    await refused();
    await server.connections[0]?.send("34");
    const result = await reading;
    if (name === "text()") assert.equal(result, "1234");
    await refused();
  });

  test(`${name} of a body that has failed rejects with its error`, async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      connection.socket.end("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n12");
    });
    const client = makeClient(t);
    const { body } = await client.request(server.origin);
    await until(() => statsOf(client).failed === 1);
    const error = await rejection(Promise.resolve(read(body)), SocketClosedError);
    assert.equal(error.requestSent, true);
  });

  test(`${name} of a body that fails rejects with its error`, async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n12");
    });
    const { body } = await makeClient(t).request(server.origin);
    const reading = Promise.resolve(read(body));
    reading.catch(() => {});
    server.connections[0]?.end();
    await rejection(reading, SocketClosedError);
  });

  test(`${name} reads a body of 300 KiB to its end and frees the connection`, async (t) => {
    const text = JSON.stringify("x".repeat(300 * kibibyte));
    const server = await httpServer(t, (_, response) => response.end(text));
    const client = makeClient(t, { maxSockets: 1 });
    for (const _ of [1, 2]) {
      const { body } = await client.request(server.origin);
      assert.equal(statsOf(client).sockets.busy, 1);
      if (name === "dump()") await body.dump({ maxBytes: 1e6 });
      else await read(body);
      assert.equal(statsOf(client).sockets.idle, 1);
    }
    assert.equal(server.connectionCount, 1);
  });
}

test("for await gives what had arrived before a failure, then the failure, then ends", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    connection.socket.end("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n12");
  });
  const client = makeClient(t);
  const { body } = await client.request(server.origin);
  await until(() => statsOf(client).failed === 1);
  const iterator = body[Symbol.asyncIterator]();
  assert.deepEqual(await iterator.next(), { done: false, value: Buffer.from("12") });
  await rejection(iterator.next(), SocketClosedError);
});

test("several calls of next() that wait at once are answered in order", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n");
  });
  const { body } = await makeClient(t).request(server.origin);
  const iterator = body[Symbol.asyncIterator]();
  const results = [1, 2, 3, 4].map(() => iterator.next());
  await server.connections[0]?.drip("ab");
  assert.deepEqual(await Promise.all(results), [
    { done: false, value: Buffer.from("a") },
    { done: false, value: Buffer.from("b") },
    { done: true, value: undefined },
    { done: true, value: undefined },
  ]);
});

test("calls of next() that wait all settle when the body fails or is left", async (t) => {
  for (const how of ["fail", "leave"] as const) {
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n");
    });
    const { body } = await makeClient(t).request(server.origin);
    const iterator = body[Symbol.asyncIterator]();
    const waiting = Promise.allSettled([iterator.next(), iterator.next(), iterator.next()]);
    if (how === "fail") server.connections[0]?.end();
    else await iterator.return?.();
    const results = await waiting;
    if (how === "fail") assert.equal(results[0]?.status, "rejected");
    else {
      for (const result of results) {
        assert.deepEqual(result, {
          status: "fulfilled",
          value: { done: true, value: undefined },
        });
      }
    }
  }
});

/** Sends the head of a response of `bytes`, then so much of it as is asked for. */
function portioned(bytes: number) {
  return async (connection: RawConnection): Promise<void> => {
    await connection.request();
    await connection.send(`HTTP/1.1 200 OK\r\ncontent-length: ${bytes}\r\n\r\n`);
  };
}

test("leaving a loop closes the connection when the body has not ended", async (t) => {
  const server = await rawServer(t, portioned(100));
  const client = makeClient(t);
  const { body } = await client.request(server.origin);
  await server.connections[0]?.send("some");
  for await (const piece of body) {
    assert.equal(piece.toString(), "some");
    break;
  }
  assert.deepEqual(closedReasons(client), { "body-unread": 1 });
  await server.connections[0]?.gone();
  assert.equal(statsOf(client).failed, 0);
});

test("throwing in a loop closes the connection too, and passes the error on", async (t) => {
  const server = await rawServer(t, portioned(100));
  const client = makeClient(t);
  const { body } = await client.request(server.origin);
  await server.connections[0]?.send("some");
  const mine = new Error("mine");
  const reading = (async () => {
    for await (const _ of body) throw mine;
  })();
  await assert.rejects(reading, mine);
  assert.deepEqual(closedReasons(client), { "body-unread": 1 });
});

test("leaving a loop when the body has arrived wholly keeps the connection", async (t) => {
  const server = await rawServer(t, answering(ok("whole")));
  const client = makeClient(t);
  for (const _ of [1, 2]) {
    for await (const piece of (await client.request(server.origin)).body) {
      assert.equal(piece.toString(), "whole");
      break;
    }
  }
  assert.equal(server.connectionCount, 1);
});

test("a stream of a body can be piped, destroyed, and fails as the body does", async (t) => {
  const text = Buffer.alloc(1_000 * kibibyte, "stream");
  const server = await httpServer(t, (_, response) => response.end(text));
  const client = makeClient(t);
  const stream = async (): Promise<Readable> =>
    (await client.request(server.origin)).body.toReadable();

  const pieces: Buffer[] = [];
  const sink = new Writable({
    highWaterMark: 1,
    write(piece: Buffer, _, done) {
      pieces.push(piece);
      setImmediate(done);
    },
  });
  await pipeline(await stream(), sink);
  assert.ok(Buffer.concat(pieces).equals(text));
  assert.deepEqual(closedReasons(client), {});

  const left = await stream();
  left.destroy();
  await once(left, "close");
  await until(() => statsOf(client).sockets.busy === 0);
  assert.deepEqual(closedReasons(client), { "body-unread": 1 });

  const mine = new Error("mine");
  const broken = await stream();
  broken.destroy(mine);
  assert.deepEqual(await once(broken, "error"), [mine]);
  await until(() => closedReasons(client)["body-unread"] === 2);

  const failingSink = new Writable({ write: (_piece, _encoding, done) => done(mine) });
  await assert.rejects(pipeline(await stream(), failingSink), mine);
  await until(() => closedReasons(client)["body-unread"] === 3);

  assert.equal(statsOf(client).failed, 0);
});

test("a stream that is destroyed after its end leaves the connection alone", async (t) => {
  const server = await rawServer(t, answering(ok("whole")));
  const client = makeClient(t);
  for (const _ of [1, 2]) {
    const stream = (await client.request(server.origin)).body.toReadable();
    assert.equal((await drain(stream)).toString(), "whole");
    stream.destroy();
  }
  assert.equal(server.connectionCount, 1);
});

test("dump() resolves when the rest has been read, and the connection is used again", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
    await connection.send(Buffer.alloc(99_999));
    await connection.request();
    await connection.send(ok());
  });
  const client = makeClient(t, { maxSockets: 1 });
  const { body } = await client.request(server.origin);
  const dumping = body.dump();
  assert.equal(await isSettled(dumping), false);
  await server.connections[0]?.send("x");
  await dumping;
  assert.equal((await client.request(server.origin)).connection.requestCount, 2);
});

for (const [what, maxBytes, size] of [
  ["128 KiB when it is not told", undefined, 131_073],
  ["what it is told", 1_000, 1_001],
  ["nothing at all", 0, 1],
] as const) {
  test(`dump() closes the connection rather than read more than ${what}`, async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n");
      await connection.send(Buffer.alloc(size));
    });
    const client = makeClient(t);
    const { body } = await client.request(server.origin);
    await body.dump(maxBytes === undefined ? {} : { maxBytes });
    assert.deepEqual(closedReasons(client), { "body-unread": 1 });
    await server.connections[0]?.gone();
  });

  test(`dump() reads exactly ${what}`, async (t) => {
    const length = size - 1;
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      await connection.send(`HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n`);
      await connection.send(Buffer.alloc(length));
    });
    const client = makeClient(t);
    const { body } = await client.request(server.origin);
    await body.dump(maxBytes === undefined ? {} : { maxBytes });
    assert.deepEqual(closedReasons(client), {});
  });
}

for (const framing of ["Content-Length", "chunks"] as const) {
  test(`a body of 64 KiB by ${framing} that is never read frees its connection once it has arrived`, async (t) => {
    const size = 64 * kibibyte;
    const server = await rawServer(t, async (connection) => {
      for (;;) {
        await connection.request();
        if (framing === "Content-Length") {
          await connection.send(ok("x".repeat(size)));
        } else {
          await connection.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
          await connection.send(`${size.toString(16)}\r\n`);
          await connection.send("x".repeat(size));
          await connection.drip("\r\n0\r\n\r\n");
        }
      }
    });
    const client = makeClient(t, { maxSockets: 1 });
    const responses: ClientResponse[] = [];
    for (let count = 1; count <= 20; count++) {
      const response = await client.request(server.origin);
      assert.equal(response.connection.requestCount, count);
      responses.push(response);
    }
    // What was forgotten can be read later all the same.
    for (const { body } of responses) assert.equal((await body.bytes()).length, size);
    assert.equal(server.connectionCount, 1);
  });
}

test("a larger body that is not read keeps its connection until it is read, dumped or left", async (t) => {
  const size = 200 * kibibyte;
  const server = await httpServer(t, (_, response) => response.end(Buffer.alloc(size)));
  const client = makeClient(t, { maxSockets: 1 });
  const ways: ((body: ResponseBody) => Promise<unknown>)[] = [
    (body) => body.bytes(),
    (body) => body.dump({ maxBytes: size }),
    (body) => body.dump({ maxBytes: 1 }),
    async (body) => {
      for await (const _ of body) break;
    },
    async (body) => void body.toReadable().destroy(),
  ];
  let holder = (await client.request(server.origin)).body;
  for (const free of ways) {
    const next = client.request(server.origin);
    assert.equal(await isSettled(next, 200), false, "the connection was shared");
    assert.deepEqual(statsOf(client).pending, 1);
    await free(holder);
    holder = (await next).body;
  }
  assert.deepEqual(closedReasons(client), { "body-unread": 3 });
});

test("an abort frees the connection of a body that is not read", async (t) => {
  const server = await httpServer(t, (_, response) => response.end(Buffer.alloc(1e6)));
  const client = makeClient(t, { maxSockets: 1 });
  const stop = new AbortController();
  const { body } = await client.request(server.origin, { signal: stop.signal });
  const next = client.request(server.origin);
  stop.abort();
  await next;
  await assert.rejects(body.bytes(), { name: "AbortError" });
  assert.deepEqual(closedReasons(client), { aborted: 1 });
});

test("while the program reads nothing the server can send little; then everything arrives", async (t) => {
  const size = 64 * 1_024 * kibibyte;
  const random = seeded(64);
  const block = Buffer.from(Array.from({ length: 65_521 }, () => random() * 256));
  let written = 0;
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`);
    while (written < size) {
      const piece = block.subarray(0, Math.min(block.length, size - written));
      await connection.send(piece);
      written += piece.length;
    }
  });
  const client = makeClient(t);
  const { body } = await client.request(server.origin);
  await untilStill(() => written);
  // What two kernels and 64 KiB of ours hold.
  assert.ok(written < 16 * 1_024 * kibibyte, `${written} bytes were sent unread`);

  const iterator = body[Symbol.asyncIterator]();
  let arrived = 0;
  const check = (piece: Buffer): void => {
    for (let at = 0; at < piece.length; ) {
      const from = (arrived + at) % block.length;
      const to = Math.min(block.length, from + piece.length - at);
      assert.ok(block.subarray(from, to).equals(piece.subarray(at, at + to - from)));
      at += to - from;
    }
    arrived += piece.length;
  };
  // A reader that stops again in the middle.
  while (arrived < size / 4) check((await iterator.next()).value as Buffer);
  await untilStill(() => written);
  assert.ok(written < arrived + 32 * 1_024 * kibibyte, `${written - arrived} bytes ahead`);
  for (;;) {
    const { done, value } = await iterator.next();
    if (done === true) break;
    check(value);
  }
  assert.equal(arrived, size);
  assert.equal(statsOf(client).sockets.idle, 1);
});

for (const framing of ["content-length: 3000000", "connection: close"]) {
  test(`a slow reader loses nothing when the server has sent all of it and closed (${framing})`, async (t) => {
    const all = Buffer.alloc(3_000_000, "slow reader ");
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      connection.socket.write(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n`);
      connection.socket.end(all);
    });
    const client = makeClient(t);
    const { body } = await client.request(server.origin);
    const pieces: Buffer[] = [];
    for await (const piece of body) {
      pieces.push(piece);
      for (let turns = 0; turns < 5; turns++) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    assert.ok(Buffer.concat(pieces).equals(all));
    await until(() => statsOf(client).sockets.open === 0);
    assert.equal(statsOf(client).failed, 0);
  });
}

/** Waits until `count` has not changed for many turns of the event loop. */
async function untilStill(count: () => number): Promise<void> {
  let before = -1;
  for (let same = 0; same < 2_000; same = before === count() ? same + 1 : 0) {
    before = count();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("dump refuses a limit that is none, and leaves the body to be read", async (t) => {
  const server = await httpServer(t, (_, response) => response.end("text"));
  const { body } = await makeClient(t).request(server.origin);
  const error = await rejection(body.dump({ maxBytes: -1 }), InvalidOptionError);
  assert.match(error.message, /^body\.dump\(\): maxBytes must be a whole number .*, not -1$/);
  assert.equal(await body.text(), "text");
});
