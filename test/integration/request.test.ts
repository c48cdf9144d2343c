/**
 * `client.request` as a program calls it: which URL reaches which server as what, and that a request
 * which is refused opens no connection, writes no byte, takes no permit and touches no stream.
 */
import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { LookupFunction } from "node:net";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { inspect } from "node:util";
import {
  type BodyInput,
  ConnectError,
  InvalidOptionError,
  InvalidRequestError,
  type RequestOptions,
} from "../../src/index.ts";
import { makeClient, rejection, statsOf } from "../support/client-kit.ts";
import { lookupOf, outcomeOf, plainServer } from "../support/loopback.ts";

/** Answers with what was asked. */
function echo(request: IncomingMessage, response: ServerResponse): void {
  const { host, authorization = null } = request.headers;
  const { method, url } = request;
  response.end(JSON.stringify({ method, url, host, authorization }));
}

async function echoed(
  t: TestContext,
  from: (port: number) => string | URL,
  options?: RequestOptions,
) {
  const { port } = await plainServer(t, echo);
  const client = makeClient(t, { connect: { lookup: lookupOf(["127.0.0.1"]).lookup } });
  const { body } = await client.request(from(port), options);
  const { host, ...rest } = (await body.json()) as { host: string; url: string };
  return { ...rest, host: host.replace(String(port), "port") };
}

test("a string and a URL reach the same place, with their query and without their fragment", async (t) => {
  const expected = { method: "GET", url: "/a%20b?c=d", host: "api.test:port", authorization: null };
  assert.deepEqual(await echoed(t, (port) => `http://api.test:${port}/a b?c=d#fragment`), expected);
  const url = (port: number) => new URL(`http://api.test:${port}/a b?c=d#fragment`);
  assert.deepEqual(await echoed(t, url), expected);
});

test("user name and password of a URL authenticate, and are not sent in the target", async (t) => {
  const { url, authorization, ...rest } = (await echoed(
    t,
    (port) => `http://me:p%40ss@api.test:${port}/`,
  )) as { url: string; authorization?: string };
  assert.equal(url, "/");
  assert.equal(authorization, `Basic ${Buffer.from("me:p@ss").toString("base64")}`);
  assert(!inspect(rest).includes("p@ss"));
});

test("requests with different users share a connection, and each sends its own", async (t) => {
  const { origin, port } = await plainServer(t, echo);
  const client = makeClient(t);
  const seen = [];
  for (const user of ["one:1@", "two:2@", ""]) {
    const { body } = await client.request(`http://${user}127.0.0.1:${port}/`);
    const { authorization } = (await body.json()) as { authorization: string | null };
    seen.push(authorization && Buffer.from(authorization.slice(6), "base64").toString());
  }
  assert.deepEqual(seen, ["one:1", "two:2", null]);
  assert.equal(statsOf(client).origin, origin);
  assert.equal(statsOf(client).opened, 1);
});

test("an empty path is the root, and a query goes to it", async (t) => {
  const { url } = await echoed(t, (port) => `http://api.test:${port}`, {
    query: { a: ["1", "2"] },
  });
  assert.equal(url, "/?a=1&a=2");
});

test("an origin is one pool however its URLs are spelt", async (t) => {
  const { port } = await plainServer(t);
  const client = makeClient(t, { connect: { lookup: lookupOf(["127.0.0.1"]).lookup } });
  for (const url of [
    `http://API.test:${port}`,
    `HTTP://api.TEST:0${port}/x`,
    `http://u@api.test:${port}/?`,
  ]) {
    assert.equal(await outcomeOf(client.request(url)), 200);
  }
  assert.equal(statsOf(client).origin, `http://api.test:${port}`);
  assert.equal(statsOf(client).opened, 1);
});

test("a default port is not part of the origin's name", async (t) => {
  const lookup: LookupFunction = (_, __, callback) => callback(new Error("nothing is dialed"), "");
  const client = makeClient(t, { connect: { lookup } });
  for (const [url, origin] of [
    ["http://api.test/", "http://api.test"],
    ["http://api.test:80/", "http://api.test"],
    ["https://api.test:443/", "https://api.test"],
    ["https://api.test:80/", "https://api.test:80"],
  ] as const) {
    assert.equal((await rejection(client.request(url), ConnectError)).origin, origin);
  }
});

const refused: readonly (readonly [what: string, url: unknown, options?: unknown])[] = [
  ["a relative URL", "/path"],
  ["another protocol", "ftp://127.0.0.1/"],
  ["a URL that is none", { href: "http://127.0.0.1/" }],
  ["a method that is none", null, { method: "GET /x" }],
  ["CONNECT", null, { method: "CONNECT" }],
  ["a line break in a header", null, { headers: { a: "b\r\nc: d" } }],
  ["a line break in a header's name", null, { headers: { "a\r\nb": "c" } }],
  ["a header of the connection", null, { headers: { "Transfer-Encoding": "chunked" } }],
  ["a header value that is no text", null, { headers: { a: null } }],
  ["a wrong Content-Length", null, { body: "abc", headers: { "content-length": 2 } }],
  ["body and json", null, { body: "a", json: 1 }],
  ["TRACE with a body", null, { method: "TRACE", body: "a" }],
  ["a body that cannot be sent", null, { method: "POST", body: 5 }],
  ["json without a text", null, { json: () => {} }],
  ["a query that cannot be encoded", null, { query: { a: {} } }],
  ["options that are none", null, "POST"],
];

for (const [what, url, options] of refused) {
  test(`${what} is refused by a rejection, and nothing is opened or written`, async (t) => {
    const server = await plainServer(t);
    const client = makeClient(t, { maxSockets: 1 });
    const target = (url ?? server.origin) as string;
    const request = client.request(target, options as RequestOptions | undefined);
    const error = await rejection(request, InvalidRequestError);
    assert.equal(error.requestSent, false);
    assert.equal(server.connectionCount, 0);
    assert.deepEqual(client.stats().client.sockets, { open: 0, idle: 0, busy: 0, dialing: 0 });
    assert.equal(await outcomeOf(client.request(server.origin)), 200);
    await client.close();
  });
}

test("an option that is refused opens nothing either", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t);
  const options = { headersTimeoutMsecs: -1 };
  await rejection(client.request(server.origin, options), InvalidOptionError);
  assert.equal(server.connectionCount, 0);
  await client.close();
});

test("the stream of a request that is refused can be sent with the next", async (t) => {
  const server = await plainServer(t, async (request, response) => {
    response.end(Buffer.concat(await request.toArray()));
  });
  const client = makeClient(t);
  const bodies: readonly (() => BodyInput)[] = [
    () => Readable.from(["who", "le"]),
    () => new Blob(["whole"]).stream() as ReadableStream<Uint8Array>,
    async function* () {
      yield "whole";
    },
  ];
  for (const make of bodies) {
    const body = make();
    const bad = { method: "POST", body, headers: { "bad name": "x" } };
    await rejection(client.request(server.origin, bad), InvalidRequestError);
    const response = await client.request(server.origin, { method: "POST", body });
    assert.equal(await response.body.text(), "whole");
  }
});

test("no header that passes can make a second request of one", async (t) => {
  const seen: string[] = [];
  const server = await plainServer(t, (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.end();
  });
  const client = makeClient(t);
  const smuggled = "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
  const attempts: RequestOptions[] = [
    { headers: { a: `b\r\n\r\n${smuggled}` } },
    { headers: { [`a: b\r\n\r\n${smuggled}`]: "c" } },
    { method: `GET / HTTP/1.1\r\nhost: x\r\n\r\n${smuggled}` },
    { query: { [`a\r\n${smuggled}`]: `\r\n\r\n${smuggled}` } },
    { method: "POST", body: smuggled, headers: { "content-length": 0 } },
    { method: "POST", body: smuggled },
    { headers: { host: `x\r\n\r\n${smuggled}` } },
    { headers: { authorization: `x\n\n${smuggled}` } },
  ];
  for (const options of attempts) await outcomeOf(client.request(server.origin, options));
  await outcomeOf(client.request(`${server.origin}/\r\n\r\n${smuggled}`));
  await outcomeOf(client.request(`${server.origin}/last`));
  assert.equal(seen.at(-1), "GET /last");
  assert(!seen.includes("GET /smuggled"));
});
