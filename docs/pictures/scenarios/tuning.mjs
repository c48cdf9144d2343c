// The heat maps of docs/tuning.md: simulated, so that they are the same on every machine.

import { svgOf } from "../../../dist/cli/simulate/svg.js";
import { costOf, simulate, sweep } from "../../../dist/simulate/index.js";

const way = { roundTripMsecs: 20 };

/** Each: a workload, what is around it, and two options. */
const maps = {
  idle: {
    title:
      "bursts of 20 about every 2 s, and 10 requests a second beside them; 20 ms away, 40 ms each",
    simulation: {
      workload: [
        {
          kind: "bursts",
          size: 20,
          everyMsecs: { kind: "exponential", meanMsecs: 2_000 },
          spreadMsecs: 50,
          durationMsecs: 600_000,
        },
        { kind: "poisson", ratePerSecond: 10, durationMsecs: 600_000 },
      ],
      network: way,
      servers: { serviceMsecs: 40 },
    },
    axes: [
      { option: "maxFreeSockets", values: [1, 5, 10, 20, 40] },
      { option: "keepAliveMsecs", values: [250, 1_000, 2_000, 5_000, 15_000, 60_000] },
    ],
  },
  sockets: {
    title: "100 requests a second at random, 60 ms each on average: 8 sockets in use",
    simulation: {
      workload: { kind: "poisson", ratePerSecond: 100, durationMsecs: 300_000 },
      network: way,
      servers: { serviceMsecs: { kind: "exponential", meanMsecs: 60 } },
    },
    axes: [
      { option: "maxSockets", values: [9, 10, 12, 16, 24, 48] },
      { option: "maxFreeSockets", values: [1, 2, 4, 8, 16] },
    ],
  },
  ready: {
    title: "bursts of 12 about every 20 s; 20 ms away over TLS, 40 ms each",
    simulation: {
      workload: {
        kind: "bursts",
        size: 12,
        everyMsecs: { kind: "exponential", meanMsecs: 20_000 },
        spreadMsecs: 50,
        durationMsecs: 3_600_000,
        origin: "https://origin.test",
      },
      network: way,
      servers: { serviceMsecs: 40 },
    },
    axes: [
      { option: "minFreeSockets", values: [0, 3, 6, 12] },
      { option: "keepAliveMsecs", values: [1_000, 5_000, 15_000, 60_000, 120_000] },
    ],
  },
  order: {
    title: "a rate that goes from 5 to 95 a second and back in 5 minutes, 100 ms each",
    simulation: {
      workload: {
        kind: "diurnal",
        ratePerSecond: 50,
        swing: 0.9,
        periodMsecs: 300_000,
        durationMsecs: 900_000,
      },
      network: way,
      servers: { serviceMsecs: 100 },
    },
    axes: [
      { option: "scheduling", values: ["lifo", "fifo"] },
      { option: "keepAliveMsecs", values: [250, 1_000, 5_000, 15_000, 60_000] },
    ],
  },
};

const hour = 3_600_000;
const about = (meanMsecs) => ({ kind: "exponential", meanMsecs });

/** Each: a workload, and values to begin with, which stay or are tuned. What is counted is the second half. */
const tunings = {
  grows: {
    title: "bursts of 20 about every 2 s, and 10 requests a second beside them",
    workload: [
      {
        kind: "bursts",
        size: 20,
        everyMsecs: about(2_000),
        spreadMsecs: 50,
        durationMsecs: 2 * hour,
      },
      { kind: "poisson", ratePerSecond: 10, durationMsecs: 2 * hour },
    ],
    given: { maxFreeSockets: 5, keepAliveMsecs: 5_000 },
  },
  lasts: {
    title: "bursts of 12 about every 20 s over TLS, with the defaults",
    workload: [
      {
        kind: "bursts",
        size: 12,
        everyMsecs: about(20_000),
        spreadMsecs: 50,
        durationMsecs: 4 * hour,
        origin: "https://origin.test",
      },
    ],
    given: { maxFreeSockets: 256, keepAliveMsecs: 5_000 },
  },
  shrinks: {
    title: "bursts of 20 about every 5 min, and 2 requests a second beside them",
    workload: [
      {
        kind: "bursts",
        size: 20,
        everyMsecs: about(300_000),
        spreadMsecs: 50,
        durationMsecs: 24 * hour,
      },
      { kind: "poisson", ratePerSecond: 2, durationMsecs: 24 * hour },
    ],
    given: { maxFreeSockets: 256, keepAliveMsecs: 60_000 },
  },
};

/** Fixed values, and `tuning: "auto"` that begins with them; and the best fixed values of a grid. */
async function measureTuning({ title, workload, given }) {
  const warmUpMsecs = workload[0].durationMsecs / 2;
  const simulation = {
    workload,
    network: way,
    servers: { serviceMsecs: 40 },
    warmUpMsecs,
    points: 2,
  };
  const perSecond = (report) => (costOf(report).total * report.requests) / report.simulatedMsecs;
  const shown = (report) => ({
    openedPerSecond: rounded(report.sockets.openedPerSecond),
    meanIdle: rounded(report.sockets.meanIdle),
    p99Msecs: rounded(report.latency.p99Msecs),
    costPerSecond: rounded(perSecond(report)),
  });
  const off = await simulate({ ...simulation, settings: given });
  const auto = await simulate({ ...simulation, settings: { ...given, tuning: "auto" } });
  const { cells } = await sweep(simulation, [
    { option: "maxFreeSockets", values: [1, 2, 3, 5, 8, 12, 16, 20, 26, 40] },
    { option: "keepAliveMsecs", values: [1_000, 2_000, 5_000, 10_000, 20_000, 40_000, 60_000] },
  ]);
  const [best] = cells.sort((a, b) => perSecond(a.report) - perSecond(b.report));
  const values = { ...given };
  for (const { option, to } of auto.tuned) values[option] = to;
  return {
    title,
    given,
    off: shown(off),
    auto: { ...shown(auto), values, moves: auto.tuned.length },
    best: { ...shown(best.report), values: best.values },
  };
}

/** What the pictures and the table show, and no more of it. */
export async function measure() {
  const tuned = {};
  for (const [name, each] of Object.entries(tunings)) tuned[name] = await measureTuning(each);
  const measured = {};
  for (const [name, { title, simulation, axes }] of Object.entries(maps)) {
    const found = await sweep(simulation, axes);
    measured[name] = {
      title,
      axes,
      cells: found.cells.map(({ values, isBest, report }) => ({
        values,
        isBest,
        report: {
          sockets: {
            openedPerSecond: rounded(report.sockets.openedPerSecond),
            meanIdle: rounded(report.sockets.meanIdle),
          },
          latency: { p99Msecs: rounded(report.latency.p99Msecs) },
        },
      })),
    };
  }
  return { maps: measured, tuned };
}

/** The pictures, by the names of their files. */
export const pictures = ({ maps: measured }) =>
  Object.fromEntries(
    Object.entries(measured).map(([name, each]) => [`tuning-${name}`, svgOf(each)]),
  );

export const report = ({ maps: measured, tuned }) => [
  ...Object.entries(measured).flatMap(([name, { title, axes, cells }]) => [
    `tuning-${name}: ${title}`,
    ...cells.map(({ values, isBest, report: { sockets, latency } }) => {
      const words = axes.map(({ option }) => `${option}=${values[option]}`).join(" ");
      return `  ${isBest ? "*" : " "} ${words}: ${sockets.openedPerSecond}/s, ${sockets.meanIdle} idle, p99 ${latency.p99Msecs} ms`;
    }),
  ]),
  ...Object.entries(tuned).flatMap(([name, { title, given, off, auto, best }]) => [
    `tuning: ${name}: ${title}`,
    ...[
      ["off", off, given],
      [`auto, ${auto.moves} moves`, auto, auto.values],
      ["best of a grid", best, best.values],
    ].map(
      ([words, { openedPerSecond, meanIdle, p99Msecs, costPerSecond }, values]) =>
        `    ${words}: ${values.maxFreeSockets} for ${values.keepAliveMsecs} ms: ${openedPerSecond}/s, ${meanIdle} idle, p99 ${p99Msecs} ms, cost ${costPerSecond}/s`,
    ),
  ]),
];

const rounded = (number) => Number(number.toPrecision(4));
