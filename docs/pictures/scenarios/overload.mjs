// How many requests are answered in time when more come than can be served, by what is done about those that wait.

import { colours, hues } from "../chart.mjs";
import { quantile, rounded, startOrigin, startQuietly } from "../load.mjs";

const load = {
  sockets: 10,
  leastMsecs: 10,
  mostMsecs: 30,
  deadlineMsecs: 200,
  forMsecs: 5_000,
  perSecond: { below: 400, above: 1_000 },
};
const requestTimeoutMsecs = load.deadlineMsecs;
const policies = [
  { label: "queue, no timeout", lane: {} },
  { label: "queue, timeout 200 ms", lane: { requestTimeoutMsecs } },
  { label: "queue, queueTimeoutMsecs 150", lane: { requestTimeoutMsecs, queueTimeoutMsecs: 150 } },
  { label: "shedLate", lane: { requestTimeoutMsecs, shedLate: true } },
  {
    label: "shedLate, queueTimeoutMsecs 150",
    lane: { requestTimeoutMsecs, queueTimeoutMsecs: 150, shedLate: true },
  },
  {
    label: "newest-first, maxPending 50",
    lane: { requestTimeoutMsecs, overload: "newest-first", maxPending: 50 },
  },
  { label: "reject", lane: { requestTimeoutMsecs, overload: "reject" } },
];

export async function measure() {
  const measured = {};
  for (const [level, perSecond] of Object.entries(load.perSecond)) {
    measured[level] = [];
    for (const { label, lane } of policies) {
      const server = await startOrigin(load);
      const { origin } = server.ready;
      const client = await startQuietly("overload", { origin, sockets: load.sockets, lane });
      await client.ask({ perSecond: 200, forMsecs: 500 });
      await server.ask("received");
      const outcomes = await client.ask({ perSecond, forMsecs: load.forMsecs });
      const received = await server.ask("received");
      client.stop();
      server.stop();
      measured[level].push({ label, ...resultOf(outcomes, received) });
    }
  }
  return { load, policies, measured };
}

function resultOf(outcomes, received) {
  const answered = outcomes.filter(({ error }) => error === null);
  const inTime = answered.filter(({ msecs }) => msecs <= load.deadlineMsecs);
  const failed = outcomes.filter(({ error }) => error !== null);
  const refused = failed.filter(isRefusal);
  const errors = {};
  for (const { error } of failed) errors[error] = (errors[error] ?? 0) + 1;
  return {
    sent: outcomes.length,
    inTime: inTime.length,
    late: answered.length - inTime.length,
    refused: refused.length,
    timedOut: failed.length - refused.length,
    errors,
    received,
    wasted: received - inTime.length,
    inTimeMsecs: {
      p50: rounded(
        quantile(
          inTime.map(({ msecs }) => msecs),
          0.5,
        ),
      ),
      p99: rounded(
        quantile(
          inTime.map(({ msecs }) => msecs),
          0.99,
        ),
      ),
    },
    toldNoMsecs: rounded(
      quantile(
        failed.map(({ msecs }) => msecs),
        0.5,
      ),
    ),
    longestMsecs: rounded(Math.max(...outcomes.map(({ msecs }) => msecs)), 0),
  };
}

/** A queue timeout that came at once is one that was predicted. */
function isRefusal({ error, msecs }) {
  if (error === "ERR_KEEPLINE_QUEUE_TIMEOUT") return msecs < load.deadlineMsecs / 2;
  return error === "ERR_KEEPLINE_QUEUE_FULL";
}

export function chart({ load, measured }) {
  const ends = [
    { label: "answered in time", key: "inTime", hue: hues.blue },
    { label: "answered too late", key: "late", hue: hues.orange },
    { label: "timed out", key: "timedOut", hue: hues.purple },
    { label: "refused", key: "refused", hue: hues.grey },
  ];
  const above = measured.above;
  const sort = above.map(({ label }) => label);
  const values = above.flatMap((each) =>
    ends.map(({ label, key }, order) => ({
      policy: each.label,
      label,
      order,
      share: each[key] / each.sent,
    })),
  );
  const wasted = above.map((each) => ({ policy: each.label, share: each.wasted / each.received }));
  const x = (title) => ({
    field: "share",
    type: "quantitative",
    title,
    scale: { domain: [0, 1] },
    axis: { format: ".0%", tickCount: 5 },
  });
  const said = above.map(
    (each) =>
      `${each.label}: ${Math.round((100 * each.inTime) / each.sent)} % in time, ${Math.round((100 * each.wasted) / each.received)} % of the origin's work for nothing`,
  );
  const y = { field: "policy", type: "nominal", sort, title: null };
  const bar = { type: "bar", height: 18 };
  return {
    title: "Overload policies at twice the load",
    description: `${load.perSecond.above} requests a second, of which about half can be served, each of use for ${load.deadlineMsecs} ms. ${said.join("; ")}.`,
    spacing: 24,
    hconcat: [
      {
        width: 330,
        height: 200,
        data: { values },
        mark: bar,
        encoding: {
          y: { ...y, axis: { ticks: false, domain: false, labelPadding: 8 } },
          x: { ...x("of the requests"), stack: "zero" },
          color: colours(ends),
          order: { field: "order", type: "quantitative" },
        },
      },
      {
        width: 130,
        height: 200,
        data: { values: wasted },
        mark: { ...bar, color: hues.red },
        encoding: {
          y: { ...y, axis: { labels: false, ticks: false, domain: false } },
          x: x("wasted, of the origin's work"),
        },
      },
    ],
  };
}

export function report({ load, measured }) {
  return Object.entries(measured).flatMap(([level, results]) => [
    `overload: ${load.perSecond[level]} requests a second for ${load.forMsecs} ms, ${load.sockets} sockets, ${load.leastMsecs}–${load.mostMsecs} ms each, deadline ${load.deadlineMsecs} ms`,
    ...results.map(
      ({
        label,
        sent,
        inTime,
        late,
        refused,
        timedOut,
        received,
        wasted,
        inTimeMsecs,
        toldNoMsecs,
        longestMsecs,
        errors,
      }) =>
        `  ${label}: ${sent} sent, ${inTime} in time (${((100 * inTime) / sent).toFixed(1)} %; p50 ${inTimeMsecs.p50} p99 ${inTimeMsecs.p99}), ${late} late, ${refused} refused, ${timedOut} timed out, told no after ${toldNoMsecs} ms; origin got ${received}, ${wasted} for nothing (${((100 * wasted) / received).toFixed(1)} %); longest ${longestMsecs} ms; ${JSON.stringify(errors)}`,
    ),
  ]);
}
