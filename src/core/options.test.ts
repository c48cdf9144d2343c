// Every option changes what the core does: one scenario each, played with two values.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type ManualWorld, manualWorld } from "../../test/support/manual-world.ts";
import { type CoreOptions, coreRules } from "./options.ts";

const never = Number.POSITIVE_INFINITY;
const byHand = { dials: "wait" } as const;

/** What one option changes: what the scenario ends with for each of two values. */
interface Case<V> {
  readonly does: string;
  readonly scenario: (value: V) => unknown;
  readonly values: readonly [V, V];
  readonly results: readonly [unknown, unknown];
}

const cases: { readonly [option in keyof CoreOptions]: Case<CoreOptions[option]> } = {
  keepAlive: {
    does: "decides whether a connection carries a second request",
    scenario: (keepAlive) => inTurn(manualWorld({ keepAlive }), 3).map((each) => each.id),
    values: [true, false],
    results: [
      [1, 1, 1],
      [1, 2, 3],
    ],
  },
  keepAliveMsecs: {
    does: "closes a connection that was idle for longer",
    scenario: (keepAliveMsecs) => {
      const world = manualWorld({ keepAliveMsecs });
      world.release(world.acquire());
      world.advance(300);
      return world.retirements.map((each) => each.reason);
    },
    values: [300, 301],
    results: [["idle-timeout"], []],
  },
  maxSockets: {
    does: "bounds the open sockets of an origin",
    scenario: (maxSockets) => {
      const world = manualWorld({ maxSockets }, byHand);
      world.acquireMany(5);
      return world.counts().open;
    },
    values: [2, never],
    results: [2, 5],
  },
  maxFreeSockets: {
    does: "bounds the idle sockets of an origin",
    scenario: (maxFreeSockets) => {
      const world = manualWorld({ maxFreeSockets });
      for (const request of world.acquireMany(4)) world.release(request);
      return world.counts().idle;
    },
    values: [1, 3],
    results: [1, 3],
  },
  maxTotalSockets: {
    does: "bounds the open sockets of all origins together",
    scenario: (maxTotalSockets) => {
      const world = manualWorld({ maxTotalSockets });
      for (const origin of ["http://a.test", "http://b.test", "http://c.test"])
        world.acquire(origin);
      return world.live.size;
    },
    values: [2, never],
    results: [2, 3],
  },
  maxOrigins: {
    does: "bounds the pools that are kept",
    scenario: (maxOrigins) => {
      const world = manualWorld({ maxOrigins });
      for (const origin of ["http://a.test", "http://b.test"]) world.release(world.acquire(origin));
      return [...world.pools.all].map((pool) => pool.origin);
    },
    values: [1, 2],
    results: [["http://b.test"], ["http://a.test", "http://b.test"]],
  },
  scheduling: {
    does: "chooses which idle connection is used",
    scenario: (scheduling) => {
      const world = manualWorld({ scheduling });
      for (const request of world.acquireMany(3)) world.release(request);
      return world.acquire().connection.id;
    },
    values: ["lifo", "fifo"],
    results: [3, 1],
  },
  dialing: {
    does: "bounds how many dials of a burst begin at once",
    scenario: (dialing) => {
      const world = manualWorld({ dialing }, byHand);
      world.acquireMany(100, "https://a.test");
      return world.counts("https://a.test").dialing;
    },
    values: ["eager", "patient"],
    results: [100, 20],
  },
  minFreeSockets: {
    does: "holds idle sockets ready beside the busy ones",
    scenario: (minFreeSockets) => {
      const world = manualWorld({ minFreeSockets });
      world.acquire();
      return world.counts().idle;
    },
    values: [0, 2],
    results: [0, 2],
  },
  maxSocketAgeMsecs: {
    does: "closes a connection that is older when it is free",
    scenario: (maxSocketAgeMsecs) => {
      const world = manualWorld({ maxSocketAgeMsecs });
      const request = world.acquire();
      world.advance(1_000);
      world.release(request);
      return world.retirements.map((each) => each.reason);
    },
    values: [1_000, 1_200],
    results: [["max-age"], []],
  },
  maxRequestsPerSocket: {
    does: "closes a connection that has carried so many requests",
    scenario: (maxRequestsPerSocket) =>
      inTurn(manualWorld({ maxRequestsPerSocket }), 4).map((each) => each.id),
    values: [2, 3],
    results: [
      [1, 1, 2, 2],
      [1, 1, 1, 2],
    ],
  },
  maxPending: {
    does: "bounds the requests that wait without a dial of their own",
    scenario: (maxPending) => {
      const world = manualWorld({ maxPending, maxSockets: 1 });
      world.acquireMany(4);
      return [world.counts().pending, world.refusals.map((each) => each.error.code)];
    },
    values: [1, never],
    results: [
      [1, ["ERR_KEEPLINE_QUEUE_FULL", "ERR_KEEPLINE_QUEUE_FULL"]],
      [3, []],
    ],
  },
  queueTimeoutMsecs: {
    does: "bounds the wait for a connection",
    scenario: (queueTimeoutMsecs) => {
      const world = manualWorld({ queueTimeoutMsecs, maxSockets: 1 });
      world.acquireMany(2);
      world.advance(200);
      return world.refusals.map((each) => each.error.code);
    },
    values: [200, 201],
    results: [["ERR_KEEPLINE_QUEUE_TIMEOUT"], []],
  },
  connectTimeoutMsecs: {
    does: "bounds a dial",
    scenario: (connectTimeoutMsecs) => {
      const world = manualWorld({ connectTimeoutMsecs }, byHand);
      world.acquire();
      world.advance(200);
      return world.refusals.map((each) => each.error.code);
    },
    values: [200, 201],
    results: [["ERR_KEEPLINE_CONNECT_TIMEOUT"], []],
  },
  saturationMsecs: {
    does: "decides after which wait a lane is reported",
    scenario: (saturationMsecs) => {
      const world = manualWorld({ saturationMsecs, maxSockets: 1 });
      world.acquireMany(2);
      world.advance(200);
      return world.saturations.map((each) => [each.change, each.lane.waitedMsecs]);
    },
    values: [200, 201],
    results: [[["saturated", 200]], []],
  },
  tuning: {
    does: "decides whether more is kept than was given, where that costs less",
    scenario: (tuning) => {
      const world = manualWorld({ tuning, maxFreeSockets: 1 });
      for (let burst = 0; burst < 150; burst++) {
        for (const request of world.acquireMany(4)) world.release(request);
        world.advance(1_000);
      }
      return world.counts().idle;
    },
    values: ["off", "auto"],
    results: [1, 4],
  },
};

for (const [option, { does, scenario, values, results }] of Object.entries(cases)) {
  test(`${option} ${does}`, () => {
    for (const [index, value] of values.entries()) {
      const play = scenario as (value: unknown) => unknown;
      assert.deepEqual(play(value), results[index], `${option}: ${value}`);
    }
    assert.notDeepEqual(results[0], results[1]);
  });
}

test("every option of the core stands in the table above", () => {
  assert.deepEqual(Object.keys(cases).sort(), Object.keys(coreRules).sort());
});

/** The connections of so many requests, each one made when the one before has its response. */
function inTurn(world: ManualWorld, count: number) {
  return Array.from({ length: count }, () => {
    const request = world.acquire();
    const { connection } = request;
    world.release(request);
    return connection;
  });
}
