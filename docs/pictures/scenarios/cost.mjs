// What a request costs where many lanes wait at once: the core looks at each of them for every turn.

import { start } from "../../../bench/processes.mjs";
import { rounded, startQuietly } from "../load.mjs";

const load = { sockets: 10, waiting: 2_000, rounds: 3 };
const limits = [
  { label: "maxSockets 10", limit: { maxSockets: load.sockets } },
  { label: "maxTotalSockets 10", limit: { maxTotalSockets: load.sockets } },
];
const counts = [1, 10, 100, 1_000];

export async function measure() {
  const results = [];
  for (const { label, limit } of limits) {
    for (const lanes of counts) {
      const server = await start(new URL("../../../bench/origin.mjs", import.meta.url), {});
      const client = await startQuietly("cost", {
        url: `http://127.0.0.1:${server.ready.port}/`,
        lanes,
        waiting: load.waiting,
        limit,
      });
      const requests = lanes < 1_000 ? 20_000 : 5_000;
      await client.ask({ requests });
      const rounds = [];
      for (let round = 0; round < load.rounds; round++) rounds.push(await client.ask({ requests }));
      rounds.sort((a, b) => a - b);
      client.stop();
      server.stop();
      const [least, median, most] = rounds.map((each) => rounded(each));
      results.push({ label, lanes, requests, microseconds: { least, median, most } });
    }
  }
  return { load, results };
}

export function report({ load, results }) {
  return [
    `cost: ${load.waiting} requests waiting or under way, evenly over so many lanes; CPU time of the client's process per request`,
    ...results.map(
      ({ label, lanes, requests, microseconds: { least, median, most } }) =>
        `  ${label}, ${lanes} lanes: ${median} µs (${least}–${most}), ${requests} requests a round`,
    ),
  ];
}
