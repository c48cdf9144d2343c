/**
 * HTTP Archives of what a client did: valid, with exact times, and without secrets.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { type Har, type HarEntry, recordHar } from "../../src/har/index.ts";
import {
  type Client,
  type ClientResponse,
  InvalidOptionError,
  type Timings,
} from "../../src/index.ts";
import { makeClient, until } from "../support/client-kit.ts";
import {
  certificate,
  holdingServer,
  lookupOf,
  outcomeOf,
  plainServer,
  tlsServer,
} from "../support/loopback.ts";
import { deadPort, ok, rawServer } from "../support/raw-server.ts";
import { temporaryFolder } from "../support/temporary.ts";

/** What a field of a HAR must be: a type, or the shape of an object or of what is in an array. */
type Shape = "string" | "number" | "time" | { readonly [name: string]: Shape } | readonly [Shape];

const field = { name: "string", value: "string" } as const;
/** What HAR 1.2 asks for; members that are not named may be there where they begin with `_` or are optional. */
const required: Shape = {
  log: {
    version: "string",
    creator: { name: "string", version: "string" },
    entries: [
      {
        startedDateTime: "time",
        time: "number",
        request: {
          method: "string",
          url: "string",
          httpVersion: "string",
          cookies: [field],
          headers: [field],
          queryString: [field],
          headersSize: "number",
          bodySize: "number",
        },
        response: {
          status: "number",
          statusText: "string",
          httpVersion: "string",
          cookies: [field],
          headers: [field],
          content: { size: "number", mimeType: "string" },
          redirectURL: "string",
          headersSize: "number",
          bodySize: "number",
        },
        cache: {},
        timings: { send: "number", wait: "number", receive: "number" },
      },
    ],
  },
};
const optional = new Set([
  "comment",
  "blocked",
  "dns",
  "connect",
  "ssl",
  "serverIPAddress",
  "connection",
]);

function assertShape(value: unknown, shape: Shape, path: string): void {
  if (shape === "time") {
    assert.match(String(value), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, path);
  } else if (typeof shape === "string") {
    assert.equal(typeof value, shape, path);
    if (shape === "number") assert.ok(Number.isFinite(value), path);
  } else if (Array.isArray(shape)) {
    assert.ok(Array.isArray(value), path);
    for (const [index, each] of value.entries()) assertShape(each, shape[0], `${path}.${index}`);
  } else {
    assert.ok(typeof value === "object" && value !== null, path);
    for (const [name, inner] of Object.entries(shape)) {
      assertShape((value as Record<string, unknown>)[name], inner, `${path}.${name}`);
    }
    for (const name of Object.keys(value)) {
      const isKnown = name in shape || optional.has(name) || name.startsWith("_");
      assert.ok(isKnown, `${path}.${name} is no part of HAR 1.2`);
    }
  }
}

/** The HAR as a program would read it from a file: valid, and with times that add up. */
function read(har: { toJSON(): Har }): readonly HarEntry[] {
  const parsed = JSON.parse(JSON.stringify(har)) as Har;
  assertShape(parsed, required, "har");
  assert.equal(parsed.log.version, "1.2");
  for (const { time, timings } of parsed.log.entries) {
    const { blocked, dns, connect, ssl, send, wait, receive } = timings;
    for (const part of [blocked, send, wait, receive]) assert.ok(part >= 0);
    const sum = blocked + Math.max(dns, 0) + Math.max(connect, 0) + send + wait + receive;
    assert.ok(Math.abs(sum - time) < 1e-6);
    assert.ok(ssl <= connect);
  }
  return parsed.log.entries;
}

const ask = async (client: Client, url: string): Promise<void> => {
  const request = http.request(url, { agent: client.httpAgent(), headers: { cookie: "hush-1" } });
  request.end();
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  await response.resume().toArray();
};

test("requests of all surfaces are recorded, without secrets", async (t) => {
  const server = await plainServer(t, (_, response) => {
    response.writeHead(302, "Elsewhere", {
      location: "/next?token=hush-2&page=3",
      "set-cookie": ["a=hush-3", "b=hush-4"],
      "content-type": "text/plain",
      "x-session": "hush-5",
    });
    response.end("hush-body");
  });
  const client = makeClient(t);
  const har = recordHar(client, { leaveOut: ["X-Session", "sid"] });
  const url = `${server.origin}/a/b?sid=hush-6&q=x%20y`;
  const headers = { authorization: "hush-7", "x-kept": "kept", "proxy-authorization": "hush-8" };
  await outcomeOf(client.request(url, { method: "POST", headers, body: "hush-sent" }));
  await (await client.fetch(url, { redirect: "manual", headers })).text();
  await ask(client, url);
  await until(() => har.toJSON().log.entries.length === 3);
  const entries = read(har);
  assert.doesNotMatch(JSON.stringify(entries), /hush/);
  for (const [index, { request, response, ...entry }] of entries.entries()) {
    assert.equal(request.url, `${server.origin}/a/b?sid=&q=x%20y`);
    assert.deepEqual(request.queryString, [
      { name: "sid", value: "", comment: "left out" },
      { name: "q", value: "x y" },
    ]);
    const secret = request.headers.filter(({ comment }) => comment === "left out");
    assert.deepEqual(
      secret.map(({ name }) => name),
      index === 2 ? ["cookie"] : ["authorization", "proxy-authorization"],
    );
    assert.deepEqual([response.status, response.statusText], [302, "Elsewhere"]);
    assert.equal(response.redirectURL, "/next?token=&page=3");
    assert.equal(response.content.mimeType, "text/plain");
    assert.deepEqual([response.bodySize, response.content.size], index === 2 ? [-1, 0] : [9, 9]);
    assert.equal(entry.serverIPAddress, "127.0.0.1");
    assert.equal(entry.connection, new URL(server.origin).port);
    assert.deepEqual([entry._connectionId, entry._reused], ["1", index > 0]);
    assert.ok(Math.abs(Date.parse(entry.startedDateTime) - Date.now()) < 60_000);
  }
  const [posted] = entries;
  assert.deepEqual([posted?.request.method, posted?.request.bodySize], ["POST", 9]);
  assert.ok(
    posted?.request.headers.some(({ name, value }) => name === "x-kept" && value === "kept"),
  );
});

test("times are those of the response: dial over TLS by name, waiting, first byte, body", async (t) => {
  const { cert, key } = certificate();
  const server = await tlsServer(t, { cert, key });
  const { lookup } = lookupOf(["127.0.0.1"]);
  const client = makeClient(t, {
    connect: { tls: { ca: cert }, lookup: (...asked) => setImmediate(() => lookup(...asked)) },
  });
  const har = recordHar(client);
  const responses: ClientResponse[] = [];
  for (let count = 0; count < 2; count++) {
    const response = await client.request(`https://localhost:${server.port}/`);
    await response.body.text();
    responses.push(response);
  }
  const entries = read(har);
  for (const [index, { timings, time }] of entries.entries()) {
    const own: Timings = (responses[index] ?? assert.fail()).timings;
    assert.ok(Math.abs(time - (own.total ?? 0)) < 1e-6);
    assert.equal(timings.wait, own.firstByte);
    if (index === 1) assert.deepEqual([timings.dns, timings.connect, timings.ssl], [-1, -1, -1]);
    else {
      const near = (a: number, b: number | null) => Math.abs(a - (b ?? 0)) < 1e-6;
      assert.ok(near(timings.dns, own.dns) && near(timings.ssl, own.tls));
      assert.ok(near(timings.connect, (own.connect ?? 0) + (own.tls ?? 0)));
      assert.ok(timings.dns > 0 && timings.ssl > 0);
    }
  }
});

test("a request that waited for a socket was blocked, one that failed says why, one sent again how often", async (t) => {
  const holding = await holdingServer(t);
  const client = makeClient(t, { maxSockets: 1 });
  const har = recordHar(client);
  const requests = [1, 2].map(() => outcomeOf(client.request(holding.origin)));
  const { response } = await holding.next();
  response.end();
  (await holding.next()).response.end();
  await Promise.all(requests);
  await outcomeOf(client.request(`http://127.0.0.1:${await deadPort()}`));
  const flaky = await rawServer(t, async (connection) => {
    for (let count = 1; ; count++) {
      await connection.request();
      if (count === 2 && connection.index === 0) return connection.end();
      await connection.send(ok("fine"));
    }
  });
  for (let count = 0; count < 2; count++) await outcomeOf(client.request(flaky.origin));
  const [first, second, failed, , resent] = read(har);
  assert.ok((second?.timings.blocked ?? 0) > (first?.timings.wait ?? 0));
  assert.match(failed?._error ?? "", /^ConnectError: /);
  assert.deepEqual([failed?.response.status, failed?._connectionId], [0, undefined]);
  assert.deepEqual([resent?._resends, resent?.response.status], [1, 200]);
});

test("no more entries are kept than allowed, the newest, and none after the end", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t);
  const har = recordHar(client, { maxEntries: 3 });
  for (let count = 1; count <= 5; count++)
    await outcomeOf(client.request(`${server.origin}/${count}`));
  assert.deepEqual(
    read(har).map(({ request }) => new URL(request.url).pathname),
    ["/3", "/4", "/5"],
  );
  assert.equal(har.toJSON().log.comment, "2 older entries left out");
  har.stop();
  await outcomeOf(client.request(`${server.origin}/6`));
  assert.equal(read(har).length, 3);
  const file = join(temporaryFolder(t), "requests.har");
  await har.save(file);
  assert.deepEqual(JSON.parse(readFileSync(file, "utf8")), JSON.parse(JSON.stringify(har)));
  if (process.platform !== "win32") assert.equal(statSync(file).mode & 0o777, 0o600);
});

test("what is no client or no option is refused by name", (t) => {
  const client = makeClient(t);
  for (const [bad, words] of [
    [() => recordHar({} as Client), /client must be a Client/],
    [() => recordHar(client, { entries: 5 } as object), /entries: there is no such option/],
    [() => recordHar(client, { maxEntries: 0 }), /maxEntries must be/],
    [
      () => recordHar(client, { leaveOut: "cookie" as never }),
      /leaveOut must be an array of names/,
    ],
  ] as const) {
    assert.throws(bad, (error) => error instanceof InvalidOptionError && words.test(error.message));
  }
});
