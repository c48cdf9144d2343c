// Advice against everything that it could have said instead, and against what is known without it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Advice, advise, type Simulation, simulate, sweep } from "../index.ts";
import { randomStream } from "../random.ts";
import { confidenceOf } from "./confidence.ts";
import { gridOf, search } from "./search.ts";

/** An access log of `requests` lines, as a server writes it: whole seconds, durations in its last field. */
function accessLog(seed: number, requests: number, gapMsecs: number, burst: number): string {
  const random = randomStream(seed, 1);
  const lines: string[] = [];
  let at = Date.UTC(2026, 0, 5);
  for (let index = 0; index < requests; index++) {
    if (index % burst === 0) at += 2 * random() * gapMsecs * burst;
    const time = new Date(at)
      .toUTCString()
      .replace(/\w+, (\d+) (\w+) (\d+) (.+) GMT/, "$1/$2/$3:$4 +0000");
    const seconds = (0.01 + 0.2 * random() ** 4).toFixed(3);
    lines.push(`10.0.0.1 - - [${time}] "GET /things/${index} HTTP/1.1" 200 512 ${seconds}\n`);
  }
  return lines.join("");
}

const logs: readonly { readonly name: string; readonly simulation: Simulation }[] = [
  { name: "a busy log", log: accessLog(1, 400, 15, 1), settings: { maxSockets: 2 } },
  { name: "a log of bursts", log: accessLog(2, 360, 120, 12), settings: { maxFreeSockets: 2 } },
  { name: "a sparse log", log: accessLog(3, 150, 4_000, 1), settings: {} },
  {
    name: "a log before a server with a window",
    log: accessLog(4, 240, 500, 4),
    settings: {},
    idle: 6_000,
  },
].map(({ name, log, settings, idle = Number.POSITIVE_INFINITY }) => ({
  name,
  simulation: {
    workload: { kind: "trace", source: log },
    network: { roundTripMsecs: 20 },
    servers: { idleTimeoutMsecs: idle },
    settings,
  },
}));

for (const { name, simulation } of logs) {
  test(`${name}: no setting of a grid beats what is recommended, and no present setting`, async () => {
    const advice = await advise(simulation);
    const { values, outcome } = advice.recommended;
    const report = await simulate({
      ...simulation,
      settings: { ...simulation.settings, ...values },
    });
    assert.deepEqual(
      [report.sockets.openedPerSecond, report.sockets.meanIdle, report.latency.p99Msecs],
      [outcome.openedPerSecond, outcome.meanIdle, outcome.p99Msecs],
      "it says what the simulator says",
    );
    for (const maxSockets of [1, 3, 7, 30]) {
      const { cells } = await sweep(
        { ...simulation, settings: { ...simulation.settings, maxSockets } },
        [
          { option: "maxFreeSockets", values: [1, 4, 10, 30] },
          { option: "keepAliveMsecs", values: [700, 3_000, 9_000, 50_000] },
        ],
      );
      for (const cell of cells) {
        assert.ok(
          !beats(cell.report, report),
          `${maxSockets} ${JSON.stringify(cell.values)} beats ${JSON.stringify(values)}`,
        );
      }
    }
    assert.ok(advice.front.some((each) => each.outcome === outcome));
    assert.ok(values.keepAliveMsecs <= (name.includes("window") ? 5_000 : 120_000));
    assert.ok(advice.simulations < 300, `${advice.simulations} simulations`);
  });
}

function beats(one: Awaited<ReturnType<typeof simulate>>, other: typeof one): boolean {
  const scores = (each: typeof one): number[] => [
    each.sockets.openedPerSecond,
    each.sockets.meanIdle,
    each.latency.p99Msecs ?? Number.POSITIVE_INFINITY,
    each.failed / each.requests,
  ];
  const theirs = scores(other);
  const isNoWorse = scores(one).every((score, index) => score <= (theirs[index] as number));
  return isNoWorse && scores(one).some((score, index) => score < (theirs[index] as number));
}

const bursts: Simulation = {
  workload: { kind: "bursts", size: 12, everyMsecs: 1_000, spreadMsecs: 20, requests: 600 },
  network: { roundTripMsecs: 10 },
  servers: { serviceMsecs: 40 },
  settings: { maxSockets: 12, maxFreeSockets: 2, keepAliveMsecs: 4_000 },
};

test("each change says what it buys: bursts of 12 need as many idle sockets", async () => {
  const advice = await advise(bursts);
  const { evidence, changes, code } = advice;
  assert.ok(Math.abs(evidence.requestsPerSecond - 12) < 0.5, `${evidence.requestsPerSecond}`);
  assert.ok(Math.abs(evidence.meanBusy - 12 * 0.05) < 0.03, "Little's law");
  const [change] = changes.filter((each) => each.option === "maxFreeSockets");
  assert.match(
    change?.words ?? "",
    /^maxFreeSockets 2 → 1[0-2]: churn \d.* → 0[\d.]*\/s.* for [\d.]+ more idle sockets$/,
  );
  assert.ok((change?.before.openedPerSecond ?? 0) > 20 * (change?.after.openedPerSecond ?? 1));
  assert.match(code, /^const client = new Client\(\{\n {2}maxSockets: \d+,/);
  assert.equal(advice.format, "keepline-advice");
});

test("of a window that the server does not tell, keepAliveMsecs keeps short; of one that it tells the pool does", async () => {
  const settings = { keepAliveMsecs: 30_000 };
  const silent = await advise({ ...bursts, settings, servers: { idleTimeoutMsecs: 2_000 } });
  assert.ok(silent.recommended.values.keepAliveMsecs <= 1_500, silent.code);
  assert.equal(silent.evidence.serverWindowMsecs, 2_000);
  const servers = { idleTimeoutMsecs: 2_000, hintMsecs: 2_000 };
  const told = await advise({ ...bursts, settings, servers });
  assert.ok(told.recommended.outcome.failedShare === 0);
});

test("settings that are as good as the best are left as they are", async () => {
  const first = await advise(bursts);
  const again = await advise({ ...bursts, settings: first.recommended.values });
  assert.deepEqual(again.changes, []);
  assert.deepEqual(again.recommended.values, first.recommended.values);
});

test("it is less sure of few requests, and of halves that differ", async () => {
  const few = await advise({
    ...bursts,
    workload: { kind: "poisson", ratePerSecond: 5, requests: 100 },
  });
  assert.equal(few.confidence.level, "low");
  assert.match(few.confidence.reasons.join(), /only 100 requests/);
  const many: Simulation = {
    ...bursts,
    workload: { kind: "poisson", ratePerSecond: 100, requests: 1_500 },
  };
  const steady: Advice = await advise({ ...many, settings: { maxSockets: 8 } });
  assert.ok(Math.max(...Object.values(steady.confidence.excess)) < 0.1);
  const point = { maxSockets: 8, maxFreeSockets: 8, keepAliveMsecs: 5_000 };
  const other = { ...point, maxFreeSockets: 4 };
  const changed = await confidenceOf({
    evidence: { requests: 50_000, spanMsecs: 3_600_000, isWhole: true },
    point,
    opened: 500,
    others: [other],
    costOf: async (each, half) => (each === other && half === "second" ? 2 : 3),
  });
  assert.deepEqual(changed.excess, { first: 0, second: 0.5 });
  assert.equal(changed.level, "low");
  assert.match(changed.reasons.join(), /on one half .* 50 % more/);
});

test("a lane of short work gets more weight where a lane of long work holds it up", async () => {
  const advice = await advise(
    {
      workload: [
        { kind: "poisson", ratePerSecond: 60, requests: 600, lane: "people", serviceMsecs: 20 },
        { kind: "poisson", ratePerSecond: 6, requests: 60, lane: "batch", serviceMsecs: 200 },
      ],
      servers: { capacity: 1_000 },
      settings: {
        maxSockets: 3,
        maxTotalSockets: 3,
        services: { api: { origins: "http://origin.test", lanes: { people: {}, batch: {} } } },
      },
    },
    { service: "api" },
  );
  const [people] = advice.lanes.filter((each) => each.lane === "people");
  assert.ok((people?.to ?? 0) > 1, JSON.stringify(advice.lanes));
  assert.match(advice.code, /services: \{\n {4}api: \{\n {6}maxSockets/);
  assert.match(advice.code, /people: \{ weight: \d+ \}/);
  assert.ok(advice.changes.every((each) => each.option.startsWith("services.api.")));
});

test("the search finds the least of a valley that no point of the grid is in, and asks once for each point", async () => {
  const asked = new Set<string>();
  const bounds = { mostOpen: 100, meanBusy: 3.2, longestMsecs: 120_000 };
  const found = await search(
    bounds,
    async (point) => {
      const key = JSON.stringify(point);
      assert.ok(!asked.has(key), key);
      asked.add(key);
      const { maxSockets, maxFreeSockets, keepAliveMsecs } = point;
      return (
        Math.abs(maxSockets - 37) +
        Math.abs(maxFreeSockets - 23) +
        5 * Math.abs(Math.log(keepAliveMsecs / 7_000))
      );
    },
    [],
  );
  assert.deepEqual([found.maxSockets, found.maxFreeSockets], [37, 23]);
  assert.ok(Math.abs(found.keepAliveMsecs / 7_000 - 1) < 0.1, `${found.keepAliveMsecs}`);
  const points = gridOf(bounds);
  assert.ok(points.every((each) => each.maxSockets >= 4 && each.maxFreeSockets <= each.maxSockets));
  assert.ok(points.length <= 120, `${points.length}`);
});

test("a workload without requests is refused", async () => {
  const workload = { kind: "poisson", ratePerSecond: 0.001, durationMsecs: 10 } as const;
  await assert.rejects(advise({ workload }), /the workload has no requests/);
});

test("no setting is tried that the client would refuse: reserved sockets and ready connections have room", async () => {
  const lanes = { people: { reservedSockets: 3 }, batch: {} };
  const own = { origins: "http://origin.test", maxSockets: 12, minFreeSockets: 2, lanes };
  const workload = { kind: "poisson", ratePerSecond: 5, requests: 100, lane: "people" } as const;
  const simulation = { workload, settings: { services: { api: own } } };
  const { recommended, sensitivity } = await advise(simulation, { service: "api" });
  for (const { maxSockets, maxFreeSockets } of [
    recommended.values,
    ...sensitivity.map(({ option, value }) => ({ ...recommended.values, [option]: value })),
  ]) {
    assert.ok(maxSockets >= 4 && maxFreeSockets >= 2, `${maxSockets} ${maxFreeSockets}`);
  }
  const { origins, ...inherited } = { ...own, maxSockets: undefined };
  const whole = await advise({
    workload,
    settings: { services: { api: { origins, ...inherited } } },
  });
  assert.ok(whole.recommended.values.maxSockets >= 4);
});
