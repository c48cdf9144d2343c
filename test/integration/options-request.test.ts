/**
 * Every option of a request changes what is sent or how long it may take, and wins over the client's
 * where both have it.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { requestRules } from "../../src/client/request.ts";
import type { ClientOptions, RequestOptions } from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { makeClient } from "../support/client-kit.ts";
import {
  closedUnderSecond,
  holdingServer,
  lookupOf,
  outcomeOf,
  plainServer,
} from "../support/loopback.ts";

interface Behaviour {
  /** What the option decides, to be read after its name. */
  readonly decides: string;
  /** What is seen with `options` for the request and `clientOptions` for its client. */
  readonly story: (
    t: TestContext,
    options: RequestOptions,
    clientOptions: ClientOptions,
  ) => Promise<unknown>;
  /** Options of the request, what is seen with them, and options of the client. */
  readonly outcomes: readonly (readonly [
    options: RequestOptions,
    seen: unknown,
    clientOptions?: ClientOptions,
  ])[];
}

/** What the server was asked, as one line: method, path, one header field, body. */
async function askedLine(t: TestContext, options: RequestOptions): Promise<string> {
  const server = await plainServer(t, async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    const { "x-kind": kind = "-", "content-type": type = "-" } = request.headers;
    response.end(`${request.method} ${request.url} ${kind} ${type} ${body}`);
  });
  const { body } = await makeClient(t).request(`${server.origin}/path?a=1`, options);
  return (await body.text()).trim();
}

/** Whether a response that is begun and then not sent for 80 ms is waited for. */
async function heldUp(
  t: TestContext,
  options: RequestOptions,
  clientOptions: ClientOptions,
  begins: boolean,
): Promise<unknown> {
  const server = await holdingServer(t);
  const client = makeClient(t, clientOptions);
  const request = outcomeOf(client.request(server.origin, options));
  const arrived = server.next();
  if (begins) void arrived.then(({ response }) => response.write("part"));
  const early = await Promise.race([request, sleep(80, "waits")]);
  if (early === "waits") (await arrived).response.end();
  return [early, await request];
}

const never = Number.POSITIVE_INFINITY;
/** A lane. */
const brisk = { requestTimeoutMsecs: 30 };

const behaviours = {
  method: {
    decides: "the method",
    story: askedLine,
    outcomes: [
      [{}, "GET /path?a=1 - -"],
      [{ method: "DELETE" }, "DELETE /path?a=1 - -"],
      [{ method: "patch" }, "PATCH /path?a=1 - -"],
    ],
  },
  headers: {
    decides: "which fields are sent",
    story: askedLine,
    outcomes: [
      [{}, "GET /path?a=1 - -"],
      [{ headers: { "X-Kind": "object" } }, "GET /path?a=1 object -"],
      [{ headers: [["x-kind", "pairs"]] }, "GET /path?a=1 pairs -"],
      [{ headers: new Headers({ "x-kind": "headers" }) }, "GET /path?a=1 headers -"],
      [{ headers: new Map([["x-kind", "map"]]) }, "GET /path?a=1 map -"],
    ],
  },
  body: {
    decides: "what is sent after the head",
    story: askedLine,
    outcomes: [
      [{}, "GET /path?a=1 - -"],
      [{ body: null }, "GET /path?a=1 - -"],
      [{ method: "POST", body: "text" }, "POST /path?a=1 - - text"],
    ],
  },
  json: {
    decides: "which value is sent as JSON, with its Content-Type unless headers has one",
    story: askedLine,
    outcomes: [
      [{ method: "POST" }, "POST /path?a=1 - -"],
      [{ method: "POST", json: undefined }, "POST /path?a=1 - -"],
      [
        { method: "POST", json: { a: [1, "é"] } },
        'POST /path?a=1 - application/json {"a":[1,"é"]}',
      ],
      [{ method: "POST", json: null }, "POST /path?a=1 - application/json null"],
      [
        { method: "POST", json: 5, headers: { "content-type": "application/x+json" } },
        "POST /path?a=1 - application/x+json 5",
      ],
    ],
  },
  query: {
    decides: "what is appended to the URL's query",
    story: askedLine,
    outcomes: [
      [{}, "GET /path?a=1 - -"],
      [{ query: { b: 2, c: undefined } }, "GET /path?a=1&b=2 - -"],
    ],
  },
  signal: {
    decides: "whether the request is aborted",
    story: async (t, options) => {
      const server = await plainServer(t);
      return await outcomeOf(makeClient(t).request(server.origin, options));
    },
    outcomes: [
      [{}, 200],
      [{ signal: new AbortController().signal }, 200],
      [{ signal: AbortSignal.abort() }, "AbortError"],
      [{ signal: AbortSignal.abort(new RangeError("mine")) }, "RangeError"],
    ],
  },
  resend: {
    decides: "whether this request is sent again when its connection failed before the response",
    // On a clock that stands still: what must not be sent twice takes no connection that was idle for some 25 ms.
    story: (t, options, clientOptions) =>
      closedUnderSecond(t, { clock: new ManualClock(), ...clientOptions }, options),
    outcomes: [
      [{}, [200, 1]],
      [{ resend: "never" }, ["ERR_KEEPLINE_SOCKET_CLOSED", 0]],
      [{ resend: "safe" }, [200, 1], { resend: "never" }],
    ],
  },
  lane: {
    decides: "which lane's options this request has",
    story: (t, options, clientOptions) =>
      heldUp(t, options, { ...clientOptions, services: { default: { lanes: { brisk } } } }, true),
    outcomes: [
      [{}, ["waits", 200]],
      [{ lane: "default" }, ["waits", 200]],
      [{ lane: undefined }, ["waits", 200]],
      [{ lane: "brisk" }, ["ERR_KEEPLINE_REQUEST_TIMEOUT", "ERR_KEEPLINE_REQUEST_TIMEOUT"]],
      [{ lane: "brisk", requestTimeoutMsecs: never }, ["waits", 200]],
      [{ lane: "lame" }, ["ERR_KEEPLINE_INVALID_OPTION", "ERR_KEEPLINE_INVALID_OPTION"]],
    ],
  },
  queueTimeoutMsecs: {
    decides: "how long this request waits for a connection",
    story: async (t, options, clientOptions) => {
      const server = await plainServer(t);
      let answer = () => {};
      const { lookup } = lookupOf(["127.0.0.1"]);
      const client = makeClient(t, {
        ...clientOptions,
        connect: { lookup: (...args) => (answer = () => lookup(...args)) },
      });
      const request = outcomeOf(client.request(`http://slow.example:${server.port}`, options));
      const early = await Promise.race([request, sleep(80, "waits")]);
      answer();
      return [early, await request];
    },
    outcomes: [
      [{}, ["waits", 200]],
      [{ queueTimeoutMsecs: 30 }, ["ERR_KEEPLINE_QUEUE_TIMEOUT", "ERR_KEEPLINE_QUEUE_TIMEOUT"]],
      [{ queueTimeoutMsecs: never }, ["waits", 200], { queueTimeoutMsecs: 30 }],
    ],
  },
  headersTimeoutMsecs: {
    decides: "how long this response head may take",
    story: (t, options, clientOptions) => heldUp(t, options, clientOptions, false),
    outcomes: [
      [{}, ["waits", 200]],
      [
        { headersTimeoutMsecs: 30 },
        ["ERR_KEEPLINE_HEADERS_TIMEOUT", "ERR_KEEPLINE_HEADERS_TIMEOUT"],
      ],
      [{ headersTimeoutMsecs: never }, ["waits", 200], { headersTimeoutMsecs: 30 }],
    ],
  },
  bodyTimeoutMsecs: {
    decides: "how long this response body may stand still",
    story: (t, options, clientOptions) => heldUp(t, options, clientOptions, true),
    outcomes: [
      [{}, ["waits", 200]],
      [{ bodyTimeoutMsecs: 30 }, ["ERR_KEEPLINE_BODY_TIMEOUT", "ERR_KEEPLINE_BODY_TIMEOUT"]],
      [{ bodyTimeoutMsecs: never }, ["waits", 200], { bodyTimeoutMsecs: 30 }],
    ],
  },
  requestTimeoutMsecs: {
    decides: "how long this request may take as a whole",
    story: (t, options, clientOptions) => heldUp(t, options, clientOptions, true),
    outcomes: [
      [{}, ["waits", 200]],
      [
        { requestTimeoutMsecs: 30 },
        ["ERR_KEEPLINE_REQUEST_TIMEOUT", "ERR_KEEPLINE_REQUEST_TIMEOUT"],
      ],
      [{ requestTimeoutMsecs: never }, ["waits", 200], { requestTimeoutMsecs: 30 }],
      [{ requestTimeoutMsecs: undefined }, ["waits", 200]],
    ],
  },
} satisfies Record<keyof RequestOptions, Behaviour>;

for (const [option, { decides, story, outcomes }] of Object.entries<Behaviour>(behaviours)) {
  test(`the request option ${option} decides ${decides}`, async (t) => {
    for (const [options, seen, clientOptions = {}] of outcomes) {
      assert.deepEqual(await story(t, options, clientOptions), seen, inspect(options));
    }
  });
}

test("every request option of the table has a test above that sees it change something", () => {
  assert.deepEqual(Object.keys(behaviours).sort(), Object.keys(requestRules).sort());
  for (const [option, { outcomes }] of Object.entries<Behaviour>(behaviours)) {
    const [[, byDefault] = [null, null], ...others] = outcomes;
    const changing = others.filter(([, seen]) => inspect(seen) !== inspect(byDefault));
    assert(
      changing.some(([options]) => option in options),
      `${option}: an outcome that differs`,
    );
  }
});

test("options given to a request are not kept: the next one has the client's", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t);
  await outcomeOf(client.request(server.origin, { headersTimeoutMsecs: 1 }));
  const second = outcomeOf(client.request(server.origin));
  await server.next();
  (await server.next()).response.end();
  assert.equal(await second, 200);
});
