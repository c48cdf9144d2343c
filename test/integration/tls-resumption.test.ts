/**
 * TLS sessions on real sockets: a reconnect resumes whatever ended the connection before, what a server
 * refuses costs a full handshake and nothing else, and a session is used for nobody but its own server.
 */
import assert from "node:assert/strict";
import { constants, randomBytes, X509Certificate } from "node:crypto";
import { rmSync } from "node:fs";
import type { ServerOptions } from "node:https";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Certificate, makeCertificate } from "../../src/cli/certificate.ts";
import {
  type Client,
  type ClientOptions,
  ConnectError,
  HeadersTimeoutError,
  type RetireReason,
  SocketClosedError,
} from "../../src/index.ts";
import { type ConnectOptions, connectRules } from "../../src/net/connect-options.ts";
import { Dialer } from "../../src/net/dial.ts";
import { closedReasons, makeClient, rejection, statsOf, until } from "../support/client-kit.ts";
import { lookupOf, queueOf, statsFor } from "../support/loopback.ts";
import { describedBy, type TlsWatch, tlsWatch } from "../support/tls-watch.ts";

const local = makeCertificate();

const trusting = (t: TestContext, options: ClientOptions = {}, trusted: Certificate = local) =>
  makeClient(t, { ...options, connect: { tls: { ca: trusted.cert }, ...options.connect } });

/** Whether each of `count` requests after each other was on a resumed connection, as the server sees it. */
async function resumed(client: Client, url: string, count: number): Promise<boolean[]> {
  const seen: boolean[] = [];
  for (let left = count; left > 0; left--) seen.push((await describedBy(client, url)).isResumed);
  return seen;
}

const only = (version: "TLSv1.2" | "TLSv1.3") =>
  ({ minVersion: version, maxVersion: version }) as const;

/** How a connection can end, and what it was retired for. */
const endings: readonly {
  reason: RetireReason;
  options?: ClientOptions;
  end?: (client: Client, server: TlsWatch) => Promise<unknown>;
}[] = [
  { reason: "idle-timeout", options: { keepAliveMsecs: 1 } },
  { reason: "max-requests", options: { maxRequestsPerSocket: 1 } },
  { reason: "max-free-sockets", options: { maxFreeSockets: 0 } },
  {
    reason: "connection-close",
    end: (client, { origin }) => describedBy(client, `${origin}/close`),
  },
  { reason: "server-closed", end: async (_, { secured }) => secured[0]?.end() },
  { reason: "unexpected-bytes", end: async (_, { secured }) => secured[0]?.write("x") },
  {
    reason: "socket-error",
    end: (client, { origin }) =>
      rejection(client.request(`${origin}/break`, { method: "POST" }), SocketClosedError),
  },
  {
    reason: "timed-out",
    end: (client, { origin }) =>
      rejection(client.request(`${origin}/hang`, { headersTimeoutMsecs: 1 }), HeadersTimeoutError),
  },
  {
    reason: "aborted",
    end: (client, { origin }) => {
      const controller = new AbortController();
      const request = client.request(`${origin}/hang`, { signal: controller.signal });
      controller.abort();
      return rejection(request, DOMException);
    },
  },
];

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  for (const { reason, options, end } of endings) {
    test(`over ${version} a reconnect resumes after ${reason}, as the server sees and stats count`, async (t) => {
      const server = await tlsWatch(t, { ...local, ...only(version) });
      const client = trusting(t, options);
      assert.equal((await describedBy(client, server.origin)).isResumed, false);
      await end?.(client, server);
      await until(() => statsOf(client).sockets.open === 0);
      assert.deepEqual(closedReasons(client), { [reason]: 1 });
      assert.equal((await describedBy(client, server.origin)).isResumed, true);
      const { opened, resumedTls } = statsOf(client);
      assert.deepEqual({ opened, resumedTls }, { opened: 2, resumedTls: 1 });
    });
  }

  test(`over ${version} reconnects at the same time all resume, and go on doing so`, async (t) => {
    const server = await tlsWatch(t, { ...local, ...only(version) });
    const client = trusting(t, { keepAlive: false });
    assert.deepEqual(await resumed(client, server.origin, 1), [false]);
    for (let round = 0; round < 3; round++) {
      const five = Array.from({ length: 5 }, () => describedBy(client, server.origin));
      const seen = (await Promise.all(five)).map(({ isResumed }) => isResumed);
      assert.deepEqual(seen, [true, true, true, true, true]);
    }
    assert.equal(statsOf(client).resumedTls, 15);
  });

  test(`over ${version} a session that the server refuses costs a full handshake, and no request`, async (t) => {
    const server = await tlsWatch(t, { ...local, ...only(version) });
    const client = trusting(t, { keepAlive: false });
    assert.deepEqual(await resumed(client, server.origin, 2), [false, true]);
    server.server.setTicketKeys(randomBytes(48));
    assert.deepEqual(await resumed(client, server.origin, 3), [false, true, true]);
    assert.equal(statsOf(client).failed, 0);
    assert.deepEqual(closedReasons(client), { "keep-alive-off": 5 });
  });

  test(`over ${version} a session is good for one host name only, on one address and one Unix socket alike`, async (t) => {
    const named = makeCertificate({ names: ["a.test", "b.test"] });
    const path = join(tmpdir(), `keepline-resume-${process.pid}-${version}.sock`);
    t.after(() => rmSync(path, { force: true }));
    const servers = [
      await tlsWatch(t, { ...named, ...only(version) }),
      await tlsWatch(t, { ...named, ...only(version) }, { path }),
    ];
    const { lookup } = lookupOf(["127.0.0.1"]);
    for (const [index, where] of [{ lookup }, { socketPath: path }].entries()) {
      const connect = { tls: { ca: named.cert }, ...where };
      const client = makeClient(t, { keepAlive: false, connect });
      const port = servers[index]?.port || 443;
      for (const name of ["a.test", "b.test"]) {
        const url = `https://${name}:${port}`;
        assert.deepEqual(await resumed(client, `${url}/`, 2), [false, true]);
        assert.equal(statsFor(client, new URL(url).origin).resumedTls, 1);
      }
    }
  });
}

test("session ids of TLS 1.2, which a server keeps itself, are resumed, and are no error when it has lost them", async (t) => {
  const server = await tlsWatch(t, {
    ...local,
    ...only("TLSv1.2"),
    secureOptions: constants.SSL_OP_NO_TICKET,
  });
  const sessions = new Map<string, Buffer>();
  server.server.on("newSession", (id: Buffer, session: Buffer, done: () => void) => {
    sessions.set(id.toString("hex"), session);
    done();
  });
  server.server.on("resumeSession", (id: Buffer, done: (e: null, s: Buffer | null) => void) => {
    done(null, sessions.get(id.toString("hex")) ?? null);
  });
  const client = trusting(t, { keepAlive: false });
  assert.deepEqual(await resumed(client, server.origin, 3), [false, true, true]);
  assert.equal(sessions.size, 1);
  sessions.clear();
  assert.deepEqual(await resumed(client, server.origin, 2), [false, true]);
  assert.equal(statsOf(client).failed, 0);
});

test("a session is resumed with a servername that is not the URL's host", async (t) => {
  const named = makeCertificate({ names: ["inner.test"] });
  const server = await tlsWatch(t, named);
  const connect = { tls: { ca: named.cert, servername: "inner.test" } };
  const client = makeClient(t, { keepAlive: false, connect });
  assert.deepEqual(await resumed(client, server.origin, 2), [false, true]);
  assert.equal((await describedBy(client, server.origin)).servername, "inner.test");
});

test("a server that does not resume is connected to each time in full", async (t) => {
  // A client that has no session to offer sees no difference.
  const server = await tlsWatch(t, {
    ...local,
    ...only("TLSv1.2"),
    secureOptions: constants.SSL_OP_NO_TICKET,
  });
  const client = trusting(t, { keepAlive: false });
  assert.deepEqual(await resumed(client, server.origin, 3), [false, false, false]);
  assert.equal(statsOf(client).resumedTls, 0);
});

// Clients of one server that would resume a session of each of them, had they the chance.

test("clients of different settings share no session, in whatever order they come", async (t) => {
  const named = makeCertificate({ ips: ["127.0.0.1"], names: ["one.test", "two.test"] });
  const server = await tlsWatch(t, named);
  const settings = [
    { rejectUnauthorized: false },
    { ca: named.cert },
    { ca: [named.cert, local.cert] },
    { ca: named.cert, servername: "one.test" },
    { ca: named.cert, servername: "two.test" },
  ];
  const refused = [{}, { ca: local.cert }, { ca: named.cert, servername: "three.test" }];
  const clients = settings.map((tls) => makeClient(t, { keepAlive: false, connect: { tls } }));
  for (const expected of [false, true]) {
    for (const [index, client] of clients.entries()) {
      const { isResumed, servername } = await describedBy(client, server.origin);
      assert.equal(isResumed, expected);
      assert.equal(servername, settings[index]?.servername ?? null);
    }
    for (const tls of refused) {
      const client = makeClient(t, { connect: { tls } });
      await rejection(client.request(server.origin), ConnectError);
      assert.equal(statsOf(client).resumedTls, 0);
    }
  }
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`over ${version} the server sees each client's own certificate, on resumed connections too`, async (t) => {
    const options: ServerOptions = { requestCert: true, rejectUnauthorized: false };
    const server = await tlsWatch(t, { ...local, ...only(version), ...options });
    const clients = [makeCertificate(), makeCertificate(), null].map((identity) => {
      const tls = { ca: local.cert, ...identity };
      return makeClient(t, { keepAlive: false, connect: { tls } });
    });
    const seen: (string | null)[][] = [[], [], []];
    for (let round = 0; round < 3; round++) {
      const described = await Promise.all(
        clients.map((client) => describedBy(client, server.origin)),
      );
      for (const [index, { peer, isResumed }] of described.entries()) {
        assert.equal(isResumed, round > 0);
        seen[index]?.push(peer);
      }
    }
    for (const peers of seen) assert.equal(new Set(peers).size, 1);
    assert.equal(new Set(seen.flat()).size, 3);
    assert.deepEqual(new Set(seen[2]), new Set([null]));
  });
}

// A resumed handshake shows no certificate: what was verified must still hold.

test("what checkServerIdentity says now holds for resumed connections too: no byte is sent on one that it refuses", async (t) => {
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    const server = await tlsWatch(t, { ...local, ...only(version) });
    const asked: (readonly [name: string, fingerprint: string])[] = [];
    let pin: Error | undefined;
    const client = makeClient(t, {
      keepAlive: false,
      connect: {
        tls: {
          ca: local.cert,
          checkServerIdentity: (name, { fingerprint256 }) => {
            asked.push([name, fingerprint256]);
            return pin;
          },
        },
      },
    });
    assert.deepEqual(await resumed(client, server.origin, 3), [false, true, true]);
    assert.equal(asked.length, 3);
    assert.equal(new Set(asked.map(String)).size, 1);
    assert.equal(asked[0]?.[0], "127.0.0.1");
    const bytes = await server.applicationBytes();
    pin = Object.assign(new Error("the key is pinned no more"), { code: "PIN" });
    for (let count = 0; count < 2; count++) {
      const error = await rejection(client.request(server.origin), ConnectError);
      assert.equal(error.cause, pin);
      assert.equal(error.requestSent, false);
    }
    assert.equal(await server.applicationBytes(), bytes);
    pin = undefined;
    assert.deepEqual(await resumed(client, server.origin, 2), [false, true]);
  }
});

test("a checkServerIdentity that throws on a resumed connection fails the dial, not the program", async (t) => {
  const server = await tlsWatch(t, local);
  let isThrowing = false;
  const checkServerIdentity = (): undefined => {
    if (isThrowing) throw new Error("a defect of the program");
  };
  const connect = { tls: { ca: local.cert, checkServerIdentity } };
  const client = makeClient(t, { keepAlive: false, connect });
  assert.deepEqual(await resumed(client, server.origin, 2), [false, true]);
  isThrowing = true;
  const error = await rejection(client.request(server.origin), ConnectError);
  assert.match(error.message, /a defect of the program/);
});

test("a session is not used past the end of its server's certificate", async (t) => {
  const notAfter = new Date(Date.now() + 3_600_000);
  const certificate = makeCertificate({ notAfter });
  const server = await tlsWatch(t, certificate);
  const client = trusting(t, { keepAlive: false }, certificate);
  assert.deepEqual(await resumed(client, server.origin, 3), [false, true, true]);
  // Only keepline's clock moves: for OpenSSL the certificate is still good.
  t.mock.timers.enable({ apis: ["Date"], now: notAfter.getTime() - 1_000 });
  assert.deepEqual(await resumed(client, server.origin, 1), [true]);
  t.mock.timers.setTime(notAfter.getTime() + 1_000);
  assert.deepEqual(await resumed(client, server.origin, 2), [false, false]);
});

test("a session that comes on a resumed connection is good for as long as the one that was resumed", async (t) => {
  const server = await tlsWatch(t, local);
  const defaults = Object.entries(connectRules).map(([name, rule]) => [name, rule.default]);
  const options = { ...Object.fromEntries(defaults), tls: { ca: local.cert } } as ConnectOptions;
  const dialer = new Dialer(options, () => performance.now());
  const address = { isTls: true, host: "127.0.0.1", port: server.port };
  const key = `127.0.0.1:${server.port}`;
  const dial = async (): Promise<Socket> => {
    const opened = queueOf<boolean>();
    const socket = dialer.dial(address, {
      opened: (_, isResumed) => opened.push(isResumed),
      failed: (cause) => assert.fail(cause),
      read: () => true,
    });
    t.after(() => socket.destroy());
    assert.equal(await opened.next(), dialer.sessions.size === 1);
    return socket;
  };
  await dial();
  await until(() => dialer.sessions.size === 1);
  const first = dialer.sessions.get(key, 0);
  assert.equal(first?.identity.validUntil, Date.parse(new X509Certificate(local.cert).validTo));
  // As servers other than Node's send them.
  (await dial()).emit("session", Buffer.from("a ticket"));
  const second = dialer.sessions.get(key, 0);
  assert.equal(second?.ticket.toString(), "a ticket");
  assert.equal(second.identity, first.identity);
});

test("a client that verifies nothing resumes whatever the certificate says", async (t) => {
  const notAfter = new Date(Date.now() - 3_600_000);
  const server = await tlsWatch(t, makeCertificate({ names: ["other.test"], notAfter }));
  const connect = { tls: { rejectUnauthorized: false } };
  const client = makeClient(t, { keepAlive: false, connect });
  assert.deepEqual(await resumed(client, server.origin, 3), [false, true, true]);
});

test("settings that the program changes after it made the client change nothing: neither trust nor sessions", async (t) => {
  const server = await tlsWatch(t, local);
  const careful = { ca: makeCertificate().cert, rejectUnauthorized: true };
  const client = makeClient(t, { connect: { tls: careful } });
  await rejection(client.request(server.origin), ConnectError);
  careful.rejectUnauthorized = false;
  careful.ca = local.cert;
  await rejection(client.request(server.origin), ConnectError);
  assert.equal(await server.applicationBytes(), 0);
});
