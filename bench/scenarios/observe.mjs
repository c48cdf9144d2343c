// What it costs to look on: nobody, a reader of stats every second, a scrape, subscribers to events, a recording, a dashboard.

import { someOf, whole } from "../options.mjs";
import { startClient, startOrigin } from "../processes.mjs";
import { ratioOf, spreadOf, takeTurns } from "../rounds.mjs";
import { count, figure, range, table } from "../table.mjs";

/** By what looks on; each is a client of its own. The second one tells how much the ratios are worth. */
const ways = {
  nobody: "nobody looks on",
  again: "nobody, a second time",
  stats: "stats() read every second",
  reader: "statsReader() read every second",
  scrape: "a scrape for Prometheus every second",
  "one-event": "a subscriber to connection:retired",
  "all-events": "a subscriber to every event",
  har: "recordHar()",
  dashboard: "a dashboard that somebody reads",
};

export const title = "observe";
export const summary = "what stats, scrapes, events, recordings and a dashboard cost a small GET";
export const options = {
  rounds: whole(1, 100, 9, "rounds, after one that warms up"),
  requests: whole(1, 1_000_000, 50_000, "requests of each client in a round"),
  sockets: whole(1, 1_000, 50, "sockets of each client, all in use"),
  only: someOf(Object.keys(ways)),
};
export const examples = [
  ["npm run bench -- observe", "about two minutes"],
  ["npm run bench -- observe --only nobody,again,stats", ""],
];

export async function measure({ rounds, requests, sockets, only }) {
  const origin = await startOrigin(new URL("../origin.mjs", import.meta.url), {});
  const url = `http://127.0.0.1:${origin.ready.port}/`;
  const turns = [];
  for (const key of new Set(["nobody", ...only])) {
    const child = await startClient(new URL("../runners/observe.mjs", import.meta.url), {
      way: key,
      url,
      sockets,
    });
    turns.push({ key, name: ways[key], child, ask: () => child.ask({ requests }) });
  }
  const answers = await takeTurns(rounds, turns);
  for (const { child } of turns) child.stop();
  origin.stop();
  const results = turns.map(({ key, name }, index) => ({
    key,
    name,
    cpuMicros: spreadOf(answers[index], "cpuMicros"),
    ratio: ratioOf(answers[index], answers[0], "cpuMicros"),
    told: answers[index].at(-1).told,
  }));
  return { results };
}

export function report({ rounds, requests, sockets }, { results }) {
  const rows = results.map(({ name, cpuMicros, ratio, told }) => [
    name,
    figure(cpuMicros.median),
    range(cpuMicros),
    figure(ratio.median, 3),
    range(ratio, 2),
    told === 0 ? "–" : figure(told / requests, 2),
  ]);
  const titles = ["who looks on", "µs", "min–max", "to nobody", "min–max", "told a request"];
  return [
    `observe: small GET, ${sockets} sockets, ${rounds} rounds of ${count(requests)}, Node ${process.version}`,
    "CPU time of the client's process per request, and its ratio to a client that nobody looks at (medians)",
    "",
    ...table(titles, rows),
  ];
}
