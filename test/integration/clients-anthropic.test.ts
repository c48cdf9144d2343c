/**
 * Anthropic's SDK over a client: by its fetch, and by a dispatcher under Node's own.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import Anthropic, {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIUserAbortError,
} from "@anthropic-ai/sdk";
import type { Client } from "../../src/index.ts";
import { asDispatcher } from "../../src/surfaces/undici/index.ts";
import { makeClient, until } from "../support/client-kit.ts";
import { promisesOf } from "../support/client-promises.ts";
import {
  answerJson,
  beginEvents,
  contentOf,
  type ServerEvent,
  writeEvents,
} from "../support/event-stream.ts";
import { plainServer } from "../support/loopback.ts";
import { serviceOrigin } from "../support/service-origin.ts";

type Over = (client: Client, baseURL: string) => Anthropic;

const fixed = { apiKey: "none", maxRetries: 0 };

const byFetch: Over = (client, baseURL) =>
  new Anthropic({ ...fixed, baseURL, fetch: client.fetch.bind(client) });

const byDispatcher: Over = (client, baseURL) =>
  new Anthropic({
    ...fixed,
    baseURL,
    fetchOptions: { dispatcher: asDispatcher(client.dispatcher()) },
  });

const asked: Anthropic.MessageCreateParams = {
  model: "m",
  max_tokens: 10,
  messages: [{ role: "user", content: "Say ☂" }],
};

const typed = (data: { readonly type: string }): ServerEvent => ({ event: data.type, data });

/** The events of a message, in three parts: before its words, one for each, and after. */
function eventsOf(words: readonly string[]) {
  const usage = { input_tokens: 1, output_tokens: 1 };
  const message = { id: "msg", type: "message", role: "assistant", model: "m", content: [], usage };
  const start = {
    type: "content_block_start",
    index: 0,
    content_block: { type: "text", text: "" },
  };
  const delta = { stop_reason: "end_turn", stop_sequence: null };
  return {
    begin: [{ type: "message_start", message }, { type: "ping" }, start].map(typed),
    words: words.map((text) =>
      typed({
        type: "content_block_delta",
        index: 0,
        delta: { type: "text_delta", text },
      } as { type: string }),
    ),
    end: [
      { type: "content_block_stop", index: 0 },
      { type: "message_delta", delta, usage: { output_tokens: 3 } },
      { type: "message_stop" },
    ].map(typed),
  };
}

for (const [name, over] of [
  ["Anthropic's SDK", byFetch],
  ["Anthropic's SDK with a dispatcher", byDispatcher],
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

  test(`${name}: words arrive as they are written, and their connection serves the next stream`, async (t) => {
    const server = await serviceOrigin(t);
    const sdk = over(makeClient(t), `${server.origin}/hold`);
    for (let count = 0; count < 3; count++) {
      const stream: ReturnType<typeof sdk.messages.stream> = sdk.messages.stream(asked);
      const { request, response } = await server.next();
      assert.equal(request.url, "/hold/v1/messages");
      assert.deepEqual(await contentOf(request), { ...asked, stream: true });
      const { begin, words, end } = eventsOf(["Um", "brel", "la ☂"]);
      beginEvents(response);
      const events: AsyncIterator<{ type: string }> = stream[Symbol.asyncIterator]();
      writeEvents(response, begin);
      assert.equal((await events.next()).value.type, "message_start");
      assert.equal((await events.next()).value.type, "content_block_start");
      // Each is written when the one before has arrived.
      for (const word of words) {
        writeEvents(response, [word]);
        assert.deepEqual((await events.next()).value, word.data);
      }
      writeEvents(response, end);
      response.end();
      assert.equal(await stream.finalText(), "Umbrella ☂");
    }
    assert.equal(server.connectionCount, 1);
  });

  test(`${name}: a hundred streams at once share as many connections as there may be`, async (t) => {
    const { begin, words, end } = eventsOf(["a", "b", "c"]);
    const server = await plainServer(t, async (request, response) => {
      await contentOf(request);
      response.setHeader("keep-alive", "timeout=60");
      beginEvents(response);
      writeEvents(response, [...begin, ...words, ...end]);
      response.end();
    });
    const sdk = over(makeClient(t, { maxSockets: 5 }), server.origin);
    const said = await Promise.all(
      Array.from({ length: 100 }, () => sdk.messages.stream(asked).finalText()),
    );
    assert.deepEqual(new Set(said), new Set(["abc"]));
    assert.equal(server.connectionCount, 5);
  });

  test(`${name}: a stream that is aborted closes its connection, and the next call works`, async (t) => {
    const server = await serviceOrigin(t);
    const sdk = over(makeClient(t, { maxSockets: 1 }), `${server.origin}/hold`);
    const stream = sdk.messages.stream(asked);
    const { request, response } = await server.next();
    beginEvents(response);
    const { begin, words } = eventsOf(["first"]);
    writeEvents(response, [...begin, ...words]);
    const ended = assert.rejects(stream.finalMessage(), APIUserAbortError);
    stream.once("text", () => stream.abort());
    await ended;
    await until(() => request.socket.destroyed, "the server sees the close");
    const next = sdk.models.retrieve("m");
    answerJson((await server.next()).response, { id: "m" });
    assert.equal((await next).id, "m");
    assert.equal(server.connectionCount, 2);
  });

  test(`${name}: a stream that is reset is told to who reads it`, async (t) => {
    const server = await serviceOrigin(t);
    const sdk = over(makeClient(t), `${server.origin}/hold`);
    const stream = sdk.messages.stream(asked);
    const { request, response } = await server.next();
    beginEvents(response);
    const { begin, words } = eventsOf(["first"]);
    writeEvents(response, [...begin, ...words]);
    stream.once("text", () => request.socket.resetAndDestroy());
    await assert.rejects(stream.finalMessage(), /terminated/);
  });

  test(`${name}: its timeout ends a call and its connection, and the next works`, async (t) => {
    const server = await serviceOrigin(t);
    const client = makeClient(t);
    const sdk = over(client, `${server.origin}/hold`);
    const late = sdk.models.retrieve("m", {}, { timeout: 100 });
    await assert.rejects(late, APIConnectionTimeoutError);
    await until(() => server.sockets.size === 0, "the server sees the close");
    assert.equal(client.stats().client.pending, 0);
    const response = await over(client, server.origin).get("/").asResponse();
    assert.equal(await response.text(), "ok");
  });

  test(`${name}: its retries go on over the client, and take the same connection`, async (t) => {
    const server = await serviceOrigin(t);
    const sdk = over(makeClient(t), `${server.origin}/hold`);
    const call = sdk.messages.create({ ...asked, stream: false }, { maxRetries: 1 });
    const headers = { "retry-after-ms": "1" };
    const overloaded = await server.next();
    await contentOf(overloaded.request);
    overloaded.response.writeHead(529, headers).end();
    const again = await server.next();
    assert.deepEqual(await contentOf(again.request), { ...asked, stream: false });
    answerJson(again.response, { id: "at last" });
    assert.equal((await call).id, "at last");
    assert.equal(server.connectionCount, 1);
  });
}
