/**
 * undici 6, 7 and 8 over a client: by a dispatcher of the client, and by one of the undici's own class.
 */
import assert from "node:assert/strict";
import { Readable, Writable } from "node:stream";
import { test } from "node:test";
import * as undici6 from "undici6";
import * as undici7 from "undici7";
import type { Client } from "../../src/index.ts";
import { asDispatcher, dispatcherFor } from "../../src/surfaces/undici/index.ts";
import { makeClient, until } from "../support/client-kit.ts";
import { type Ask, type Asked, promisesOf } from "../support/client-promises.ts";
import { readFormWithFile, serviceOrigin } from "../support/service-origin.ts";

/** What the tests use of undici: it has the same shape in all versions, under types of each one's own. */
type Undici = typeof undici7;

/** Puts one of them over a client. */
interface Kind {
  readonly name: string;
  readonly undici: Undici;
  dispatcher(client: Client): undici7.Dispatcher;
}

/** Those that run on this version of Node.js: undici 8 needs 22.19. */
async function allKinds(): Promise<Kind[]> {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const runsUndici8 = major > 22 || (major === 22 && minor >= 19);
  const all = [
    ["undici 6", undici6 as unknown as Undici],
    ["undici 7", undici7],
    ...(runsUndici8 ? [["undici 8", (await import("undici8")) as unknown as Undici] as const] : []),
  ] as const;
  return all.flatMap(([name, undici]) => {
    const Own = dispatcherFor(undici.Dispatcher);
    return [
      { name, undici, dispatcher: (client) => asDispatcher(client.dispatcher()) },
      { name: `${name} and its own class`, undici, dispatcher: (client) => new Own(client) },
    ] satisfies Kind[];
  });
}

function optionsOf({ method = "GET", body, type, signal }: Asked, dispatcher: undici7.Dispatcher) {
  return {
    method,
    ...(body === undefined ? {} : { body }),
    headers: type === undefined ? {} : { "content-type": type },
    ...(signal === undefined ? {} : { signal }),
    dispatcher,
  };
}

const byRequest =
  ({ undici, dispatcher }: Kind) =>
  (client: Client): Ask => {
    const own = dispatcher(client);
    return async (url, asked = {}) => {
      const { statusCode, body } = await undici.request(url, optionsOf(asked, own));
      return { status: statusCode, text: await body.text() };
    };
  };

const byStream =
  ({ undici, dispatcher }: Kind) =>
  (client: Client): Ask => {
    const own = dispatcher(client);
    return async (url, asked = {}) => {
      let status = 0;
      const pieces: Buffer[] = [];
      await undici.stream(url, optionsOf(asked, own), ({ statusCode }) => {
        status = statusCode;
        return new Writable({
          write(piece: Buffer, _, done) {
            pieces.push(piece);
            done();
          },
        });
      });
      return { status, text: Buffer.concat(pieces).toString() };
    };
  };

const byFetch =
  ({ undici, dispatcher }: Kind) =>
  (client: Client): Ask => {
    const own = dispatcher(client);
    return async (url, asked = {}) => {
      const response = await undici.fetch(url, optionsOf(asked, own));
      return { status: response.status, text: await response.text() };
    };
  };

const undiciErrors = {
  refused: { code: "ECONNREFUSED" },
  broken: { code: /^(ECONNRESET|UND_ERR_SOCKET)$/ },
  aborted: { name: "AbortError" },
};

const fetchErrors = {
  refused: { name: "TypeError", message: "fetch failed" },
  broken: { name: "TypeError", message: "terminated" },
  aborted: { name: "AbortError" },
};

for (const kind of await allKinds()) {
  const { name, undici, dispatcher } = kind;
  const [request, stream] = [`request of ${name}`, `stream of ${name}`];
  const plain = { redirects: "not-followed", errors: undiciErrors } as const;
  promisesOf({ name: request, over: byRequest(kind), ...plain });
  promisesOf({ name: stream, over: byStream(kind), ...plain });
  promisesOf({
    name: `fetch of ${name}`,
    over: byFetch(kind),
    redirects: "kept",
    errors: fetchErrors,
  });

  test(`${name}: streams go up and come down as they are written`, async (t) => {
    const server = await serviceOrigin(t);
    const body = new Readable({ read() {} });
    const options = { method: "PUT", body, dispatcher: dispatcher(makeClient(t)) } as const;
    const asked = undici.request(`${server.origin}/hold`, options);
    body.push("first");
    const { request, response } = await server.next();
    assert.equal(String((await request[Symbol.asyncIterator]().next()).value), "first");
    response.write("down 1,");
    const { body: down } = await asked;
    body.push(null);
    response.end("down 2");
    assert.equal(await down.text(), "down 1,down 2");
  });

  test(`${name}: its own FormData arrives as multipart, by request and by fetch`, async (t) => {
    const server = await serviceOrigin(t);
    const url = `${server.origin}/form`;
    const form = new undici.FormData();
    form.append("name", "value");
    form.append("file", new Blob(["x".repeat(100_000)]), "large.txt");
    const options = { method: "PUT", body: form, dispatcher: dispatcher(makeClient(t)) } as const;
    const { body } = await undici.request(url, options);
    assert.deepEqual(await body.json(), readFormWithFile);
    assert.deepEqual(await (await undici.fetch(url, options)).json(), readFormWithFile);
  });

  test(`${name}: headersTimeout and bodyTimeout of a request end it and its connection`, async (t) => {
    const server = await serviceOrigin(t);
    const own = dispatcher(makeClient(t));
    const url = `${server.origin}/hold`;
    const headless = undici.request(url, { headersTimeout: 100, dispatcher: own });
    await assert.rejects(headless, {
      name: "HeadersTimeoutError",
      code: "UND_ERR_HEADERS_TIMEOUT",
    });
    await until(() => server.sockets.size === 0, "the server sees the close");
    await server.next();
    const asked = undici.request(url, { bodyTimeout: 100, dispatcher: own });
    (await server.next()).response.write("part");
    await assert.rejects((await asked).body.text(), { code: "UND_ERR_BODY_TIMEOUT" });
    await until(() => server.sockets.size === 0, "the server sees the close");
    const { body } = await undici.request(server.origin, { dispatcher: own });
    assert.equal(await body.text(), "ok");
  });

  test(`${name}: its interceptors for redirects and retries go around the client`, async (t) => {
    const server = await serviceOrigin(t);
    const own = dispatcher(makeClient(t, { maxSockets: 1 })).compose(
      undici.interceptors.redirect({ maxRedirections: 3 }),
      undici.interceptors.retry({ maxRetries: 1, minTimeout: 1, timeoutFactor: 1 }),
    );
    const redirected = await undici.request(`${server.origin}/redirect?to=/landed`, {
      dispatcher: own,
    });
    assert.equal(await redirected.body.text(), "ok");
    assert.deepEqual(server.seen, ["GET /redirect", "GET /landed"]);
    assert.equal(server.connectionCount, 1);
    const asked = undici.request(`${server.origin}/hold`, { dispatcher: own });
    (await server.next()).response.writeHead(503).end();
    (await server.next()).response.end("at last");
    assert.equal(await (await asked).body.text(), "at last");
    // That of undici 6 aborts what it sends again, and with it the connection.
    assert.equal(server.connectionCount, name.startsWith("undici 6") ? 2 : 1);
  });
}
