/**
 * Many requests at once: limits hold, bodies never mix, large bodies pass through in little memory.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import type { Client, ResponseBody } from "../../src/index.ts";
import { closedReasons, isSettled, makeClient, seeded, statsOf } from "../support/client-kit.ts";
import { httpServer, ok, type RawConnection, rawServer } from "../support/raw-server.ts";
import { programFile } from "../support/root.ts";

const mebibyte = 1_048_576;

/** Runs `task` for 0, 1 … up to `count`, `width` at a time. */
async function inParallel(
  count: number,
  width: number,
  task: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await task(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

test("10,000 requests over 50 sockets open exactly 50", async (t) => {
  const server = await httpServer(t, (request, response) => response.end(request.url));
  const client = makeClient(t, { maxSockets: 50 });
  await inParallel(10_000, 200, async (index) => {
    const { body } = await client.request(`${server.origin}/${index}`);
    assert.equal(await body.text(), `/${index}`);
  });
  const { opened, requests, reused, failed, sockets } = statsOf(client);
  assert.equal(server.connectionCount, 50);
  assert.deepEqual(
    { opened, requests, reused, failed },
    { opened: 50, requests: 10_000, reused: 9_950, failed: 0 },
  );
  assert.deepEqual(sockets, { open: 50, idle: 50, busy: 0, dialing: 0 });
  assert.deepEqual(closedReasons(client), {});
});

test("bodies that arrive in turns, each on its own socket, never mix", async (t) => {
  const server = await rawServer(t, async (connection) => {
    for (;;) {
      await connection.request();
      await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n");
    }
  });
  const client = makeClient(t, { maxSockets: 3 });
  for (const round of ["a", "b", "c"]) {
    const responses = await Promise.all([1, 2, 3].map(() => client.request(server.origin)));
    const texts = responses.map(({ body }) => body.text());
    for (let part = 0; part < 100; part++) {
      for (const connection of server.connections) {
        await connection.send(`${round}${part % 10}${connection.index}.`);
      }
    }
    const expected = responses.map(({ connection }) => {
      const { index } = server.connections.find(
        ({ socket }) => socket.remotePort === connection.localPort,
      ) as RawConnection;
      return Array.from({ length: 100 }, (_, part) => `${round}${part % 10}${index}.`).join("");
    });
    assert.deepEqual(await Promise.all(texts), expected);
  }
  assert.equal(server.connectionCount, 3);
});

test("a request behind a body that goes on is not sent before that has ended", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na");
    await connection.request();
    await connection.send(ok("second"));
  });
  const client = makeClient(t, { maxSockets: 1 });
  const { body } = await client.request(server.origin);
  const reading = body.text();
  const next = client.request(server.origin);
  assert.equal(await isSettled(next, 100), false);
  const [connection] = server.connections;
  assert.equal(connection?.unread.length, 0);
  await connection?.send("b");
  assert.equal(await reading, "ab");
  assert.equal(await (await next).body.text(), "second");
});

/** Each way to read a body; all must give the same bytes. */
const readers: readonly ((body: ResponseBody) => Promise<Uint8Array>)[] = [
  (body) => body.bytes(),
  async (body) => new Uint8Array(await body.arrayBuffer()),
  async (body) => new Uint8Array(await (await body.blob()).arrayBuffer()),
  async (body) => Buffer.from(await body.text(), "latin1"),
  async (body) => {
    const pieces: Buffer[] = [];
    for await (const piece of body) pieces.push(piece);
    return Buffer.concat(pieces);
  },
  async (body) => {
    const pieces: Buffer[] = [];
    for await (const piece of body.toReadable()) {
      pieces.push(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return Buffer.concat(pieces);
  },
];

test("thousands of responses of random sizes, framings and paces arrive each as it was sent", async (t) => {
  const seed = Number(process.env.KEEPLINE_SEED ?? 1);
  t.diagnostic(`seed ${seed}`);
  const random = seeded(seed);
  const upTo = (limit: number): number => Math.floor(random() * limit);
  // ASCII, so that text() is exact, too.
  const block = Buffer.from(Array.from({ length: mebibyte }, () => 32 + upTo(95)));

  const server = await httpServer(t, (request, response) => {
    const [from = 0, size = 0, pieces = 0] = (request.url ?? "").slice(1).split("/").map(Number);
    if (pieces % 2 === 0) response.setHeader("content-length", size);
    const send = (at: number): void => {
      const end = Math.min(size, at + Math.ceil(size / pieces));
      response.write(block.subarray(from + at, from + end));
      if (end < size) setImmediate(send, end);
      else response.end();
    };
    send(0);
  });
  const client: Client = makeClient(t, { maxSockets: 40 });
  let unread = 0;
  await inParallel(3_000, 120, async (index) => {
    // Mostly small, some beyond what is held unread.
    const size = upTo(index % 5 === 0 ? 300_000 : 3_000);
    const from = upTo(block.length - size);
    const url = `${server.origin}/${from}/${size}/${1 + upTo(8)}`;
    const { body } = await client.request(url);
    if (index % 17 === 0) {
      unread++;
      if (size > 60_000) await body.dump({ maxBytes: index % 2 === 0 ? 0 : 1e6 });
      return;
    }
    const bytes = await (readers[index % readers.length] as (typeof readers)[0])(body);
    assert.equal(bytes.length, size, url);
    assert.ok(block.subarray(from, from + size).equals(bytes), `${url} arrived wrong`);
  });
  assert.ok(unread > 0);
  const { failed, requests, opened } = statsOf(client);
  assert.equal(failed, 0);
  assert.equal(requests, 3_000);
  // Only dumps over their limit cost a connection.
  assert.deepEqual(Object.keys(closedReasons(client)), ["body-unread"]);
  assert.equal(opened, 40 + (closedReasons(client)["body-unread"] ?? 0));
});

test("uploads of random sizes and paces arrive each as they were sent", async (t) => {
  const seed = Number(process.env.KEEPLINE_SEED ?? 1);
  t.diagnostic(`seed ${seed}`);
  const random = seeded(seed);
  const upTo = (limit: number): number => Math.floor(random() * limit);
  const block = Buffer.from(Array.from({ length: mebibyte }, () => upTo(256)));
  const server = await httpServer(t, (request, response) => {
    let at = Number((request.url ?? "").slice(1));
    let isSame = true;
    request.on("data", (piece: Buffer) => {
      isSame &&= block.subarray(at, at + piece.length).equals(piece);
      at += piece.length;
    });
    request.on("end", () => response.end(`${isSame} ${at}`));
  });
  const client = makeClient(t, { maxSockets: 20 });
  async function* slowly(from: number, size: number) {
    for (let at = 0; at < size; ) {
      const end = Math.min(size, at + 1 + upTo(20_000));
      if (upTo(3) === 0) await new Promise((resolve) => setImmediate(resolve));
      yield block.subarray(from + at, from + end);
      at = end;
    }
  }
  await inParallel(1_000, 60, async (index) => {
    const size = upTo(100_000);
    const from = upTo(block.length - size);
    const body = index % 3 === 0 ? block.subarray(from, from + size) : slowly(from, size);
    const headers = index % 3 === 1 ? { "content-length": size } : {};
    const options = { method: "POST", headers, body };
    const response = await client.request(`${server.origin}/${from}`, options);
    assert.equal(await response.body.text(), `true ${from + size}`);
  });
  assert.equal(server.connectionCount, 20);
  assert.deepEqual(closedReasons(client), {});
});

const program = programFile("transfer.mjs");

for (const direction of ["down", "up"] as const) {
  test(`200 MB ${direction} pass through a program whose memory grows by less than 100 MB`, async (t) => {
    const size = 200_000_000;
    let received = 0;
    const server = await httpServer(t, (request, response) => {
      if (request.method === "GET") {
        const piece = Buffer.alloc(65_536, "down");
        let sent = 0;
        const more = (): void => {
          let isFlowing = true;
          while (isFlowing && sent < size) {
            const part = piece.subarray(0, Math.min(piece.length, size - sent));
            sent += part.length;
            isFlowing = response.write(part);
          }
          if (sent < size) response.once("drain", more);
          else response.end();
        };
        more();
        return;
      }
      request.on("data", (piece: Buffer) => {
        received += piece.length;
      });
      request.on("end", () => response.end());
    });
    const args = [program, direction, server.origin, String(size)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    for await (const text of child.stdout.setEncoding("utf8")) output += text;
    const { bytes, grownBytes } = JSON.parse(output) as { bytes: number; grownBytes: number };
    assert.equal(bytes, size);
    if (direction === "up") assert.ok(received >= size);
    t.diagnostic(`grown by ${Math.round(grownBytes / 1e6)} MB`);
    assert.ok(grownBytes < 100e6, `grown by ${grownBytes} bytes`);
  });
}
