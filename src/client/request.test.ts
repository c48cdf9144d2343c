import assert from "node:assert/strict";
import http from "node:http";
import { Duplex, Readable } from "node:stream";
import { test } from "node:test";
import { inspect } from "node:util";
import { fc } from "../../test/support/fast-check.ts";
import { InvalidOptionError, InvalidRequestError } from "../core/errors.ts";
import {
  checkRequestOptions,
  type PreparedRequest,
  prepare,
  type RequestOptions,
} from "./request.ts";
import { Targets } from "./target.ts";

const url = "http://a.example:8080/path?q=1";

function prepared(options: RequestOptions = {}, keepAlive = true, from = url): PreparedRequest {
  return prepare(new Targets().find(from, options.query), options, keepAlive);
}

/** The fields of the head by lower-case name; a name that comes twice fails. */
function fieldsOf(options: RequestOptions, keepAlive = true, from = url): Record<string, string> {
  const fields: Record<string, string> = {};
  const { head } = prepared(options, keepAlive, from);
  assert(head.endsWith("\r\n\r\n"));
  for (const line of head.slice(0, -4).split("\r\n").slice(1)) {
    const [name = "", value = ""] = line.split(/: (.*)/s);
    assert(!(name.toLowerCase() in fields), `${name} comes twice`);
    fields[name.toLowerCase()] = value;
  }
  return fields;
}

/** Asserts that the request is refused, and returns the message. */
function refusal(options: unknown): string {
  try {
    checkRequestOptions(options as RequestOptions);
    prepared(options as RequestOptions);
  } catch (error) {
    assert(error instanceof InvalidRequestError, String(error));
    assert.equal(error.code, "ERR_KEEPLINE_INVALID_REQUEST");
    assert.equal(error.requestSent, false);
    return error.message;
  }
  return assert.fail(`${inspect(options)} was not refused`);
}

test("a request without options is a GET with Host and Connection, and nothing else", () => {
  const { head, method, body, expectsContinue, closesConnection } = prepared();
  const fields = "host: a.example:8080\r\nconnection: keep-alive";
  assert.equal(head, `GET /path?q=1 HTTP/1.1\r\n${fields}\r\n\r\n`);
  assert.equal(method, "GET");
  assert.deepEqual(body, { kind: "none" });
  assert.deepEqual([expectsContinue, closesConnection], [false, false]);
});

test("Connection says close when the client keeps none alive, or the caller asks for it", () => {
  assert.equal(fieldsOf({}, false).connection, "close");
  assert.equal(fieldsOf({ headers: { Connection: "close" } }).connection, "close");
  assert.equal(fieldsOf({ headers: { Connection: "keep-alive" } }, false).connection, "close");
  assert.equal(fieldsOf({ headers: { Connection: "keep-alive" } }).connection, "keep-alive");
  assert.equal(prepared({ headers: { connection: "close" } }).closesConnection, true);
  assert.equal(prepared({}, false).closesConnection, true);
});

test("fields of the caller replace those that keepline would write", () => {
  const withUser = "http://user:secret@a.example/";
  assert.equal(fieldsOf({}, true, withUser).authorization, "Basic dXNlcjpzZWNyZXQ=");
  const headers = { HOST: "b.example", Authorization: "Bearer x", "Content-Type": "text/x" };
  const fields = fieldsOf({ method: "POST", json: {}, headers }, true, withUser);
  assert.equal(fields.host, "b.example");
  assert.equal(fields.authorization, "Bearer x");
  assert.equal(fields["content-type"], "text/x");
});

test("a body says how it ends: by its length where that is known, in chunks where not", () => {
  async function* pieces() {
    yield "a";
  }
  const lengths: readonly (readonly [RequestOptions, string | undefined, string | undefined])[] = [
    [{ body: "aé" }, "3", undefined],
    [{ body: "" }, "0", undefined],
    [{ body: Buffer.from("abc") }, "3", undefined],
    [{ body: new Uint8Array(0) }, "0", undefined],
    [{ body: new ArrayBuffer(4) }, "4", undefined],
    [{ body: new URLSearchParams({ a: "é" }) }, "8", undefined],
    [{ body: new Blob(["ab"]) }, "2", undefined],
    [{ json: "é" }, "4", undefined],
    [{ body: Readable.from(["a"]) }, undefined, "chunked"],
    [{ body: pieces() }, undefined, "chunked"],
    [{ body: new ReadableStream() }, undefined, "chunked"],
    [{ body: pieces(), headers: { "content-length": 1 } }, "1", undefined],
    [{ body: "ab", headers: { "Content-Length": "2" } }, "2", undefined],
  ];
  for (const [options, length, encoding] of lengths) {
    const fields = fieldsOf({ method: "POST", ...options });
    assert.equal(fields["content-length"], length, inspect(options));
    assert.equal(fields["transfer-encoding"], encoding, inspect(options));
  }
});

test("without a body a length is said only where a server may wait for one", () => {
  for (const method of ["POST", "PUT", "PATCH"]) {
    assert.equal(fieldsOf({ method })["content-length"], "0");
    assert.equal(fieldsOf({ method, body: null })["content-length"], "0");
  }
  for (const method of ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "PURGE"]) {
    assert.equal(fieldsOf({ method })["content-length"], undefined);
  }
});

test("GET, HEAD and DELETE may have a body", () => {
  for (const method of ["GET", "HEAD", "DELETE"]) {
    assert.equal(fieldsOf({ method, body: "ab" })["content-length"], "2");
  }
});

test("a body brings its Content-Type, which the caller's own replaces", () => {
  const form = new FormData();
  const types: readonly (readonly [RequestOptions, RegExp | undefined])[] = [
    [{ json: {} }, /^application\/json$/],
    [{ body: new URLSearchParams() }, /^application\/x-www-form-urlencoded;charset=UTF-8$/],
    [{ body: new Blob([], { type: "image/png" }) }, /^image\/png$/],
    [{ body: form }, /^multipart\/form-data; boundary=/],
    [{ body: new Blob([]) }, undefined],
    [{ body: "text" }, undefined],
    [{ body: Buffer.from("x") }, undefined],
  ];
  for (const [options, type] of types) {
    const fields = fieldsOf({ method: "POST", ...options });
    if (type === undefined) assert.equal(fields["content-type"], undefined);
    else assert.match(fields["content-type"] ?? "", type);
    const headers = { "content-type": "mine" };
    assert.equal(fieldsOf({ method: "POST", ...options, headers })["content-type"], "mine");
  }
});

test("Expect: 100-continue is sent only with a body", () => {
  const headers = { Expect: "100-continue" };
  assert.equal(fieldsOf({ method: "POST", body: "a", headers }).expect, "100-continue");
  assert.equal(prepared({ method: "POST", body: "a", headers }).expectsContinue, true);
  assert.equal(fieldsOf({ method: "POST", headers }).expect, undefined);
  assert.equal(prepared({ method: "POST", headers }).expectsContinue, false);
});

test("what contradicts itself is refused", () => {
  assert.equal(refusal({ body: "a", json: 1 }), "give either body or json, not both");
  assert.match(refusal({ method: "TRACE", body: "a" }), /^a TRACE request has no body/);
  assert.match(refusal({ method: "trace", json: null }), /^a TRACE request has no body/);
  const headers = { "content-length": 5 };
  assert.equal(
    refusal({ method: "POST", body: "abc", headers }),
    "header content-length is 5, but the body has 3 bytes",
  );
  assert.match(
    refusal({ method: "POST", body: "é", headers: { "content-length": 1 } }),
    /has 2 bytes/,
  );
  assert.match(refusal({ method: "POST", headers }), /but the body has 0 bytes/);
  assert.match(refusal({ method: "POST", body: new Blob(["x"]), headers }), /has 1 bytes/);
});

test("json and no body, or body and no json, contradict nothing", () => {
  assert.doesNotThrow(() => prepared({ method: "POST", json: 1, body: undefined }));
  assert.doesNotThrow(() => prepared({ method: "POST", json: 1, body: null }));
  assert.doesNotThrow(() => prepared({ method: "POST", json: undefined, body: "a" }));
});

test("what cannot be sent is refused, with what was given", () => {
  for (const [body, shown] of [
    [5, "5"],
    [true, "true"],
    [{}, "an object"],
    [[1], "an array"],
    [new Date(), "an object"],
    [Symbol("s"), "a symbol"],
  ] as const) {
    assert.match(
      refusal({ method: "POST", body }),
      new RegExp(`^body must be a string, .*not ${shown}$`),
    );
  }
  const circular: { self?: unknown } = {};
  circular.self = circular;
  assert.match(refusal({ json: circular }), /^json has no JSON text: it refers to itself/);
  assert.match(refusal({ json: 5n }), /^json has no JSON text/);
  assert.match(
    refusal({ json: () => {} }),
    /^json must be a value that JSON has a text for, not a func/,
  );
  assert.match(refusal({ json: Symbol("s") }), /^json must be .*, not a symbol$/);
  assert.match(refusal({ method: "GET " }), /^method must be a name/);
  assert.match(refusal({ headers: "a: b" }), /^headers must be/);
  const locked = new ReadableStream();
  locked.getReader();
  assert.match(
    refusal({ method: "POST", body: locked }),
    /ReadableStream that something else reads$/,
  );
});

test("options that are no object are refused, and unknown ones as options are", () => {
  assert.match(refusal(null), /^the options of a request must be an object$/);
  assert.match(refusal("POST"), /must be an object$/);
  assert.throws(() => checkRequestOptions({ maxSockets: 1 } as RequestOptions), InvalidOptionError);
});

test("a stream is not touched when the request is refused for something else", () => {
  const refused: RequestOptions[] = [
    { headers: { "bad name": "x" } },
    { method: "BAD METHOD" },
    { method: "TRACE" },
    { json: 1 },
  ];
  for (const options of refused) {
    const readable = Readable.from(["a"]);
    const web = new ReadableStream();
    let iterated = 0;
    const iterable = {
      async *[Symbol.asyncIterator]() {
        iterated++;
        yield "a";
      },
    };
    const listeners = readable.listenerCount("error");
    for (const body of [readable, web, iterable]) refusal({ ...options, body });
    assert.equal(readable.destroyed, false);
    assert.equal(readable.readableDidRead, false);
    assert.equal(readable.listenerCount("error"), listeners, inspect(options));
    assert.equal(web.locked, false);
    assert.equal(iterated, 0);
  }
});

/** What Node's server reads. */
function readByNode(head: string) {
  return new Promise<http.IncomingMessage>((resolve, reject) => {
    const server = http.createServer(resolve);
    server.on("clientError", reject);
    const socket = new Duplex({ read: () => {}, write: (_, __, done) => done() });
    server.emit("connection", socket);
    socket.push(Buffer.from(head, "latin1"));
  });
}

test("Node's server reads method, target and fields as they were given", async () => {
  const methods = fc.constantFrom("GET", "head", "POST", "Delete", "PATCH");
  const name = fc.string({ unit: fc.constantFrom(..."abcXYZ019-_."), minLength: 1, maxLength: 8 });
  const value = fc.string({ unit: fc.constantFrom(...'abc XYZ;=,"é'), maxLength: 10 });
  const headers = fc.dictionary(
    name.map((each) => `x-${each}`),
    value,
  );
  const path = fc.webPath();
  const query = fc.dictionary(name, value);
  await fc.assert(
    fc.asyncProperty(methods, path, query, headers, async (method, path, query, headers) => {
      const options = { method, headers, query };
      const { head } = prepared(options, true, `http://h.example${path}`);
      const request = await readByNode(head);
      assert.equal(request.method, method.toUpperCase());
      const read = new URL(`http://h.example${request.url}`);
      assert.deepEqual([...read.searchParams], Object.entries(query));
      for (const [name, value] of Object.entries(headers)) {
        const index = request.rawHeaders.indexOf(name);
        assert.equal(request.rawHeaders[index + 1], value.trim());
      }
      const own = new Set(["host", "connection", "content-length"]);
      const names = request.rawHeaders.filter((each, index) => index % 2 === 0 && !own.has(each));
      assert.deepEqual(names, Object.keys(headers));
    }),
    { numRuns: 200 },
  );
});
