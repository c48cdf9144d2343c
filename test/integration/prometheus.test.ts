/**
 * What Prometheus scrapes, with prom-client and without: it agrees with `stats()`, and with what the server counted.
 */
import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";
import { type OpenMetricsContentType, Registry } from "prom-client";
import { type Client, InvalidOptionError, type OriginStats } from "../../src/index.ts";
import { type Clients, collect, Scraper } from "../../src/prometheus/index.ts";
import { makeClient } from "../support/client-kit.ts";
import { holdingServer, outcomeOf, plainServer } from "../support/loopback.ts";
import { Scrape } from "../support/scrape.ts";

/** A client with two services over three servers, and what was sent to them by all surfaces. */
async function busyClient(t: Parameters<Parameters<typeof test>[0] & object>[0]) {
  let answered = 0;
  const handler: http.RequestListener = (request, response) => {
    answered++;
    if (request.url === "/close") response.setHeader("connection", "close");
    response.end("ok");
  };
  const servers = [await plainServer(t, handler), await plainServer(t, handler)];
  const [one = "", two = ""] = servers.map(({ origin }) => origin);
  const client = makeClient(t, {
    maxTotalSockets: 50,
    services: { api: { origins: [one], maxSockets: 3, lanes: { bulk: { maxPending: 10 } } } },
  });
  const agent = client.httpAgent();
  const ask = (origin: string) =>
    new Promise((resolve) => {
      http.get(origin, { agent }, (response) => response.resume().on("close", resolve));
    });
  const work: Promise<unknown>[] = [];
  for (let index = 0; index < 40; index++) {
    work.push(outcomeOf(client.request(`${one}/close`)), outcomeOf(client.request(two)));
    work.push(outcomeOf(client.request(one, { lane: "bulk" })));
    work.push(client.fetch(two).then((response) => response.text()));
    work.push(ask(two));
  }
  await Promise.all(work);
  return { client, answered: () => answered };
}

const total = (client: Client, count: (origin: OriginStats) => number): number =>
  client.stats().origins.reduce((sum, each) => sum + count(each), 0);

/** Asserts that `scrape` tells what `client.stats()` tells. */
function assertAgrees(scrape: Scrape, client: Client): void {
  const { services } = client.stats();
  for (const { service, totals, lanes, sockets, pending } of services) {
    const of = (name: string, labels = {}) =>
      scrape.sum(`keepline_${name}`, { service, ...labels }) ?? 0;
    assert.equal(of("requests_total"), totals.requests);
    assert.equal(of("requests_reused_total"), totals.reused);
    assert.equal(of("requests_resent_total"), totals.resent);
    assert.equal(of("requests_failed_total"), totals.failed);
    assert.equal(of("connections_opened_total"), totals.opened);
    for (const [reason, count] of Object.entries(totals.closed)) {
      assert.equal(of("connections_closed_total", { reason }), count);
    }
    for (const state of ["idle", "busy", "dialing"] as const) {
      assert.equal(of("connections", { state }), sockets[state]);
    }
    assert.equal(of("requests_pending"), pending);
    const { queue, firstByte, use, dial, connect, tls, idle, life } = totals.timings;
    const durations = { queue, first_byte: firstByte, use, dial, connect, tls, idle, life };
    for (const [name, { count, mean }] of Object.entries(durations)) {
      assert.equal(of(`${name}_seconds_count`), count, name);
      const sum = of(`${name}_seconds_sum`);
      assert.ok(Math.abs(sum - ((mean ?? 0) * count) / 1_000) < 1e-6, `${name} ${sum}`);
      assert.equal(of(`${name}_seconds_bucket`, { le: "+Inf" }), count, name);
    }
    for (const [lane, { served, refused, timedOut, shed }] of Object.entries(lanes)) {
      const outcomes = { served, refused, "timed-out": timedOut, shed };
      for (const [outcome, count] of Object.entries(outcomes)) {
        assert.equal(of("lane_requests_total", { lane, outcome }), count);
      }
    }
  }
}

/** Asserts that buckets of every histogram grow to their count. */
function assertCumulative({ samples }: Scrape): void {
  const last = new Map<string, number>();
  for (const { name, labels, value } of samples) {
    if (!name.endsWith("_bucket")) continue;
    const { le: _, ...others } = labels;
    const key = name + JSON.stringify(others);
    assert.ok(value >= (last.get(key) ?? 0), `${key} le ${labels.le}`);
    last.set(key, value);
  }
  assert.ok(last.size > 0);
}

test("a scrape of prom-client agrees with stats() and with what the servers counted, to the last request", async (t) => {
  const { client, answered } = await busyClient(t);
  const registry = new Registry();
  const stop = collect(registry, client);
  const scrape = new Scrape(await registry.metrics());
  assertAgrees(scrape, client);
  assertCumulative(scrape);
  const requests = scrape.sum("keepline_requests_total");
  const refused = scrape.sum("keepline_lane_requests_total", { outcome: "refused" });
  assert.ok((refused ?? 0) > 0);
  assert.equal((requests ?? 0) - (refused ?? 0), answered());
  assert.equal(scrape.sum("keepline_use_seconds_count"), answered());
  assert.equal(scrape.sum("keepline_client_connections_limit"), 50);
  assert.equal(scrape.sum("keepline_connections_limit"), null);
  assert.deepEqual(new Scrape(new Scraper(client).text()).samples.length, scrape.samples.length);
  stop();
  assert.equal((await registry.metrics()).trim(), "");
});

test("by origin it is the same in sum, also when pools are gone", async (t) => {
  const { client } = await busyClient(t);
  const scraper = new Scraper(client, { origins: true, labels: { app: 'say "hi"' } });
  const scrape = new Scrape(scraper.text());
  assertAgrees(scrape, client);
  assertCumulative(scrape);
  for (const { origin, requests } of client.stats().origins) {
    assert.equal(scrape.sum("keepline_requests_total", { origin }), requests);
  }
  assert.equal(scrape.samples[0]?.labels.app, 'say \\"hi\\"');
  const before = scrape.sum("keepline_requests_total");
  // Other pools push these out.
  client.configure({ maxOrigins: 1 });
  const other = await plainServer(t);
  await outcomeOf(client.request(other.origin));
  assert.equal(
    total(client, () => 1),
    1,
  );
  const after = new Scrape(scraper.text());
  assertAgrees(after, client);
  assert.equal(after.sum("keepline_requests_total"), (before ?? 0) + 1);
  assert.equal(after.sum("keepline_requests_total", { origin: "*" }), before);
});

test("marks are those since the last scrape of the same scraper, and several clients are told apart", async (t) => {
  const server = await holdingServer(t);
  const clients = { one: makeClient(t, { maxSockets: 1 }), two: makeClient(t) };
  const [scraper, other] = [new Scraper(clients), new Scraper(clients)];
  const waiting = [1, 2].map(() => outcomeOf(clients.one.request(server.origin)));
  (await server.next()).response.end();
  (await server.next()).response.end();
  await Promise.all(waiting);
  const high = (from: Scraper, client: string) => {
    const scrape = new Scrape(from.text());
    const labels = { client, service: "default" };
    return [
      scrape.sum("keepline_requests_pending_high", labels),
      scrape.sum("keepline_connections_high", { ...labels, state: "busy" }),
    ];
  };
  assert.deepEqual(high(scraper, "one"), [2, 1]);
  assert.deepEqual(high(scraper, "one"), [0, 0]);
  assert.deepEqual(high(other, "one"), [2, 1]);
  assert.deepEqual(high(other, "two"), [0, 0]);
  scraper.close();
  other.close();
});

test("OpenMetrics of prom-client names counters as it must", async (t) => {
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  collect(registry, makeClient(t));
  const text = await registry.metrics();
  assert.match(text, /^# TYPE keepline_requests counter\nkeepline_requests_total\{/m);
  assert.doesNotMatch(text, /_total_total/);
  assert.match(text, /# EOF\n$/);
});

test("what is no client or no option is refused by name", (t) => {
  const client = makeClient(t);
  for (const [bad, words] of [
    [() => new Scraper({} as Client, {}).text(), null],
    [() => new Scraper(5 as never), /client must be a Client, not 5/],
    [() => new Scraper({ one: {} } as unknown as Clients), /client must be a Client/],
    [() => new Scraper(client, { origin: true } as object), /origin: there is no such option/],
    [() => new Scraper(client, { origins: 1 as never }), /origins: must be true or false/],
    [() => new Scraper(client, { labels: { "a b": "c" } }), /labels.a b/],
  ] as const) {
    if (words === null) assert.match(bad() as string, /# TYPE/);
    else
      assert.throws(
        bad,
        (error) => error instanceof InvalidOptionError && words.test(error.message),
      );
  }
});
