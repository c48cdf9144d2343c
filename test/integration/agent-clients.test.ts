/**
 * HTTP clients on top of `node:http`, with keepline's agents under them.
 */
import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { test } from "node:test";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import axios from "axios";
import { Gaxios } from "gaxios";
import got from "got";
import nodeFetch from "node-fetch";
import superagent from "superagent";
import type { Agent } from "../../src/surfaces/agent/index.ts";
import { countOf, makeAgent } from "../support/agent-kit.ts";
import { until } from "../support/client-kit.ts";
import { holdingServer, plainServer } from "../support/loopback.ts";

type Send = (url: string, agent: Agent) => Promise<string>;

const clients: Record<string, Send> = {
  axios: async (url, agent) => (await axios.get(url, { httpAgent: agent })).data,
  got: async (url, agent) => (await got(url, { agent: { http: agent as never } })).body,
  "node-fetch": async (url, agent) => (await nodeFetch(url, { agent })).text(),
  superagent: async (url, agent) => (await superagent.get(url).agent(agent)).text,
  gaxios: async (url, agent) => (await new Gaxios().request({ url, agent })).data as string,
  smithy: async (url, agent) => {
    const { hostname, port, pathname, protocol } = new URL(url);
    const handler = new NodeHttpHandler({ httpAgent: agent });
    const request = { method: "GET", protocol, hostname, port: Number(port), path: pathname };
    const headers = { accept: "text/plain" };
    const { response } = await handler.handle({ ...request, headers, query: {} } as never);
    let text = "";
    for await (const chunk of response.body as IncomingMessage) text += chunk;
    return text;
  },
};

for (const [name, send] of Object.entries(clients)) {
  test(`${name} reuses sockets through an agent`, async (t) => {
    const server = await plainServer(t, (_, response) => {
      response.setHeader("content-type", "text/plain").end("ok");
    });
    const agent = makeAgent(t);
    for (let count = 0; count < 3; count++) {
      assert.equal(await send(server.origin, agent), "ok");
      await until(() => countOf(agent.freeSockets) === 1);
    }
    assert.equal(server.connectionCount, 1);
  });
}

test("the timeout of axios ends a request, and leaves no socket and no place in the queue behind", async (t) => {
  const server = await holdingServer(t);
  const agent = makeAgent(t, { maxSockets: 1 });
  const send = () => axios.get(server.origin, { httpAgent: agent, timeout: 50, proxy: false });
  const outcomes = await Promise.allSettled([send(), send(), send()]);
  for (const outcome of outcomes) assert.equal(outcome.status, "rejected");
  await until(() => agent.totalSocketCount === 0 && countOf(agent.requests) === 0);
});
