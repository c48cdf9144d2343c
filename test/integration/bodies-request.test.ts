/**
 * Request bodies of every kind, as they arrive: byte for byte, with the right length and type; and
 * sources that fail, lie about their length or are not wanted any more.
 */
import assert from "node:assert/strict";
import { openAsBlob } from "node:fs";
import { readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  type BodyInput,
  type Client,
  InvalidRequestError,
  type RequestOptions,
} from "../../src/index.ts";
import { closedReasons, makeClient, rejection, statsOf, until } from "../support/client-kit.ts";
import { ok, type RawRequest, type RawServer, rawServer } from "../support/raw-server.ts";

const thisFile = fileURLToPath(import.meta.url);
const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const everyAndX = Buffer.concat([every, Buffer.from("x")]);
const long = Buffer.alloc(300_000, every);

interface Received extends RawRequest {
  readonly client: Client;
}

/** The request as it arrives for `options`, twice over one connection so that nothing is left behind. */
async function sent(t: TestContext, make: () => RequestOptions): Promise<Received> {
  const arrived: RawRequest[] = [];
  const server = await rawServer(t, async (connection) => {
    for (;;) {
      arrived.push(await connection.request());
      await connection.send(ok("thanks"));
    }
  });
  const client = makeClient(t);
  for (const _ of [1, 2]) {
    // A method that may be sent twice: others take no connection that was idle for long on a busy machine.
    const response = await client.request(server.origin, { method: "PUT", ...make() });
    assert.equal(await response.body.text(), "thanks");
  }
  assert.equal(server.connectionCount, 1, "a second connection was needed");
  const [first, second] = arrived as [RawRequest, RawRequest];
  if (!first.field("content-type")?.startsWith("multipart/")) {
    assert.deepEqual(second.body, first.body);
  }
  return { ...first, client };
}

function webStream(...pieces: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  const left = [...pieces];
  return new ReadableStream({
    pull(controller) {
      const piece = left.shift();
      if (piece === undefined) controller.close();
      else controller.enqueue(piece);
    },
  });
}

async function* generate(...pieces: readonly (string | Uint8Array)[]) {
  for (const piece of pieces) yield piece;
}

/** Bodies of known length. */
const whole: readonly { what: string; body: () => BodyInput; bytes: Buffer; type?: string }[] = [
  { what: "an ASCII string", body: () => "hello", bytes: Buffer.from("hello") },
  { what: "an empty string", body: () => "", bytes: Buffer.alloc(0) },
  {
    what: "a string of one, two, three and four byte characters",
    body: () => "aé€😀",
    bytes: Buffer.from("aé€😀"),
  },
  {
    what: "a string with a lone surrogate",
    body: () => "a\ud800b",
    bytes: Buffer.from("a\ufffdb"),
  },
  {
    what: "a string of Latin-1 characters",
    body: () => "\xe9\xff",
    bytes: Buffer.from("\xe9\xff"),
  },
  { what: "a long string", body: () => "é".repeat(200_000), bytes: Buffer.alloc(400_000, "é") },
  { what: "a long ASCII string", body: () => "x".repeat(3e6), bytes: Buffer.alloc(3e6, "x") },
  { what: "a Buffer", body: () => every, bytes: every },
  { what: "an empty Buffer", body: () => Buffer.alloc(0), bytes: Buffer.alloc(0) },
  { what: "a long Buffer", body: () => long, bytes: long },
  {
    what: "a Uint8Array that is a view of something larger",
    body: () => new Uint8Array(every.buffer, every.byteOffset + 10, 20),
    bytes: every.subarray(10, 30),
  },
  { what: "an ArrayBuffer", body: () => Uint8Array.from(every).buffer, bytes: every },
  {
    what: "URLSearchParams",
    body: () =>
      new URLSearchParams([
        ["a", "1"],
        ["a", "b c"],
        ["é", "&="],
      ]),
    bytes: Buffer.from("a=1&a=b+c&%C3%A9=%26%3D"),
    type: "application/x-www-form-urlencoded;charset=UTF-8",
  },
  { what: "a Blob", body: () => new Blob([every, "x"]), bytes: everyAndX },
  {
    what: "a Blob of a type",
    body: () => new Blob(["a"], { type: "text/csv" }),
    bytes: Buffer.from("a"),
    type: "text/csv",
  },
  { what: "an empty Blob", body: () => new Blob([]), bytes: Buffer.alloc(0) },
  { what: "a long Blob", body: () => new Blob([long, long]), bytes: Buffer.concat([long, long]) },
];

for (const { what, body, bytes, type } of whole) {
  test(`${what} arrives byte for byte with its length`, async (t) => {
    const request = await sent(t, () => ({ body: body() }));
    assert.ok(request.body.equals(bytes), `${request.body.length} bytes arrived`);
    assert.equal(request.field("content-length"), String(bytes.length));
    assert.equal(request.field("transfer-encoding"), undefined);
    assert.equal(request.field("content-type"), type);
  });
}

/** Bodies of unknown length. */
const streamed: readonly { what: string; body: () => BodyInput; chunks: readonly Buffer[] }[] = [
  {
    what: "a Readable",
    body: () => Readable.from([every, Buffer.from("x")], { objectMode: false }),
    chunks: [everyAndX],
  },
  {
    what: "a Readable of strings",
    body: () => Readable.from(["a", "é", "€"]),
    chunks: ["a", "é", "€"].map((each) => Buffer.from(each)),
  },
  {
    what: "a Readable with an encoding",
    body: () => Readable.from([Buffer.from("aé€")], { objectMode: false }).setEncoding("utf8"),
    chunks: [Buffer.from("aé€")],
  },
  { what: "an empty Readable", body: () => Readable.from([]), chunks: [] },
  {
    what: "an async generator of strings and bytes",
    body: () => generate("a", every, "é"),
    chunks: [Buffer.from("a"), every, Buffer.from("é")],
  },
  {
    what: "an async generator with empty pieces",
    body: () => generate("", "a", new Uint8Array(0), "b", ""),
    chunks: [Buffer.from("a"), Buffer.from("b")],
  },
  { what: "an async generator of nothing", body: () => generate(), chunks: [] },
  {
    what: "a ReadableStream",
    body: () => webStream(every, Buffer.from("x")),
    chunks: [every, Buffer.from("x")],
  },
  { what: "an empty ReadableStream", body: () => webStream(), chunks: [] },
  {
    what: "a generator of long pieces",
    body: () => generate(long, long),
    chunks: [long, long],
  },
];

for (const { what, body, chunks } of streamed) {
  test(`${what} arrives in chunks, byte for byte`, async (t) => {
    const request = await sent(t, () => ({ body: body() }));
    assert.ok(request.body.equals(Buffer.concat(chunks)), `${request.body.length} bytes arrived`);
    assert.equal(request.field("transfer-encoding"), "chunked");
    assert.equal(request.field("content-length"), undefined);
    assert.equal(request.field("content-type"), undefined);
    if (!/Readable|long/.test(what)) {
      assert.deepEqual(
        request.chunkSizes,
        chunks.map((chunk) => chunk.length),
      );
    }
  });

  test(`${what} is sent with the Content-Length that the program gives, unchunked`, async (t) => {
    const length = Buffer.concat(chunks).length;
    const headers = { "Content-Length": length };
    const request = await sent(t, () => ({ headers, body: body() }));
    assert.ok(request.body.equals(Buffer.concat(chunks)));
    assert.equal(request.field("transfer-encoding"), undefined);
    assert.equal(request.field("content-length"), String(length));
  });
}

test("a File of a form arrives with its name and type, fields with their line ends as CRLF", async (t) => {
  const file = await readFile(thisFile);
  const request = await sent(t, () => {
    const form = new FormData();
    form.append("text", "a\nb\rc\r\nd é");
    form.append("text", "second");
    form.append('quoted "name"\r\n', "");
    form.append("file", new File([every, "x"], 'e"vil\r\n.bin', { type: "image/png" }));
    form.append("untyped", new Blob([file]), "source.ts");
    return { body: form };
  });
  assert.equal(request.field("content-length"), String(request.body.length));
  assert.equal(request.field("transfer-encoding"), undefined);
  const type = request.field("content-type") ?? "";
  assert.match(type, /^multipart\/form-data; boundary=[\w-]{20,70}$/);
  // What reads it here was not written by who wrote it.
  const form = await new Response(request.body, { headers: { "content-type": type } }).formData();
  assert.deepEqual(form.getAll("text"), ["a\r\nb\r\nc\r\nd é", "second"]);
  const sentFile = form.get("file") as File;
  assert.equal(sentFile.type, "image/png");
  assert.deepEqual(Buffer.from(await sentFile.arrayBuffer()), everyAndX);
  const untyped = form.get("untyped") as File;
  assert.equal(untyped.name, "source.ts");
  assert.equal(untyped.type, "application/octet-stream");
  assert.deepEqual(Buffer.from(await untyped.arrayBuffer()), file);
  const text = request.body.toString("latin1");
  assert.ok(text.includes('name="quoted %22name%22%0D%0A"'), text.slice(0, 500));
  assert.ok(text.includes('filename="e%22vil%0D%0A.bin"'), text.slice(0, 500));
});

test("an empty form is a form", async (t) => {
  const request = await sent(t, () => ({ body: new FormData() }));
  const headers = { "content-type": request.field("content-type") ?? "" };
  const form = await new Response(request.body, { headers }).formData();
  assert.deepEqual([...form], []);
});

test("a Blob over a file is sent with the file's size", async (t) => {
  const blob = await openAsBlob(thisFile, { type: "text/plain" });
  const request = await sent(t, () => ({ body: blob }));
  const file = await readFile(thisFile);
  assert.ok(request.body.equals(file));
  assert.equal(request.field("content-length"), String(file.length));
  assert.equal(request.field("content-type"), "text/plain");
});

for (const [what, json, text] of [
  ["an object", { a: [1, "é", null], b: undefined }, '{"a":[1,"é",null]}'],
  ["null", null, "null"],
  ["false", false, "false"],
  ["an empty string", "", '""'],
] as const) {
  test(`json: ${what} arrives as JSON`, async (t) => {
    const request = await sent(t, () => ({ json }));
    assert.equal(request.body.toString(), text);
    assert.equal(request.field("content-type"), "application/json");
    assert.equal(request.field("content-length"), String(Buffer.byteLength(text)));
  });
}

test("a Content-Type that the program gives replaces the body's own", async (t) => {
  const headers = { "CONTENT-TYPE": "application/vnd.mine+json" };
  for (const options of [
    { json: {} },
    { body: new URLSearchParams("a=1") },
    { body: new Blob(["a"], { type: "text/csv" }) },
  ]) {
    const request = await sent(t, () => ({ ...options, headers }));
    assert.equal(request.field("content-type"), "application/vnd.mine+json");
  }
});

for (const [method, length] of [
  ["GET", undefined],
  ["HEAD", undefined],
  ["DELETE", undefined],
  ["OPTIONS", undefined],
  ["POST", "0"],
  ["PUT", "0"],
  ["PATCH", "0"],
] as const) {
  test(`${method} without a body says ${length === undefined ? "no length" : "length 0"}`, async (t) => {
    let request: RawRequest | undefined;
    const server = await rawServer(t, async (connection) => {
      request = await connection.request();
      await connection.send(ok());
    });
    for (const body of [undefined, null]) {
      await makeClient(t).request(server.origin, { method, body });
      assert.equal(request?.field("content-length"), length);
      assert.equal(request?.field("transfer-encoding"), undefined);
    }
  });
}

test("GET and DELETE may have a body", async (t) => {
  for (const method of ["GET", "DELETE"]) {
    const request = await sent(t, () => ({ method, body: "query" }));
    assert.equal(request.method, method);
    assert.equal(request.body.toString(), "query");
  }
});

/** A server that reads whatever comes and answers nothing. */
function silentServer(t: TestContext): Promise<RawServer> {
  return rawServer(t, (connection) => connection.gone());
}

/** Sends `body` to a silent server: the request must fail, and its connection be given up. */
async function failing(t: TestContext, options: RequestOptions): Promise<unknown> {
  const server = await silentServer(t);
  const client = makeClient(t);
  const request = client.request(server.origin, { method: "POST", ...options });
  const error = await request.then(
    () => assert.fail("did not fail"),
    (reason: unknown) => reason,
  );
  assert.deepEqual(closedReasons(client), { "request-unfinished": 1 });
  assert.equal(statsOf(client).failed, 1);
  assert.equal(statsOf(client).sockets.open, 0);
  await (await server.connection(0)).gone();
  // No end of a body was written: the server cannot take the part for the whole.
  assert.ok(!server.connections[0]?.unread.toString("latin1").endsWith("0\r\n\r\n"));
  return error;
}

const broken = new Error("the source broke");

for (const [what, body] of [
  ["a generator that throws at once", () => throwing([])],
  ["a generator that throws later", () => throwing(["a", long])],
  ["a Readable that is destroyed with an error", () => breaking()],
  [
    "a ReadableStream that fails",
    () => new ReadableStream({ pull: (controller) => controller.error(broken) }),
  ],
  ["an iterable that cannot be iterated", () => ({ [Symbol.asyncIterator]: raise })],
  ["an iterator whose next throws", () => ({ [Symbol.asyncIterator]: () => ({ next: raise }) })],
] as const) {
  test(`${what} rejects the request with its own error`, async (t) => {
    assert.equal(await failing(t, { body: body() as BodyInput }), broken);
  });
}

function raise(): never {
  throw broken;
}

async function* throwing(pieces: readonly (string | Uint8Array)[]) {
  yield* pieces;
  throw broken;
}

function breaking(): Readable {
  const readable = new Readable({ read() {} });
  readable.push("some");
  setImmediate(() => readable.destroy(broken));
  return readable;
}

test("a Readable that was destroyed before fails the request instead of sending nothing", async (t) => {
  const readable = Readable.from(["a"]);
  readable.destroy();
  const error = await failing(t, { body: readable });
  assert.equal((error as NodeJS.ErrnoException).code, "ERR_STREAM_PREMATURE_CLOSE");
});

test("a Readable that was destroyed with an error before fails the request with it", async (t) => {
  const readable = Readable.from(["a"]);
  readable.on("error", () => {});
  readable.destroy(broken);
  assert.equal(await failing(t, { body: readable }), broken);
});

for (const [what, body, problem] of [
  ["fewer bytes than its Content-Length", () => generate("abc"), /has fewer bytes .* 9: 3 so far/],
  ["more bytes than its Content-Length", () => generate("abcdefg", "hij"), /has more bytes .* 9/],
  ["more bytes at once than its Content-Length", () => generate(long), /has more bytes .* 9/],
] as const) {
  test(`a stream of ${what} fails the request`, async (t) => {
    const error = await failing(t, { headers: { "content-length": 9 }, body: body() });
    assert.ok(error instanceof InvalidRequestError);
    assert.equal(error.requestSent, true);
    assert.match(error.message, problem);
  });
}

for (const piece of [5, null, undefined, {}, ["a"], new ArrayBuffer(3), new Uint16Array(2)]) {
  test(`a stream that yields ${JSON.stringify(piece)} (${typeof piece}) fails the request`, async (t) => {
    const body = generate("a", piece as never);
    const error = await failing(t, { body });
    assert.ok(error instanceof InvalidRequestError);
    assert.match(error.message, /a body must yield strings or bytes/);
  });
}

/** An iterable that is no generator: its `return` is synchronous, absent, or fails. */
function homemade(onReturn?: () => unknown) {
  const iterator = {
    next: async () => ({ done: false, value: long }),
    ...(onReturn === undefined ? {} : { return: onReturn }),
  };
  return { [Symbol.asyncIterator]: () => iterator } as unknown as AsyncIterable<string>;
}

for (const [what, make] of [
  ["without return", () => homemade()],
  ["whose return gives no promise", () => homemade(() => ({ done: true, value: undefined }))],
  ["whose return gives nothing", () => homemade(() => undefined)],
  ["whose return throws", () => homemade(raise)],
  ["whose return rejects", () => homemade(() => Promise.reject(broken))],
] as const) {
  test(`an iterable ${what} can be cancelled`, async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.bytes(1_000);
      await connection.send(ok("enough"));
    });
    const client = makeClient(t);
    const response = await client.request(server.origin, { method: "POST", body: make() });
    assert.equal(await response.body.text(), "enough");
    await until(() => statsOf(client).sockets.open === 0);
    assert.deepEqual(closedReasons(client), { "request-unfinished": 1 });
  });
}

test("a source that never has to wait does not keep the event loop from its turns", async (t) => {
  const server = await silentServer(t);
  const stop = new AbortController();
  let pulled = 0;
  async function* endless() {
    setImmediate(() => stop.abort());
    for (;;) {
      pulled++;
      yield "x";
    }
  }
  const request = makeClient(t).request(server.origin, {
    method: "POST",
    body: endless(),
    signal: stop.signal,
  });
  await assert.rejects(request, { name: "AbortError" });
  assert.ok(pulled < 1_000, `${pulled} pieces in one turn`);
});

test("a stream for which the client is closed already is cancelled", async (t) => {
  const client = makeClient(t);
  await client.close();
  let cancelled: unknown;
  const body = new ReadableStream<Uint8Array>({
    cancel(reason) {
      cancelled = { reason };
    },
  });
  const readable = Readable.from(["a"]);
  for (const each of [body, readable]) {
    const request = client.request("http://127.0.0.1:1", { method: "POST", body: each });
    await assert.rejects(request, { code: "ERR_KEEPLINE_CLIENT_CLOSED" });
  }
  assert.deepEqual(cancelled, { reason: undefined });
  assert.equal(readable.destroyed, true);
});

test("a stream that something else reads is refused, or fails the request that comes second", async (t) => {
  const client = makeClient(t);
  const taken = webStream(every);
  taken.getReader();
  const early = client.request("http://127.0.0.1:1", { method: "POST", body: taken });
  const refusal = await rejection(early, InvalidRequestError);
  assert.match(refusal.message, /something else reads/);

  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send(ok("thanks"));
  });
  const body = webStream(every);
  const first = client.request(server.origin, { method: "POST", body });
  const second = client.request(server.origin, { method: "POST", body });
  await assert.rejects(second, TypeError);
  assert.equal(await (await first).body.text(), "thanks");
  await until(() => statsOf(client).sockets.busy === 0);
  assert.deepEqual(closedReasons(client), { "request-unfinished": 1 });
});
