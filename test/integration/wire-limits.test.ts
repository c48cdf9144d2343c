/**
 * Servers that never come to an end: what they send is bounded, and what they make the client hold.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Client, type ClientResponse, ResponseParseError } from "../../src/index.ts";
import { closedReasons, makeClient, rejection, statsOf } from "../support/client-kit.ts";
import { ok, type RawServer, rawServer } from "../support/raw-server.ts";

const mebibyte = 1_048_576;

/** Answers the first request with `start` and then `more` for ever, later ones properly. */
async function endlessServer(t: TestContext, start: string, more: string): Promise<RawServer> {
  const block = Buffer.from(more.repeat(Math.ceil(65_536 / more.length)), "latin1");
  return rawServer(t, async (connection) => {
    await connection.request();
    if (connection.index > 0) return connection.send(ok("fine"));
    await connection.send(start);
    for (;;) await connection.send(block);
  });
}

/** The error of `failing` says `problem`; the connection is gone, little was read, the client works on. */
async function assertIsCutOff(
  client: Client,
  server: RawServer,
  failing: Promise<unknown>,
  problem: RegExp,
): Promise<void> {
  const error = await rejection(failing, ResponseParseError);
  assert.equal(error.code, "ERR_KEEPLINE_RESPONSE_PARSE");
  assert.equal(error.requestSent, true);
  assert.equal(error.origin, server.origin);
  assert.match(error.message, problem);
  const connection = await server.connection(0);
  await connection.gone();
  // What the kernels hold is lost; the client stopped reading.
  assert.ok(connection.socket.bytesWritten < 16 * mebibyte, `${connection.socket.bytesWritten}`);
  assert.deepEqual(closedReasons(client), { "parse-error": 1 });
  assert.equal(statsOf(client).failed, 1);
  assert.equal(await (await client.request(server.origin)).body.text(), "fine");
}

const heads: readonly { what: string; start: string; more: string }[] = [
  { what: "fields", start: "HTTP/1.1 200 OK\r\n", more: "x-field: and another one\r\n" },
  { what: "one field value", start: "HTTP/1.1 200 OK\r\nx-field: ", more: "0123456789" },
  { what: "one field name", start: "HTTP/1.1 200 OK\r\n", more: "name" },
  { what: "a reason phrase", start: "HTTP/1.1 200 ", more: "OK " },
  { what: "interim responses", start: "", more: "HTTP/1.1 103 Early Hints\r\n\r\n" },
  { what: "100 Continue", start: "", more: "HTTP/1.1 100 Continue\r\nx: y\r\n\r\n" },
];

for (const { what, start, more } of heads) {
  test(`an endless head of ${what} is refused at maxHeaderBytes`, async (t) => {
    const server = await endlessServer(t, start, more);
    const client = makeClient(t);
    const request = client.request(server.origin);
    await assertIsCutOff(
      client,
      server,
      request,
      /the head is larger than maxHeaderBytes \(16384\)/,
    );
  });
}

const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const afterHead: readonly { what: string; start: string; more: string; problem: RegExp }[] = [
  {
    what: "an endless chunk extension",
    start: `${chunked}5;a="`,
    more: "0123456789",
    problem: /the chunk extensions are larger than maxHeaderBytes \(16384\)/,
  },
  {
    what: "extensions of endlessly many chunks",
    start: chunked,
    more: "1;extension=0123456789\r\nx\r\n",
    problem: /the chunk extensions are larger than maxHeaderBytes \(16384\)/,
  },
  {
    what: "endless trailers",
    start: `${chunked}0\r\n`,
    more: "x-trailer: and another one\r\n",
    problem: /the trailer section is larger than maxHeaderBytes \(16384\)/,
  },
  {
    what: "an endless trailer",
    start: `${chunked}0\r\nx-trailer: `,
    more: "0123456789",
    problem: /the trailer section is larger than maxHeaderBytes \(16384\)/,
  },
  {
    what: "an endless chunk size",
    start: chunked,
    more: "0",
    problem: /a chunk size that is too large/,
  },
];

for (const { what, start, more, problem } of afterHead) {
  test(`a body with ${what} fails instead of going on for ever`, async (t) => {
    const server = await endlessServer(t, start, more);
    const client = makeClient(t);
    const reading = client.request(server.origin).then(({ body }) => body.bytes());
    await assertIsCutOff(client, server, reading, problem);
  });
}

test("a head of 1 MiB is refused, a hundred times over without memory growing", async (t) => {
  const head = Buffer.from(`HTTP/1.1 200 OK\r\nx-big: ${"x".repeat(mebibyte)}\r\n\r\n`);
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send(head);
  });
  const client = makeClient(t);
  const attempt = async () => {
    const error = await rejection(client.request(server.origin), ResponseParseError);
    assert.match(error.message, /maxHeaderBytes \(16384\)/);
    return error;
  };
  const errors = [await attempt()];
  const before = process.memoryUsage();
  for (let count = 0; count < 100; count++) errors.push(await attempt());
  const after = process.memoryUsage();
  const grown = after.rss - before.rss;
  // The errors that are kept hold nothing of the heads either. All heads together: 100 MiB.
  assert.ok(grown < 40 * mebibyte, `${grown} bytes`);
  assert.equal(errors.length, 101);
});

test("maxHeaderBytes moves the limit, and a head of exactly that size passes", async (t) => {
  const limit = 100_000;
  const frame = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-big: \r\n\r\n".length;
  const server = await rawServer(t, async (connection) => {
    for (const excess of [0, 0, 1]) {
      await connection.request();
      await connection.send(ok("hi", `x-big: ${"x".repeat(limit - frame + excess)}`));
    }
  });
  const client = makeClient(t, { maxHeaderBytes: limit });
  for (const _ of [1, 2]) {
    const { headers, body }: ClientResponse = await client.request(server.origin);
    assert.equal(headers["x-big"]?.length, limit - frame);
    assert.equal(await body.text(), "hi");
  }
  const error = await rejection(client.request(server.origin), ResponseParseError);
  assert.match(error.message, /maxHeaderBytes \(100000\)/);
});

const malformed: readonly { what: string; response: string }[] = [
  { what: "no HTTP", response: "SSH-2.0-OpenSSH_9.2\r\n" },
  { what: "an HTTP/2 preface", response: "PRI * HTTP/2.0\r\n\r\n" },
  { what: "a bare LF", response: "HTTP/1.1 200 OK\ncontent-length: 0\n\n" },
  { what: "an obs-fold", response: "HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n" },
  { what: "a NUL", response: "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n" },
  {
    what: "white space before a colon",
    response: "HTTP/1.1 200 OK\r\ncontent-length : 0\r\n\r\n",
  },
  {
    what: "two lengths",
    response: "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
  },
  {
    what: "a length and chunks",
    response: `${chunked.slice(0, -2)}content-length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  },
  { what: "a negative length", response: "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n" },
  {
    what: "an unknown transfer coding",
    response: "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
  },
];

for (const { what, response } of malformed) {
  test(`a response with ${what} is refused, and its connection not used again`, async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      await connection.send(connection.index === 0 ? response : ok("fine"));
    });
    const client = makeClient(t);
    const error = await rejection(client.request(server.origin), ResponseParseError);
    assert.equal(error.requestSent, true);
    assert.deepEqual(closedReasons(client), { "parse-error": 1 });
    const next = await client.request(server.origin);
    assert.equal(await next.body.text(), "fine");
  });
}

test("a chunk that is malformed fails the body after what came before it, and nothing else", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send(`${chunked}5\r\nhello\r\nxyz\r\n`);
  });
  const client = makeClient(t);
  const response = await client.request(server.origin);
  const pieces: string[] = [];
  const reading = (async () => {
    for await (const piece of response.body) pieces.push(piece.toString());
  })();
  const error = await rejection(reading, ResponseParseError);
  assert.match(error.message, /"x" in place of a chunk size/);
  assert.deepEqual(pieces, ["hello"]);
  assert.deepEqual(closedReasons(client), { "parse-error": 1 });
});
