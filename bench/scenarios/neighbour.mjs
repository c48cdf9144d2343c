// What requests that somebody waits for suffer from a batch that came before them, where both share the sockets
// of one origin. What is measured is waiting, not CPU time: the origin's answers take longer than all else.

import { someOf, whole } from "../options.mjs";
import { startClient, startOrigin } from "../processes.mjs";
import { spread, spreadOf, takeTurns } from "../rounds.mjs";
import { block, count, figure, range } from "../table.mjs";

const clients = [
  "keepline-lanes",
  "keepline",
  "undici-pool",
  "undici-agent",
  "node-http",
  "agentkeepalive",
];
const delayMsecs = 20;
const interactive = 100;
const everyMsecs = 30;

export const title = "a noisy neighbour";
export const summary = "how long interactive requests wait behind a batch to the same origin";
export const options = {
  rounds: whole(1, 100, 3, "rounds, after one that warms up"),
  requests: whole(1, 100_000, 2_000, "requests of the batch"),
  sockets: whole(2, 1_000, 10, "sockets of each client"),
  only: someOf(clients),
};
export const examples = [
  ["npm run bench -- neighbour", "about two minutes"],
  ["npm run bench -- neighbour --rounds 1 --only keepline-lanes,undici-pool", "two clients, 20 s"],
];

export async function measure({ rounds, requests, sockets, only }) {
  const turns = [];
  const refused = [];
  for (const key of only) {
    const server = await startOrigin(new URL("../origin.mjs", import.meta.url), { delayMsecs });
    const child = await startClient(new URL("../runners/neighbour.mjs", import.meta.url), {
      file: new URL(`../clients/${key}.mjs`, import.meta.url).href,
      url: `http://127.0.0.1:${server.ready.port}/`,
      sockets,
    });
    const { name, refusal } = child.ready;
    if (refusal !== null) {
      refused.push({ key, name, refusal });
      child.stop();
      server.stop();
      continue;
    }
    const ask = async () => {
      const answer = await child.ask({ batch: requests, interactive, everyMsecs });
      return { ...answer, ...(await server.ask("most open")) };
    };
    turns.push({ key, name, child, server, ask });
  }
  const answers = await takeTurns(rounds, turns);
  for (const { child, server } of turns) {
    child.stop();
    server.stop();
  }
  const idealMsecs = ((requests + interactive) * delayMsecs) / sockets;
  const results = turns.map(({ key, name }, index) => {
    const sorted = answers[index].flatMap((each) => each.latencies).toSorted((a, b) => a - b);
    const at = (share) => sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)];
    return {
      key,
      name,
      interactiveMsecs: { p50: at(0.5), p99: at(0.99), max: sorted.at(-1) },
      batchMsecs: spreadOf(answers[index], "batchMsecs"),
      toIdeal: spread(answers[index].map((each) => each.batchMsecs / idealMsecs)),
      mostOpen: spreadOf(answers[index], "mostOpen").max,
    };
  });
  return { idealMsecs, results, refused };
}

export function report({ rounds, requests, sockets }, { idealMsecs, results, refused }) {
  const rows = results.map((each) => [
    each.name,
    figure(each.interactiveMsecs.p50, 0),
    figure(each.interactiveMsecs.p99, 0),
    figure(each.interactiveMsecs.max, 0),
    figure(each.batchMsecs.median / 1_000, 2),
    range({ min: each.batchMsecs.min / 1_000, max: each.batchMsecs.max / 1_000 }, 2),
    figure(each.toIdeal.median, 2),
    count(each.mostOpen),
  ]);
  return [
    title,
    `${sockets} sockets, ${rounds} rounds`,
    `${count(requests)} batch requests at once, ${interactive} interactive ones every ${everyMsecs} ms from then on; the origin answers after ${delayMsecs} ms.`,
    `Latency of the interactive ones, ms; duration of the batch, s, and its ratio to the ideal for all requests, ${figure(idealMsecs / 1_000, 2)} s`,
    block(["client", "p50", "p99", "max", "batch, s", "min–max", "to ideal", "most sockets"], rows),
    ...refused.flatMap(({ name, refusal }) => [
      `${name}: not measured, it could not begin: ${refusal}`,
    ]),
  ];
}
