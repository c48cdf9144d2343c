/**
 * Node's own fetch over a client: with its dispatcher, by `install`, and as `client.fetch`.
 */
import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import * as undici7 from "undici7";
import type { Client } from "../../src/index.ts";
import { install } from "../../src/surfaces/undici/index.ts";
import { makeClient, until } from "../support/client-kit.ts";
import { promisesOf } from "../support/client-promises.ts";
import { formWithFile, readFormWithFile, serviceOrigin } from "../support/service-origin.ts";

type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

function byDispatcher(client: Client): Fetch {
  const dispatcher: unknown = client.dispatcher();
  return (url, init) => fetch(url, { ...init, dispatcher } as RequestInit);
}

const byClient = (client: Client): Fetch => client.fetch.bind(client);

let uninstall = (): void => {};
after(() => uninstall());

/** There is one global dispatcher: that of the last test. */
function byInstall(client: Client): Fetch {
  uninstall();
  uninstall = install(client);
  return fetch;
}

for (const [name, over] of [
  ["the built-in fetch with a dispatcher", byDispatcher],
  ["the built-in fetch under which a client is installed", byInstall],
  ["client.fetch", byClient],
] as const) {
  promisesOf({
    name,
    over: (client) => {
      const fetchOver = over(client);
      return async (url, { method = "GET", body, type, signal } = {}) => {
        const response = await fetchOver(url, {
          method,
          ...(body === undefined ? {} : { body }),
          headers: type === undefined ? {} : { "content-type": type },
          ...(signal === undefined ? {} : { signal }),
        });
        return { status: response.status, text: await response.text() };
      };
    },
    redirects: "kept",
    errors: {
      refused: (error) => {
        assert.ok(error instanceof TypeError);
        assert.equal((error.cause as NodeJS.ErrnoException).code, "ECONNREFUSED");
        return true;
      },
      broken: { name: "TypeError", message: "terminated" },
      aborted: { name: "AbortError" },
    },
  });

  test(`${name}: streams go up and come down as they are written`, async (t) => {
    const server = await serviceOrigin(t);
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const init = { method: "PUT", body: readable, duplex: "half" } as const;
    const asked = over(makeClient(t))(`${server.origin}/hold`, init);
    await writer.write(Buffer.from("first"));
    const { request, response } = await server.next();
    assert.equal(String((await request[Symbol.asyncIterator]().next()).value), "first");
    response.write("down 1,");
    const { body } = await asked;
    await writer.close();
    response.end("down 2");
    assert.equal(await text(body as ReadableStream), "down 1,down 2");
  });

  test(`${name}: a form with a file arrives as multipart`, async (t) => {
    const server = await serviceOrigin(t);
    const init = { method: "PUT", body: formWithFile() };
    const response = await over(makeClient(t))(`${server.origin}/form`, init);
    assert.deepEqual(await response.json(), readFormWithFile);
  });

  test(`${name}: a body that is cancelled closes its connection, and the next request works`, async (t) => {
    const server = await serviceOrigin(t);
    const fetchOver = over(makeClient(t, { maxSockets: 1 }));
    const asked = fetchOver(`${server.origin}/hold`);
    const { request, response } = await server.next();
    response.write("part");
    await (await asked).body?.cancel();
    await until(() => request.socket.destroyed, "the server sees the close");
    assert.equal(await (await fetchOver(server.origin)).text(), "ok");
  });

  test(`${name}: a timeout by its signal ends a request and its connection, and the next works`, async (t) => {
    const server = await serviceOrigin(t);
    const fetchOver = over(makeClient(t));
    const late = fetchOver(`${server.origin}/hold`, { signal: AbortSignal.timeout(100) });
    await assert.rejects(late, { name: "TimeoutError" });
    await until(() => server.sockets.size === 0, "the server sees the close");
    assert.equal(await (await fetchOver(server.origin)).text(), "ok");
  });

  test(`${name}: headersTimeoutMsecs of the client bounds the wait for an answer`, async (t) => {
    const server = await serviceOrigin(t);
    const late = over(makeClient(t, { headersTimeoutMsecs: 100 }))(`${server.origin}/hold`);
    await assert.rejects(late, (error) => {
      assert.ok(error instanceof TypeError);
      assert.equal((error.cause as NodeJS.ErrnoException).code, "UND_ERR_HEADERS_TIMEOUT");
      return true;
    });
  });
}

test("fetch and undici take the installed client's connections, until it is taken away", async (t) => {
  const server = await serviceOrigin(t);
  const client = makeClient(t);
  uninstall();
  const undo = install(client);
  assert.equal(await (await fetch(server.origin)).text(), "ok");
  assert.equal(await (await undici7.request(server.origin)).body.text(), "ok");
  assert.equal(await (await undici7.fetch(server.origin)).text(), "ok");
  assert.equal(server.connectionCount, 1);
  undo();
  const { requests } = client.stats().origins[0] ?? {};
  assert.equal(await (await fetch(server.origin)).text(), "ok");
  assert.equal(client.stats().origins[0]?.requests, requests);
  assert.equal(server.connectionCount, 2);
});
