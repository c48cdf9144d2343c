// The heat maps of docs/tuning.md: simulated, so that they are the same on every machine.

import { svgOf } from "../../../dist/cli/simulate/svg.js";
import { sweep } from "../../../dist/simulate/index.js";

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

/** What the pictures show, and no more of it. */
export async function measure() {
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
  return { maps: measured };
}

/** The pictures, by the names of their files. */
export const pictures = ({ maps: measured }) =>
  Object.fromEntries(
    Object.entries(measured).map(([name, each]) => [`tuning-${name}`, svgOf(each)]),
  );

export const report = ({ maps: measured }) =>
  Object.entries(measured).flatMap(([name, { title, axes, cells }]) => [
    `tuning-${name}: ${title}`,
    ...cells.map(({ values, isBest, report: { sockets, latency } }) => {
      const words = axes.map(({ option }) => `${option}=${values[option]}`).join(" ");
      return `  ${isBest ? "*" : " "} ${words}: ${sockets.openedPerSecond}/s, ${sockets.meanIdle} idle, p99 ${latency.p99Msecs} ms`;
    }),
  ]);

const rounded = (number) => Number(number.toPrecision(4));
