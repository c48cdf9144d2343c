/**
 * axios over a client: by its agents, and by its fetch adapter.
 */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import axios, { type AxiosInstance, type CreateAxiosDefaults } from "axios";
import type { Client } from "../../src/index.ts";
import { makeClient, until } from "../support/client-kit.ts";
import { type Ask, promisesOf } from "../support/client-promises.ts";
import {
  formWithFile,
  type ReadForm,
  readFormWithFile,
  serviceOrigin,
} from "../support/service-origin.ts";

function byAgents(client: Client, defaults: CreateAxiosDefaults = {}): AxiosInstance {
  const agents = { httpAgent: client.httpAgent(), httpsAgent: client.httpsAgent() };
  return axios.create({ ...agents, proxy: false, ...defaults });
}

function byFetch(client: Client, defaults: CreateAxiosDefaults = {}): AxiosInstance {
  return axios.create({ adapter: "fetch", env: { fetch: client.fetch.bind(client) }, ...defaults });
}

function asking(api: AxiosInstance): Ask {
  return async (url, { method = "GET", body, type, signal } = {}) => {
    const { status, data } = await api.request<string>({
      url,
      method,
      data: body,
      ...(type === undefined ? {} : { headers: { "content-type": type } }),
      ...(signal === undefined ? {} : { signal }),
      responseType: "text",
      transformResponse: (given: string) => given,
    });
    return { status, text: data };
  };
}

promisesOf({
  name: "axios",
  over: (client) => asking(byAgents(client)),
  hasAgents: true,
  redirects: "destroyed",
  errors: {
    refused: { isAxiosError: true, code: "ECONNREFUSED" },
    // Node 20 tells of a reset in a body as of an end, later versions by its own error: so with Node's agents.
    broken: { isAxiosError: true, code: /^(ERR_BAD_RESPONSE|ECONNRESET)$/ },
    aborted: { name: "CanceledError", code: "ERR_CANCELED" },
  },
});

promisesOf({
  name: "axios with its fetch adapter",
  over: (client) => asking(byFetch(client)),
  redirects: "kept",
  errors: {
    refused: { isAxiosError: true, code: "ERR_NETWORK" },
    broken: { isAxiosError: true, message: "terminated" },
    aborted: { name: "CanceledError", code: "ERR_CANCELED" },
  },
});

for (const [name, over] of [
  ["axios", byAgents],
  ["axios with its fetch adapter", byFetch],
] as const) {
  test(`${name}: objects go out and come back as JSON`, async (t) => {
    const server = await serviceOrigin(t);
    const api = over(makeClient(t), { baseURL: server.origin });
    const sent = { list: [1, 2, 3], nested: { yes: true } };
    const { data, headers } = await api.put("/echo", sent);
    assert.deepEqual(data, sent);
    assert.match(String(headers["content-type"]), /^application\/json/);
  });

  test(`${name}: 4xx and 5xx reject with their response, and leave their connection to the next`, async (t) => {
    const server = await serviceOrigin(t);
    const api = over(makeClient(t), { baseURL: server.origin });
    for (const code of [404, 503]) {
      await assert.rejects(api.get(`/status?code=${code}`), (error) => {
        assert.ok(axios.isAxiosError(error));
        assert.equal(error.response?.status, code);
        assert.deepEqual(error.response.data, { message: "as asked" });
        return true;
      });
    }
    assert.equal((await api.get("/")).data, "ok");
    assert.equal(server.connectionCount, 1);
  });

  test(`${name}: its timeout ends a request under way and its connection, and the next works`, async (t) => {
    const server = await serviceOrigin(t);
    const api = over(makeClient(t), { baseURL: server.origin });
    await api.get("/");
    const late = api.get("/hold", { timeout: 100 });
    await assert.rejects(late, { name: "AxiosError", code: /^(ECONNABORTED|ETIMEDOUT)$/ });
    await until(() => server.sockets.size === 0, "the server sees the close");
    assert.equal((await api.get("/")).data, "ok");
    assert.equal(server.connectionCount, 2);
  });
}

// Not with its fetch adapter, which says that FormData is url-encoded, whatever fetch is under it.
test("axios: a form with a file arrives as multipart", async (t) => {
  const server = await serviceOrigin(t);
  const api = byAgents(makeClient(t), { baseURL: server.origin });
  const { data } = await api.put<ReadForm>("/form", formWithFile());
  assert.deepEqual(data, readFormWithFile);
});

test("axios: a stream goes up as it is read, and one comes down as it is written", async (t) => {
  const server = await serviceOrigin(t);
  const api = byAgents(makeClient(t), { baseURL: server.origin, maxRedirects: 0 });
  const pieces = new Readable({ read() {} });
  const asked = api.put<Readable>("/hold", pieces, { responseType: "stream" });
  pieces.push("first");
  const { request, response } = await server.next();
  assert.equal(String((await request[Symbol.asyncIterator]().next()).value), "first");
  response.write("down 1,");
  const { data } = await asked;
  pieces.push(null);
  response.end("down 2");
  assert.equal(await text(data), "down 1,down 2");
});

test("axios with its fetch adapter: a stream comes down as it is written", async (t) => {
  const server = await serviceOrigin(t);
  const api = byFetch(makeClient(t), { baseURL: server.origin });
  const asked = api.get<ReadableStream>("/hold", { responseType: "stream" });
  const { response } = await server.next();
  response.write("down 1,");
  const { data } = await asked;
  response.end("down 2");
  assert.equal(await text(data), "down 1,down 2");
});

test("axios: its timeout begins with the socket, so queueTimeoutMsecs bounds the wait before", async (t) => {
  const server = await serviceOrigin(t);
  const client = makeClient(t, { maxSockets: 1 });
  const api = byAgents(client, { baseURL: server.origin });
  const holder = api.get("/hold");
  const held = await server.next();
  client.configure({ queueTimeoutMsecs: 300 });
  await assert.rejects(api.get("/late", { timeout: 50 }), { code: "ERR_KEEPLINE_QUEUE_TIMEOUT" });
  held.response.end("held");
  assert.equal((await holder).data, "held");
});
