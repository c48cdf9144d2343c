/**
 * Octokit over a client, by its fetch.
 */
import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { request } from "@octokit/request";
import type { Client } from "../../src/index.ts";
import { makeClient, until } from "../support/client-kit.ts";
import { promisesOf } from "../support/client-promises.ts";
import { answerJson, contentOf } from "../support/event-stream.ts";
import { serviceOrigin } from "../support/service-origin.ts";

function over(client: Client, baseUrl: string): typeof request {
  return request.defaults({ baseUrl, request: { fetch: client.fetch.bind(client) } });
}

promisesOf({
  name: "Octokit",
  over: (client) => {
    const octokit = over(client, "http://unused");
    return async (url, { method = "GET", body, type, signal } = {}) => {
      const { status, data } = await octokit({
        method,
        url,
        ...(body === undefined ? {} : { data: body }),
        headers: type === undefined ? {} : { "content-type": type },
        request: { parseSuccessResponseBody: false, ...(signal === undefined ? {} : { signal }) },
      });
      return { status, text: await text(data as ReadableStream) };
    };
  },
  redirects: "kept",
  errors: {
    refused: { name: "HttpError", status: 500, message: /ECONNREFUSED/ },
    broken: { name: "TypeError", message: "terminated" },
    aborted: { name: "AbortError" },
  },
});

test("Octokit: parameters go out as JSON, and data comes back", async (t) => {
  const server = await serviceOrigin(t);
  const octokit = over(makeClient(t), `${server.origin}/hold`);
  const call = octokit("PUT /repos/{owner}/{repo}/topics", { owner: "o", repo: "r", names: ["☂"] });
  const held = await server.next();
  assert.equal(held.request.url, "/hold/repos/o/r/topics");
  assert.deepEqual(await contentOf(held.request), { names: ["☂"] });
  answerJson(held.response, { names: ["☂"] });
  assert.deepEqual((await call).data, { names: ["☂"] });
});

test("Octokit: pages one after another take one connection", async (t) => {
  const server = await serviceOrigin(t);
  const octokit = over(makeClient(t), `${server.origin}/hold`);
  for (let page = 1; page <= 3; page++) {
    const call = octokit("GET /repos/{owner}/{repo}/issues", { owner: "o", repo: "r", page });
    const { request, response } = await server.next();
    assert.equal(request.url, `/hold/repos/o/r/issues?page=${page}`);
    answerJson(response, [{ number: page }]);
    assert.equal((await call).data[0]?.number, page);
  }
  assert.equal(server.connectionCount, 1);
});

test("Octokit: 4xx and 5xx reject with their response, and leave their connection to the next", async (t) => {
  const server = await serviceOrigin(t);
  const octokit = over(makeClient(t), server.origin);
  for (const code of [404, 503]) {
    await assert.rejects(octokit(`GET /status?code=${code}`), {
      name: "HttpError",
      status: code,
      message: "as asked",
    });
  }
  assert.equal((await octokit("GET /")).data, "ok");
  assert.equal(server.connectionCount, 1);
});

test("Octokit: a timeout by its signal ends a request and its connection, and the next works", async (t) => {
  const server = await serviceOrigin(t);
  const octokit = over(makeClient(t), server.origin);
  const signal = AbortSignal.timeout(100);
  const late = octokit("GET /hold", { request: { signal } });
  await assert.rejects(late, (error) => {
    assert.equal(signal.aborted, true);
    assert.match(String(error), /HttpError: The operation was aborted due to timeout/);
    return true;
  });
  await until(() => server.sockets.size === 0, "the server sees the close");
  assert.equal((await octokit("GET /")).data, "ok");
});
