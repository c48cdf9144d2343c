// What the clients that people have cost with keepline under them, beside what they cost by themselves.

import { loadNote, loadOptions, measureLoad, ratioTo } from "../load.mjs";
import { figure, range } from "../table.mjs";
import { target } from "../targets.mjs";
import { runnable } from "../versions.mjs";

/** Each with what it stands in for. */
const pairs = [
  ["keepline-agent", "node-http"],
  ["keepline-agent", "agentkeepalive"],
  ["keepline-fetch", "fetch"],
  ["keepline-undici", "undici-agent"],
  ["keepline-undici8", "undici8-agent"],
];
const clients = runnable([...new Set(pairs.flat())]);

export const title = "under other clients";
export const summary = "node:http, fetch and undici with keepline under them, beside themselves";
export const options = loadOptions({ clients });
export const examples = [
  ["npm run bench -- surfaces", "about two minutes"],
  ["npm run bench -- surfaces --only keepline-fetch,fetch", ""],
];

export const measure = (settings) => measureLoad(settings);

export function report(settings, { results }) {
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
    title,
    `small GET, ${loadNote(settings)}, and the ratio (median of the rounds)`,
    { titles: ["with keepline", "µs", "min–max", "without", "µs", "min–max", "ratio"], rows },
  ];
}

export const targets = (found) => [
  ...target(
    "node:http over keepline, to Node's agent",
    ratioTo(found, "node-http", "ratios", "keepline-agent"),
    1,
  ),
  ...target(
    "client.fetch, to built-in fetch",
    ratioTo(found, "fetch", "ratios", "keepline-fetch"),
    0.95,
  ),
  ...target(
    "undici request over keepline, to its Agent",
    ratioTo(found, "undici-agent", "ratios", "keepline-undici"),
    0.8,
  ),
];
