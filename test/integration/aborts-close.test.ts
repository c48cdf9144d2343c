/**
 * The end of a client: `close` waits for what is under way and lets nothing new in, `destroy` ends all
 * of it at once.
 */
import assert from "node:assert/strict";
import type { LookupFunction } from "node:net";
import { Readable } from "node:stream";
import { test } from "node:test";
import { Client, ClientClosedError, type ClientResponse } from "../../src/index.ts";
import {
  assertNothingLeft,
  closedReasons,
  isSettled,
  makeClient,
  rejection,
  statsOf,
  until,
} from "../support/client-kit.ts";
import { answering, ok, rawServer } from "../support/raw-server.ts";

/** A lookup that never answers. */
const silentLookup: LookupFunction = () => {};

test("close() of a client that did nothing resolves, again and again", async () => {
  const client = new Client();
  await client.close();
  await client.close();
  client.destroy();
  await client.close();
  assertNothingLeft(client);
});

test("close() closes idle connections at once", async (t) => {
  const server = await rawServer(t, answering(ok()));
  const client = makeClient(t);
  await Promise.all([1, 2, 3].map(() => client.request(server.origin)));
  await client.close();
  assert.deepEqual(closedReasons(client), { "client-closed": 3 });
  assertNothingLeft(client);
  await until(() => server.openCount === 0);
});

test("close() waits for requests that are pending, under way or not read, and refuses new ones", async (t) => {
  const server = await rawServer(t, async (connection) => {
    for (;;) {
      const { path } = await connection.request();
      if (path === "/slow") await connection.until(() => connection.unread.length > 0);
      if (path === "/large") {
        await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n");
        await connection.send(Buffer.alloc(200_000));
      } else {
        await connection.send(ok(path));
      }
    }
  });
  const client = makeClient(t, { maxSockets: 1 });
  const large = await client.request(`${server.origin}/large`);
  const pending = ["/a", "/b"].map(async (path) => {
    const { body } = await client.request(server.origin + path);
    return body.text();
  });
  let closedCount = 0;
  const closing = [1, 2].map(async () => {
    await client.close();
    closedCount++;
  });
  const refused = await rejection(client.request(server.origin), ClientClosedError);
  assert.equal(refused.requestSent, false);
  assert.equal(await isSettled(Promise.race(pending), 100), false);
  assert.equal(closedCount, 0);

  assert.equal((await large.body.bytes()).length, 200_000);
  assert.deepEqual(await Promise.all(pending), ["/a", "/b"]);
  await Promise.all(closing);
  assert.deepEqual(closedReasons(client), { "client-closed": 1 });
  assertNothingLeft(client);
  await until(() => server.openCount === 0);
  assert.equal(server.connectionCount, 1);
});

test("close() waits for an upload, and for a response that overtook it", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.head();
    await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel");
    assert.equal(await connection.through("0\r\n\r\n"), "1\r\na\r\n1\r\nb\r\n0\r\n\r\n");
    await connection.send("lo");
  });
  const client = makeClient(t);
  const body = new Readable({ read() {} });
  body.push("a");
  const response = await client.request(server.origin, { method: "POST", body });
  const closed = client.close();
  await server.connections[0]?.until(() => server.connections[0]?.unread.length !== 0);
  assert.equal(await isSettled(closed, 100), false);
  body.push("b");
  body.push(null);
  assert.equal(await response.body.text(), "hello");
  await closed;
  assertNothingLeft(client);
});

test("close() resolves when the last request fails, is aborted or gives its body up", async (t) => {
  const ends: ((response: ClientResponse, stop: AbortController, drop: () => void) => unknown)[] = [
    (_response, stop) => stop.abort(),
    ({ body }) => body.dump({ maxBytes: 0 }),
    ({ body }) => body.toReadable().destroy(),
    (_response, _stop, drop) => drop(),
  ];
  for (const end of ends) {
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel");
    });
    const client = makeClient(t);
    const stop = new AbortController();
    const response = await client.request(server.origin, { signal: stop.signal });
    const closed = client.close();
    assert.equal(await isSettled(closed), false);
    end(response, stop, () => server.connections[0]?.reset());
    await closed;
    assertNothingLeft(client);
  }
});

test("an abort of the last pending request during close() settles both, whatever its body is", async (t) => {
  for (const body of [
    Readable.from(["a"]),
    new ReadableStream<Uint8Array>(),
    new Blob(["a"]),
    "text",
  ]) {
    const client = makeClient(t, { connect: { lookup: silentLookup } });
    const stop = new AbortController();
    const { signal } = stop;
    const request = client.request("http://name.test/", { method: "POST", body, signal });
    const closed = client.close();
    stop.abort();
    await assert.rejects(request, { name: "AbortError" });
    await closed;
    assertNothingLeft(client);
    assert.deepEqual(closedReasons(client), { "client-closed": 1 });
  }
});

test("close() rejects a warm-up that is under way", async (t) => {
  const client = makeClient(t, { connect: { lookup: silentLookup } });
  const warming = client.warm("http://name.test/", 3);
  const closed = client.close();
  await rejection(warming, ClientClosedError);
  await closed;
  assertNothingLeft(client);
  await rejection(client.warm("http://name.test/", 3), ClientClosedError);
});

test("destroy() rejects requests in every phase with ClientClosedError, and says which were sent", async (t) => {
  const server = await rawServer(t, async (connection) => {
    const { path } = await connection.head();
    if (path === "/receiving") {
      await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello");
    }
    await connection.gone();
  });
  const { origin } = server;
  const client = makeClient(t, { maxSockets: 5 });
  const sources = [1, 2, 3].map(() => new Readable({ read() {} }));
  const post = (body: Readable | undefined, headers = {}) => ({ method: "POST", body, headers });
  const read = await client.request(`${origin}/receiving`);
  const unread = await client.request(`${origin}/receiving`);
  const sent: Promise<unknown>[] = [
    client.request(`${origin}/waiting`),
    client.request(`${origin}/sending`, post(sources[0])),
    client.request(`${origin}/expecting`, post(sources[1], { expect: "100-continue" })),
    read.body.text(),
  ];
  await until(() => server.connections.filter((each) => each.arrivedBytes > 0).length === 5);
  const pending = [client.request(origin), client.request(origin, post(sources[2]))];
  assert.equal(statsOf(client).pending, 2);

  const errors = Promise.all(
    [...sent, ...pending].map((each) => rejection(each, ClientClosedError)),
  );
  client.destroy();
  assert.ok(await isSettled(errors, 1));
  assert.deepEqual(
    (await errors).map(({ requestSent }) => requestSent),
    [true, true, true, true, false, false],
  );
  // What had arrived can still be read, and then it fails like the rest.
  const iterator = unread.body[Symbol.asyncIterator]();
  assert.equal(String((await iterator.next()).value), "hello");
  await rejection(iterator.next(), ClientClosedError);
  assert.ok(sources.every((source) => source.destroyed));
  assert.deepEqual(closedReasons(client), { "client-closed": 5 });
  assertNothingLeft(client);
  await until(() => server.openCount === 0);
  await rejection(client.request(origin), ClientClosedError);
});

test("destroy() rejects requests that wait for a dial", async (t) => {
  const client = makeClient(t, { connect: { lookup: silentLookup } });
  const requests = [1, 2, 3].map(() => client.request("http://name.test/"));
  assert.equal(statsOf(client).sockets.dialing, 3);
  const errors = requests.map((request) => rejection(request, ClientClosedError));
  client.destroy();
  for (const { requestSent, origin } of await Promise.all(errors)) {
    assert.equal(requestSent, false);
    assert.equal(origin, "http://name.test");
  }
  assertNothingLeft(client);
});

test("destroy() from within a lookup leaves no dial behind", async (t) => {
  const server = await rawServer(t, answering(ok()));
  const lookup: LookupFunction = (_name, options, callback) => {
    client.destroy();
    if (options.all === true) callback(null, [{ address: "127.0.0.1", family: 4 }]);
    else callback(null, "127.0.0.1", 4);
  };
  const client = makeClient(t, { connect: { lookup } });
  const request = client.request(`http://name.test:${server.port}/`);
  await rejection(request, ClientClosedError);
  assertNothingLeft(client);
  // A second client's connection comes after any that the first one made.
  const second = makeClient(t, { keepAliveMsecs: 60_000 });
  await second.request(server.origin);
  await until(() => server.openCount === 1);
  assert.equal(second.stats().client.sockets.open, 1);
});

test("destroy() during close() ends the wait", async (t) => {
  const server = await rawServer(t, (connection) => connection.gone());
  const client = makeClient(t);
  const request = client.request(server.origin);
  const refused = rejection(request, ClientClosedError);
  const closed = client.close();
  assert.equal(await isSettled(closed), false);
  client.destroy();
  await refused;
  await closed;
  assertNothingLeft(client);
});

test("`await using` closes the client at the end of its scope", async (t) => {
  const server = await rawServer(t, answering(ok("fine")));
  let outside: Client;
  {
    await using client = new Client();
    outside = client;
    const { body } = await client.request(server.origin);
    assert.equal(await body.text(), "fine");
    assert.equal(client.stats().client.sockets.idle, 1);
  }
  assertNothingLeft(outside);
  await rejection(outside.request(server.origin), ClientClosedError);
});
