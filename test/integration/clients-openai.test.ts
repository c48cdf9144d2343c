/**
 * OpenAI's SDK over a client: by its fetch, and by a dispatcher under Node's own.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI, { APIConnectionError, APIConnectionTimeoutError, APIUserAbortError } from "openai";
import type { Client } from "../../src/index.ts";
import { asDispatcher } from "../../src/surfaces/undici/index.ts";
import { makeClient, until } from "../support/client-kit.ts";
import { promisesOf } from "../support/client-promises.ts";
import { answerJson, beginEvents, contentOf, writeEvents } from "../support/event-stream.ts";
import { plainServer } from "../support/loopback.ts";
import { readForm, serviceOrigin } from "../support/service-origin.ts";

type Over = (client: Client, baseURL: string) => OpenAI;

const fixed = { apiKey: "none", maxRetries: 0 };

const byFetch: Over = (client, baseURL) =>
  new OpenAI({ ...fixed, baseURL, fetch: client.fetch.bind(client) });

const byDispatcher: Over = (client, baseURL) =>
  new OpenAI({
    ...fixed,
    baseURL,
    fetchOptions: { dispatcher: asDispatcher(client.dispatcher()) },
  });

/** The pieces that the service says, as it streams them. */
function piecesOf(words: readonly string[]) {
  const chunk = { id: "c", object: "chat.completion.chunk", created: 0, model: "m" };
  const pieces = words.map((content) => ({
    data: { ...chunk, choices: [{ index: 0, delta: { content }, finish_reason: null }] },
  }));
  const choices = [{ index: 0, delta: {}, finish_reason: "stop" }];
  return { pieces, end: [{ data: { ...chunk, choices } }, { data: "[DONE]" }] };
}

const asked: OpenAI.ChatCompletionCreateParamsStreaming = {
  model: "m",
  messages: [{ role: "user", content: "Say ☂" }],
  stream: true,
};

for (const [name, over] of [
  ["OpenAI's SDK", byFetch],
  ["OpenAI's SDK with a dispatcher", byDispatcher],
] as const) {
  promisesOf({
    name,
    over: (client) => {
      const sdk = over(client, "http://unused/");
      return async (url, { method = "GET", body, type, signal } = {}) => {
        const response = await sdk
          .request({
            method: method === "GET" ? "get" : "put",
            path: url,
            ...(body === undefined ? {} : { body }),
            headers: type === undefined ? {} : { "content-type": type },
            ...(signal === undefined ? {} : { signal }),
          })
          .asResponse();
        return { status: response.status, text: await response.text() };
      };
    },
    redirects: "kept",
    errors: {
      refused: (error) => {
        assert.ok(error instanceof APIConnectionError);
        const { cause } = error as { cause?: { cause?: { code?: string } } };
        assert.equal(cause?.cause?.code, "ECONNREFUSED");
        return true;
      },
      broken: { name: "TypeError", message: "terminated" },
      aborted: { constructor: APIUserAbortError },
    },
  });

  test(`${name}: events arrive as they are written, and their connection serves the next stream`, async (t) => {
    const server = await serviceOrigin(t);
    const sdk = over(makeClient(t), `${server.origin}/hold`);
    for (let count = 0; count < 3; count++) {
      const opened = sdk.chat.completions.create(asked);
      const { request, response } = await server.next();
      assert.equal(request.url, "/hold/chat/completions");
      assert.deepEqual(await contentOf(request), asked);
      const { pieces, end } = piecesOf(["Um", "brel", "la ☂"]);
      beginEvents(response);
      const events = (await opened)[Symbol.asyncIterator]();
      // Each is written when the one before has arrived.
      for (const piece of pieces) {
        writeEvents(response, [piece]);
        const { value } = await events.next();
        assert.deepEqual(value, piece.data);
      }
      writeEvents(response, end);
      response.end();
      assert.equal((await events.next()).value.choices[0]?.finish_reason, "stop");
      assert.equal((await events.next()).done, true);
    }
    assert.equal(server.connectionCount, 1);
  });

  test(`${name}: a hundred streams at once share as many connections as there may be`, async (t) => {
    const { pieces, end } = piecesOf(["a", "b", "c"]);
    const server = await plainServer(t, async (request, response) => {
      await contentOf(request);
      response.setHeader("keep-alive", "timeout=60");
      beginEvents(response);
      writeEvents(response, [...pieces, ...end]);
      response.end();
    });
    const sdk = over(makeClient(t, { maxSockets: 5 }), server.origin);
    const said = await Promise.all(
      Array.from({ length: 100 }, async () => {
        let content = "";
        for await (const { choices } of await sdk.chat.completions.create({
          ...asked,
          stream: true,
        })) {
          content += choices[0]?.delta.content ?? "";
        }
        return content;
      }),
    );
    assert.deepEqual(new Set(said), new Set(["abc"]));
    assert.equal(server.connectionCount, 5);
  });

  test(`${name}: a stream that is left early closes its connection, and the next call works`, async (t) => {
    const server = await serviceOrigin(t);
    const sdk = over(makeClient(t, { maxSockets: 1 }), `${server.origin}/hold`);
    const opened = sdk.chat.completions.create(asked);
    const { request, response } = await server.next();
    beginEvents(response);
    writeEvents(response, piecesOf(["first"]).pieces);
    for await (const { choices } of await opened) {
      assert.equal(choices[0]?.delta.content, "first");
      break;
    }
    await until(() => request.socket.destroyed, "the server sees the close");
    const next = sdk.models.retrieve("m");
    answerJson((await server.next()).response, { id: "m" });
    assert.equal((await next).id, "m");
    assert.equal(server.connectionCount, 2);
  });

  test(`${name}: a stream that is reset is told to who reads it`, async (t) => {
    const server = await serviceOrigin(t);
    const sdk = over(makeClient(t), `${server.origin}/hold`);
    const opened = sdk.chat.completions.create(asked);
    const { request, response } = await server.next();
    beginEvents(response);
    writeEvents(response, piecesOf(["first"]).pieces);
    const read = async () => {
      for await (const { choices } of await opened) {
        assert.equal(choices[0]?.delta.content, "first");
        request.socket.resetAndDestroy();
      }
    };
    await assert.rejects(read(), { name: "TypeError", message: "terminated" });
  });

  test(`${name}: its timeout ends a call and its connection, and the next works`, async (t) => {
    const server = await serviceOrigin(t);
    const client = makeClient(t);
    const sdk = over(client, `${server.origin}/hold`);
    const late = sdk.models.retrieve("m", { timeout: 100 });
    await assert.rejects(late, APIConnectionTimeoutError);
    await until(() => server.sockets.size === 0, "the server sees the close");
    assert.equal(client.stats().client.pending, 0);
    const elsewhere = over(client, server.origin);
    const response = await elsewhere.get("/").asResponse();
    assert.equal(await response.text(), "ok");
  });

  test(`${name}: its retries go on over the client, and take the same connection`, async (t) => {
    const server = await serviceOrigin(t);
    const sdk = over(makeClient(t), `${server.origin}/hold`);
    const call = sdk.models.retrieve("m", { maxRetries: 1 });
    const headers = { "retry-after-ms": "1" };
    (await server.next()).response.writeHead(429, headers).end();
    answerJson((await server.next()).response, { id: "at last" });
    assert.equal((await call).id, "at last");
    assert.equal(server.connectionCount, 1);
  });

  test(`${name}: a file is uploaded as multipart`, async (t) => {
    const server = await serviceOrigin(t);
    const sdk = over(makeClient(t), `${server.origin}/hold`);
    const file = new File(["x".repeat(100_000)], "large.jsonl");
    const call = sdk.files.create({ file, purpose: "batch" });
    const { request, response } = await server.next();
    const { fields, files } = await readForm(request);
    assert.deepEqual([fields, files], [{ purpose: "batch" }, { file: ["large.jsonl", 100_000] }]);
    answerJson(response, { id: "file" });
    assert.equal((await call).id, "file");
  });
}
