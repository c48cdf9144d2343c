// How long one request after another takes on a single socket: what a client adds to the way there and back.

import { loadNote, loadOptions, measureLoad, ratioTo } from "../load.mjs";
import { figure, range } from "../table.mjs";
import { target } from "../targets.mjs";

const clients = ["raw", "keepline", "undici-pool", "undici-agent", "node-http", "fetch"];

export const title = "one socket, one request after another";
export const summary = "latency of small GETs on one socket, one after another";
export const options = loadOptions({ requests: 5_000, sockets: 1, clients });
export const examples = [["npm run bench -- sequence", "about a minute"]];

export const measure = (settings) => measureLoad(settings, { isTimed: true });

export function report(settings, { results }) {
  return [
    title,
    `${loadNote(settings)}, and how long a request takes (median of the rounds)`,
    {
      titles: ["client", "p50, µs", "min–max", "to raw", "p99, µs", "CPU, µs"],
      rows: results.map((each) => [
        each.name,
        figure(each.p50Micros.median, 0),
        range(each.p50Micros, 0),
        figure(each.latencyRatios.raw, 2),
        figure(each.p99Micros.median, 0),
        figure(each.cpuMicros.median),
      ]),
    },
  ];
}

export const unit = "median time of a request, µs";

export const bars = ({ results }) =>
  results.map(({ key, name, p50Micros: { median, min, max } }) => ({
    key,
    name,
    median,
    min,
    max,
  }));

export const targets = (found) =>
  target(
    "one socket in sequence, p50, to raw sockets",
    ratioTo(found, "raw", "latencyRatios"),
    1.15,
  );
