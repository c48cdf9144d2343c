// What keepline's own features cost: the small GET with and without each of them.

import { loadNote, loadOptions, measureLoad, ratioTo } from "../load.mjs";
import { figure, range } from "../table.mjs";
import { target } from "../targets.mjs";

const clients = ["keepline", "keepline-lanes", "keepline-stats"];

export const title = "lanes and statistics";
export const summary = "CPU time of a small GET with lanes, and while stats() are read";
export const options = loadOptions({ rounds: 15, clients });
export const examples = [["npm run bench -- extras", "about a minute"]];

export const measure = (settings) => measureLoad(settings);

export function report(settings, { results }) {
  return [
    title,
    loadNote(settings),
    {
      titles: ["client", "CPU, µs", "min–max", "to keepline alone"],
      rows: results.map(({ name, cpuMicros, ratios }) => [
        name,
        figure(cpuMicros.median),
        range(cpuMicros),
        figure(ratios.keepline, 2),
      ]),
    },
  ];
}

export const targets = (found) => [
  ...target("lanes, to none", ratioTo(found, "keepline", "ratios", "keepline-lanes"), 1.05),
  ...target(
    "stats() ten times a second, to none",
    ratioTo(found, "keepline", "ratios", "keepline-stats"),
    1.03,
  ),
];
