/**
 * Every error class is met here as a program meets it, and says what it must.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import * as keepline from "../../src/index.ts";
import { Client } from "../../src/index.ts";
import { makeClient } from "../support/client-kit.ts";
import { deafListener, holdingServer } from "../support/loopback.ts";
import { answering, deadPort, httpServer, rawServer } from "../support/raw-server.ts";

/** How to meet one class of error. */
interface Story {
  readonly code: string;
  /** Whether a byte of the request may have reached the server. */
  readonly requestSent: boolean;
  /** Whether it was met by a request to an origin, which it then names. */
  readonly hasOrigin: boolean;
  readonly message: RegExp;
  /** Rejects with the error. */
  readonly meet: (t: TestContext) => Promise<unknown>;
}

const stories: Readonly<Record<string, Story>> = {
  InvalidOptionError: {
    code: "ERR_KEEPLINE_INVALID_OPTION",
    requestSent: false,
    hasOrigin: false,
    message:
      /^new Client\(\): maxSockets must be a whole number of at least 1, or Infinity, not 0$/,
    meet: async () => new Client({ maxSockets: 0 }),
  },
  InvalidRequestError: {
    code: "ERR_KEEPLINE_INVALID_REQUEST",
    requestSent: false,
    hasOrigin: false,
    message: /^url must be absolute, .* not "\/things"$/,
    meet: (t) => makeClient(t).request("/things"),
  },
  QueueFullError: {
    code: "ERR_KEEPLINE_QUEUE_FULL",
    requestSent: false,
    hasOrigin: true,
    message: /is full \(pending 0\/0, open 1\/1 maxSockets\)/,
    meet: async (t) => {
      const server = await holdingServer(t);
      const client = makeClient(t, { maxSockets: 1, maxPending: 0 });
      ignore(client.request(server.origin));
      return client.request(server.origin);
    },
  },
  QueueTimeoutError: {
    code: "ERR_KEEPLINE_QUEUE_TIMEOUT",
    requestSent: false,
    hasOrigin: true,
    message: /no socket to .* became free in \d+ ms \(open 1\/1 maxSockets, pending \d\)/,
    meet: async (t) => {
      const server = await holdingServer(t);
      const client = makeClient(t, { maxSockets: 1 });
      ignore(client.request(server.origin));
      await server.next();
      return client.request(server.origin, { queueTimeoutMsecs: 20 });
    },
  },
  ConnectError: {
    code: "ERR_KEEPLINE_CONNECT",
    requestSent: false,
    hasOrigin: true,
    message: /^cannot connect to http:.*: connect ECONNREFUSED/,
    meet: async (t) => makeClient(t).request(`http://127.0.0.1:${await deadPort()}/`),
  },
  ConnectTimeoutError: {
    code: "ERR_KEEPLINE_CONNECT_TIMEOUT",
    requestSent: false,
    hasOrigin: true,
    message: /^connecting to http:.* took longer than 50 ms$/,
    meet: async (t) => {
      const port = await deafListener(t, "127.0.0.1");
      return makeClient(t, { connectTimeoutMsecs: 50 }).request(`http://127.0.0.1:${port}/`);
    },
  },
  HeadersTimeoutError: {
    code: "ERR_KEEPLINE_HEADERS_TIMEOUT",
    requestSent: true,
    hasOrigin: true,
    message: /sent no response head within 30 ms$/,
    meet: async (t) => {
      const server = await holdingServer(t);
      return makeClient(t).request(server.origin, { headersTimeoutMsecs: 30 });
    },
  },
  BodyTimeoutError: {
    code: "ERR_KEEPLINE_BODY_TIMEOUT",
    requestSent: true,
    hasOrigin: true,
    message: /the response body of .* stood still for 30 ms after 3 bytes$/,
    meet: async (t) => {
      const server = await httpServer(t, (_, response) => void response.write("abc"));
      const response = await makeClient(t).request(server.origin, { bodyTimeoutMsecs: 30 });
      return response.body.text();
    },
  },
  RequestTimeoutError: {
    code: "ERR_KEEPLINE_REQUEST_TIMEOUT",
    requestSent: true,
    hasOrigin: true,
    message: /took longer than 100 ms \(it was waiting for the response head\)$/,
    meet: async (t) => {
      const server = await holdingServer(t);
      return makeClient(t).request(server.origin, { requestTimeoutMsecs: 100 });
    },
  },
  SocketClosedError: {
    code: "ERR_KEEPLINE_SOCKET_CLOSED",
    requestSent: true,
    hasOrigin: true,
    message: /closed the connection before it responded \(first request on this connection\)$/,
    meet: async (t) => {
      const server = await httpServer(t, (request) => void request.socket.end());
      return makeClient(t).request(server.origin);
    },
  },
  ResponseParseError: {
    code: "ERR_KEEPLINE_RESPONSE_PARSE",
    requestSent: true,
    hasOrigin: true,
    message: /^invalid response from http:/,
    meet: async (t) => {
      const server = await rawServer(t, answering("SIP/2.0 200 OK\r\n\r\n"));
      return makeClient(t).request(server.origin);
    },
  },
  ClientClosedError: {
    code: "ERR_KEEPLINE_CLIENT_CLOSED",
    requestSent: true,
    hasOrigin: true,
    message: /the client was destroyed during a request to http:/,
    meet: async (t) => {
      const server = await holdingServer(t);
      const client = makeClient(t);
      const request = client.request(server.origin);
      await server.next();
      client.destroy();
      return request;
    },
  },
};

/** A request that only has to be there. */
function ignore(request: Promise<unknown>): void {
  request.catch(() => {});
}

const exported = new Map<string, unknown>(Object.entries(keepline));

test("there is a story for every error class that the package exports", () => {
  const classes = [...exported.keys()].filter((name) => name.endsWith("Error"));
  assert.deepEqual(classes.sort(), [...Object.keys(stories), "KeeplineError"].sort());
});

for (const [name, story] of Object.entries(stories)) {
  test(`${name} says what, where and how much, and whether the request was sent`, async (t) => {
    const error = await story.meet(t).then(
      () => assert.fail("it was not met"),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof keepline.KeeplineError);
    assert.equal(error.constructor, exported.get(name));
    const { code, requestSent, origin, service, lane, message } = error;
    assert.deepEqual({ name: error.name, code, requestSent }, { name, ...pick(story) });
    assert.match(message, story.message);
    assert.equal(origin !== undefined, story.hasOrigin);
    if (story.hasOrigin)
      assert.deepEqual({ service, lane }, { service: "default", lane: "default" });
  });
}

function pick({ code, requestSent }: Story): Pick<Story, "code" | "requestSent"> {
  return { code, requestSent };
}

test("the cause of a failed dial, and of a queue timeout after one, is the system's error", async (t) => {
  const origin = `http://127.0.0.1:${await deadPort()}`;
  const error = await makeClient(t)
    .request(origin)
    .catch((reason: unknown) => reason as keepline.ConnectError);
  assert.ok(error instanceof keepline.ConnectError);
  assert.equal((error.cause as NodeJS.ErrnoException).code, "ECONNREFUSED");
});

test("an option error is a TypeError or a RangeError by nature, and names the option", () => {
  for (const [options, option, nature] of [
    [{ maxSockets: 0 }, "maxSockets", "RangeError"],
    [{ maxSockets: "5" }, "maxSockets", "TypeError"],
    [{ maxSocket: 5 }, "maxSocket", "TypeError"],
    [{ connect: { family: 5 } }, "connect.family", "RangeError"],
  ] as const) {
    assert.throws(
      () => new Client(options as never),
      (error: unknown) => {
        assert.ok(error instanceof keepline.InvalidOptionError);
        assert.deepEqual({ option: error.option, nature: error.nature }, { option, nature });
        return true;
      },
    );
  }
});
