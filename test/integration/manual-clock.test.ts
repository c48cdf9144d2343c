/**
 * A client on a `ManualClock`: its deadlines come when the test says so, on real sockets, and without
 * waiting.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BodyTimeoutError,
  ConnectTimeoutError,
  HeadersTimeoutError,
  QueueTimeoutError,
  RequestTimeoutError,
} from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { closedReasons, isSettled, makeClient, rejection, until } from "../support/client-kit.ts";
import { answering, ok, rawServer } from "../support/raw-server.ts";

const hourMsecs = 3_600_000;

test("an idle connection ends by keepAliveMsecs of the client's clock, and not before", async (t) => {
  const server = await rawServer(t, answering(ok("hello")));
  const clock = new ManualClock();
  const client = makeClient(t, { clock, keepAliveMsecs: hourMsecs });
  const get = async () => (await client.request(server.origin)).connection;
  await get();
  clock.advance(hourMsecs - 1);
  const { reused, idleMsecs } = await get();
  assert.deepEqual({ reused, idleMsecs }, { reused: true, idleMsecs: hourMsecs - 1 });
  assert.equal(client.stats().client.sockets.idle, 1);
  clock.advance(hourMsecs);
  assert.equal(client.stats().client.sockets.open, 0);
  assert.deepEqual(closedReasons(client), { "idle-timeout": 1 });
  await until(() => server.openCount === 0);
  assert.equal((await get()).reused, false);
});

test("a request that waits for a connection ends by queueTimeoutMsecs of the client's clock", async (t) => {
  const server = await rawServer(t, (connection) => connection.gone());
  const clock = new ManualClock();
  const client = makeClient(t, {
    clock,
    maxSockets: 1,
    queueTimeoutMsecs: hourMsecs,
    headersTimeoutMsecs: 2 * hourMsecs,
  });
  const holder = client.request(server.origin);
  holder.catch(() => {});
  await (await server.connection(0)).head();
  const waiting = client.request(server.origin);
  clock.advance(hourMsecs - 1);
  assert.equal(await isSettled(waiting), false);
  clock.advance(1);
  const error = await rejection(waiting, QueueTimeoutError);
  assert.match(error.message, /in 3600000 ms/);
});

test("the head, the body and the whole request have their time by the client's clock", async (t) => {
  const server = await rawServer(t, async (connection) => {
    const { path } = await connection.request();
    if (path === "/body") await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart");
    await connection.gone();
  });
  const clock = new ManualClock(5);
  const client = makeClient(t, {
    clock,
    headersTimeoutMsecs: hourMsecs,
    bodyTimeoutMsecs: 2 * hourMsecs,
    requestTimeoutMsecs: 3 * hourMsecs,
  });
  const head = client.request(`${server.origin}/head`);
  await until(() => (server.connections[0]?.arrivedBytes ?? 0) > 0);
  clock.advance(hourMsecs - 1);
  assert.equal(await isSettled(head), false);
  clock.advance(1);
  await rejection(head, HeadersTimeoutError);

  const text = (await client.request(`${server.origin}/body`)).body.text();
  clock.advance(2 * hourMsecs - 1);
  assert.equal(await isSettled(text), false);
  clock.advance(1);
  await rejection(text, BodyTimeoutError);

  const whole = client.request(`${server.origin}/whole`, { headersTimeoutMsecs: 9 * hourMsecs });
  await until(() => (server.connections[2]?.arrivedBytes ?? 0) > 0);
  clock.advance(3 * hourMsecs);
  await rejection(whole, RequestTimeoutError);
});

test("a dial ends by connectTimeoutMsecs of the client's clock", async (t) => {
  const clock = new ManualClock();
  const client = makeClient(t, {
    clock,
    connectTimeoutMsecs: hourMsecs,
    // Never answers.
    connect: { lookup: () => {} },
  });
  const dialed = client.request("http://service.example/");
  assert.equal(await isSettled(dialed), false);
  clock.advance(hourMsecs);
  await rejection(dialed, ConnectTimeoutError);
});

test("timings are those of the client's clock", async (t) => {
  const clock = new ManualClock();
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    clock.advance(1_234);
    await connection.send(ok("slow"));
  });
  const client = makeClient(t, { clock });
  const { body, timings } = await client.request(server.origin);
  await body.text();
  assert.equal(timings.firstByte, 1_234);
  assert.equal(timings.total, 1_234);
});

test("a client that is destroyed leaves no timer behind", async (t) => {
  const server = await rawServer(t, answering(ok()));
  const clock = new ManualClock();
  const client = makeClient(t, { clock });
  await client.request(server.origin);
  assert.ok(clock.timerCount > 0);
  client.destroy();
  assert.equal(clock.timerCount, 0);
});
