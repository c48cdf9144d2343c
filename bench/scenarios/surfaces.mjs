// What the clients that people have cost with keepline under them, beside what they cost by themselves.

import { someOf } from "../options.mjs";
import { figure, range, table } from "../table.mjs";
import { measure as measureClients, options as optionsOfGet } from "./get.mjs";

const [major, minor] = process.versions.node.split(".").map(Number);
/** undici 8 needs Node.js 22.19. */
const runsUndici8 = major > 22 || (major === 22 && minor >= 19);

/** Each with what it stands in for. */
const pairs = [
  ["keepline-agent", "node-http"],
  ["keepline-agent", "agentkeepalive"],
  ["keepline-fetch", "fetch"],
  ["keepline-undici", "undici-agent"],
  ...(runsUndici8 ? [["keepline-undici8", "undici8-agent"]] : []),
];
const clients = [...new Set(pairs.flat())];

export const title = "surfaces";
export const summary = "node:http, fetch and undici with keepline under them, beside themselves";
export const options = { ...optionsOfGet, only: someOf(clients) };
export const examples = [
  ["npm run bench -- surfaces", "about a minute"],
  ["npm run bench -- surfaces --only keepline-fetch,fetch", ""],
];

export const measure = measureClients;

export function report({ rounds, requests, sockets }, { results }) {
  const of = (key) => results.find((each) => each.key === key);
  const rows = pairs
    .filter(([own, other]) => of(own) !== undefined && of(other) !== undefined)
    .map(([own, other]) => [
      of(own).name,
      figure(of(own).cpuMicros.median),
      range(of(own).cpuMicros),
      of(other).name,
      figure(of(other).cpuMicros.median),
      range(of(other).cpuMicros),
      figure(of(own).ratios[other], 2),
    ]);
  return [
    `small GET, ${sockets} sockets, ${rounds} rounds of ${requests}, Node ${process.version}`,
    "CPU time of the client's process per request, µs, and the ratio (median of the rounds)",
    "",
    ...table(["with keepline", "µs", "min–max", "without", "µs", "min–max", "ratio"], rows),
  ];
}
