// Simulated requests per second of CPU time: what keepline/simulate costs on one core.

import { simulate } from "../../dist/simulate/index.js";
import { whole } from "../options.mjs";
import { say } from "../processes.mjs";
import { count, table } from "../table.mjs";

export const title = "simulation";
export const summary = "simulated requests per second, by the kind of workload";
export const options = {
  rounds: whole(1, 100, 5, "rounds, after one that warms up"),
  requests: whole(1_000, 100_000_000, 500_000, "requests of each workload in a round"),
};
export const examples = [
  ["npm run bench -- simulate", "all kinds of workload"],
  ["npm run bench -- simulate --requests 10000000 --rounds 1", "ten million requests of each"],
];

const exponential = (meanMsecs) => ({ kind: "exponential", meanMsecs });

async function* lines(requests) {
  for (let at = 0; at < requests; at += 1_000) {
    const size = Math.min(1_000, requests - at);
    yield Array.from(
      { length: size },
      (_, index) => `{"at":${at + index},"serviceMsecs":9.5}\n`,
    ).join("");
  }
}

const workloads = {
  "50 sockets, half of them busy": (requests) => ({
    workload: { kind: "poisson", ratePerSecond: 2_500, requests },
    servers: { serviceMsecs: exponential(10) },
    settings: { maxSockets: 50, maxFreeSockets: 20 },
  }),
  "20 sockets, a queue before them": (requests) => ({
    workload: { kind: "poisson", ratePerSecond: 1_900, requests },
    servers: { serviceMsecs: exponential(10) },
    settings: { maxSockets: 20 },
  }),
  "three lanes at a limit": (requests) => ({
    workload: ["a", "b", "c"].map((lane) => ({
      kind: "poisson",
      ratePerSecond: 630,
      requests: Math.ceil(requests / 3),
      lane,
    })),
    servers: { serviceMsecs: exponential(10) },
    settings: {
      maxSockets: 20,
      services: { default: { lanes: { a: { weight: 4 }, b: { reservedSockets: 2 }, c: {} } } },
    },
  }),
  "bursts, with idle timeouts": (requests) => ({
    workload: { kind: "bursts", size: 40, everyMsecs: 1_000, spreadMsecs: 50, requests },
    network: { roundTripMsecs: 20 },
    servers: { serviceMsecs: exponential(30), idleTimeoutMsecs: 5_000, hintMsecs: 5_000 },
    settings: { maxFreeSockets: 10, services: { default: {} } },
  }),
  "a request a second, idle sockets expire": (requests) => ({
    workload: { kind: "poisson", ratePerSecond: 1, requests },
    settings: { keepAliveMsecs: 1_000 },
  }),
  "a trace in JSON Lines": (requests) => ({
    workload: { kind: "trace", source: lines(requests) },
    settings: { maxSockets: 50 },
  }),
};

export async function measure({ rounds, requests }) {
  const results = [];
  for (const [name, simulation] of Object.entries(workloads)) {
    const rates = [];
    let report = null;
    for (let round = 0; round <= rounds; round++) {
      say(`${name}: round ${round} of ${rounds}`);
      const before = process.cpuUsage();
      report = await simulate(simulation(requests));
      const { user, system } = process.cpuUsage(before);
      if (round > 0) rates.push(report.requests / ((user + system) / 1e6));
    }
    rates.sort((a, b) => a - b);
    const median = rates[Math.floor(rates.length / 2)];
    const spread = { median, min: rates[0], max: rates.at(-1) };
    results.push({ name, perSecond: spread, opened: report.sockets.opened });
  }
  const { heapUsed, rss } = process.memoryUsage();
  return { results, heapUsedMegabytes: heapUsed / 1e6, rssMegabytes: rss / 1e6 };
}

export function report({ rounds, requests }, { results, rssMegabytes }) {
  const rows = results.map(({ name, perSecond: { median, min, max } }) => [
    name,
    count(Math.round(median)),
    `${count(Math.round(min))}–${count(Math.round(max))}`,
  ]);
  return [
    `simulation, ${rounds} rounds of ${count(requests)} requests, Node ${process.version}`,
    "requests per second of CPU time, in one thread",
    "",
    ...table(["workload", "median", "min–max"], rows),
    "",
    `memory of the process at the end: ${Math.round(rssMegabytes)} MB`,
  ];
}
