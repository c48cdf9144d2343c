/**
 * Dials that fail, that have a choice of addresses, and that are made ahead of demand.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import type { LookupFunction } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { type ClientOptions, ConnectError, SocketClosedError } from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import {
  closedReasons,
  isSettled,
  makeClient,
  rejection,
  statsOf,
  until,
} from "../support/client-kit.ts";
import {
  answering,
  deadPort,
  httpServer,
  ok,
  type RawConnection,
  rawServer,
} from "../support/raw-server.ts";

for (const [what, options] of [
  ["a socket for each", {}],
  ["few sockets", { maxSockets: 3 }],
  ["one socket", { maxSockets: 1 }],
  ["one socket for all origins", { maxTotalSockets: 1 }],
] as const satisfies [string, ClientOptions][]) {
  test(`when nobody listens all requests settle with ConnectError, with ${what}`, async (t) => {
    const port = await deadPort();
    const origin = `http://127.0.0.1:${port}`;
    const client = makeClient(t, options);
    for (const _ of [1, 2]) {
      const requests = Array.from({ length: 200 }, () => client.request(origin));
      const errors = await Promise.all(requests.map((each) => rejection(each, ConnectError)));
      for (const error of errors) {
        assert.equal(error.code, "ERR_KEEPLINE_CONNECT");
        assert.equal(error.requestSent, false);
        assert.equal(error.origin, origin);
        assert.equal((error.cause as NodeJS.ErrnoException).code, "ECONNREFUSED");
        assert.ok(error.message.includes(`127.0.0.1:${port}`), error.message);
      }
    }
    assert.equal(statsOf(client).failed, 400);
    assert.deepEqual(statsOf(client).sockets, { open: 0, idle: 0, busy: 0, dialing: 0 });
    assert.deepEqual(Object.keys(closedReasons(client)), ["dial-failed"]);
  });
}

test("a server that comes back is used again at once, its back-off included", async (t) => {
  const first = await rawServer(t, answering(ok("first")));
  const client = makeClient(t, { maxSockets: 2 });
  assert.equal(await (await client.request(first.origin)).body.text(), "first");
  await first.stop();
  await until(() => statsOf(client).sockets.open === 0);
  for (let count = 0; count < 5; count++) {
    await rejection(client.request(first.origin), ConnectError);
  }
  await rawServer(t, answering(ok("second")), { port: first.port });
  const requests = Array.from({ length: 10 }, () => client.request(first.origin));
  for (const { body } of await Promise.all(requests)) assert.equal(await body.text(), "second");
  assert.equal(statsOf(client).sockets.open, 2);
});

test("a server that comes back while requests wait serves them", async (t) => {
  const first = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.gone();
  });
  const client = makeClient(t, { maxSockets: 1 });
  const lost = client.request(first.origin);
  const waiting = client.request(first.origin);
  const lostError = rejection(lost, SocketClosedError);
  await until(() => first.connections[0]?.arrivedBytes !== undefined);
  await first.stop();
  await rawServer(t, answering(ok("fine")), { port: first.port });
  await lostError;
  // Its dial met the gap, or came after it.
  const outcome = await waiting.then(
    ({ body }) => body.text(),
    (error: Error) => error.name,
  );
  assert.ok(["fine", "ConnectError"].includes(outcome), outcome);
  assert.equal(await (await client.request(first.origin)).body.text(), "fine");
});

test("a Unix socket serves every origin of its client", {
  skip: process.platform === "win32",
}, async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "keepline-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const socketPath = path.join(folder, "socket");
  await rawServer(
    t,
    async (connection) => {
      for (;;) await connection.send(ok((await connection.request()).field("host")));
    },
    { path: socketPath },
  );
  const client = makeClient(t, { connect: { socketPath } });
  for (const host of ["docker.test", "docker.test", "other.test:8080"]) {
    const response = await client.request(`http://${host}/`);
    assert.equal(await response.body.text(), host);
    assert.equal(response.connection.remoteAddress, undefined);
  }
  assert.equal(client.stats().client.sockets.open, 2);

  const nowhere = makeClient(t, { connect: { socketPath: `${socketPath}-not` } });
  const error = await rejection(nowhere.request("http://docker.test/"), ConnectError);
  assert.equal((error.cause as NodeJS.ErrnoException).code, "ENOENT");
});

/** A lookup that knows several addresses of every name, and notes the names. */
function lookupOf(addresses: readonly string[], names: string[] = []): LookupFunction {
  return (name, options, callback) => {
    names.push(name);
    const family = (address: string): number => (address.includes(":") ? 6 : 4);
    const all = addresses.map((address) => ({ address, family: family(address) }));
    const [first] = all;
    setImmediate(() => {
      if (options.all === true) callback(null, all);
      else callback(null, first?.address ?? "", first?.family ?? 4);
    });
  };
}

/** Loopback has all of 127.0.0.0/8 on Linux only. */
const loopbackOnly = { skip: process.platform !== "linux" };

test("the next address is tried when the first is dead", loopbackOnly, async (t) => {
  const server = await rawServer(t, answering(ok("fine")));
  const names: string[] = [];
  const lookup = lookupOf(["127.0.0.2", "127.0.0.3", "127.0.0.1"], names);
  const client = makeClient(t, { connect: { lookup } });
  const response = await client.request(`http://name.test:${server.port}/`);
  assert.equal(await response.body.text(), "fine");
  assert.equal(response.connection.remoteAddress, "127.0.0.1");
  assert.notEqual(response.timings.dns, null);
  // The connection is good for more, whatever failed before it.
  await client.request(`http://name.test:${server.port}/`);
  assert.equal(server.connectionCount, 1);
  assert.deepEqual(names, ["name.test"]);
  assert.equal(statsOf(client).failed, 0);
});

test("the address of another family is tried when the first is dead", async (t) => {
  const server = await rawServer(t, answering(ok("fine")));
  const client = makeClient(t, { connect: { lookup: lookupOf(["::1", "127.0.0.1"]) } });
  const response = await client.request(`http://name.test:${server.port}/`);
  assert.equal(await response.body.text(), "fine");
  assert.equal(response.connection.remoteAddress, "127.0.0.1");
});

test("when all addresses are dead the error names each", loopbackOnly, async (t) => {
  const port = await deadPort();
  const client = makeClient(t, { connect: { lookup: lookupOf(["127.0.0.2", "127.0.0.3"]) } });
  const error = await rejection(client.request(`http://name.test:${port}/`), ConnectError);
  assert.match(error.message, /127\.0\.0\.2:\d+.*127\.0\.0\.3:\d+/);
  assert.match(error.message, /http:\/\/name\.test/);
  assert.ok(error.cause instanceof AggregateError);
});

test("autoSelectFamily: false tries the first address only", loopbackOnly, async (t) => {
  const server = await rawServer(t, answering(ok("fine")));
  const lookup = lookupOf(["127.0.0.2", "127.0.0.1"]);
  const client = makeClient(t, { connect: { lookup, autoSelectFamily: false } });
  await rejection(client.request(`http://name.test:${server.port}/`), ConnectError);
  assert.equal(server.connectionCount, 0);
});

test("an unknown name fails with the lookup's error", async (t) => {
  const failure = Object.assign(new Error("no such host"), { code: "ENOTFOUND" });
  const lookup: LookupFunction = (_name, _options, callback) => callback(failure, "", 4);
  const client = makeClient(t, { connect: { lookup } });
  const error = await rejection(client.request("http://name.test/"), ConnectError);
  assert.equal(error.cause, failure);
  assert.equal(error.requestSent, false);
});

test("a lookup that throws fails the request, not the program", async (t) => {
  const failure = new Error("broken lookup");
  const lookup: LookupFunction = () => {
    throw failure;
  };
  const client = makeClient(t, { connect: { lookup } });
  const requests = [1, 2, 3].map(() => client.request("http://name.test/"));
  for (const error of await Promise.all(requests.map((each) => rejection(each, ConnectError)))) {
    assert.equal(error.cause, failure);
  }
  await client.close();
});

test("connections come from localAddress", loopbackOnly, async (t) => {
  const server = await rawServer(t, answering(ok()));
  const client = makeClient(t, { connect: { localAddress: "127.0.0.9" } });
  await client.request(server.origin);
  assert.equal(server.connections[0]?.socket.remoteAddress, "127.0.0.9");
});

test("a local address that this host does not have fails the request, and the client still closes", async (t) => {
  // Of a network for documentation (RFC 5737).
  const client = makeClient(t, { connect: { localAddress: "192.0.2.1" } });
  const error = await rejection(client.request("http://127.0.0.1:1/"), ConnectError);
  assert.equal(error.requestSent, false);
  await client.close();
});

test("an IPv6 literal is dialed without its brackets", async (t) => {
  const server = await rawServer(t, answering(ok("six")), { host: "::1" }).catch(() => null);
  if (server === null) return t.skip("no IPv6 here");
  const response = await makeClient(t).request(`http://[::1]:${server.port}/`);
  assert.equal(await response.body.text(), "six");
  assert.equal(response.connection.remoteAddress, "::1");
});

test("a dial that succeeds after connections were lost tells later requests nothing of it", async (t) => {
  const server = await rawServer(t, answering(ok("fine")));
  // Time stands still, so that nothing is learned of how long the server keeps connections.
  const client = makeClient(t, { maxSockets: 5, clock: new ManualClock() });
  for (let round = 0; round < 5; round++) {
    await Promise.all(Array.from({ length: 5 }, () => client.request(server.origin)));
    // A request may have taken the connection of another, before its own dial was there.
    await until(() => statsOf(client).sockets.idle === 5);
    await until(() => server.connections.length === 5 * (round + 1));
    for (const connection of server.connections.slice(-5)) connection.reset();
    await until(() => statsOf(client).sockets.open === 0);
  }
  assert.deepEqual(closedReasons(client), { "server-closed": 25 });
  assert.equal(statsOf(client).failed, 0);
});

test("warm() opens connections that later requests use", async (t) => {
  const server = await httpServer(t, (_, response) => response.end());
  const client = makeClient(t);
  assert.equal(await client.warm(server.origin, 5), 5);
  assert.deepEqual(statsOf(client).sockets, { open: 5, idle: 5, busy: 0, dialing: 0 });
  assert.equal(await client.warm(server.origin, 3), 5);
  const responses = await Promise.all(
    Array.from({ length: 5 }, () => client.request(server.origin)),
  );
  for (const { connection } of responses) {
    assert.equal(connection.requestCount, 1);
    assert.equal(connection.reused, false);
  }
  assert.equal(server.connectionCount, 5);
});

test("warm() goes no further than a limit, and says how far it went", async (t) => {
  const server = await httpServer(t, (_, response) => response.end());
  const few = makeClient(t, { maxSockets: 2 });
  assert.equal(await few.warm(server.origin, 5), 2);
  const fewInAll = makeClient(t, { maxTotalSockets: 3 });
  assert.equal(await fewInAll.warm(server.origin, 5), 3);
  await until(() => server.connectionCount === 5);
});

test("warm() of what does not listen rejects with ConnectError", async (t) => {
  const client = makeClient(t);
  const error = await rejection(
    client.warm(`http://127.0.0.1:${await deadPort()}/`, 3),
    ConnectError,
  );
  assert.equal((error.cause as NodeJS.ErrnoException).code, "ECONNREFUSED");
  await client.close();
});

test("minFreeSockets holds connections ready, and replaces those that are used or closed", async (t) => {
  const holding = new Set<RawConnection>();
  const server = await rawServer(t, async (connection) => {
    for (;;) {
      const { path: wanted } = await connection.request();
      if (wanted === "/hold") {
        holding.add(connection);
        return connection.gone();
      }
      await connection.send(ok());
    }
  });
  const client = makeClient(t, { minFreeSockets: 3, maxSockets: 10 });
  const isAtRest = (busy: number): boolean => {
    const { sockets } = statsOf(client);
    return sockets.idle >= 3 && sockets.dialing === 0 && sockets.busy === busy;
  };
  await client.request(server.origin);
  await until(() => isAtRest(0));
  const held = [1, 2].map(() => client.request(`${server.origin}/hold`));
  for (const each of held) each.catch(() => {});
  await until(() => isAtRest(2));
  await until(() => server.openCount === statsOf(client).sockets.open);
  const idle = server.connections.filter((connection) => !holding.has(connection));
  for (const connection of idle) connection.end();
  await until(() => statsOf(client).closed["server-closed"] === idle.length);
  await until(() => isAtRest(2));
  assert.equal(await isSettled(Promise.race(held)), false);
});

test("connections that are open count towards maxSockets, dialing ones too", async (t) => {
  const server = await httpServer(t, (_, response) => setImmediate(() => response.end()));
  const client = makeClient(t, { maxSockets: 7 });
  let most = 0;
  const watch = (): void => {
    most = Math.max(most, statsOf(client).sockets.open);
  };
  const requests = Array.from({ length: 70 }, async () => {
    await client.request(server.origin);
    watch();
  });
  watch();
  await Promise.all(requests);
  assert.equal(most, 7);
  assert.equal(server.connectionCount, 7);
});

test("maxTotalSockets bounds the connections of all origins, and every request is served", async (t) => {
  const servers = await Promise.all(
    [1, 2, 3, 4, 5].map(() => httpServer(t, (_, response) => setImmediate(() => response.end()))),
  );
  const client = makeClient(t, { maxTotalSockets: 3 });
  const open = (): number => servers.reduce((sum, server) => sum + server.openCount, 0);
  let most = 0;
  await Promise.all(
    Array.from({ length: 100 }, async (_, index) => {
      await client.request(servers[index % 5]?.origin ?? "");
      most = Math.max(most, client.stats().client.sockets.open);
    }),
  );
  assert.ok(most <= 3, `${most} sockets`);
  await until(() => open() <= 3);
});
