// `tuning: "auto"` in the simulator, on the real core: where it ends, beside fixed values; that it stays there, and follows
// when the load changes; and that nothing of it is left when it is off or frozen.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type CostWeights,
  costOf,
  type Simulation,
  type SimulationReport,
  simulate,
  sweep,
  type Workload,
} from "../../src/simulate/index.ts";
import { fc } from "../support/fast-check.ts";
import { extent } from "../support/thorough.ts";

type Settings = NonNullable<Simulation["settings"]>;
type World = Pick<Simulation, "workload" | "network" | "servers">;

const minute = 60_000;
const network = { roundTripMsecs: 20 };
const servers = { serviceMsecs: 40 };
const tight: Settings = { maxFreeSockets: 2, keepAliveMsecs: 1_000 };
const wide: Settings = { maxFreeSockets: 256, keepAliveMsecs: 60_000 };
/** Idle sockets cost ten times as much as usual: then to hold one for 10 s costs as much as to open one. */
const dear = { idleSecond: 0.1 };

function burstsOf(size: number, meanMsecs: number, durationMsecs: number): Workload {
  const everyMsecs = { kind: "exponential", meanMsecs } as const;
  return { kind: "bursts", size, everyMsecs, spreadMsecs: 50, durationMsecs };
}

function steady(ratePerSecond: number, durationMsecs: number): Workload {
  return { kind: "poisson", ratePerSecond, durationMsecs };
}

const durationMsecs = 40 * minute;

/** What tuning meets, and the values that are tried beside it. */
const worlds: Readonly<
  Record<
    string,
    {
      world: World;
      weights?: Partial<CostWeights>;
      sizes: number[];
      times: number[];
      settings?: Settings;
    }
  >
> = {
  "bursts beside a steady rate": {
    world: {
      workload: [burstsOf(20, 4_000, durationMsecs), steady(5, durationMsecs)],
      network,
      servers,
    },
    sizes: [10, 20, 30],
    times: [20_000, 60_000],
  },
  "bursts, where idle sockets are dear": {
    world: {
      workload: [burstsOf(20, 10_000, durationMsecs), steady(5, durationMsecs)],
      network,
      servers,
    },
    weights: dear,
    sizes: [2, 5, 20, 30],
    times: [2_000, 20_000, 60_000],
  },
  "pauses that no connection outlives": {
    world: {
      workload: [burstsOf(12, 240_000, 4 * durationMsecs), steady(1, 4 * durationMsecs)],
      network,
      servers,
    },
    weights: dear,
    sizes: [1, 2, 12],
    times: [1_000, 5_000, 20_000, 60_000],
  },
  "a server that closes after 10 s and does not say so": {
    world: {
      workload: [burstsOf(20, 6_000, durationMsecs)],
      network,
      servers: { ...servers, idleTimeoutMsecs: 10_000 },
    },
    sizes: [5, 20, 30],
    times: [2_000, 9_000, 60_000],
  },
  "every connection in its turn (fifo)": {
    world: {
      workload: {
        kind: "diurnal",
        ratePerSecond: 20,
        swing: 0.9,
        periodMsecs: 5 * minute,
        durationMsecs,
      },
      network,
      servers: { serviceMsecs: 100 },
    },
    weights: dear,
    settings: { scheduling: "fifo" },
    sizes: [4, 12, 30],
    times: [1_000, 2_000, 20_000],
  },
};

function perSecond(report: SimulationReport, weights: Partial<CostWeights> = {}): number {
  return (costOf(report, weights).total * report.requests) / report.simulatedMsecs;
}

for (const [name, { world, weights = {}, sizes, times, settings = {} }] of Object.entries(worlds)) {
  test(`it comes near the least cost of fixed values, from whatever it begins with: ${name}`, async () => {
    const [first] = [world.workload].flat();
    const warmUpMsecs = ((first as { durationMsecs: number }).durationMsecs * 5) / 8;
    const common = { ...world, warmUpMsecs, points: 2 };
    const { cells } = await sweep({ ...common, settings }, [
      { option: "maxFreeSockets", values: sizes },
      { option: "keepAliveMsecs", values: times },
    ]);
    const least = Math.min(...cells.map(({ report }) => perSecond(report, weights)));
    for (const start of [tight, wide]) {
      const tuning = { mode: "auto", weights } as const;
      const report = await simulate({ ...common, settings: { ...settings, ...start, tuning } });
      const cost = perSecond(report, weights);
      const moves = report.tuned ?? [];
      const values = moves.map(({ option, to }) => `${option} ${to}`).join(", ");
      assert(cost <= least * 1.15, `${cost} a second, not ${least}: ${values}`);
      assert.equal(report.failed, 0);
      for (const { option, to } of moves) {
        const [fewest, most] = option === "maxFreeSockets" ? [1, 256] : [1_000, 60_000];
        assert(to >= fewest && to <= most, `${option} ${to}`);
      }
    }
  });
}

test("needlessly large values shrink, and the footprint with them", async () => {
  const { world } = worlds["pauses that no connection outlives"] as (typeof worlds)[string];
  const run = (settings: Settings) =>
    simulate({
      ...world,
      settings: { ...wide, ...settings },
      warmUpMsecs: durationMsecs,
      points: 2,
    });
  const fixed = await run({});
  const tuned = await run({ tuning: { mode: "auto", weights: dear } });
  assert(tuned.sockets.meanIdle < fixed.sockets.meanIdle * 0.6, `${tuned.sockets.meanIdle}`);
  assert.equal(tuned.failed, fixed.failed);
});

test("under a load that stays the same it comes to rest, and takes no move back", async () => {
  const hours = 3 * 60 * minute;
  const loads: World[] = [
    { workload: [burstsOf(20, 4_000, hours), steady(5, hours)], network, servers },
    {
      workload: steady(15, hours),
      network,
      servers: { serviceMsecs: { kind: "exponential", meanMsecs: 60 } },
    },
    {
      workload: {
        kind: "bursts",
        size: 12,
        everyMsecs: 7_000,
        spreadMsecs: 50,
        durationMsecs: hours,
      },
      network,
      servers,
    },
  ];
  for (const load of loads) {
    for (const weights of [{}, dear]) {
      const tuning = { mode: "auto", weights } as const;
      const { tuned = [] } = await simulate({ ...load, settings: { ...tight, tuning }, points: 2 });
      const late = tuned.filter((each) => each.atMsecs > 60 * minute);
      assert(late.length <= 1, late.map((each) => each.reason).join("\n"));
      for (const option of ["maxFreeSockets", "keepAliveMsecs"]) {
        const ways = tuned
          .filter((each) => each.option === option)
          .map(({ from, to }) => to > from);
        assert.equal(new Set(ways).size <= 1, true, `${option} to and fro`);
      }
    }
  }
});

test("a load that becomes another one is followed: up, down, and up again", async () => {
  const part = 60 * minute;
  const between = (size: number, everyMsecs: number, from: number, to: number): Workload => ({
    kind: "bursts",
    size,
    everyMsecs,
    startsAfterMsecs: from * part,
    durationMsecs: (to - from) * part,
  });
  const workload = [
    steady(3, 4 * part),
    between(4, 5_000, 0, 1),
    between(30, 5_000, 1, 2),
    between(4, 20_000, 2, 3.5),
    between(30, 5_000, 3.5, 4),
  ];
  const tuning = { mode: "auto", weights: dear } as const;
  const settings = { ...tight, tuning };
  const { tuned = [] } = await simulate({ workload, network, servers, settings, points: 2 });
  const sizeAt = (msecs: number): number =>
    tuned.filter((each) => each.option === "maxFreeSockets" && each.atMsecs <= msecs).at(-1)?.to ??
    2;
  const seen = [1, 1.25, 3.5, 3.75].map((parts) => sizeAt(parts * part));
  const [small = 0, grown = 0, shrunk = 0, again = 0] = seen;
  assert(small >= 4 && small < 12, `${seen}`);
  assert(grown >= 30, `${seen}`);
  assert(shrunk <= 6, `${seen}`);
  assert(again >= 30, `${seen}`);
});

const anyWorld = fc.record({
  size: fc.integer({ min: 1, max: 30 }),
  everyMsecs: fc.integer({ min: 200, max: 20_000 }),
  rate: fc.constantFrom(0.2, 2, 20),
  start: fc.record({
    maxFreeSockets: fc.constantFrom(1, 4, 30, 256),
    keepAliveMsecs: fc.constantFrom(500, 5_000, 60_000),
    maxSockets: fc.constantFrom(8, 40, 256),
  }),
  replayableShare: fc.constantFrom(1, 0.5),
  idleTimeoutMsecs: fc.constantFrom(Number.POSITIVE_INFINITY, 3_000),
  seed: fc.integer({ min: 1, max: 1_000 }),
});

test("whatever the load, nothing fails that would not fail with fixed values, and values stay within bounds", async () => {
  await fc.assert(
    fc.asyncProperty(
      anyWorld,
      async ({ size, everyMsecs, rate, start, replayableShare, idleTimeoutMsecs, seed }) => {
        const workload = [
          { ...burstsOf(size, everyMsecs, 15 * minute), replayableShare },
          { ...steady(rate, 15 * minute), replayableShare },
        ];
        const simulation = {
          workload,
          network,
          servers: { ...servers, idleTimeoutMsecs },
          seed,
          points: 2,
        };
        const bounds = { maxFreeSockets: [2, 20], keepAliveMsecs: [1_000, 30_000] } as const;
        const tuning = { ...bounds, intervalMsecs: 10_000 };
        const fixed = await simulate({ ...simulation, settings: start });
        const tuned = await simulate({ ...simulation, settings: { ...start, tuning } });
        assert(tuned.failed <= fixed.failed, `${tuned.failed} fail, not ${fixed.failed}`);
        assert.equal(tuned.requests, fixed.requests);
        for (const { option, to } of tuned.tuned ?? []) {
          const [least, most] = bounds[option];
          assert(to >= least && to <= most, `${option} ${to}`);
        }
        // The same again, to the last digit.
        const again = await simulate({ ...simulation, settings: { ...start, tuning } });
        assert.deepEqual(again, tuned);
      },
    ),
    { numRuns: extent(5, 100), seed: 1 },
  );
});

test("off and frozen, nothing is different from a client without it", async () => {
  const workload = [burstsOf(20, 4_000, 10 * minute), steady(5, 10 * minute)];
  const run = (settings: Settings) =>
    simulate({ workload, network, servers, settings: { ...tight, ...settings } });
  const plain = await run({});
  for (const tuning of ["off", "frozen"] as const) assert.deepEqual(await run({ tuning }), plain);
});
