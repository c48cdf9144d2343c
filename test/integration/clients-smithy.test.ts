/**
 * The HTTP handler of the AWS SDK over a client, by its agents.
 */
import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { NodeHttpHandler, type NodeHttpHandlerOptions } from "@smithy/node-http-handler";
import type { Client } from "../../src/index.ts";
import { makeClient, until } from "../support/client-kit.ts";
import { promisesOf } from "../support/client-promises.ts";
import { deafListener } from "../support/loopback.ts";
import { serviceOrigin } from "../support/service-origin.ts";

type SmithyRequest = Parameters<NodeHttpHandler["handle"]>[0];

function over(client: Client, options: NodeHttpHandlerOptions = {}): NodeHttpHandler {
  const agents = { httpAgent: client.httpAgent(), httpsAgent: client.httpsAgent() };
  return new NodeHttpHandler({ ...agents, ...options });
}

/** What an SDK makes of a command. */
function requestTo(url: string, more: Partial<SmithyRequest> = {}): SmithyRequest {
  const { protocol, hostname, port, pathname, searchParams } = new URL(url);
  const query = Object.fromEntries(searchParams);
  const place = { protocol, hostname, port: Number(port), path: pathname, query };
  return { method: "GET", headers: {}, ...place, ...more } as SmithyRequest;
}

async function ask(handler: NodeHttpHandler, url: string, more?: Partial<SmithyRequest>) {
  const { response } = await handler.handle(requestTo(url, more));
  return await text(response.body as IncomingMessage);
}

promisesOf({
  name: "the AWS SDK's handler",
  over: (client) => {
    const handler = over(client);
    return async (url, { method = "GET", body, type, signal } = {}) => {
      const length = { "content-length": String(Buffer.byteLength(body ?? "")) };
      const headers = {
        ...(type === undefined ? {} : { "content-type": type }),
        ...(body === undefined ? {} : length),
      };
      const request = requestTo(url, { method, headers, body });
      const options = signal === undefined ? {} : { abortSignal: signal };
      const { response } = await handler.handle(request, options);
      return { status: response.statusCode, text: await text(response.body as IncomingMessage) };
    };
  },
  hasAgents: true,
  redirects: "not-followed",
  errors: {
    refused: { code: "ECONNREFUSED" },
    broken: { code: "ECONNRESET" },
    aborted: { name: "AbortError" },
  },
});

test("the AWS SDK's handler: streams go up and come down as they are written", async (t) => {
  const server = await serviceOrigin(t);
  const body = new Readable({ read() {} });
  const asked = over(makeClient(t)).handle(
    requestTo(`${server.origin}/hold`, { method: "PUT", body }),
  );
  body.push("first");
  const { request, response } = await server.next();
  assert.equal(String((await request[Symbol.asyncIterator]().next()).value), "first");
  response.write("down 1,");
  const { response: answered } = await asked;
  body.push(null);
  response.end("down 2");
  assert.equal(await text(answered.body as IncomingMessage), "down 1,down 2");
});

test("the AWS SDK's handler: its limits of sockets are the client's, and it sees who waits", async (t) => {
  const server = await serviceOrigin(t);
  const client = makeClient(t, { maxSockets: 1 });
  const warnings: string[] = [];
  const warn = (text: string): void => void warnings.push(text);
  const logger = { trace() {}, debug() {}, info() {}, warn, error() {} };
  const handler = over(client, { logger, socketAcquisitionWarningTimeout: 1 });
  const all = Array.from({ length: 4 }, () => ask(handler, `${server.origin}/hold`));
  const first = await server.next();
  await until(() => client.stats().client.pending === 3);
  const { httpAgent } = handler.httpHandlerConfigs() as {
    httpAgent: ReturnType<Client["httpAgent"]>;
  };
  assert.equal(Object.values(httpAgent.sockets).flat().length, 1);
  assert.equal(Object.values(httpAgent.requests).flat().length, 3);
  await until(() => warnings.length > 0, "the handler warns of requests that wait");
  assert.match(warnings[0] ?? "", /1 and 3 additional requests are enqueued/);
  first.response.end("1");
  for (let count = 1; count < 4; count++) (await server.next()).response.end("1");
  assert.deepEqual(await Promise.all(all), ["1", "1", "1", "1"]);
  assert.equal(server.connectionCount, 1);
});

test("the AWS SDK's handler: requestTimeout ends a request and its connection, and the next works", async (t) => {
  const server = await serviceOrigin(t);
  const client = makeClient(t);
  await ask(over(client), server.origin);
  const hasty = over(client, { requestTimeout: 100, throwOnRequestTimeout: true });
  await assert.rejects(ask(hasty, `${server.origin}/hold`), { name: "TimeoutError" });
  await until(() => server.sockets.size === 0, "the server sees the close");
  assert.equal(await ask(over(client), server.origin), "ok");
  assert.equal(server.connectionCount, 2);
});

test("the AWS SDK's handler: socketTimeout ends a request and its connection, and the next works", async (t) => {
  const server = await serviceOrigin(t);
  const client = makeClient(t);
  const hasty = over(client, { socketTimeout: 100 });
  await assert.rejects(ask(hasty, `${server.origin}/hold`), { name: "TimeoutError" });
  await until(() => server.sockets.size === 0, "the server sees the close");
  assert.equal(await ask(over(client), server.origin), "ok");
  assert.equal(server.connectionCount, 2);
});

test("the AWS SDK's handler: connectionTimeout bounds the dial", async (t) => {
  const port = await deafListener(t, "127.0.0.1");
  const client = makeClient(t);
  const handler = over(client, { connectionTimeout: 100 });
  await assert.rejects(ask(handler, `http://127.0.0.1:${port}/`), { name: "TimeoutError" });
  await until(() => client.stats().client.pending === 0);
});

test("the AWS SDK's handler: to destroy it leaves the client as it is", async (t) => {
  const server = await serviceOrigin(t);
  const client = makeClient(t);
  const handler = over(client);
  assert.equal(await ask(handler, server.origin), "ok");
  handler.destroy();
  assert.equal(await ask(over(client), server.origin), "ok");
  assert.equal(await (await client.request(server.origin)).body.text(), "ok");
});
