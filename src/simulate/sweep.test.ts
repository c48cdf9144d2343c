// Grids of settings, what each costs, and which of them are not beaten.

import assert from "node:assert/strict";
import { test } from "node:test";
import { costOf, paretoFront, rank, type Simulation, sweep, withValues } from "./index.ts";

const simulation: Simulation = {
  workload: {
    kind: "bursts",
    size: 10,
    everyMsecs: 2_000,
    spreadMsecs: 100,
    durationMsecs: 60_000,
  },
  servers: { serviceMsecs: 40 },
};

test("of more idle sockets that are kept for longer fewer are opened, and every cell met the same requests", async () => {
  const found = await sweep(simulation, [
    { option: "maxFreeSockets", values: [1, 10] },
    { option: "keepAliveMsecs", values: [1_000, 5_000] },
  ]);
  assert.deepEqual(
    found.cells.map((each) => each.values),
    [
      { maxFreeSockets: 1, keepAliveMsecs: 1_000 },
      { maxFreeSockets: 1, keepAliveMsecs: 5_000 },
      { maxFreeSockets: 10, keepAliveMsecs: 1_000 },
      { maxFreeSockets: 10, keepAliveMsecs: 5_000 },
    ],
  );
  const [least, , , most] = found.cells;
  for (const { report } of found.cells) assert.equal(report.requests, least?.report.requests);
  assert.ok((most?.report.sockets.opened ?? 0) < (least?.report.sockets.opened ?? 0) / 10);
  assert.ok((most?.report.sockets.meanIdle ?? 0) > (least?.report.sockets.meanIdle ?? 0));
  assert.ok(most?.isBest, "nothing opens fewer");
});

test("values are set in their place, and what was given is not touched", () => {
  const settings = { maxSockets: 5, services: { default: { lanes: { a: { weight: 2 } } } } };
  const changed = withValues(settings, { "services.default.lanes.a.maxSockets": 3, maxSockets: 9 });
  assert.deepEqual(changed, {
    maxSockets: 9,
    services: { default: { lanes: { a: { weight: 2, maxSockets: 3 } } } },
  });
  assert.equal(settings.maxSockets, 5);
  assert.throws(() => withValues(settings, { "maxSockets.a": 1 }), /no place for maxSockets\.a/);
});

test("a cost is the sum of its parts for a thousand requests, and ranks outcomes", () => {
  const outcome = (opened: number, idleSocketSeconds: number, meanMsecs: number, failed = 0) => ({
    requests: 2_000,
    failed,
    sockets: { opened, idleSocketSeconds },
    queueWait: { count: 2_000, meanMsecs },
  });
  const cost = costOf(outcome(100, 400, 5, 2));
  assert.deepEqual(cost, { dials: 50, idle: 2, waits: 50, failures: 100, total: 202 });
  const [a, b, c] = [outcome(100, 0, 0), outcome(10, 1_000, 0), outcome(1, 100_000, 0)];
  assert.deepEqual(
    rank([a, b, c]).map((each) => each.outcome),
    [b, a, c],
  );
  assert.deepEqual(
    rank([a, b, c], { idleSecond: 0 }).map((each) => each.outcome),
    [c, b, a],
  );
  assert.equal(costOf({ ...outcome(0, 0, 0), requests: 0 }).total, 0);
});

test("the front holds what nothing beats, equals among it", () => {
  const points = [
    [1, 5],
    [2, 2],
    [5, 1],
    [3, 3],
    [2, 2],
    [1, null],
  ] as const;
  const front = paretoFront([...points], [(each) => each[0], (each) => each[1]]);
  assert.deepEqual(front, [
    [1, 5],
    [2, 2],
    [5, 1],
    [2, 2],
  ]);
});
