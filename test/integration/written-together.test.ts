/**
 * When a request is written: alone at once, with others at the end of the turn of the event loop.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestOptions } from "../../src/index.ts";
import { makeClient } from "../support/client-kit.ts";
import { eventLog } from "../support/event-log.ts";
import { holdingServer, outcomeOf, plainServer } from "../support/loopback.ts";

test("requests of one turn are written in order when it ends; the first, which was alone, at once", async (t) => {
  const { origin } = await plainServer(t);
  const client = makeClient(t);
  const several = () =>
    Promise.all(Array.from({ length: 3 }, () => outcomeOf(client.request(origin))));
  await several();
  const log = eventLog(t, client);
  await several();
  const [first, second, third] = log.of("request:created").map(({ requestId }) => requestId);
  const phases = log.all.flatMap(({ name, message }) => {
    const [subject, phase] = name.split(":");
    return subject === "request" && phase !== "head" && phase !== "end"
      ? [`${"requestId" in message ? message.requestId : ""} ${phase}`]
      : [];
  });
  assert.deepEqual(phases, [
    `${first} created`,
    `${first} granted`,
    `${first} sent`,
    `${second} created`,
    `${second} granted`,
    `${third} created`,
    `${third} granted`,
    `${second} sent`,
    `${third} sent`,
  ]);
});

test("a request that is given up in the turn in which it began is not written", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t);
  const ask = (options?: RequestOptions) => outcomeOf(client.request(server.origin, options));
  const warmed = [ask(), ask()];
  for (const { response } of [await server.next(), await server.next()]) response.end();
  await Promise.all(warmed);

  const log = eventLog(t, client);
  const controller = new AbortController();
  const kept = ask({ method: "PUT" });
  const givenUp = ask({ method: "POST", signal: controller.signal });
  controller.abort();
  assert.equal(await givenUp, "AbortError");
  const { request, response } = await server.next();
  response.end();
  assert.deepEqual([await kept, request.method], [200, "PUT"]);
  assert.equal(log.of("request:sent").length, 1);
});

test("a request whose connection closes in the turn in which it begins was not written, and goes to another one", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t);
  const ask = (method: string) => outcomeOf(client.request(server.origin, { method }));
  const answer = async () => {
    const { request, response } = await server.next();
    response.end();
    return request;
  };
  const warmed = [ask("GET"), ask("GET")];
  const sockets = [await answer(), await answer()].map(({ socket }) => socket);
  await Promise.all(warmed);

  // A timer runs before sockets are read, which comes before the end of the turn.
  const outcomes = await new Promise<unknown>((resolve) => {
    setTimeout(() => {
      for (const socket of sockets) socket.destroy();
      // The first is alone, written at once, and may be sent twice; the other one may not.
      resolve(Promise.all([ask("GET"), ask("POST"), answer(), answer()]));
    }, 1);
  });
  assert.deepEqual((outcomes as unknown[]).slice(0, 2), [200, 200]);
  assert.equal(client.stats().origins[0]?.resent, 2);
});
