/**
 * The dashboard's server: what it says of real clients, to whom, and what it costs when nobody asks.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { worldOf } from "../../src/client/client.ts";
import { largestUpdate } from "../../src/dashboard/feed.ts";
import {
  type Dashboard,
  type DashboardOptions,
  type Hello,
  serveDashboard,
  type Update,
} from "../../src/dashboard/index.ts";
import { limits } from "../../src/dashboard/messages.ts";
import { ClientWatch } from "../../src/dashboard/watch.ts";
import { type Client, InvalidOptionError } from "../../src/index.ts";
import { makeClient, rejection, statsOf, until } from "../support/client-kit.ts";
import { type Arrived, holdingServer, outcomeOf, plainServer } from "../support/loopback.ts";
import { deadPort } from "../support/raw-server.ts";
import { programFile } from "../support/root.ts";

async function dashboardOf(
  t: TestContext,
  client: Client | Readonly<Record<string, Client>>,
  options?: DashboardOptions,
): Promise<Dashboard> {
  const dashboard = await serveDashboard(client, options);
  t.after(() => dashboard.close());
  return dashboard;
}

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

function ask(url: string, headers: Readonly<Record<string, string>> = {}, method = "GET") {
  return new Promise<Answer>((resolve, reject) => {
    const request = http.request(url, { method, headers, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    });
    request.on("error", reject).end();
  });
}

interface Reader {
  readonly hello: Hello;
  readonly sizes: readonly number[];
  next(): Promise<Update>;
  /** The first update of which that holds. */
  nextWith(holds: (update: Update) => boolean): Promise<Update>;
  stop(): void;
}

/** Reads the feed, one update after the other. */
async function read(t: TestContext, { url }: Dashboard): Promise<Reader> {
  const request = http.get(`${url}feed`, { agent: false });
  t.after(() => request.destroy());
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  assert.equal(response.statusCode, 200);
  assert.equal(response.headers["content-type"], "text/event-stream; charset=utf-8");
  const events = eventsOf(response);
  const first = await events.next();
  const sizes: number[] = [];
  const next = async (): Promise<Update> => {
    const { value } = await events.next();
    assert(value?.name === "update");
    sizes.push(value.size);
    return value.content as Update;
  };
  return {
    hello: first.value?.content as Hello,
    sizes,
    next,
    nextWith: async (holds) => {
      for (let count = 0; count < 20; count++) {
        const update = await next();
        if (holds(update)) return update;
      }
      assert.fail(`in 20 updates it did not hold that ${holds}`);
    },
    stop: () => request.destroy(),
  };
}

async function* eventsOf(response: http.IncomingMessage) {
  let text = "";
  for await (const piece of response.setEncoding("utf8")) {
    text += piece;
    for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
      const [, name, content] = /^event: (\w+)\ndata: (.*)$/m.exec(text.slice(0, end)) ?? [];
      yield { name, content: JSON.parse(content ?? "") as unknown, size: end };
      text = text.slice(end + 2);
    }
  }
}

test("the feed tells pools, lanes, connections and their ends, and what became of requests", async (t) => {
  const server = await holdingServer(t);
  const { origin } = server;
  const lanes = { reports: { maxSockets: 1 } };
  const client = makeClient(t, {
    services: { shop: { origins: [origin], lanes } },
    saturationMsecs: 50,
  });
  const dashboard = await dashboardOf(t, client);
  const reader = await read(t, dashboard);
  assert.deepEqual([reader.hello.format, reader.hello.pid], ["keepline-dashboard", process.pid]);
  const first = await reader.next();
  assert.deepEqual([first.pools, first.sinceMsecs], [[], 0]);

  const inLane = { lane: "reports" };
  const isSaturated = once(client, "saturated").then(() => Date.now());
  const held = [1, 2, 3].map((id) =>
    outcomeOf(client.request(`${origin}/${id}?token=secret`, inLane)),
  );
  const arrived = await server.next();
  // The first update that is made then says so.
  const since = await isSaturated;
  const update = await reader.nextWith(({ at }) => at > since);
  const [pool] = update.pools;
  assert.equal(update.pools.length, 1);
  assert.deepEqual([pool?.service, pool?.origin, pool?.pending], ["shop", origin, 2]);
  assert.deepEqual(pool?.sockets, { open: 1, idle: 0, busy: 1, dialing: 0 });
  const lane = pool?.lanes.find(({ name }) => name === "reports");
  assert.deepEqual([lane?.busy, lane?.pending, lane?.isSaturated], [1, 2, true]);
  assert((lane?.waitedMsecs ?? 0) >= 50);
  const [line] = pool?.lines ?? [];
  assert.deepEqual([line?.state, line?.requests], ["busy", 1]);
  assert(Number(line?.dialed) >= Number(line?.opened) && Number(line?.opened) > 0);
  const [warning] = update.warnings;
  assert.match(warning?.words ?? "", /^lane reports of service shop is saturated at/);
  assert.match(warning?.advice ?? "", /^Raise maxSockets of lane reports/);

  // It breaks off under the first one: a fresh connection's failure is reported.
  arrived.request.socket.destroy();
  assert.equal(await held[0], "ERR_KEEPLINE_SOCKET_CLOSED");
  const later = await reader.nextWith(({ notes }) => notes.some(({ kind }) => kind === "failed"));
  const failed = later.notes.find(({ kind }) => kind === "failed");
  assert.deepEqual([failed?.method, failed?.path, failed?.lane], ["GET", "/1", "reports"]);
  assert.match(failed?.causes[0] ?? "", /^SocketClosedError ERR_KEEPLINE_SOCKET_CLOSED: /);
  assert.match(failed?.story.join(", ") ?? "", /first request on connection \d+, dialed .*TCP/);
  const [end] = later.pools[0]?.closed ?? [];
  assert.deepEqual([end?.id, end?.reason, end?.state], [line?.id, "socket-error", "busy"]);
  for (let index = 0; index < 2; index++) (await server.next()).response.end();
  await Promise.all(held);
  const last = await reader.nextWith(({ notes }) => notes[0]?.kind === "slow");
  const [slow] = last.notes;
  // Which of the two took longer depends on how long it took to make them.
  const behind = new Map([
    ["/2", "behind 1"],
    ["/3", "behind 2"],
  ]);
  assert.match(slow?.story.join() ?? "", new RegExp(behind.get(slow?.path ?? "") ?? "another"));
  assert(!JSON.stringify([update, later, last]).includes("secret"));
});

test("nobody is looked at before somebody reads, and not after the last one has gone", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t);
  const { observing } = worldOf(client, "test");
  const dashboard = await dashboardOf(t, client);
  assert.equal(observing.current, null);
  const readers = [await read(t, dashboard), await read(t, dashboard)];
  assert.notEqual(observing.current, null);
  await outcomeOf(client.request(server.origin));
  readers[0]?.stop();
  const update = await readers[1]?.next();
  assert.equal(update?.clients.length, 1);
  assert.notEqual(observing.current, null);
  readers[1]?.stop();
  await until(() => observing.current === null);
  const again = await read(t, dashboard);
  assert.notEqual(observing.current, null);
  await dashboard.close();
  assert.equal(observing.current, null);
  again.stop();
});

test("of a client with many requests it looks at samples, at the ends of all connections, and at everything once requests fail", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t);
  const world = worldOf(client, "test");
  const watch = new ClientWatch("", world, 1);
  t.after(() => watch.close());
  const tick = (): void => {
    watch.pools();
    watch.next([]);
  };
  tick();
  for (let count = 0; count < 20; count++) await outcomeOf(client.request(server.origin));
  tick();
  await until(() => world.observing.current === null);
  await outcomeOf(client.request(server.origin));
  const [pool] = [...world.pools.all];
  assert(pool !== undefined);
  for (const socket of server.sockets) socket.destroy();
  await until(() => statsOf(client).sockets.open === 0);
  assert.deepEqual(
    watch.describe(pool, 5, 0).closed.map(({ reason }) => reason),
    ["server-closed"],
  );

  await outcomeOf(client.request(`http://127.0.0.1:${await deadPort()}/`));
  tick();
  for (let count = 0; count < 20; count++) await outcomeOf(client.request(server.origin));
  tick();
  // Longer than a sample.
  await sleep(150);
  assert.notEqual(world.observing.current, null);
});

test("of more connections than are drawn those in use are, and from one update to the next the same", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t);
  const watch = new ClientWatch("", worldOf(client, "test"));
  t.after(() => watch.close());
  const all = Array.from({ length: 12 }, () => outcomeOf(client.request(server.origin)));
  const arrived: Arrived[] = [];
  for (let count = 0; count < 12; count++) arrived.push(await server.next());
  for (const { response } of arrived.slice(0, 9)) response.end();
  await until(() => statsOf(client).sockets.idle === 9);
  const [pool] = [...worldOf(client, "test").pools.all];
  assert(pool !== undefined);
  const drawn = () => watch.describe(pool, 4, 0).lines;
  const before = drawn();
  assert.equal(before.filter(({ state }) => state === "busy").length, 3);
  assert.equal(watch.describe(pool, 4, 0).moreLines, 8);
  watch.next([pool]);
  for (const { response } of arrived.slice(9)) response.end();
  await Promise.all(all);
  assert.deepEqual(
    drawn().map(({ id }) => id),
    before.map(({ id }) => id),
  );
});

test("several clients have their names, and one that is taken out is gone", async (t) => {
  const server = await plainServer(t);
  const [one, two] = [makeClient(t), makeClient(t)];
  const dashboard = await dashboardOf(t, { one });
  const remove = dashboard.add("two", two);
  const reader = await read(t, dashboard);
  for (const client of [one, two]) await outcomeOf(client.request(server.origin));
  const both = await reader.nextWith(({ pools }) => pools.length === 2);
  assert.deepEqual(both.pools.map(({ client }) => client).sort(), ["one", "two"]);
  remove();
  assert.equal(worldOf(two, "test").observing.current, null);
  const rest = await reader.nextWith(({ clients }) => clients.length === 1);
  assert.deepEqual(
    rest.clients.map(({ client }) => client),
    ["one"],
  );
});

test("a hundred pools with requests that fail stay within the size of an update, and what is left out is counted", async (t) => {
  const client = makeClient(t);
  const port = await deadPort();
  const reader = await read(t, await dashboardOf(t, client));
  const failures: Promise<unknown>[] = [];
  for (let host = 1; host <= 100; host++) {
    for (let index = 0; index < 3; index++) {
      const url = `http://127.0.0.${host}:${port}/${"p".repeat(300)}`;
      failures.push(outcomeOf(client.request(url)));
    }
  }
  await Promise.all(failures);
  let told = 0;
  const full = await reader.nextWith(({ notes, moreNotes }) => {
    told += notes.length + moreNotes;
    return told >= 300;
  });
  assert.equal(told, 300);
  assert.equal(full.pools.length, limits.pools);
  assert.equal(full.pools.length + full.morePools, 100);
  for (const size of reader.sizes) assert(size < largestUpdate, `${size}`);
});

test("the page is served with a strict policy, and nothing else is there", async (t) => {
  const { url } = await dashboardOf(t, makeClient(t));
  const page = await ask(url);
  assert.deepEqual([page.status, page.headers["content-type"]], [200, "text/html; charset=utf-8"]);
  for (const directive of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"]) {
    assert(page.headers["content-security-policy"]?.includes(directive), directive);
  }
  assert.doesNotMatch(page.body, /<script>|<style>|style=|https?:/);
  assert.equal(page.headers["x-content-type-options"], "nosniff");
  assert.equal((await ask(`${url}../package.json`)).status, 404);
  assert.equal((await ask(`${url}feed`, {}, "HEAD")).status, 200);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    assert.equal((await ask(url, {}, method)).status, 405, method);
  }
});

test("a foreign Host or Origin is refused, on every path", async (t) => {
  const { url } = await dashboardOf(t, makeClient(t));
  const { port } = new URL(url);
  for (const path of ["", "feed", "dashboard.js", "nowhere"]) {
    for (const headers of [
      { host: `evil.example:${port}` },
      { host: `127.0.0.1.evil.example:${port}` },
      { origin: "http://evil.example" },
      { origin: "null" },
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" },
    ]) {
      const { status, body } = await ask(url + path, headers);
      assert.equal(status, 403, JSON.stringify(headers));
      assert.doesNotMatch(body, /keepline-dashboard/);
    }
  }
  assert.equal(
    (await ask(url, { host: `localhost:${port}`, origin: `http://localhost:${port}` })).status,
    200,
  );
});

test("it listens on this machine alone unless it is told otherwise, and is off when it is closed", async (t) => {
  const dashboard = await dashboardOf(t, makeClient(t), { port: 0 });
  assert.match(dashboard.url, /^http:\/\/127\.0\.0\.1:\d+\/$/);
  await dashboard.close();
  await dashboard.close();
  await assert.rejects(ask(dashboard.url), { code: "ECONNREFUSED" });
});

test("what cannot be is refused: options, clients, and a port that is taken", async (t) => {
  const client = makeClient(t);
  const wrong: [unknown, object][] = [
    [client, { port: 70_000 }],
    [client, { port: "4700" }],
    [client, { host: "" }],
    [client, { allowedHosts: "a" }],
    [client, { colour: 1 }],
    [{ one: 5 }, {}],
    [null, {}],
  ];
  for (const [of, options] of wrong) {
    await rejection(serveDashboard(of as Client, options), InvalidOptionError);
  }
  const { url } = await dashboardOf(t, client);
  const port = Number(new URL(url).port);
  await assert.rejects(serveDashboard(client, { port }), { code: "EADDRINUSE" });
});

test("a program that serves a dashboard ends when it has nothing else to do, though somebody reads", async (t) => {
  const child = spawn(process.execPath, [programFile("dashboard.mjs"), "200"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const [text] = (await once(child.stdout, "data")) as [Buffer];
  const request = http.get(`${String(text).trim()}feed`, { agent: false }).on("error", () => {});
  await once(request, "response");
  const [code] = (await once(child, "exit")) as [number | null];
  assert.equal(code, 0);
});
