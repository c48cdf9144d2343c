/**
 * The options of agents, one by one: Node's with Node's meaning, and keepline's own.
 */
import assert from "node:assert/strict";
import http from "node:http";
import https from "node:https";
import { test } from "node:test";
import { InvalidOptionError } from "../../src/index.ts";
import { Agent, HttpsAgent } from "../../src/surfaces/agent/index.ts";
import { begin, countOf, failure, finish, get, makeAgent } from "../support/agent-kit.ts";
import { until } from "../support/client-kit.ts";
import { deafListener, holdingServer, lookupOf, plainServer } from "../support/loopback.ts";

test("an agent without options keeps sockets alive for five seconds, and has Node's defaults otherwise", () => {
  const agent = new Agent();
  const { keepAlive, keepAliveMsecs, maxSockets, maxFreeSockets, maxTotalSockets } = agent;
  assert.deepEqual(
    { keepAlive, keepAliveMsecs, maxSockets, maxFreeSockets, maxTotalSockets },
    {
      keepAlive: true,
      keepAliveMsecs: 5_000,
      maxSockets: Number.POSITIVE_INFINITY,
      maxFreeSockets: 256,
      maxTotalSockets: Number.POSITIVE_INFINITY,
    },
  );
  assert.equal(agent.scheduling, "lifo");
  assert.equal(agent.agentKeepAliveTimeoutBuffer, 1_000);
  assert.deepEqual([agent.protocol, agent.defaultPort], ["http:", 80]);
  const secure = new HttpsAgent();
  assert.deepEqual([secure.protocol, secure.defaultPort], ["https:", 443]);
});

test("agents are Node's agents, and an HttpsAgent is an Agent", () => {
  assert.ok(new Agent() instanceof http.Agent);
  const secure = new HttpsAgent();
  assert.ok(secure instanceof https.Agent && secure instanceof http.Agent);
  assert.ok(secure instanceof Agent);
  assert.ok(!(new Agent() instanceof HttpsAgent));
  assert.deepEqual(
    [new Agent().constructor, secure.constructor, new Agent().constructor.name],
    [Agent, HttpsAgent, "Agent"],
  );
  assert.ok(!(new http.Agent() instanceof Agent));
  const options: http.RequestOptions = { agent: new Agent() };
  const secureOptions: https.RequestOptions = { agent: secure };
  assert.ok(options.agent && secureOptions.agent);
});

test("an agent can be made without new, and by a constructor from before there were classes", async (t) => {
  const server = await plainServer(t);
  assert.ok(Agent({ maxSockets: 3 }) instanceof Agent);
  function Old(this: object) {
    Reflect.apply(Agent, this, [{ maxSockets: 7 }]);
  }
  Object.setPrototypeOf(Old.prototype, Agent.prototype);
  const old = Reflect.construct(Old, []) as Agent;
  t.after(() => old.destroy());
  assert.equal(old.maxSockets, 7);
  await get(server.origin, { agent: old });
  assert.equal((await get(server.origin, { agent: old })).reused, true);
});

const bad: readonly [string, unknown, RegExp][] = [
  ["maxSockets", -1, /maxSockets must be a whole number of at least 1, or Infinity, not -1/],
  ["maxSockets", "5", /maxSockets .*not "5"/],
  ["maxSockets", Number.NaN, /maxSockets .*not NaN/],
  ["maxTotalSockets", 0, /maxTotalSockets .*not 0/],
  ["maxFreeSockets", 1.5, /maxFreeSockets .*not 1.5/],
  ["scheduling", "filo", /scheduling must be "lifo" or "fifo", not "filo"/],
  ["keepAlive", "yes", /keepAlive must be true or false, not "yes"/],
  ["keepAliveMsecs", -5, /keepAliveMsecs .*not -5/],
  ["tcpKeepAliveMsecs", "1s", /tcpKeepAliveMsecs .*not "1s"/],
  ["timeout", -1, /timeout .*not -1/],
  ["maxPending", -1, /maxPending .*not -1/],
  ["queueTimeoutMsecs", 0, /queueTimeoutMsecs .*not 0/],
  ["connectTimeoutMsecs", {}, /connectTimeoutMsecs .*not an object/],
  ["minFreeSockets", 300, /minFreeSockets must be at most 256/],
];

for (const [option, value, message] of bad) {
  test(`${option}: ${String(value)} is refused with what is allowed`, () => {
    for (const Kind of [Agent, HttpsAgent]) {
      assert.throws(
        () => new Kind({ [option]: value }),
        (error) => {
          assert.ok(error instanceof InvalidOptionError);
          assert.equal(error.option, option);
          assert.match(error.message, message);
          assert.match(error.message, Kind === Agent ? /^new Agent\(\)/ : /^new HttpsAgent\(\)/);
          return true;
        },
      );
    }
  });
}

test("a limit that is set later is checked like one that was given", () => {
  const agent = new Agent();
  assert.throws(() => {
    agent.maxSockets = 0;
  }, /^InvalidOptionError: agent: maxSockets must be a whole number of at least 1/);
  assert.equal(agent.maxSockets, Number.POSITIVE_INFINITY);
});

test("maxSockets bounds the sockets of a name, and further requests wait in order", async (t) => {
  const server = await holdingServer(t);
  const agent = makeAgent(t, { maxSockets: 2 });
  const all = [1, 2, 3, 4].map((path) => get(`${server.origin}/${path}`, { agent }));
  const arrived = [await server.next(), await server.next()];
  assert.equal(countOf(agent.sockets), 2);
  assert.equal(countOf(agent.requests), 2);
  for (const { response } of arrived) response.end();
  const later = [await server.next(), await server.next()];
  assert.deepEqual(
    later.map(({ request }) => request.url),
    ["/3", "/4"],
  );
  for (const { response } of later) response.end();
  await Promise.all(all);
  assert.equal(server.connectionCount, 2);
});

test("maxSockets that is raised later serves those who wait", async (t) => {
  const server = await holdingServer(t);
  const agent = makeAgent(t, { maxSockets: 1 });
  const first = get(server.origin, { agent });
  const { response } = await server.next();
  const second = get(server.origin, { agent });
  assert.equal(countOf(agent.requests), 1);
  agent.maxSockets = 5;
  assert.equal(agent.maxSockets, 5);
  (await server.next()).response.end();
  response.end();
  await Promise.all([first, second]);
  assert.equal(server.connectionCount, 2);
});

test("maxTotalSockets bounds the sockets of all names, and gives each its turn", async (t) => {
  const servers = await Promise.all([plainServer(t), plainServer(t), plainServer(t)]);
  const agent = makeAgent(t, { maxTotalSockets: 2 });
  let most = 0;
  const all = [0, 1, 2, 0, 1, 2].map(async (index) => {
    const got = await get((servers[index] as (typeof servers)[0]).origin, { agent });
    most = Math.max(most, agent.totalSocketCount);
    return got.statusCode;
  });
  assert.deepEqual(await Promise.all(all), [200, 200, 200, 200, 200, 200]);
  assert.ok(most <= 2);
});

test("maxFreeSockets bounds the idle sockets of a name", async (t) => {
  const server = await holdingServer(t);
  const agent = makeAgent(t, { maxFreeSockets: 1 });
  const all = [1, 2, 3].map(() => get(server.origin, { agent }));
  for (let count = 0; count < 3; count++) (await server.next()).response.end();
  await Promise.all(all);
  assert.equal(countOf(agent.freeSockets), 1);
  assert.equal(agent.totalSocketCount, 1);
});

for (const scheduling of ["lifo", "fifo"] as const) {
  test(`scheduling ${scheduling} uses the socket that has been idle for the ${scheduling === "lifo" ? "shortest" : "longest"} time`, async (t) => {
    const server = await holdingServer(t);
    const agent = makeAgent(t, { scheduling });
    const first = get(server.origin, { agent });
    const second = get(server.origin, { agent });
    const [one, two] = [await server.next(), await server.next()];
    one.response.end();
    const early = await Promise.race([first, second]);
    two.response.end();
    const both = await Promise.all([first, second]);
    const late = both.find((each) => each.port !== early.port);
    const third = get(server.origin, { agent });
    (await server.next()).response.end();
    assert.equal((await third).port, scheduling === "lifo" ? late?.port : early.port);
  });
}

test("keepAlive false closes each socket, and says so to the server", async (t) => {
  const said: (string | undefined)[] = [];
  const server = await plainServer(t, (request, response) => {
    said.push(request.headers.connection);
    response.end();
  });
  const agent = makeAgent(t, { keepAlive: false });
  assert.equal(agent.keepAlive, false);
  const [first, second] = [
    await get(server.origin, { agent }),
    await get(server.origin, { agent }),
  ];
  assert.deepEqual([first.reused, second.reused], [false, false]);
  assert.deepEqual(said, ["close", "close"]);
  await until(() => agent.totalSocketCount === 0);
});

test("keepAlive false with a limit hands sockets on to those who wait, and keeps none", async (t) => {
  const server = await plainServer(t);
  const agent = makeAgent(t, { keepAlive: false, maxSockets: 1 });
  const all = [1, 2, 3].map(() => get(server.origin, { agent }));
  const ports = new Set((await Promise.all(all)).map(({ port }) => port));
  assert.equal(ports.size, 1);
  await until(() => agent.totalSocketCount === 0);
});

test("a socket that was idle for keepAliveMsecs is closed", async (t) => {
  const server = await plainServer(t);
  const agent = makeAgent(t, { keepAliveMsecs: 30 });
  const { port } = await get(server.origin, { agent });
  await until(() => agent.totalSocketCount === 0);
  assert.notEqual((await get(server.origin, { agent })).port, port);
});

test("keepAliveMsecs can be changed while sockets are idle", async (t) => {
  const server = await plainServer(t);
  const agent = makeAgent(t);
  await get(server.origin, { agent });
  agent.keepAliveMsecs = 1;
  await until(() => agent.totalSocketCount === 0);
});

test("tcpKeepAliveMsecs is the initial delay of TCP probes, 1000 by default", async (t) => {
  const server = await plainServer(t);
  const delays: unknown[] = [];
  for (const options of [{}, { tcpKeepAliveMsecs: 30_000 }]) {
    const agent = makeAgent(t, options);
    const usual = agent.createConnection;
    agent.createConnection = (given, callback) => {
      const { keepAlive, keepAliveInitialDelay } = given as Record<string, unknown>;
      delays.push([keepAlive, keepAliveInitialDelay]);
      return usual.call(agent, given, callback);
    };
    await get(server.origin, { agent });
  }
  assert.deepEqual(delays, [
    [true, 1_000],
    [true, 30_000],
  ]);
});

test("timeout is the timeout of sockets in use, told by the request", async (t) => {
  const server = await holdingServer(t);
  const agent = makeAgent(t, { timeout: 40 });
  const request = begin(server.origin, { agent });
  request.end();
  const timedOut = new Promise((resolve) => request.once("timeout", resolve));
  await server.next();
  await timedOut;
  assert.equal(request.socket?.timeout, 40);
  assert.equal(request.destroyed, false);
  request.destroy();
  assert.equal((await failure(request)).code, "ECONNRESET");
});

test("timeout closes idle sockets, too", async (t) => {
  const server = await plainServer(t);
  const agent = makeAgent(t, { timeout: 30 });
  const { socket } = await get(server.origin, { agent });
  assert.equal(countOf(agent.freeSockets), 1);
  await until(() => socket.destroyed);
  assert.equal(countOf(agent.freeSockets), 0);
  assert.equal(agent.getCurrentStatus().timeoutSocketCount, 1);
});

test("the timeout of a request goes before that of its agent, for as long as it has the socket", async (t) => {
  const server = await plainServer(t);
  const agent = makeAgent(t, { timeout: 5_000 });
  const request = begin(server.origin, { agent, timeout: 3_000 });
  request.end();
  const during = new Promise((resolve) =>
    request.once("socket", (socket) => resolve(socket.timeout)),
  );
  const { socket } = await finish(request);
  assert.equal(await during, 3_000);
  assert.equal(socket.timeout, 5_000);
});

test("the timeout of a request is told while its socket is being connected, and while it waits for one", async (t) => {
  const port = await deafListener(t, "127.0.0.1");
  const agent = makeAgent(t, { maxSockets: 1 });
  for (let count = 0; count < 2; count++) {
    const request = begin(`http://127.0.0.1:${port}`, { agent, timeout: 30 });
    request.end();
    await new Promise((resolve) => request.once("timeout", resolve));
    if (count === 0) t.after(() => request.on("error", () => {}).destroy());
    else {
      request.destroy();
      assert.equal((await failure(request)).code, "ECONNRESET");
    }
  }
});

test("a hint of the server is used less agentKeepAliveTimeoutBuffer", async (t) => {
  const hinting = await plainServer(t, (_, response) => {
    response.setHeader("keep-alive", "timeout=1").end();
  });
  const careful = makeAgent(t);
  await get(hinting.origin, { agent: careful });
  assert.equal(countOf(careful.freeSockets), 0, "a second less a second is nothing");
  const bold = makeAgent(t, { agentKeepAliveTimeoutBuffer: 950 });
  const { socket } = await get(hinting.origin, { agent: bold });
  assert.equal(countOf(bold.freeSockets), 1);
  await until(() => socket.destroyed);
});

test("an agentKeepAliveTimeoutBuffer that makes no sense is Node's default", () => {
  for (const agentKeepAliveTimeoutBuffer of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.equal(new Agent({ agentKeepAliveTimeoutBuffer }).agentKeepAliveTimeoutBuffer, 1_000);
  }
  assert.equal(new Agent({ agentKeepAliveTimeoutBuffer: 0 }).agentKeepAliveTimeoutBuffer, 0);
});

test("lookup and family of an agent are used to connect", async (t) => {
  const server = await plainServer(t);
  const { lookup, asked } = lookupOf(["127.0.0.1"]);
  const agent = makeAgent(t, { lookup, family: 4 });
  const url = `http://some.test:${server.port}`;
  assert.equal((await get(url, { agent })).body, "ok");
  assert.deepEqual([asked[0]?.hostname, asked[0]?.family], ["some.test", 4]);
  assert.deepEqual(Object.keys(agent.freeSockets), [`some.test:${server.port}::4`]);
});

test("a request's own lookup is used to connect, and does not keep its socket from others", async (t) => {
  const server = await plainServer(t);
  const agent = makeAgent(t);
  const url = `http://some.test:${server.port}`;
  const first = await get(url, { agent, lookup: lookupOf(["127.0.0.1"]).lookup });
  const second = await get(url, { agent, lookup: lookupOf(["127.0.0.1"]).lookup });
  assert.equal(second.port, first.port);
});

test("localAddress sets requests apart", async (t) => {
  const server = await plainServer(t);
  const agent = makeAgent(t);
  const first = await get(server.origin, { agent });
  const other = await get(server.origin, { agent, localAddress: "127.0.0.2" });
  const same = await get(server.origin, { agent, localAddress: "127.0.0.2" });
  assert.equal(other.socket.localAddress, "127.0.0.2");
  assert.notEqual(other.port, first.port);
  assert.equal(same.port, other.port);
  const { port } = server;
  assert.deepEqual(Object.keys(agent.freeSockets).sort(), [
    `127.0.0.1:${port}:`,
    `127.0.0.1:${port}:127.0.0.2`,
  ]);
});

test("socketPath goes to a Unix domain socket", async (t) => {
  const path =
    process.platform === "win32"
      ? String.raw`\\.\pipe\keepline-agent`
      : `/tmp/keepline-agent-${process.pid}.sock`;
  await plainServer(t, undefined, { path });
  const agent = makeAgent(t);
  const first = await get("http://localhost/", { agent, socketPath: path });
  const second = await get("http://localhost/", { agent, socketPath: path });
  assert.deepEqual([first.body, second.reused], ["ok", true]);
});

test("noDelay is on unless it is switched off", async () => {
  assert.equal((new Agent().options as { noDelay?: boolean }).noDelay, true);
  assert.equal((new Agent({ noDelay: false }).options as { noDelay?: boolean }).noDelay, false);
});

test("maxPending and queueTimeoutMsecs bound the queue", async (t) => {
  const server = await holdingServer(t);
  const agent = makeAgent(t, { maxSockets: 1, maxPending: 1, queueTimeoutMsecs: 30 });
  const first = get(server.origin, { agent });
  const { response } = await server.next();
  const second = begin(server.origin, { agent });
  const third = begin(server.origin, { agent });
  const [waited, refused] = await Promise.all([failure(second), failure(third)]);
  assert.equal(waited.code, "ERR_KEEPLINE_QUEUE_TIMEOUT");
  assert.equal(refused.code, "ERR_KEEPLINE_QUEUE_FULL");
  response.end();
  await first;
});

test("connectTimeoutMsecs bounds a dial", async (t) => {
  const port = await deafListener(t, "127.0.0.1");
  const agent = makeAgent(t, { connectTimeoutMsecs: 40 });
  const request = begin(`http://127.0.0.1:${port}`, { agent });
  request.end();
  assert.equal((await failure(request)).code, "ERR_KEEPLINE_CONNECT_TIMEOUT");
});

test("maxRequestsPerSocket and minFreeSockets are those of keepline's pools", async (t) => {
  const server = await plainServer(t);
  const agent = makeAgent(t, { maxRequestsPerSocket: 2, minFreeSockets: 1 });
  const ports = [];
  for (let count = 0; count < 4; count++) ports.push((await get(server.origin, { agent })).port);
  assert.ok(new Set(ports).size >= 2);
  await until(() => countOf(agent.freeSockets) >= 1);
});

test("options that keepline does not know are left to createConnection", async (t) => {
  const server = await plainServer(t);
  const agent = makeAgent(t, { highWaterMark: 1_234, whatever: 5 } as object);
  let seen: Record<string, unknown> = {};
  const usual = agent.createConnection;
  agent.createConnection = (options, callback) => {
    seen = options as Record<string, unknown>;
    return usual.call(agent, options, callback);
  };
  await get(server.origin, { agent });
  assert.deepEqual([seen.highWaterMark, seen.whatever], [1_234, 5]);
});

test("a change of agent.options takes effect with the next request", async (t) => {
  const server = await plainServer(t);
  const agent = makeAgent(t);
  const before = await get(server.origin, { agent });
  agent.options.localAddress = "127.0.0.3";
  const after = await get(server.origin, { agent });
  assert.equal(after.socket.localAddress, "127.0.0.3");
  assert.notEqual(after.port, before.port);
});
