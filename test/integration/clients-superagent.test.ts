/**
 * superagent over a client, by its agents.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import superagent, { type SuperAgentRequest } from "superagent";
import type { Client } from "../../src/index.ts";
import { makeClient, until } from "../support/client-kit.ts";
import { promisesOf } from "../support/client-promises.ts";
import { readFormWithFile, serviceOrigin } from "../support/service-origin.ts";

function over(client: Client): (method: string, url: string) => SuperAgentRequest {
  const [plain, tls] = [client.httpAgent(), client.httpsAgent()];
  return (method, url) => superagent(method, url).agent(url.startsWith("https:") ? tls : plain);
}

promisesOf({
  name: "superagent",
  over: (client) => {
    const make = over(client);
    return async (url, { method = "GET", body, type, signal } = {}) => {
      const request = make(method, url);
      if (type !== undefined) request.type(type);
      if (body !== undefined) request.send(body);
      signal?.addEventListener("abort", () => void request.abort());
      const { status, text: content } = await request;
      return { status, text: content };
    };
  },
  hasAgents: true,
  redirects: "kept",
  errors: {
    refused: { code: "ECONNREFUSED" },
    broken: { code: "ECONNRESET" },
    aborted: { code: "ABORTED" },
  },
});

test("superagent: objects go out and come back as JSON", async (t) => {
  const server = await serviceOrigin(t);
  const sent = { list: [1, 2, 3], nested: { yes: true } };
  const { body } = await over(makeClient(t))("PUT", `${server.origin}/echo`).send(sent);
  assert.deepEqual(body, sent);
});

test("superagent: a form with a file arrives as multipart", async (t) => {
  const server = await serviceOrigin(t);
  const { body } = await over(makeClient(t))("PUT", `${server.origin}/form`)
    .field("name", "value")
    .attach("file", Buffer.alloc(100_000, "x"), "large.txt");
  assert.deepEqual(body, readFormWithFile);
});

test("superagent: streams go up and come down as they are written", async (t) => {
  const server = await serviceOrigin(t);
  const make = over(makeClient(t));
  const pieces = new Readable({ read() {} });
  const up = pieces.pipe(make("PUT", `${server.origin}/hold`));
  const answered = once(up, "response");
  pieces.push("first");
  const { request, response } = await server.next();
  assert.equal(String((await request[Symbol.asyncIterator]().next()).value), "first");
  pieces.push(null);
  response.end();
  await answered;
  const down = make("GET", `${server.origin}/hold`).pipe(new PassThrough());
  const held = await server.next();
  held.response.write("down 1,");
  held.response.end("down 2");
  assert.equal(await text(down), "down 1,down 2");
});

for (const phase of ["response", "deadline"] as const) {
  test(`superagent: timeout.${phase} ends a request and its connection, and the next works`, async (t) => {
    const server = await serviceOrigin(t);
    const make = over(makeClient(t));
    await make("GET", server.origin);
    const late = make("GET", `${server.origin}/hold`).timeout({ [phase]: 100 });
    await assert.rejects(Promise.resolve(late), { timeout: 100, code: "ECONNABORTED" });
    await until(() => server.sockets.size === 0, "the server sees the close");
    assert.equal((await make("GET", server.origin)).text, "ok");
    assert.equal(server.connectionCount, 2);
  });

  test(`superagent: timeout.${phase} also bounds the wait for a socket`, async (t) => {
    const server = await serviceOrigin(t);
    const client = makeClient(t, { maxSockets: 1 });
    const make = over(client);
    const holder = Promise.resolve(make("GET", `${server.origin}/hold`));
    const held = await server.next();
    const late = make("GET", `${server.origin}/late`).timeout({ [phase]: 50 });
    await assert.rejects(Promise.resolve(late), { timeout: 50 });
    await until(() => client.stats().client.pending === 0);
    held.response.end("held");
    assert.equal((await holder).status, 200);
    assert.deepEqual(server.seen, ["GET /hold"]);
  });
}

test("superagent: 4xx and 5xx reject with their response, and leave their connection to the next", async (t) => {
  const server = await serviceOrigin(t);
  const make = over(makeClient(t));
  for (const code of [404, 503]) {
    const refused = Promise.resolve(make("GET", `${server.origin}/status?code=${code}`));
    await assert.rejects(refused, { status: code });
  }
  assert.equal((await make("GET", server.origin)).text, "ok");
  assert.equal(server.connectionCount, 1);
});
