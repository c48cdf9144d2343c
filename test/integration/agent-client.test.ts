/**
 * Agents of a client: what goes through them shares the client's sockets, limits, lanes and counters.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { test } from "node:test";
import { InvalidOptionError } from "../../src/index.ts";
import { begin, countOf, failure, get } from "../support/agent-kit.ts";
import { makeClient, until } from "../support/client-kit.ts";
import { certificate, holdingServer, plainServer, tlsServer } from "../support/loopback.ts";

test("a request through an agent of a client uses the sockets of client.request, and the other way round", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t);
  const agent = client.httpAgent();
  assert.ok(agent instanceof http.Agent);
  const first = await client.request(server.origin);
  await first.body.text();
  const second = await get(server.origin, { agent });
  assert.equal(second.reused, true);
  const third = await client.request(server.origin);
  await third.body.text();
  assert.equal(third.connection.localPort, second.port);
  assert.equal(third.connection.requestCount, 3);
  assert.equal(server.connectionCount, 1);
  const [stats, ...others] = client.stats().origins;
  assert.deepEqual([stats?.requests, stats?.opened, stats?.reused, others.length], [3, 1, 2, 0]);
  assert.equal(stats?.timings.firstByte.count, 3);
  assert.deepEqual(Object.keys(agent.freeSockets), [`127.0.0.1:${server.port}:`]);
  const { createSocketCount, requestCount } = agent.getCurrentStatus();
  assert.deepEqual([createSocketCount, requestCount], [1, 1]);
});

test("maxSockets holds over client.request and agents together", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, { maxSockets: 2 });
  const agents = [client.httpAgent(), client.httpAgent()];
  const all = [
    ...agents.map((agent) => get(server.origin, { agent }).then(({ body }) => body)),
    ...agents.map(() => client.request(server.origin).then(({ body }) => body.text())),
  ];
  for (let count = 0; count < 4; count++) {
    const { response } = await server.next();
    assert.ok(server.connectionCount <= 2);
    response.end("fine");
  }
  assert.deepEqual(await Promise.all(all), ["fine", "fine", "fine", "fine"]);
  assert.equal(server.connectionCount, 2);
});

test("a request that is made where the response of another ends takes its socket, and no other is opened", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t);
  const agent = client.httpAgent();
  let left = 5;
  await new Promise<void>((resolve, reject) => {
    const send = (): void => {
      const request = http.get(server.origin, { agent }, (response) => {
        response.resume().on("end", () => (--left === 0 ? resolve() : send()));
      });
      request.on("error", reject);
    };
    send();
  });
  assert.equal(server.connectionCount, 1);
  assert.deepEqual([client.stats().origins[0]?.opened, client.stats().client.pending], [1, 0]);
});

test("one that is given up in that moment is told so, and holds nothing", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t);
  const agent = client.httpAgent();
  const first = http.get(server.origin, { agent });
  const [response] = (await once(first, "response")) as [http.IncomingMessage];
  const second = new Promise<http.ClientRequest>((resolve) => {
    response.resume().on("end", () =>
      resolve(
        http
          .get(server.origin, { agent })
          .on("error", () => {})
          .destroy(),
      ),
    );
  });
  const request = await second;
  if (!request.closed) await once(request, "close");
  assert.equal(client.stats().client.pending, 0);
  await get(server.origin, { agent });
  assert.equal(server.connectionCount, 1);
});

test("a request that asks for the certificate to be verified, as it is in any case, shares the origin's sockets", async (t) => {
  const identity = certificate();
  const server = await tlsServer(t, identity);
  const client = makeClient(t, { connect: { tls: { ca: identity.cert } } });
  await (await client.request(server.origin)).body.text();
  const agent = client.httpsAgent();
  const { reused } = await get(server.origin, { agent, rejectUnauthorized: true });
  assert.equal(reused, true);
  assert.equal(client.stats().origins.length, 1);
});

test("a socket that an agent has used has no timeout of its requests left for the client's", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t);
  const { socket } = await get(server.origin, { agent: client.httpAgent(), timeout: 50 });
  assert.equal(socket.timeout, 0);
});

test("an agent of a lane has the limits of the lane, and counts in it", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, {
    services: {
      api: { origins: [server.origin], lanes: { bulk: { maxSockets: 1 }, quick: {} } },
    },
  });
  const bulk = client.httpAgent({ service: "api", lane: "bulk" });
  const quick = client.httpAgent({ service: "api", lane: "quick" });
  const first = get(`${server.origin}/1`, { agent: bulk });
  const second = get(`${server.origin}/2`, { agent: bulk });
  const third = get(`${server.origin}/3`, { agent: quick });
  const held = [await server.next(), await server.next()];
  assert.deepEqual(held.map(({ request }) => request.url).sort(), ["/1", "/3"]);
  assert.equal(client.stats().origins[0]?.lanes.bulk?.pending, 1);
  for (const { response } of held) response.end();
  (await server.next()).response.end();
  await Promise.all([first, second, third]);
  const lanes = client.stats().origins[0]?.lanes;
  assert.deepEqual([lanes?.bulk?.served, lanes?.quick?.served], [2, 1]);
});

test("laneFor of a service chooses the lane of requests through an agent that names none", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t, {
    services: {
      api: {
        origins: [server.origin],
        lanes: { slow: {} },
        laneFor: ({ path, headers }) =>
          path === "/slow" || (headers as Record<string, unknown>)["x-slow"] === "1"
            ? "slow"
            : undefined,
      },
    },
  });
  const agent = client.httpAgent();
  await get(`${server.origin}/slow`, { agent });
  await get(server.origin, { agent, headers: { "x-slow": "1" } });
  await get(server.origin, { agent });
  const lanes = client.stats().origins[0]?.lanes;
  assert.deepEqual([lanes?.slow?.served, lanes?.default?.served], [2, 1]);
});

test("an agent of a service refuses requests to origins of others", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t, { services: { api: { origins: ["http://api.test"] } } });
  const request = begin(server.origin, { agent: client.httpAgent({ service: "api" }) });
  request.end();
  const error = await failure(request);
  assert.equal(error.code, "ERR_KEEPLINE_INVALID_REQUEST");
  assert.match(error.message, /is not an origin of service api/);
});

test("services and lanes that are not there are refused when the agent is made", (t) => {
  const client = makeClient(t, { services: { api: { origins: ["http://api.test"] } } });
  const wrong: [object, RegExp][] = [
    [{ service: "apo" }, /client.httpAgent\(\): service must be one of .*"api"/],
    [{ service: "api", lane: "fast" }, /client.httpAgent\(\): lane must be one of/],
    [{ sevice: "api" }, /there is no option sevice/],
  ];
  for (const [part, message] of wrong) {
    assert.throws(
      () => client.httpAgent(part),
      (error) => error instanceof InvalidOptionError && message.test(error.message),
    );
  }
});

test("the limits of a client's agent are the client's: read there, and changed there", async (t) => {
  const client = makeClient(t, { maxSockets: 7, keepAliveMsecs: 1_234 });
  const agent = client.httpAgent();
  assert.deepEqual([agent.maxSockets, agent.keepAliveMsecs, agent.keepAlive], [7, 1_234, true]);
  assert.throws(() => {
    agent.maxSockets = 8;
  }, /agent.maxSockets is the client's: call client.configure\(\)/);
  client.configure({ maxSockets: 9 });
  assert.equal(agent.maxSockets, 9);
});

test("destroy of a client's agent closes what its own requests use, and no more", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t);
  const agent = client.httpAgent();
  const own = begin(server.origin, { agent });
  own.end();
  await server.next();
  const other = client.request(server.origin);
  const { response } = await server.next();
  agent.destroy();
  assert.equal((await failure(own)).code, "ECONNRESET");
  response.end("fine");
  assert.equal(await (await other).body.text(), "fine");
  assert.equal(client.stats().client.sockets.idle, 1);
});

test("client.destroy ends requests through its agents, also those that wait", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, { maxSockets: 1 });
  const agent = client.httpAgent();
  const [busy, waiting] = [begin(server.origin, { agent }), begin(server.origin, { agent })];
  for (const request of [busy, waiting]) request.end();
  await server.next();
  const both = Promise.all([failure(busy), failure(waiting)]);
  client.destroy();
  const [first, second] = await both;
  assert.deepEqual([first.code, second.code], ["ECONNRESET", "ERR_KEEPLINE_CLIENT_CLOSED"]);
  const late = begin(server.origin, { agent });
  late.end();
  assert.equal((await failure(late)).code, "ERR_KEEPLINE_CLIENT_CLOSED");
});

test("client.close waits for requests through its agents", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t);
  const request = get(server.origin, { agent: client.httpAgent() });
  const { response } = await server.next();
  let isClosed = false;
  const closed = client.close().then(() => {
    isClosed = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isClosed, false);
  response.end("fine");
  assert.equal((await request).body, "fine");
  await closed;
});

test("a request with a TLS identity or an address of its own has a pool of its own, under the same service", async (t) => {
  const { key, cert } = certificate();
  const server = await tlsServer(t, { key, cert });
  const client = makeClient(t, { connect: { tls: { ca: cert } }, maxTotalSockets: 2 });
  const agent = client.httpsAgent();
  const url = `https://localhost:${server.port}`;
  await (await client.request(url)).body.text();
  const plain = await get(url, { agent });
  assert.equal(plain.reused, true);
  const trusting = await get(url, { agent, rejectUnauthorized: false });
  assert.notEqual(trusting.port, plain.port);
  assert.equal((await get(url, { agent, rejectUnauthorized: false })).port, trusting.port);
  assert.equal((await get(url, { agent })).port, plain.port);
  assert.equal(client.stats().client.sockets.open, 2);
  assert.equal(countOf(agent.freeSockets), 2);
  // The total limit holds over both pools.
  const third = await get(url, { agent, localAddress: "127.0.0.1" });
  assert.equal(third.body, "ok");
  await until(() => client.stats().client.sockets.open === 2);
  assert.equal(client.stats().services[0]?.origins, 3);
});

test("a request with a lookup of its own is not sent to where the client would", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t, {
    connect: { lookup: (_host, _options, done) => done(new Error("not this one"), "", 4) },
  });
  const agent = client.httpAgent();
  const url = `http://some.test:${server.port}`;
  const lookup = ((
    _host: string,
    options: { all?: boolean },
    done: (...args: unknown[]) => void,
  ) =>
    options.all === true
      ? done(null, [{ address: "127.0.0.1", family: 4 }])
      : done(null, "127.0.0.1", 4)) as never;
  assert.equal((await get(url, { agent, lookup })).body, "ok");
  const request = begin(url, { agent });
  request.end();
  assert.equal((await failure(request)).message, "not this one");
});

test("what a server says of its idle limit through an agent is known to the client", async (t) => {
  const server = await plainServer(t, (_, response) => {
    response.setHeader("keep-alive", "timeout=7").end();
  });
  const client = makeClient(t);
  await get(server.origin, { agent: client.httpAgent() });
  assert.equal(client.stats().origins[0]?.idleWindowMsecs.hinted, 7_000);
});
