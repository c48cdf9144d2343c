// What a service suffers when another one, which shares the client's sockets, does not answer for a while.

import { colours, hues } from "../chart.mjs";
import { latencySummary, rounded, startOrigin, startQuietly, until } from "../load.mjs";

const load = {
  maxTotalSockets: 40,
  delayMsecs: 20,
  requestTimeoutMsecs: 2_000,
  forMsecs: 9_000,
  perSecond: { search: 300, reviews: 100 },
  hang: { name: "reviews", from: 2_000, to: 5_000 },
};
const variants = [
  { key: "shared", label: "one limit for both", services: null },
  {
    key: "services",
    label: "a budget of 20 each",
    services: { search: { maxTotalSockets: 20 }, reviews: { maxTotalSockets: 20 } },
  },
  {
    key: "reserved",
    label: "10 sockets reserved for search",
    services: { search: { lanes: { default: { reservedSockets: 10 } } }, reviews: {} },
  },
];
const stepMsecs = 250;

export async function measure() {
  const measured = [];
  for (const { key, label, services } of variants) {
    const servers = {};
    for (const name of Object.keys(load.perSecond)) {
      servers[name] = await startOrigin({ leastMsecs: load.delayMsecs });
    }
    const own = Object.entries(services ?? {}).map(([name, options]) => [
      name,
      { ...options, origins: [servers[name].ready.origin] },
    ]);
    const { maxTotalSockets, requestTimeoutMsecs } = load;
    const client = await startQuietly("dependency", {
      options: { maxTotalSockets, requestTimeoutMsecs, services: Object.fromEntries(own) },
    });
    const sources = Object.entries(load.perSecond).map(([name, perSecond]) => ({
      name,
      origin: servers[name].ready.origin,
      perSecond,
    }));
    await client.ask({ sources, forMsecs: 300 });
    const from = performance.now();
    const all = client.ask({ sources, forMsecs: load.forMsecs });
    await until(from + load.hang.from);
    await servers[load.hang.name].ask("hang");
    await until(from + load.hang.to);
    await servers[load.hang.name].ask("recover");
    const outcomes = await all;
    for (const each of [client, ...Object.values(servers)]) each.stop();
    const results = Object.fromEntries(
      Object.keys(load.perSecond).map((name) => {
        const sent = outcomes.filter((each) => each.name === name);
        return [name, resultOf(sent)];
      }),
    );
    measured.push({ key, label, results });
  }
  return { load, stepMsecs, variants: measured };
}

function resultOf(sent) {
  const answered = sent.filter(({ error }) => error === null);
  const during = ({ at }) => at >= load.hang.from && at < load.hang.to;
  const errors = {};
  for (const { error } of sent) if (error !== null) errors[error] = (errors[error] ?? 0) + 1;
  const perStep = Array.from({ length: load.forMsecs / stepMsecs }, () => 0);
  for (const { at, msecs } of answered) {
    const step = Math.floor((at + msecs) / stepMsecs);
    if (step < perStep.length) perStep[step]++;
  }
  return {
    sent: sent.length,
    errors,
    msecs: latencySummary(answered.map(({ msecs }) => msecs)),
    whileHanging: {
      sent: sent.filter(during).length,
      msecs: latencySummary(answered.filter(during).map(({ msecs }) => msecs)),
    },
    answeredPerSecond: perStep.map((count) => rounded((count * 1_000) / stepMsecs, 0)),
  };
}

export function chart({ load, stepMsecs, variants }) {
  const shown = variants.filter(({ key }) => key !== "reserved");
  const all = [
    { label: "search, which is well", name: "search", hue: hues.blue },
    { label: "reviews, which hang in between", name: "reviews", hue: hues.orange },
  ];
  const values = shown.flatMap(({ label: variant, results }) => [
    { variant, what: "hang", from: load.hang.from / 1_000, to: load.hang.to / 1_000 },
    ...all.flatMap(({ label, name }) =>
      results[name].answeredPerSecond.map((perSecond, index) => ({
        variant,
        label,
        at: ((index + 0.5) * stepMsecs) / 1_000,
        perSecond,
      })),
    ),
  ]);
  const silentSteps = shown[0].results.search.answeredPerSecond.filter((each) => each === 0);
  const silentSeconds = (silentSteps.length * stepMsecs) / 1_000;
  const { p50, max } = shown[1].results.search.whileHanging.msecs;
  return {
    title: "A service beside one that hangs",
    description: `Two services share ${load.maxTotalSockets} sockets, and one does not answer from second ${load.hang.from / 1_000} to second ${load.hang.to / 1_000}. With one limit for both the other one has no answer for ${silentSeconds} s either; with a budget each it goes on as before: its median is ${p50} ms meanwhile, and its longest request takes ${max} ms.`,
    data: { values },
    facet: {
      field: "variant",
      type: "nominal",
      sort: shown.map(({ label }) => label),
      title: null,
    },
    spec: {
      width: 310,
      height: 230,
      layer: [
        {
          transform: [{ filter: "datum.what === 'hang'" }],
          mark: { type: "rect", color: hues.grey, opacity: 0.13 },
          encoding: { x: { field: "from", type: "quantitative" }, x2: { field: "to" } },
        },
        {
          transform: [{ filter: "datum.what !== 'hang'" }],
          mark: { type: "line", strokeWidth: 2.5 },
          encoding: {
            x: {
              field: "at",
              type: "quantitative",
              title: "s",
              axis: { grid: false, tickCount: 9 },
            },
            y: { field: "perSecond", type: "quantitative", title: "answers per second" },
            color: colours(all),
          },
        },
      ],
    },
  };
}

export function report({ load, variants }) {
  return [
    `dependency: maxTotalSockets ${load.maxTotalSockets}, reviews hang from ${load.hang.from} to ${load.hang.to} ms`,
    ...variants.flatMap(({ label, results }) => [
      label,
      ...Object.entries(results).map(([name, { sent, errors, msecs, whileHanging }]) => {
        const said = ({ count, p50, p99, max }) =>
          `${count} answered, p50 ${p50} p99 ${p99} max ${max} ms`;
        return `  ${name}: ${sent} sent, ${said(msecs)}; sent while reviews hang: ${whileHanging.sent}, ${said(whileHanging.msecs)}; ${JSON.stringify(errors)}`;
      }),
    ]),
  ];
}
