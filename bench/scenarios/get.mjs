// CPU time per small GET over reused sockets.

import { someOf, whole } from "../options.mjs";
import { start } from "../processes.mjs";
import { ratioOf, spreadOf, takeTurns } from "../rounds.mjs";
import { count, figure, range, table } from "../table.mjs";

const clients = ["raw", "keepline", "undici-pool", "undici-agent", "node-http"];

export const title = "small GET";
export const summary = "CPU time of a small GET over reused sockets; what runs without a name";
export const options = {
  rounds: whole(1, 100, 7, "rounds, after one that warms up"),
  requests: whole(1, 1_000_000, 20_000, "requests of each client in a round"),
  sockets: whole(1, 1_000, 50, "sockets of each client, all in use"),
  only: someOf(clients),
};
export const examples = [
  ["npm run bench", "the small GET, all clients"],
  ["npm run bench -- --rounds 3 --requests 5000 --sockets 10 --only keepline,undici-agent", ""],
];

export async function measure({ rounds, requests, sockets, only }) {
  const origin = await start(new URL("../origin.mjs", import.meta.url), {});
  const url = `http://127.0.0.1:${origin.ready.port}/`;
  const runners = [];
  for (const key of only) {
    const file = new URL(`../clients/${key}.mjs`, import.meta.url).href;
    const child = await start(new URL("../runners/get.mjs", import.meta.url), {
      file,
      url,
      sockets,
    });
    const ask = () => child.ask({ requests });
    runners.push({ key, name: child.ready.name, child, ask });
  }
  const answers = await takeTurns(rounds, runners);
  for (const { child } of runners) child.stop();
  origin.stop();
  const results = runners.map(({ key, name }, index) => ({
    key,
    name,
    cpuMicros: spreadOf(answers[index], "cpuMicros"),
    wallMicros: spreadOf(answers[index], "wallMicros"),
    opened: answers[index].at(-1).opened,
    ratios: Object.fromEntries(
      runners.map((other, at) => [
        other.key,
        ratioOf(answers[index], answers[at], "cpuMicros").median,
      ]),
    ),
  }));
  return { results };
}

export function report({ rounds, requests, sockets }, { results }) {
  const peers = results.map((each) => each.key).filter((key) => key !== "keepline");
  const rows = results.map(({ name, cpuMicros, ratios }) => [
    name,
    figure(cpuMicros.median),
    range(cpuMicros),
    ...peers.map((peer) => figure(ratios[peer], 2)),
  ]);
  return [
    `small GET, ${sockets} sockets, ${rounds} rounds of ${count(requests)}, Node ${process.version}`,
    "CPU time of the client's process per request, and its ratio to each peer (medians)",
    "",
    ...table(["client", "µs", "min–max", ...peers], rows),
  ];
}
