/**
 * `tuning: "auto"` of a client on real sockets, whose clock the test moves: its event, its numbers in the stats, and what
 * `configure` and `configureService` do to it.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import {
  type ClientOptions,
  type ServiceTuned,
  subscribe,
  type TuningStats,
} from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { makeClient, statsOf } from "../support/client-kit.ts";
import { holdingServer, outcomeOf } from "../support/loopback.ts";

const bounds = {
  maxFreeSockets: [1, 8],
  keepAliveMsecs: [1_000, 60_000],
  intervalMsecs: 1_000,
} as const;

/** A client with a service for one server, which is asked in bursts of four. */
async function tuned(t: TestContext, options: ClientOptions = {}) {
  const clock = new ManualClock();
  const server = await holdingServer(t);
  const services = { api: { origins: server.origin, maxFreeSockets: 1, tuning: bounds } };
  const client = makeClient(t, { services, ...options, clock });
  const events: ServiceTuned[] = [];
  t.after(subscribe({ "service:tuned": (event) => events.push(event) }, client));
  return {
    client,
    events,
    stats(): TuningStats {
      const service = client.stats().services.find((each) => each.service === "api");
      assert(service !== undefined);
      return service.tuning;
    },
    idle: () => statsOf(client).sockets.idle,
    async bursts(count: number): Promise<void> {
      for (let burst = 0; burst < count; burst++) {
        const requests = [1, 2, 3, 4].map(() => outcomeOf(client.request(server.origin)));
        for (const _ of requests) (await server.next()).response.end();
        assert.deepEqual(await Promise.all(requests), [200, 200, 200, 200]);
        clock.advance(500);
        await turn();
      }
    },
  };
}

test("a move is told by an event, and the stats show the value that is in use", async (t) => {
  const { client, events, stats, idle, bursts } = await tuned(t);
  assert.deepEqual(stats(), {
    mode: "auto",
    maxFreeSockets: 1,
    keepAliveMsecs: 5_000,
    changes: 0,
  });
  await bursts(16);
  assert.equal(idle(), 4);
  const moves = events.map(({ option, from, to }) => `${option} ${from} > ${to}`);
  assert.deepEqual(moves.slice(0, 3), [
    "maxFreeSockets 1 > 2",
    "maxFreeSockets 2 > 3",
    "maxFreeSockets 3 > 4",
  ]);
  assert.deepEqual(stats(), {
    mode: "auto",
    maxFreeSockets: 4,
    keepAliveMsecs: 5_000,
    changes: events.length,
  });
  const [first] = events;
  assert(first !== undefined);
  assert.equal(first.clientId, client.id);
  assert.equal(first.service, "api");
  assert.match(first.reason, /^with maxFreeSockets 4 and keepAliveMsecs 5000, .* idle sockets$/);
  assert(first.before.openedPerSecond > first.after.openedPerSecond);
  assert(first.before.costPerSecond > first.after.costPerSecond);
  assert.deepEqual(JSON.parse(JSON.stringify(first)), first, "plain data");
});

test("frozen while it runs, the values stay; off, those that were given are back; auto goes on from there", async (t) => {
  const { client, events, stats, idle, bursts } = await tuned(t);
  await bursts(6);
  const { maxFreeSockets } = stats();
  assert(maxFreeSockets === 2 || maxFreeSockets === 3, `${maxFreeSockets}`);
  client.configureService("api", { tuning: "frozen" });
  const count = events.length;
  await bursts(8);
  assert.deepEqual([stats().mode, stats().maxFreeSockets], ["frozen", maxFreeSockets]);
  assert.equal(events.length, count);

  client.configureService("api", { tuning: "off" });
  assert.deepEqual(stats(), { mode: "off", maxFreeSockets: 1, keepAliveMsecs: 5_000, changes: 0 });
  assert(idle() <= 1);

  client.configureService("api", { tuning: "auto" });
  assert.deepEqual(client.options.services.api?.tuning, { ...bounds, mode: "auto" });
  await bursts(16);
  assert.deepEqual([stats().mode, stats().maxFreeSockets], ["auto", 4]);
});

test("a value that the program gives is where it goes on from, within the bounds", async (t) => {
  const { client, stats, bursts } = await tuned(t);
  await bursts(16);
  client.configureService("api", { maxPending: 50 });
  assert.equal(stats().maxFreeSockets, 4);
  client.configureService("api", { maxFreeSockets: 6 });
  assert.equal(stats().maxFreeSockets, 6);
  client.configureService("api", { maxFreeSockets: 100 });
  assert.equal(stats().maxFreeSockets, 8);
  client.configureService("api", { tuning: { maxFreeSockets: [1, 3] } });
  assert.deepEqual(stats(), { mode: "auto", maxFreeSockets: 3, keepAliveMsecs: 5_000, changes: 3 });
});

test("the client's tuning is that of services that have none, and a service's own word changes its mode alone", async (t) => {
  const { client, stats } = await tuned(t, {
    tuning: bounds,
    maxFreeSockets: 100,
    services: { api: { origins: "http://127.0.0.1:1" } },
  });
  assert.deepEqual([stats().mode, stats().maxFreeSockets], ["auto", 8]);
  client.configure({ tuning: "frozen" });
  assert.deepEqual([stats().mode, stats().maxFreeSockets], ["frozen", 8]);
  assert.deepEqual(client.options.tuning, { ...bounds, mode: "frozen" });
  client.configureService("api", { tuning: "auto" });
  assert.deepEqual([stats().mode, stats().maxFreeSockets], ["auto", 8]);
  assert.equal(client.stats().services[0]?.tuning.mode, "frozen");
  client.configure({ tuning: "off" });
  assert.deepEqual([stats().mode, client.stats().services[0]?.tuning.mode], ["auto", "off"]);
  assert.throws(() => client.configureService("api", { tuning: { maxFreeSockets: [4, 2] } }), {
    code: "ERR_KEEPLINE_INVALID_OPTION",
    option: "services.api.tuning.maxFreeSockets",
  });
  assert.equal(stats().mode, "auto");
});
