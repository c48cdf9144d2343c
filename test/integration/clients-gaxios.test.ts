/**
 * gaxios over a client: by its agents, under the node-fetch that it brings; and by the client's fetch.
 */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { Gaxios, GaxiosError, type GaxiosOptions } from "gaxios";
import type { Client } from "../../src/index.ts";
import { makeClient, until } from "../support/client-kit.ts";
import { type Ask, promisesOf } from "../support/client-promises.ts";
import { formWithFile, readFormWithFile, serviceOrigin } from "../support/service-origin.ts";

function byAgents(client: Client, defaults: GaxiosOptions = {}): Gaxios {
  const [plain, tls] = [client.httpAgent(), client.httpsAgent()];
  const agent = ({ protocol }: URL) => (protocol === "https:" ? tls : plain);
  return new Gaxios({ agent, ...defaults });
}

function byFetch(client: Client, defaults: GaxiosOptions = {}): Gaxios {
  return new Gaxios({ fetchImplementation: client.fetch.bind(client), ...defaults });
}

function asking(api: Gaxios): Ask {
  return async (url, { method = "GET", body, type, signal } = {}) => {
    const { status, data } = await api.request<string>({
      url,
      method,
      responseType: "text",
      ...(body === undefined ? {} : { data: body }),
      headers: type === undefined ? {} : { "content-type": type },
      ...(signal === undefined ? {} : { signal }),
    });
    return { status, text: data };
  };
}

promisesOf({
  name: "gaxios",
  over: (client) => asking(byAgents(client)),
  hasAgents: true,
  redirects: "destroyed",
  errors: {
    refused: { constructor: GaxiosError, code: "ECONNREFUSED" },
    broken: { constructor: GaxiosError, code: "ECONNRESET" },
    aborted: isAbort,
  },
});

promisesOf({
  name: "gaxios with the client's fetch",
  over: (client) => asking(byFetch(client)),
  redirects: "kept",
  errors: {
    refused: { constructor: GaxiosError, message: "fetch failed" },
    broken: { constructor: GaxiosError, message: "terminated" },
    aborted: isAbort,
  },
});

function isAbort(error: unknown): true {
  assert.ok(error instanceof GaxiosError, String(error));
  assert.equal((error.cause as Error).name, "AbortError");
  return true;
}

for (const [name, over] of [
  ["gaxios", byAgents],
  ["gaxios with the client's fetch", byFetch],
] as const) {
  test(`${name}: objects go out and come back as JSON`, async (t) => {
    const server = await serviceOrigin(t);
    const sent = { list: [1, 2, 3], nested: { yes: true } };
    const api = over(makeClient(t));
    const { data } = await api.request({ url: `${server.origin}/echo`, method: "PUT", data: sent });
    assert.deepEqual(data, sent);
  });

  test(`${name}: a form with a file arrives as multipart`, async (t) => {
    const server = await serviceOrigin(t);
    const url = `${server.origin}/form`;
    const api = over(makeClient(t));
    const { data } = await api.request({ url, method: "PUT", data: formWithFile() });
    assert.deepEqual(data, readFormWithFile);
  });

  test(`${name}: streams go up and come down as they are written`, async (t) => {
    const server = await serviceOrigin(t);
    const data = new Readable({ read() {} });
    const asked = over(makeClient(t)).request<ReadableStream>({
      url: `${server.origin}/hold`,
      method: "PUT",
      responseType: "stream",
      data,
    });
    data.push("first");
    const { request, response } = await server.next();
    assert.equal(String((await request[Symbol.asyncIterator]().next()).value), "first");
    response.write("down 1,");
    const { data: down } = await asked;
    data.push(null);
    response.end("down 2");
    assert.equal(await text(down), "down 1,down 2");
  });

  test(`${name}: 4xx and 5xx reject with their response, and leave their connection to the next`, async (t) => {
    const server = await serviceOrigin(t);
    const api = over(makeClient(t));
    for (const code of [404, 503]) {
      await assert.rejects(
        api.request({ url: `${server.origin}/status?code=${code}` }),
        (error) => {
          assert.ok(error instanceof GaxiosError, String(error));
          assert.equal(error.response?.status, code);
          return true;
        },
      );
    }
    assert.equal((await api.request({ url: server.origin })).data, "ok");
    assert.equal(server.connectionCount, 1);
  });

  test(`${name}: its retries go on over the client, and take the same connection`, async (t) => {
    const server = await serviceOrigin(t);
    const asked = over(makeClient(t)).request({
      url: `${server.origin}/hold`,
      retryConfig: { retry: 1, retryDelay: 1 },
    });
    (await server.next()).response.writeHead(503).end();
    (await server.next()).response.end("at last");
    assert.equal((await asked).data, "at last");
    assert.equal(server.connectionCount, 1);
  });

  test(`${name}: its timeout ends a request and its connection, and the next works`, async (t) => {
    const server = await serviceOrigin(t);
    const api = over(makeClient(t));
    await api.request({ url: server.origin });
    await assert.rejects(api.request({ url: `${server.origin}/hold`, timeout: 100 }), GaxiosError);
    await until(() => server.sockets.size === 0, "the server sees the close");
    assert.equal((await api.request({ url: server.origin })).data, "ok");
    assert.equal(server.connectionCount, 2);
  });

  test(`${name}: its timeout also bounds the wait for a socket`, async (t) => {
    const server = await serviceOrigin(t);
    const client = makeClient(t, { maxSockets: 1 });
    const api = over(client);
    const holder = api.request({ url: `${server.origin}/hold` });
    const held = await server.next();
    await assert.rejects(api.request({ url: `${server.origin}/late`, timeout: 50 }), GaxiosError);
    await until(() => client.stats().client.pending === 0);
    held.response.end("held");
    assert.equal((await holder).data, "held");
    assert.deepEqual(server.seen, ["GET /hold"]);
  });
}
