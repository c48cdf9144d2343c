// What the requests of many tenants wait when one of them sends far more than the others.

import { start } from "../../../bench/processes.mjs";
import { colours, dashes, hues } from "../chart.mjs";
import { latencySummary, quantile, rounded, startQuietly } from "../load.mjs";

const load = {
  sockets: 10,
  delayMsecs: 20,
  tenants: 20,
  perSecond: 20,
  timesMore: 20,
  forMsecs: 5_000,
};
const variants = [
  { key: "queue", label: "one queue", lane: null },
  { key: "lanes", label: "a lane each", lane: {} },
  { key: "maxPending", label: "a lane each, maxPending 20", lane: { maxPending: 20 } },
  { key: "maxSockets", label: "a lane each, maxSockets 2", lane: { maxSockets: 2 } },
];
const stepMsecs = 250;

export async function measure() {
  const measured = [];
  for (const { key, label, lane } of variants) {
    const server = await start(new URL("../../../bench/origin.mjs", import.meta.url), {
      delayMsecs: load.delayMsecs,
    });
    const client = await startQuietly("tenants", {
      url: `http://127.0.0.1:${server.ready.port}/`,
      sockets: load.sockets,
      tenants: load.tenants,
      lane,
    });
    await client.ask({ ...load, forMsecs: 300 });
    const outcomes = await client.ask(load);
    client.stop();
    server.stop();
    const [loud, others] = [true, false].map((isLoud) => {
      const own = outcomes.filter((each) => each.isLoud === isLoud);
      const answered = own.filter(({ error }) => error === null);
      const refused = own.filter(({ error }) => error === "ERR_KEEPLINE_QUEUE_FULL").length;
      const failed = own.length - answered.length - refused;
      return {
        sent: own.length,
        refused,
        failed,
        msecs: latencySummary(answered.map(({ msecs }) => msecs)),
        steps: steps(answered),
      };
    });
    const lasted = Math.max(...outcomes.map(({ at, msecs }) => at + msecs));
    measured.push({ key, label, lastedMsecs: rounded(lasted, 0), loud, others });
  }
  return { load, stepMsecs, variants: measured };
}

/** Median and 95th percentile of what was sent in each step. */
function steps(answered) {
  const parts = Array.from({ length: load.forMsecs / stepMsecs }, () => []);
  for (const { at, msecs } of answered) parts[Math.floor(at / stepMsecs)].push(msecs);
  return {
    p50: parts.map((each) => rounded(quantile(each, 0.5))),
    p95: parts.map((each) => rounded(quantile(each, 0.95))),
  };
}

export function chart({ load, stepMsecs, variants }) {
  const shown = variants.filter(({ key }) => key !== "maxSockets");
  const lines = [
    { label: "the 19 others, median", who: "others", what: "p50", hue: hues.blue },
    {
      label: "the 19 others, 95th percentile",
      who: "others",
      what: "p95",
      hue: hues.blue,
      dash: [3, 3],
    },
    { label: "the loud one, median", who: "loud", what: "p50", hue: hues.orange },
  ];
  const values = shown.flatMap(({ label: variant, ...measured }) =>
    lines.flatMap(({ label, who, what }) =>
      measured[who].steps[what].map((msecs, index) => ({
        variant,
        label,
        at: ((index + 0.5) * stepMsecs) / 1_000,
        msecs,
      })),
    ),
  );
  const [queue, lanes] = shown.map(({ others }) => others.msecs);
  return {
    title: "Latency of tenants beside a loud one",
    description: `${load.tenants} tenants share ${load.sockets} sockets, and one sends ${load.timesMore} times as much as each other. In one queue all wait longer and longer: the others' median is ${queue.p50} ms. With a lane each the others' median is ${lanes.p50} ms and their 99th percentile ${lanes.p99} ms; the loud one waits alone, or, with maxPending, is refused what is too much.`,
    data: { values },
    facet: {
      field: "variant",
      type: "nominal",
      sort: shown.map(({ label }) => label),
      title: null,
    },
    spacing: 24,
    spec: {
      width: 235,
      height: 250,
      mark: { type: "line", strokeWidth: 2.5 },
      encoding: {
        x: {
          field: "at",
          type: "quantitative",
          title: "sent at, s",
          axis: { grid: false, tickCount: 5 },
        },
        y: {
          field: "msecs",
          type: "quantitative",
          title: "latency, ms",
          scale: { type: "log", domain: [10, 10_000] },
          axis: { values: [10, 100, 1_000, 10_000], format: "," },
        },
        color: colours(lines),
        strokeDash: dashes(lines),
      },
    },
  };
}

export function report({ load, variants }) {
  return [
    `tenants: ${load.tenants}, ${load.perSecond} requests a second each, one of them ${load.timesMore} times as many, for ${load.forMsecs} ms`,
    ...variants.map(({ label, loud, others, lastedMsecs }) => {
      const said = ({ sent, refused, failed, msecs: { p50, p99, max } }) =>
        `${sent} sent, ${refused} refused, ${failed} failed, p50 ${p50} p99 ${p99} max ${max}`;
      return `${label}: others ${said(others)}; loud ${said(loud)}; all done after ${lastedMsecs} ms`;
    }),
  ];
}
