/**
 * node-fetch over a client, by its agents.
 */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import fetch, { type RequestInit, type Response } from "node-fetch";
import type { Client } from "../../src/index.ts";
import { makeClient, until } from "../support/client-kit.ts";
import { promisesOf } from "../support/client-promises.ts";
import { formWithFile, readFormWithFile, serviceOrigin } from "../support/service-origin.ts";

function over(client: Client): (url: string, init?: RequestInit) => Promise<Response> {
  const [plain, tls] = [client.httpAgent(), client.httpsAgent()];
  const agent = ({ protocol }: URL) => (protocol === "https:" ? tls : plain);
  return (url, init) => fetch(url, { agent, ...init });
}

promisesOf({
  name: "node-fetch",
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
  hasAgents: true,
  redirects: "destroyed",
  errors: {
    refused: { name: "FetchError", type: "system", code: "ECONNREFUSED" },
    broken: { name: "FetchError", code: "ECONNRESET" },
    aborted: { name: "AbortError", type: "aborted" },
  },
});

test("node-fetch: a form with a file arrives as multipart", async (t) => {
  const server = await serviceOrigin(t);
  const body = formWithFile();
  const response = await over(makeClient(t))(`${server.origin}/form`, { method: "PUT", body });
  assert.deepEqual(await response.json(), readFormWithFile);
});

test("node-fetch: streams go up and come down as they are written", async (t) => {
  const server = await serviceOrigin(t);
  const body = new Readable({ read() {} });
  const asked = over(makeClient(t))(`${server.origin}/hold`, { method: "PUT", body });
  body.push("first");
  const { request, response } = await server.next();
  assert.equal(String((await request[Symbol.asyncIterator]().next()).value), "first");
  response.write("down 1,");
  const { body: down } = await asked;
  body.push(null);
  response.end("down 2");
  assert.equal(await text(down as Readable), "down 1,down 2");
});

test("node-fetch: a timeout by its signal ends a request in its body, and the next works", async (t) => {
  const server = await serviceOrigin(t);
  const fetchOver = over(makeClient(t));
  const controller = new AbortController();
  const asked = fetchOver(`${server.origin}/hold`, { signal: controller.signal });
  const { request, response } = await server.next();
  response.write("part");
  const answered = await asked;
  controller.abort();
  await assert.rejects(answered.text(), { name: "AbortError" });
  await until(() => request.socket.destroyed, "the server sees the close");
  assert.equal(await (await fetchOver(server.origin)).text(), "ok");
  assert.equal(server.connectionCount, 2);
});

test("node-fetch: a body that is not read keeps its connection, and others take another", async (t) => {
  const server = await serviceOrigin(t);
  const client = makeClient(t, { maxSockets: 2 });
  const fetchOver = over(client);
  const asked = fetchOver(`${server.origin}/hold`);
  const { response } = await server.next();
  response.write("part");
  const unread = await asked;
  assert.equal(await (await fetchOver(server.origin)).text(), "ok");
  assert.equal(client.stats().client.sockets.busy, 1);
  response.end("end");
  assert.equal(await unread.text(), "partend");
  await until(() => client.stats().client.sockets.idle === 2);
});
