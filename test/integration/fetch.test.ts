/**
 * `client.fetch`, and the global `fetch` under which a client was installed: WHATWG fetch on the client's sockets.
 */
import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { install } from "../../src/surfaces/undici/index.ts";
import { makeClient, statsOf, until } from "../support/client-kit.ts";
import { undicis } from "../support/dispatch-kit.ts";
import { holdingServer, plainServer } from "../support/loopback.ts";

test("fetch goes through the client's pool and reuses its sockets", async (t) => {
  const server = await plainServer(t, (request, response) => {
    response.writeHead(201, "Made", { "x-a": "b", "set-cookie": ["c=1", "d=2"] });
    response.end(request.url);
  });
  const client = makeClient(t);
  for (const url of [`${server.origin}/x?y`, new URL("/x?y", server.origin)]) {
    const response = await client.fetch(url);
    assert.ok(response instanceof Response);
    assert.equal(response.status, 201);
    assert.equal(response.statusText, "Made");
    assert.equal(response.headers.get("x-a"), "b");
    assert.deepEqual(response.headers.getSetCookie(), ["c=1", "d=2"]);
    assert.equal(await response.text(), "/x?y");
  }
  assert.equal(statsOf(client).requests, 2);
  assert.equal(statsOf(client).opened, 1);
  const request = new Request(`${server.origin}/r`, { method: "PUT", body: "r" });
  assert.equal(await (await client.fetch(request)).text(), "/r");
  assert.equal(statsOf(client).requests, 3);
});

test("fetch follows redirects, with the body where the status keeps it", async (t) => {
  const server = await plainServer(t, async (request, response) => {
    const body = await text(request);
    if (request.url === "/303") response.writeHead(303, { location: "/" }).end();
    else if (request.url === "/307") response.writeHead(307, { location: "/" }).end("moved");
    else response.end(`${request.method} ${body}`);
  });
  const client = makeClient(t);
  const options = { method: "POST", body: "b" };
  assert.equal(await (await client.fetch(`${server.origin}/303`, options)).text(), "GET ");
  assert.equal(await (await client.fetch(`${server.origin}/307`, options)).text(), "POST b");
  const manual = await client.fetch(`${server.origin}/307`, { redirect: "manual" });
  assert.equal(manual.status, 307);
  assert.equal(await manual.text(), "moved");
  const refused = client.fetch(`${server.origin}/307`, { redirect: "error" });
  await assert.rejects(refused, TypeError);
});

test("fetch unpacks gzip, and takes and gives streams and forms", async (t) => {
  const server = await plainServer(t, async (request, response) => {
    const body = await text(request);
    if (request.url === "/gzip") {
      response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("unpacked"));
    } else if (request.url === "/form") {
      response.writeHead(200, { "content-type": request.headers["content-type"] }).end(body);
    } else response.end(body);
  });
  const client = makeClient(t);
  assert.equal(await (await client.fetch(`${server.origin}/gzip`)).text(), "unpacked");
  const stream = new Blob(["one", "two"]).stream();
  const init = { method: "POST", body: stream, duplex: "half" } as RequestInit;
  const echoed = await client.fetch(server.origin, init);
  const pieces: Uint8Array[] = [];
  for await (const piece of echoed.body as AsyncIterable<Uint8Array>) pieces.push(piece);
  assert.equal(Buffer.concat(pieces).toString(), "onetwo");
  const body = new FormData();
  body.append("file", new Blob(["content"]), "a.txt");
  const form = await (
    await client.fetch(`${server.origin}/form`, { method: "POST", body })
  ).formData();
  assert.equal(await (form.get("file") as File).text(), "content");
});

test("fetch skips interim responses", async (t) => {
  const server = await plainServer(t, (_request, response) => {
    response.writeEarlyHints({ link: "</style.css>; rel=preload" });
    response.end("ok");
  });
  const response = await makeClient(t).fetch(server.origin);
  assert.equal(await response.text(), "ok");
});

test("a signal aborts fetch while it waits, before the head and in the body", async (t) => {
  const server = await holdingServer(t);
  const { origin } = server;
  const client = makeClient(t, { maxSockets: 1 });
  const reasons = [new Error("first"), new Error("second"), new Error("third")] as const;
  const [first, second, third] = reasons.map(() => new AbortController()) as [
    AbortController,
    AbortController,
    AbortController,
  ];
  const running = client.fetch(origin, { signal: first.signal });
  await server.next();
  const waiting = client.fetch(origin, { signal: second.signal });
  await until(() => client.stats().client.pending === 1);
  second.abort(reasons[1]);
  await assert.rejects(waiting, reasons[1]);
  await until(() => client.stats().client.pending === 0);
  first.abort(reasons[0]);
  await assert.rejects(running, reasons[0]);
  const reading = client.fetch(origin, { signal: third.signal });
  (await server.next()).response.write("some");
  const response = await reading;
  third.abort(reasons[2]);
  // Node 20 tells of the abort, later ones of the reason.
  await assert.rejects(response.text(), /third|aborted/);
  await until(() => client.stats().client.sockets.open === 0);
});

test("a body that is cancelled gives its socket up", async (t) => {
  const server = await plainServer(t, (_request, response) => {
    response.end(Buffer.alloc(4_000_000));
  });
  const client = makeClient(t);
  const response = await client.fetch(server.origin);
  await response.body?.cancel();
  await until(() => client.stats().client.sockets.open === 0);
});

test("fetch fails as fetch does, and says why in the cause", async (t) => {
  const client = makeClient(t);
  const failed = client.fetch("http://127.0.0.1:1");
  await assert.rejects(failed, (error: TypeError & { cause: { code: string } }) => {
    assert.ok(error instanceof TypeError);
    assert.equal(error.message, "fetch failed");
    assert.ok(error.cause.code === "ECONNREFUSED" || /bad port/.test(String(error.cause)));
    return true;
  });
  await assert.rejects(client.fetch("no url"), TypeError);
});

test("fetch of a service or lane is held to it, and takes a path", async (t) => {
  const server = await plainServer(t, (request, response) => response.end(request.url));
  const other = await plainServer(t);
  const client = makeClient(t, {
    services: { pay: { origins: [server.origin], lanes: { checkout: {} } } },
  });
  const service = client.service("pay");
  assert.equal(await (await service.fetch("/charges")).text(), "/charges");
  const lane = service.lane("checkout");
  assert.equal(await (await lane.fetch(`${server.origin}/x`)).text(), "/x");
  assert.equal(statsOf(client).lanes.checkout?.served, 1);
  await assert.rejects(lane.fetch(other.origin), (error: Error) => {
    assert.match(String((error.cause as Error).message), /is not an origin of service pay/);
    return true;
  });
});

test("an installed client is under the global fetch and under every undici, until it is taken away", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t);
  const places = [1, 2].map((count) => Symbol.for(`undici.globalDispatcher.${count}`));
  void globalThis.Response;
  const before = places.map((place) => Reflect.get(globalThis, place));
  const undo = install(client);
  let expected = 0;
  assert.equal(await (await fetch(server.origin)).text(), "ok");
  assert.equal(statsOf(client).requests, ++expected);
  for (const [name, undici] of undicis) {
    assert.equal(await (await undici.request(server.origin)).body.text(), "ok", name);
    assert.equal(await (await undici.fetch(server.origin)).text(), "ok", name);
    expected += 2;
    assert.equal(statsOf(client).requests, expected, name);
  }
  undo();
  assert.deepEqual(
    places.map((place) => Reflect.get(globalThis, place)),
    before,
  );
  assert.equal(await (await fetch(server.origin)).text(), "ok");
  assert.equal(statsOf(client).requests, expected);
});

test("to take a client away leaves alone what somebody has put there since", (t) => {
  const place = Symbol.for("undici.globalDispatcher.1");
  void globalThis.Response;
  const before: unknown = Reflect.get(globalThis, place);
  t.after(() => Reflect.set(globalThis, place, before));
  const undo = install(makeClient(t));
  const other = { dispatch: () => true };
  Reflect.set(globalThis, place, other);
  undo();
  assert.equal(Reflect.get(globalThis, place), other);
});
