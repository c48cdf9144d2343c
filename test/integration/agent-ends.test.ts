/**
 * How requests through agents end before their time: given up by the program in every state, failed by the network, and
 * turned into an upgrade or a tunnel.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { begin, countOf, failure, finish, get, makeAgent } from "../support/agent-kit.ts";
import { until } from "../support/client-kit.ts";
import { deafListener, holdingServer, plainServer } from "../support/loopback.ts";
import { deadPort, ok, rawServer } from "../support/raw-server.ts";

const ways: readonly [string, (request: http.ClientRequest) => void, string][] = [
  ["destroy()", (request) => request.destroy(), "ECONNRESET"],
  [
    "destroy(error)",
    (request) => request.destroy(Object.assign(new Error("enough"), { code: "ENOUGH" })),
    "ENOUGH",
  ],
];

for (const [way, giveUp, code] of ways) {
  test(`${way} of a request that waits takes it out of the queue at once`, async (t) => {
    const server = await holdingServer(t);
    const agent = makeAgent(t, { maxSockets: 1 });
    const first = get(server.origin, { agent });
    const { response } = await server.next();
    const waiting = begin(server.origin, { agent });
    waiting.end();
    const last = get(`${server.origin}/last`, { agent });
    assert.equal(countOf(agent.requests), 2);
    const failed = failure(waiting);
    giveUp(waiting);
    assert.equal(countOf(agent.requests), 1);
    assert.equal((await failed).code, code);
    assert.equal(Object.hasOwn(waiting, "destroy"), false);
    response.end();
    await first;
    const next = await server.next();
    assert.equal(next.request.url, "/last");
    next.response.end();
    await last;
    assert.equal(server.connectionCount, 1);
  });

  test(`${way} of a request whose socket is being connected leaves the socket to the next one`, async (t) => {
    const server = await plainServer(t);
    const agent = makeAgent(t);
    const request = begin(server.origin, { agent });
    request.end();
    const failed = failure(request);
    giveUp(request);
    assert.equal((await failed).code, code);
    assert.equal((await get(server.origin, { agent })).body, "ok");
    assert.equal(server.connectionCount, 1);
  });

  test(`${way} of a request under way closes its socket, and the next one gets another`, async (t) => {
    const server = await holdingServer(t);
    const agent = makeAgent(t, { maxSockets: 1 });
    const request = begin(server.origin, { agent });
    request.end();
    await server.next();
    const next = get(server.origin, { agent });
    const failed = failure(request);
    giveUp(request);
    assert.equal((await failed).code, code);
    (await server.next()).response.end();
    assert.equal((await next).reused, false);
    assert.equal(server.connectionCount, 2);
  });
}

test("a signal ends a request in every state, with an AbortError", async (t) => {
  const server = await holdingServer(t);
  const agent = makeAgent(t, { maxSockets: 1 });
  const before = begin(server.origin, { agent, signal: AbortSignal.abort() });
  assert.equal((await failure(before)).name, "AbortError");
  const controllers = [new AbortController(), new AbortController()];
  const [busy, waiting] = controllers.map(({ signal }) => {
    const request = begin(server.origin, { agent, signal });
    request.end();
    return request;
  }) as [http.ClientRequest, http.ClientRequest];
  await server.next();
  controllers[1]?.abort();
  assert.equal((await failure(waiting)).name, "AbortError");
  controllers[0]?.abort();
  assert.equal((await failure(busy)).name, "AbortError");
  await until(() => agent.totalSocketCount === 0);
  assert.equal(countOf(agent.requests), 0);
});

test("abort() of a request that waits emits abort and close, and no error", async (t) => {
  const server = await holdingServer(t);
  const agent = makeAgent(t, { maxSockets: 1 });
  const first = get(server.origin, { agent });
  const { response } = await server.next();
  const waiting = begin(server.origin, { agent });
  const aborted = once(waiting, "abort");
  const closed = new Promise<void>((resolve) => waiting.once("close", resolve));
  waiting.abort();
  await Promise.all([aborted, closed]);
  assert.equal(countOf(agent.requests), 0);
  response.end();
  await first;
});

test("a request that is given up before it has written anything gives its socket back", async (t) => {
  const server = await plainServer(t);
  const agent = makeAgent(t);
  const { port } = await get(server.origin, { agent });
  const request = begin(server.origin, { agent });
  const failed = failure(request);
  request.destroy();
  await failed;
  assert.equal((await get(server.origin, { agent })).port, port);
});

test("a response that the program gives up closes its socket", async (t) => {
  const server = await plainServer(t, (_, response) => {
    response.write("some");
  });
  const agent = makeAgent(t);
  const request = begin(server.origin, { agent });
  request.end();
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  response.destroy();
  await once(request, "close");
  await until(() => agent.totalSocketCount === 0);
});

test("a request that has waited is Node's own again when it has its socket", async (t) => {
  const server = await holdingServer(t);
  const agent = makeAgent(t, { maxSockets: 1 });
  const first = get(server.origin, { agent });
  const { response } = await server.next();
  const waiting = begin(server.origin, { agent, timeout: 30 });
  let timeoutCount = 0;
  waiting.on("timeout", () => timeoutCount++);
  const done = finish(waiting);
  waiting.end();
  assert.equal(Object.hasOwn(waiting, "destroy"), true);
  response.end();
  await first;
  const { response: second } = await server.next();
  assert.equal(Object.hasOwn(waiting, "destroy"), false);
  second.end();
  const { socket } = await done;
  // Longer than the timeout of a request that would still be taken to wait.
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual([timeoutCount, socket.destroyed], [0, false]);
});

// Errors

test("a refused connection is the system's error, for each request of its own", async () => {
  const agent = new (await import("../../src/surfaces/agent/index.ts")).Agent();
  const port = await deadPort();
  const requests = [1, 2, 3].map(() => begin(`http://127.0.0.1:${port}`, { agent }));
  for (const request of requests) request.end();
  const errors = await Promise.all(requests.map(failure));
  for (const error of errors) {
    assert.deepEqual([error.code, error.syscall], ["ECONNREFUSED", "connect"]);
    assert.equal((error as { port?: number }).port, port);
  }
  assert.equal(agent.totalSocketCount, 0);
  await until(() => agent.getCurrentStatus().createSocketErrorCount === 3);
});

test("a name that is not found is the system's error", async (t) => {
  const agent = makeAgent(t, {
    lookup: (hostname, _options, callback) => {
      const error = Object.assign(new Error(`no ${hostname}`), { code: "ENOTFOUND" });
      callback(error, "", 4);
    },
  });
  const request = begin("http://some.test", { agent });
  request.end();
  assert.equal((await failure(request)).code, "ENOTFOUND");
});

test("a server that closes before it answers is a hang-up, and reusedSocket says whether it may be tried again", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send(ok("fine"));
    await connection.request();
    connection.end();
  });
  const agent = makeAgent(t);
  assert.equal((await get(server.origin, { agent })).body, "fine");
  const request = begin(server.origin, { agent });
  request.end();
  const error = await failure(request);
  assert.deepEqual([error.code, error.message], ["ECONNRESET", "socket hang up"]);
  assert.equal(request.reusedSocket, true);
  assert.equal((await get(server.origin, { agent })).reused, false);
});

test("a response that breaks off is an error of the response", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    connection.end();
  });
  const agent = makeAgent(t);
  const request = begin(server.origin, { agent });
  request.end();
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  response.resume();
  const [error] = (await once(response, "error")) as [NodeJS.ErrnoException];
  assert.equal(error.code, "ECONNRESET");
  await until(() => agent.totalSocketCount === 0);
});

test("what is no HTTP is a parse error, and closes the socket", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send("what is this\r\n\r\n");
  });
  const agent = makeAgent(t);
  const request = begin(server.origin, { agent });
  request.end();
  assert.match(String((await failure(request)).code), /^HPE_/);
  await until(() => agent.totalSocketCount === 0);
});

test("the close of an idle socket that has arrived is seen before the next request", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send(ok("fine"));
    connection.end();
  });
  const agent = makeAgent(t);
  for (let count = 0; count < 5; count++) {
    assert.equal((await get(server.origin, { agent })).body, "fine");
    await until(() => agent.totalSocketCount === 0);
  }
});

test("requests to a server that never accepts do not keep others from their servers", async (t) => {
  const port = await deafListener(t, "127.0.0.1");
  const server = await plainServer(t);
  const agent = makeAgent(t);
  const stuck = begin(`http://127.0.0.1:${port}`, { agent });
  stuck.on("error", () => {}).end();
  assert.equal((await get(server.origin, { agent })).body, "ok");
  stuck.destroy();
});

// Upgrades and tunnels

/** Answers `request` as if it spoke another protocol from then on: an echo. */
function echo(socket: Duplex, head: Buffer, answer: string): void {
  socket.write(answer);
  if (head.length > 0) socket.write(head);
  socket.pipe(socket);
  socket.on("error", () => {});
}

test("an upgrade takes its socket out of the agent, with what came behind the head", async (t) => {
  const server = http.createServer((_, response) => response.end("ok"));
  server.on("upgrade", (_, socket, head) => {
    const answer =
      "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhello";
    echo(socket, head, answer);
  });
  t.after(() => server.close().closeAllConnections());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { port: number };
  const url = `http://127.0.0.1:${port}`;
  const agent = makeAgent(t, { maxSockets: 1 });
  await get(url, { agent });
  const request = begin(url, { agent, headers: { connection: "upgrade", upgrade: "echo" } });
  request.end();
  const [, socket, head] = (await once(request, "upgrade")) as [unknown, Duplex, Buffer];
  assert.equal(agent.totalSocketCount, 0);
  let text = head.toString();
  socket.on("data", (chunk) => {
    text += chunk;
  });
  socket.write(" there");
  await until(() => text === "hello there");
  // Its place is free, and nothing of the agent is left on it.
  assert.equal((await get(url, { agent })).reused, false);
  agent.destroy();
  socket.write("!");
  await until(() => text === "hello there!");
  assert.deepEqual([socket.listenerCount("free"), socket.listenerCount("agentRemove")], [0, 0]);
  socket.destroy();
});

test("CONNECT takes its socket out of the agent", async (t) => {
  const server = http.createServer();
  server.on("connect", (_, socket, head) => {
    echo(socket, head, "HTTP/1.1 200 Connection Established\r\n\r\n");
  });
  t.after(() => server.close().closeAllConnections());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { port: number };
  const agent = makeAgent(t);
  const request = http.request({
    host: "127.0.0.1",
    port,
    agent,
    method: "CONNECT",
    path: "some.test:443",
  });
  request.end();
  const [, socket] = (await once(request, "connect")) as [unknown, Duplex, Buffer];
  assert.equal(agent.totalSocketCount, 0);
  socket.write("ping");
  const [chunk] = (await once(socket, "data")) as [Buffer];
  assert.equal(chunk.toString(), "ping");
  socket.destroy();
});

test("an interim response is an event, and its request goes on", async (t) => {
  const server = await plainServer(t, (_, response) => {
    response.writeEarlyHints({ link: "</a.css>; rel=preload" });
    response.end("ok");
  });
  const agent = makeAgent(t);
  const request = begin(server.origin, { agent });
  const information = once(request, "information");
  const done = finish(request);
  request.end();
  const [{ statusCode }] = (await information) as [{ statusCode: number }];
  assert.equal(statusCode, 103);
  assert.equal((await done).body, "ok");
  assert.equal((await get(server.origin, { agent })).reused, true);
});

test("100-continue and trailers pass", async (t) => {
  const server = await plainServer(t, (request, response) => {
    response.setHeader("trailer", "x-end");
    request.pipe(response, { end: false });
    request.on("end", () => {
      response.addTrailers({ "x-end": "yes" });
      response.end();
    });
  });
  const agent = makeAgent(t);
  const request = begin(server.origin, {
    agent,
    method: "POST",
    headers: { expect: "100-continue" },
  });
  const continued = once(request, "continue");
  request.flushHeaders();
  await continued;
  request.end("body");
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  response.resume();
  await once(response, "end");
  assert.deepEqual({ ...response.trailers }, { "x-end": "yes" });
});
