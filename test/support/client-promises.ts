/**
 * What every client over keepline is to keep: one suite, which each client's tests call with a way to send by it. What
 * only some clients can do, or do in their own way, is tested beside the call.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "../../src/index.ts";
import { makeClient, until } from "./client-kit.ts";
import { certificate } from "./loopback.ts";
import { deadPort } from "./raw-server.ts";
import { serviceOrigin } from "./service-origin.ts";

/** A request, in words that every client has. */
export interface Asked {
  readonly method?: "GET" | "PUT";
  readonly body?: string;
  readonly type?: string;
  readonly signal?: AbortSignal;
}

/** A response, read to its end. */
export interface Answered {
  readonly status: number;
  readonly text: string;
}

/** Sends by another client. */
export type Ask = (url: string, asked?: Asked) => Promise<Answered>;

/** Properties of an error, as `assert.rejects` compares them. */
type ErrorShape = Readonly<Record<string, unknown>> | ((error: unknown) => true);

/** Another client, and what its users expect of it. */
export interface ClientKind {
  readonly name: string;
  /** Puts it over `client`. */
  over(client: Client): Ask;
  /** Null when it swallows what was broken off. */
  readonly errors: {
    readonly refused: ErrorShape;
    readonly broken: ErrorShape | null;
    readonly aborted: ErrorShape;
  };
  /**
   * What becomes of the connection of a redirect: some clients read its body and keep it, some destroy it, whatever
   * agent they have, and some follow none.
   */
  readonly redirects: "kept" | "destroyed" | "not-followed";
  /** It takes agents, and so must be told both. */
  readonly hasAgents?: true;
}

const megabyte = "0123456789abcdef".repeat(65_536);

/** Registers the tests. */
export function promisesOf({ name, over, errors, redirects, hasAgents }: ClientKind): void {
  test(`${name}: requests one after another take one connection`, async (t) => {
    const server = await serviceOrigin(t);
    const ask = over(makeClient(t));
    for (let count = 0; count < 5; count++) {
      assert.deepEqual(await ask(`${server.origin}/${count}`), { status: 200, text: "ok" });
    }
    assert.equal(server.connectionCount, 1);
  });

  test(`${name}: requests at once take maxSockets connections, and the rest waits`, async (t) => {
    const server = await serviceOrigin(t);
    const client = makeClient(t, { maxSockets: 3 });
    const ask = over(client);
    const all = Array.from({ length: 8 }, (_, index) => ask(`${server.origin}/hold/${index}`));
    const held = [await server.next(), await server.next(), await server.next()];
    await until(() => client.stats().client.pending === 5);
    assert.equal(server.seen.length, 3);
    for (const { response } of held) response.end("held");
    for (let count = 3; count < 8; count++) (await server.next()).response.end("held");
    for (const { text } of await Promise.all(all)) assert.equal(text, "held");
    assert.equal(server.connectionCount, 3);
  });

  test(`${name}: JSON and a megabyte arrive as they were sent, both ways`, async (t) => {
    const server = await serviceOrigin(t);
    const ask = over(makeClient(t));
    const json = JSON.stringify({ naïve: ["☂", 1, null] });
    for (const [type, body] of [
      ["application/json", json],
      ["text/plain", megabyte],
    ] as const) {
      const { status, text } = await ask(`${server.origin}/echo`, { method: "PUT", type, body });
      assert.equal(status, 200);
      // Not `equal`, which would print both.
      assert.ok(text === body, `${text.length} of ${body.length} characters of ${type}`);
    }
    assert.equal(server.connectionCount, 1);
  });

  test(`${name}: a refused connection is told as its users know it`, async (t) => {
    const ask = over(makeClient(t));
    await assert.rejects(ask(`http://127.0.0.1:${await deadPort()}/`), errors.refused);
  });

  test(`${name}: a response that is reset in its body is told, and the next request has another connection`, async (t) => {
    const server = await serviceOrigin(t);
    const ask = over(makeClient(t));
    await ask(server.origin);
    const broken = ask(`${server.origin}/broken`);
    if (errors.broken === null) await broken;
    else await assert.rejects(broken, errors.broken);
    assert.deepEqual(await ask(server.origin), { status: 200, text: "ok" });
    assert.equal(server.connectionCount, 2);
    assert.deepEqual(server.seen, ["GET /", "GET /broken", "GET /"]);
  });

  test(`${name}: a request aborted while it waits leaves the queue, and the server never sees it`, async (t) => {
    const server = await serviceOrigin(t);
    const client = makeClient(t, { maxSockets: 1 });
    const ask = over(client);
    const holder = ask(`${server.origin}/hold`);
    const held = await server.next();
    const controller = new AbortController();
    const waiting = ask(`${server.origin}/waiting`, { signal: controller.signal });
    const rejected = assert.rejects(waiting, errors.aborted);
    await until(() => client.stats().client.pending === 1);
    controller.abort();
    await rejected;
    await until(() => client.stats().client.pending === 0);
    held.response.end("held");
    assert.equal((await holder).text, "held");
    assert.equal((await ask(`${server.origin}/after`)).text, "ok");
    assert.deepEqual(server.seen, ["GET /hold", "GET /after"]);
    assert.equal(server.connectionCount, 1);
  });

  test(`${name}: a request aborted under way closes its connection, and the next one works`, async (t) => {
    const server = await serviceOrigin(t);
    const ask = over(makeClient(t, { maxSockets: 1 }));
    const controller = new AbortController();
    const rejected = assert.rejects(
      ask(`${server.origin}/hold`, { signal: controller.signal }),
      errors.aborted,
    );
    const { request } = await server.next();
    controller.abort();
    await rejected;
    await until(() => request.socket.destroyed, "the server sees the close");
    assert.equal((await ask(server.origin)).text, "ok");
    assert.equal(server.connectionCount, 2);
  });

  if (redirects !== "not-followed") {
    const what =
      redirects === "kept" ? "on the same connection" : "once it has closed its connection";
    test(`${name}: a redirect within an origin is followed ${what}`, async (t) => {
      const server = await serviceOrigin(t);
      const ask = over(makeClient(t, { maxSockets: 1 }));
      for (let count = 0; count < 3; count++) {
        const { status, text } = await ask(`${server.origin}/redirect?to=/landed`);
        assert.deepEqual([status, text], [200, "ok"]);
      }
      assert.equal(server.seen.filter((each) => each === "GET /landed").length, 3);
      assert.equal(server.connectionCount, redirects === "kept" ? 1 : 4);
    });

    test(`${name}: a redirect to another origin is followed there`, async (t) => {
      const [from, to] = [await serviceOrigin(t), await serviceOrigin(t)];
      const client = makeClient(t);
      const ask = over(client);
      const place = encodeURIComponent(`${to.origin}/landed`);
      assert.equal((await ask(`${from.origin}/redirect?to=${place}`)).text, "ok");
      assert.deepEqual(to.seen, ["GET /landed"]);
      assert.equal(client.stats().origins.length, 2);
    });
  }

  if (hasAgents === true) {
    test(`${name}: over TLS it trusts whom the client trusts, and takes one connection`, async (t) => {
      const { key, cert } = certificate();
      const server = await serviceOrigin(t, { key, cert });
      const ask = over(makeClient(t, { connect: { tls: { ca: cert } } }));
      assert.equal((await ask(server.origin)).text, "ok");
      const body = "over TLS";
      assert.equal((await ask(`${server.origin}/echo`, { method: "PUT", body })).text, body);
      assert.equal(server.connectionCount, 1);
      const distrusting = over(makeClient(t));
      await assert.rejects(distrusting(server.origin), /self.signed|unable to verify/i);
    });
  }
}
