/**
 * A dispatcher is a view of its client: it shares limits, lanes and sockets, and ends without ending the client.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Client, InvalidOptionError } from "../../src/index.ts";
import type { DispatchHandler, DispatchOptions } from "../../src/surfaces/undici/index.ts";
import { isSettled, makeClient, statsOf, until } from "../support/client-kit.ts";
import { dispatched, recorder } from "../support/dispatch-kit.ts";
import { holdingServer, plainServer } from "../support/loopback.ts";

const get = { path: "/", method: "GET" } as const;

test("requests of a dispatcher and of client.request wait in one queue for the same sockets", async (t) => {
  const server = await holdingServer(t);
  const { origin } = server;
  const client = makeClient(t, { maxSockets: 1 });
  const first = client.request(origin);
  const told = recorder("modern");
  client.dispatcher().dispatch({ ...get, origin }, told.handler);
  const third = client.request(origin);
  const arrived = await server.next();
  assert.equal(client.stats().client.pending, 2);
  arrived.response.end("1");
  await (await first).body.text();
  (await server.next()).response.end("2");
  await told.over;
  assert.equal(told.text, "2");
  (await server.next()).response.end("3");
  assert.equal(await (await third).body.text(), "3");
  assert.equal(server.connectionCount, 1);
});

test("a dispatcher is held to its service and its lane", async (t) => {
  const server = await plainServer(t);
  const other = await plainServer(t);
  const { origin } = server;
  const client = makeClient(t, {
    services: { pay: { origins: [origin], lanes: { checkout: {}, reports: {} } } },
  });
  const dispatcher = client.dispatcher({ service: "pay", lane: "reports" });
  const told = await dispatched(dispatcher, { origin });
  assert.equal(told.text, "ok");
  assert.equal(statsOf(client).lanes.reports?.served, 1);
  const foreign = await dispatched(dispatcher, { origin: other.origin });
  assert.equal(foreign.error?.code, "UND_ERR_INVALID_ARG");
  assert.match(String(foreign.error?.message), /is not an origin of service pay/);
  client.removeService("pay");
  const removed = await dispatched(dispatcher, { origin });
  assert.match(String(removed.error?.message), /there is no service pay any more/);
});

test("laneFor chooses the lane of a dispatched request, by headers in each form", async (t) => {
  const server = await plainServer(t);
  const { origin } = server;
  const client = makeClient(t, {
    services: {
      pay: {
        origins: [origin],
        lanes: { a: {}, b: {} },
        laneFor: ({ method, path, headers }) => {
          assert.equal(method, "GET");
          assert.equal(path, "/x?y=1");
          return new Headers(headers as never).get("x-lane") ?? undefined;
        },
      },
    },
  });
  const dispatcher = client.dispatcher();
  const options = { origin, path: "/x", query: { y: 1 } };
  await dispatched(dispatcher, { ...options, headers: { "x-lane": "a" } });
  await dispatched(dispatcher, { ...options, headers: ["x-lane", "b"] });
  await dispatched(dispatcher, { ...options, headers: new Headers({ "x-lane": "b" }) });
  const { lanes } = statsOf(client);
  assert.equal(lanes.a?.served, 1);
  assert.equal(lanes.b?.served, 2);
});

test("a service or lane that is not there is refused when the dispatcher is made", (t) => {
  const client = makeClient(t, { services: { pay: { origins: ["http://a"], lanes: { x: {} } } } });
  assert.throws(() => client.dispatcher({ service: "nope" }), InvalidOptionError);
  assert.throws(() => client.dispatcher({ service: "pay", lane: "nope" }), InvalidOptionError);
  assert.throws(() => client.dispatcher({ lane: "nope" }), InvalidOptionError);
  client.dispatcher({ lane: "x" });
});

test("close waits for the requests of its dispatcher alone, and refuses new ones", async (t) => {
  const server = await holdingServer(t);
  const { origin } = server;
  const client = makeClient(t);
  const dispatcher = client.dispatcher();
  const told = recorder("legacy");
  dispatcher.dispatch({ ...get, origin }, told.handler);
  const { response } = await server.next();
  const closed = dispatcher.close();
  const alsoClosed = new Promise<unknown>((resolve) => dispatcher.close(resolve));
  const idle = client.dispatcher();
  const idleClosed = idle.close();
  assert.equal((await dispatched(idle, { origin })).error?.code, "UND_ERR_CLOSED");
  await idleClosed;
  assert.equal((await dispatched(idle, { origin })).error?.code, "UND_ERR_DESTROYED");
  assert.equal(dispatcher.closed, true);
  assert.equal(dispatcher.destroyed, false);
  const late = await dispatched(dispatcher, { origin }, "legacy");
  assert.equal(late.error?.code, "UND_ERR_CLOSED");
  assert.equal(await isSettled(closed), false);
  response.end("ok");
  assert.equal(await closed, null);
  assert.equal(await alsoClosed, null);
  assert.equal(told.text, "ok");
  assert.equal(dispatcher.destroyed, true);
  await assert.rejects(dispatcher.close(), { code: "UND_ERR_DESTROYED" });
  const other = client.request(origin);
  (await server.next()).response.end("still there");
  assert.equal(await (await other).body.text(), "still there");
});

test("destroy ends the requests of its dispatcher alone, with the error that it is given", async (t) => {
  const server = await holdingServer(t);
  const { origin } = server;
  const client = makeClient(t, { maxSockets: 2 });
  const dispatcher = client.dispatcher();
  const own = client.request(origin);
  const { response } = await server.next();
  const running = recorder("modern");
  const waiting = recorder("legacy");
  dispatcher.dispatch({ ...get, origin }, running.handler);
  dispatcher.dispatch({ ...get, origin }, waiting.handler);
  await server.next();
  const reason = new Error("stop");
  const destroyed = dispatcher.destroy(reason);
  assert.equal(running.error, reason);
  assert.equal(waiting.error, reason);
  assert.equal(await destroyed, null);
  await dispatcher.destroy();
  const late = await dispatched(dispatcher, { origin });
  assert.equal(late.error?.code, "UND_ERR_DESTROYED");
  response.end("ok");
  assert.equal(await (await own).body.text(), "ok");
  const other = client.dispatcher();
  const third = recorder("modern");
  other.dispatch({ ...get, origin }, third.handler);
  await server.next();
  await new Promise<void>((resolve) => other.destroy(() => resolve()));
  assert.equal(third.error?.code, "UND_ERR_DESTROYED");
});

test("a client that is closed or destroyed ends what its dispatchers have under way", async (t) => {
  const server = await holdingServer(t);
  const { origin } = server;
  const client = new Client();
  const dispatcher = client.dispatcher();
  const told = recorder("modern");
  dispatcher.dispatch({ ...get, origin }, told.handler);
  const { response } = await server.next();
  const closed = client.close();
  const late = await dispatched(dispatcher, { origin });
  assert.equal(late.error?.code, "UND_ERR_CLOSED");
  response.end("ok");
  await told.over;
  assert.equal(told.text, "ok");
  await closed;

  const second = new Client();
  const running = recorder("modern");
  second.dispatcher().dispatch({ ...get, origin }, running.handler);
  await server.next();
  second.destroy();
  await running.over;
  assert.equal(running.error?.code, "UND_ERR_DESTROYED");
});

test("a composed dispatcher passes close, destroy and compose on", async (t) => {
  const server = await plainServer(t);
  const { origin } = server;
  const inner = makeClient(t).dispatcher();
  const seen: string[] = [];
  const noting = (name: string) => (dispatch: typeof inner.dispatch) => {
    return (options: DispatchOptions, handler: DispatchHandler) => {
      seen.push(name);
      return dispatch(options, handler);
    };
  };
  const composed = inner.compose([noting("a"), noting("b")], null, undefined).compose(noting("c"));
  const told = await dispatched(composed, { origin });
  assert.equal(told.text, "ok");
  assert.deepEqual(seen, ["c", "b", "a"]);
  assert.throws(() => inner.compose(5 as never), TypeError);
  assert.throws(() => inner.compose((() => null) as never), TypeError);
  await composed.close();
  assert.equal(inner.destroyed, true);
  assert.equal(composed.closed && composed.destroyed, true);
});

test("a response that nobody takes is reported once, with its dispatcher's service and lane", async (t) => {
  const server = await plainServer(t, (_request, response) => {
    response.end(Buffer.alloc(4_000_000));
  });
  const { origin } = server;
  const client = makeClient(t, { leakTimeoutMsecs: 20 });
  const warned = once(process, "warning");
  const told = recorder("modern", { data: ({ chunks }) => chunks.length < 3 });
  client.dispatcher().dispatch({ ...get, origin }, told.handler);
  const [warning] = (await warned) as [Error & { code: string; detail: string }];
  assert.equal(warning.code, "KEEPLINE_LEAK");
  assert.match(warning.message, /service default, lane default/);
  assert.match(warning.detail, /a request of a dispatcher/);
  told.resume();
  await new Promise((resolve) => setTimeout(resolve, 60));
  told.resume();
  await told.over;
  assert.equal(statsOf(client).leaked.reported, 1);
});

test("a response that nobody takes does not keep its process alive, and takes no socket from others for ever", async (t) => {
  const server = await plainServer(t, (_request, response) => {
    response.end(Buffer.alloc(1_000_000));
  });
  const { origin } = server;
  const client = makeClient(t, { maxSockets: 1 });
  const told = recorder("modern", { head: () => true });
  client.dispatcher().dispatch({ ...get, origin }, told.handler);
  await told.headed;
  const next = client.request(origin);
  await until(() => client.stats().client.pending === 1);
  told.abort();
  assert.equal((await (await next).body.bytes()).length, 1_000_000);
});
