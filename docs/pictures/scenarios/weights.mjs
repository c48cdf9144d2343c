// How three lanes that always have requests waiting share the sockets of one origin, while one of them pauses.

import { start } from "../../../bench/processes.mjs";
import { colours, hues } from "../chart.mjs";
import { rounded, startQuietly } from "../load.mjs";

const load = {
  sockets: 10,
  delayMsecs: 20,
  outstanding: 20,
  forMsecs: 6_000,
  quiet: { name: "silver", from: 2_000, to: 4_000 },
};
const kinds = [
  { name: "gold", weight: 5 },
  { name: "silver", weight: 3 },
  { name: "bronze", weight: 1 },
];
const variants = [
  { key: "queue", label: "one queue", hasLanes: false },
  { key: "lanes", label: "lanes with weights 5, 3 and 1", hasLanes: true },
];
const stepMsecs = 100;

export async function measure() {
  const measured = [];
  for (const { key, label, hasLanes } of variants) {
    const server = await start(new URL("../../../bench/origin.mjs", import.meta.url), {
      delayMsecs: load.delayMsecs,
    });
    const client = await startQuietly("weights", {
      url: `http://127.0.0.1:${server.ready.port}/`,
      sockets: load.sockets,
      kinds,
      hasLanes,
    });
    await client.ask({ ...load, forMsecs: 300, quiet: { name: "silver", from: 100, to: 200 } });
    const served = (await client.ask(load)).sort(([, a], [, b]) => a - b);
    client.stop();
    server.stop();
    measured.push({ key, label, phases: phases(served), steps: steps(served) });
  }
  return { load, kinds, stepMsecs, variants: measured };
}

/** What each kind got before, in and after the pause, and how far that was from its share at most. */
function phases(served) {
  const { quiet, forMsecs } = load;
  // Those that waited when the pause began were still served in it.
  const lastOfQuiet = Math.max(
    ...served.filter(([name, at]) => name === quiet.name && at < quiet.to).map(([, at]) => at),
  );
  const others = kinds.filter(({ name }) => name !== quiet.name);
  return [
    phase(served, kinds, 0, quiet.from),
    phase(served, others, lastOfQuiet, quiet.to),
    phase(served, kinds, quiet.to + load.delayMsecs, forMsecs),
    { ...phase(served, kinds, quiet.to + load.delayMsecs, quiet.to + 250), isReturn: true },
  ];
}

function phase(served, active, from, to) {
  const weights = active.reduce((sum, each) => sum + each.weight, 0);
  const counts = Object.fromEntries(active.map(({ name }) => [name, 0]));
  let total = 0;
  let farthest = 0;
  for (const [name, at] of served) {
    if (at <= from || at >= to) continue;
    counts[name]++;
    total++;
    for (const { name: each, weight } of active) {
      farthest = Math.max(farthest, Math.abs(counts[each] - (total * weight) / weights));
    }
  }
  const shares = Object.fromEntries(
    Object.entries(counts).map(([name, count]) => [name, rounded(count / total, 3)]),
  );
  const fromMsecs = rounded(from);
  return { fromMsecs, toMsecs: to, total, counts, shares, farthestRequests: rounded(farthest, 2) };
}

/** Requests served so far, and what would have been the shares of all of them, at the end of each step. */
function steps(served) {
  const ideal = Object.fromEntries(kinds.map(({ name }) => [name, 0]));
  const counts = { ...ideal };
  const lines = Object.fromEntries(kinds.map(({ name }) => [name, { served: [0], ideal: [0] }]));
  let next = 0;
  for (let at = stepMsecs; at <= load.forMsecs; at += stepMsecs) {
    for (; next < served.length && served[next][1] <= at; next++) {
      const [name, servedAt] = served[next];
      const isQuiet = servedAt >= load.quiet.from && servedAt < load.quiet.to;
      const active = kinds.filter((each) => !isQuiet || each.name !== load.quiet.name);
      const weights = active.reduce((sum, each) => sum + each.weight, 0);
      counts[name]++;
      for (const each of active) ideal[each.name] += each.weight / weights;
    }
    for (const { name } of kinds) {
      lines[name].served.push(counts[name]);
      lines[name].ideal.push(rounded(ideal[name]));
    }
  }
  return lines;
}

export function chart({ load, kinds, stepMsecs, variants }) {
  const values = variants.flatMap(({ label: variant, steps }) => [
    { variant, what: "quiet", from: load.quiet.from / 1_000, to: load.quiet.to / 1_000 },
    ...kinds.flatMap(({ name, weight }) =>
      steps[name].served.flatMap((count, index) => {
        const at = (index * stepMsecs) / 1_000;
        const label = `${name}, weight ${weight}`;
        return [
          { variant, what: "served", label, at, count },
          { variant, what: "ideal", label, at, count: steps[name].ideal[index] },
        ];
      }),
    ),
  ]);
  const [before, , after] = variants.at(-1).phases;
  const said = kinds.map(({ name }) => `${name} ${before.counts[name]}`).join(", ");
  const x = { field: "at", type: "quantitative", title: "s", axis: { grid: false, tickCount: 7 } };
  const y = {
    field: "count",
    type: "quantitative",
    title: "requests served so far",
    axis: { format: ",d" },
  };
  const all = kinds.map(({ name, weight }, index) => ({
    label: `${name}, weight ${weight}`,
    hue: [hues.blue, hues.orange, hues.green][index],
  }));
  return {
    title: "Requests served, by weight",
    description: `Without lanes three kinds of request that send equally much get equally much. With lanes of weights 5, 3 and 1 they get their shares (in the first ${load.quiet.from / 1_000} s ${said}); while silver pauses, gold and bronze have its share, and when it returns, all have theirs again (in the last ${(load.forMsecs - load.quiet.to) / 1_000} s silver ${after.counts.silver} of ${after.total}). The dashed lines of the exact shares lie under the measured ones.`,
    data: { values },
    facet: {
      field: "variant",
      type: "nominal",
      sort: variants.map(({ label }) => label),
      title: null,
    },
    spec: {
      width: 310,
      height: 250,
      layer: [
        {
          transform: [{ filter: "datum.what === 'quiet'" }],
          mark: { type: "rect", color: hues.grey, opacity: 0.13 },
          encoding: { x: { field: "from", type: "quantitative" }, x2: { field: "to" } },
        },
        {
          transform: [{ filter: "datum.what === 'served'" }],
          mark: { type: "line", strokeWidth: 5, opacity: 0.45 },
          encoding: { x, y, color: colours(all) },
        },
        {
          transform: [{ filter: "datum.what === 'ideal'" }],
          mark: { type: "line", strokeWidth: 1.5, strokeDash: [4, 4] },
          encoding: { x, y, color: colours(all) },
        },
      ],
    },
  };
}

export function report({ load, variants }) {
  return [
    `weights: ${load.sockets} sockets, ${load.delayMsecs} ms, ${load.outstanding} requests of each kind waiting or under way`,
    ...variants.flatMap(({ label, phases }) => [
      label,
      ...phases.map(
        ({ fromMsecs, toMsecs, total, counts, shares, farthestRequests }) =>
          `  ${fromMsecs}–${toMsecs} ms: ${total} served, ${JSON.stringify(counts)} ${JSON.stringify(shares)}, at most ${farthestRequests} requests from the share`,
      ),
    ]),
  ];
}
