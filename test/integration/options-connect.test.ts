/**
 * Every `connect` option changes how sockets are opened, and what cannot be dialed fails as a dial: the
 * request gets a ConnectError, and its permit is free again.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { networkInterfaces, tmpdir } from "node:os";
import path from "node:path";
import { after, type TestContext, test } from "node:test";
import { inspect } from "node:util";
import { ConnectError, type ConnectOptions, ConnectTimeoutError } from "../../src/index.ts";
import { connectRules } from "../../src/net/connect-options.ts";
import { closedReasons, makeClient, rejection, statsOf } from "../support/client-kit.ts";
import {
  certificate,
  deafListener,
  lookupOf,
  outcomeOf,
  plainServer,
  tlsServer,
} from "../support/loopback.ts";
import { deadPort } from "../support/raw-server.ts";

const folder = mkdtempSync(path.join(tmpdir(), "keepline-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let socketFileCount = 0;
const socketFile = () => path.join(folder, `${++socketFileCount}.sock`);

/** Linux answers on all of 127.0.0.0/8, and holds handshakes back that a full backlog has no room for. */
const onLinux = process.platform === "linux" ? {} : { skip: "needs Linux's loopback network" };
const hasIPv6 = Object.values(networkInterfaces()).some((each) =>
  each?.some(({ address }) => address === "::1"),
);

type Given = { readonly [K in keyof ConnectOptions]?: ConnectOptions[K] };

interface Behaviour {
  /** What the option decides, to be read after its name. */
  readonly decides: string;
  /** What is seen with `connect`. */
  readonly story: (t: TestContext, connect: Given) => Promise<unknown>;
  /** Options, and what is seen with them. */
  readonly outcomes: readonly (readonly [connect: Given, seen: unknown])[];
}

const behaviours = {
  tls: {
    decides: "which certificates are trusted",
    story: async (t, connect) => {
      const server = await tlsServer(t, certificate());
      return await outcomeOf(makeClient(t, { connect }).request(server.origin));
    },
    outcomes: [
      [{}, "ERR_KEEPLINE_CONNECT"],
      [{ tls: null }, "ERR_KEEPLINE_CONNECT"],
      [{ tls: {} }, "ERR_KEEPLINE_CONNECT"],
      [{ tls: { ca: certificate().cert } }, 200],
      [{ tls: { rejectUnauthorized: false } }, 200],
    ],
  },
  lookup: {
    decides: "which address a name stands for",
    story: async (t, connect) => {
      const server = await plainServer(t);
      return await outcomeOf(makeClient(t, { connect }).request(`http://localhost:${server.port}`));
    },
    outcomes: [
      [{}, 200],
      [{ lookup: lookupOf(["127.0.0.1"]).lookup }, 200],
      [{ lookup: lookupOf(["127.0.0.2"]).lookup }, "ERR_KEEPLINE_CONNECT"],
    ],
  },
  localAddress: {
    decides: "from which address sockets are opened",
    story: async (t, connect) => {
      const server = await plainServer(t, (request, response) => {
        response.end(request.socket.remoteAddress);
      });
      const { body } = await makeClient(t, { connect }).request(server.origin);
      return await body.text();
    },
    outcomes: [
      [{}, "127.0.0.1"],
      [{ localAddress: "127.0.0.2" }, "127.0.0.2"],
    ],
  },
  family: {
    decides: "for addresses of which family a name is looked up",
    story: async (t, connect) => {
      const server = await plainServer(t);
      const { lookup, asked } = lookupOf(["127.0.0.1"]);
      const client = makeClient(t, { connect: { ...connect, lookup } });
      await outcomeOf(client.request(`http://service.example:${server.port}`));
      return asked;
    },
    outcomes: [
      [{}, [{ hostname: "service.example", family: 0, all: true }]],
      [{ family: 4 }, [{ hostname: "service.example", family: 4, all: false }]],
      [{ family: 6 }, [{ hostname: "service.example", family: 6, all: false }]],
    ],
  },
  autoSelectFamily: {
    decides: "whether the next address is tried when one refuses",
    story: async (t, connect) => {
      const server = await plainServer(t);
      const { lookup } = lookupOf(["127.0.0.2", "127.0.0.1"]);
      const client = makeClient(t, { connect: { ...connect, lookup } });
      return await outcomeOf(client.request(`http://service.example:${server.port}`));
    },
    outcomes: [
      [{}, 200],
      [{ autoSelectFamily: true }, 200],
      [{ autoSelectFamily: false }, "ERR_KEEPLINE_CONNECT"],
    ],
  },
  autoSelectFamilyAttemptTimeoutMsecs: {
    decides: "how long an address that does not answer holds up the next",
    story: async (t, connect) => {
      const server = await plainServer(t);
      await deafListener(t, "127.0.0.2", server.port);
      const { lookup } = lookupOf(["127.0.0.2", "127.0.0.1"]);
      const client = makeClient(t, {
        connectTimeoutMsecs: 800,
        connect: { ...connect, lookup },
      });
      return await outcomeOf(client.request(`http://service.example:${server.port}`));
    },
    outcomes: [
      [{}, "ERR_KEEPLINE_CONNECT_TIMEOUT"],
      [{ autoSelectFamilyAttemptTimeoutMsecs: 20 }, 200],
    ],
  },
  socketPath: {
    decides: "whether a Unix domain socket is dialed in place of the URL's host",
    story: async (t, connect) => {
      const hello = (request: IncomingMessage, response: ServerResponse) =>
        response.end(`${request.headers.host} over a socket file`);
      await plainServer(t, hello, { path: connect.socketPath ?? socketFile() });
      const origin = `http://127.0.0.1:${await deadPort()}`;
      const response = await makeClient(t, { connect })
        .request(origin)
        .catch(() => null);
      return (await response?.body.text())?.replace(/:\d+/, ":port");
    },
    outcomes: [
      [{}, undefined],
      [{ socketPath: null }, undefined],
      [{ socketPath: socketFile() }, "127.0.0.1:port over a socket file"],
    ],
  },
} satisfies Record<keyof ConnectOptions, Behaviour>;

for (const [option, { decides, story, outcomes }] of Object.entries<Behaviour>(behaviours)) {
  test(`connect.${option} decides ${decides}`, onLinux, async (t) => {
    for (const [connect, seen] of outcomes) {
      assert.deepEqual(await story(t, connect), seen, inspect(connect));
    }
  });
}

test("every connect option of the table has a test above that sees it change something", () => {
  assert.deepEqual(Object.keys(behaviours).sort(), Object.keys(connectRules).sort());
  for (const [option, { outcomes }] of Object.entries<Behaviour>(behaviours)) {
    const [[first, byDefault] = [null, null], ...others] = outcomes;
    assert.deepEqual(first, {}, `${option}: the first outcome is the default's`);
    const changing = others.filter(([, seen]) => inspect(seen) !== inspect(byDefault));
    assert(
      changing.some(([connect]) => option in connect),
      `${option}: an outcome that differs`,
    );
  }
});

test("the options of a client are options for another, connect included", async (t) => {
  const server = await plainServer(t);
  const connect = { lookup: lookupOf(["127.0.0.1"]).lookup };
  const first = makeClient(t, { maxSockets: 3, connect });
  const second = makeClient(t, first.options);
  assert.deepEqual(second.options, first.options);
  assert.equal(await outcomeOf(second.request(`http://service.example:${server.port}`)), 200);
});

test("an IPv6 literal is dialed without its brackets and named with them", {
  skip: hasIPv6 ? false : "there is no ::1",
}, async (t) => {
  const echo = (request: IncomingMessage, response: ServerResponse) =>
    response.end(request.headers.host);
  const server = await plainServer(t, echo, { host: "::1" });
  assert.equal(server.origin, `http://[::1]:${server.port}`);
  const { body, connection } = await makeClient(t).request(server.origin);
  assert.equal(await body.text(), `[::1]:${server.port}`);
  assert.equal(connection.remoteAddress, "::1");
});

test(
  "a body read through the second address that was tried is whole, over TLS too",
  onLinux,
  async (t) => {
    const bytes = Buffer.alloc(300_000, "0123456789abcdef");
    const answer = (_: IncomingMessage, response: ServerResponse) => response.end(bytes);
    const { cert, key } = certificate();
    const servers = [await plainServer(t, answer), await tlsServer(t, { cert, key }, answer)];
    for (const { origin, port } of servers) {
      const { lookup } = lookupOf(["127.0.0.2", "127.0.0.1"]);
      const client = makeClient(t, { connect: { lookup, tls: { ca: cert } } });
      for (const isReused of [false, true]) {
        const url = new URL(origin);
        url.hostname = "localhost";
        assert.equal(url.port, String(port));
        const { body, connection } = await client.request(url);
        assert.equal(connection.reused, isReused);
        assert.equal(connection.remoteAddress, "127.0.0.1");
        assert.deepEqual(Buffer.from(await body.bytes()), bytes);
      }
    }
  },
);

test("when every address refuses, the error names each of them", onLinux, async (t) => {
  const port = await deadPort();
  const { lookup } = lookupOf(["127.0.0.2", "127.0.0.3"]);
  const client = makeClient(t, { connect: { lookup } });
  const error = await rejection(client.request(`http://service.example:${port}`), ConnectError);
  assert.match(error.message, /service\.example:\d+: .*127\.0\.0\.2.*127\.0\.0\.3/);
  assert(error.cause instanceof AggregateError);
});

/** What cannot be dialed: Node reports some of these by an event, and throws others at once. */
const hopeless: readonly (readonly [title: string, connect: Given, cause: RegExp])[] = [
  [
    "a lookup that fails",
    { lookup: (_, __, callback) => callback(new Error("no name"), "") },
    /no name/,
  ],
  [
    "a lookup that throws",
    {
      lookup: () => {
        throw new Error("thrown by lookup");
      },
    },
    /thrown by lookup/,
  ],
  ["a lookup that finds nothing", { lookup: (_, __, callback) => callback(null, []) }, /./],
  ["a local address of another machine", { localAddress: "203.0.113.7" }, /EADDRNOTAVAIL/],
  ["a socket file that is not there", { socketPath: path.join(folder, "none") }, /ENOENT/],
  ["a certificate that is none", { tls: { cert: "not PEM" } }, /PEM|no start line/],
  ["a key that is none", { tls: { key: "not PEM" } }, /PEM|DECODER|unsupported/],
  ["a TLS version that is none", { tls: { minVersion: "TLSv9" as "TLSv1.2" } }, /TLSv9/],
];

for (const [title, connect, cause] of hopeless) {
  test(`${title} fails the dial and not the client`, async (t) => {
    const protocol = connect.tls === undefined ? "http" : "https";
    const client = makeClient(t, { maxSockets: 1, connect });
    for (let count = 0; count < 2; count++) {
      const request = client.request(`${protocol}://localhost:${await deadPort()}`);
      const error = await rejection(request, ConnectError);
      assert.match(String(error.cause), cause);
      const { reason, message } = error.cause as Error & { readonly reason?: string };
      // Of an OpenSSL error the reason is shown: its message is a line of numbers.
      assert(error.message.includes(reason ?? message));
      assert.equal(error.requestSent, false);
    }
    for (const { sockets, closed, failed } of client.stats().origins) {
      assert.equal(sockets.open, 0);
      assert.equal(closed["dial-failed"], 1);
      assert.equal(failed, 1);
    }
    await client.close();
  });
}

test(
  "a listener whose backlog is full is a connect timeout, and frees its permit",
  onLinux,
  async (t) => {
    const port = await deafListener(t, "127.0.0.1");
    const client = makeClient(t, { maxSockets: 1, connectTimeoutMsecs: 50 });
    await rejection(client.request(`http://127.0.0.1:${port}`), ConnectTimeoutError);
    assert.deepEqual(closedReasons(client), { "connect-timeout": 1 });
    assert.equal(statsOf(client).sockets.open, 0);
  },
);
