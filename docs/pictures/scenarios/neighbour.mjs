// What requests that somebody waits for suffer from a batch to the same origin that came before them.

import { start } from "../../../bench/processes.mjs";
import { colours, dashes, hues } from "../chart.mjs";
import { latencySummary, rounded, startQuietly } from "../load.mjs";

const load = { sockets: 10, delayMsecs: 20, batch: 2_000, interactive: 100, everyMsecs: 30 };
const clients = [
  { key: "undici-pool", label: "undici Pool", hue: hues.orange, dash: [8, 4] },
  { key: "node-http", label: "http.Agent", hue: hues.purple, dash: [2, 3] },
  { key: "keepline", label: "keepline, no lanes", hue: hues.green },
  {
    key: "lanes",
    label: "keepline, weights 8 and 1",
    hue: hues.blue,
    lanes: { interactive: { weight: 8 }, batch: { weight: 1 } },
  },
  {
    key: "reserved",
    label: "… and 1 socket reserved",
    hue: hues.red,
    lanes: { interactive: { weight: 8, reservedSockets: 1 }, batch: { weight: 1 } },
  },
];

export async function measure() {
  const series = [];
  for (const { key, label, lanes } of clients) {
    const server = await start(new URL("../../../bench/origin.mjs", import.meta.url), {
      delayMsecs: load.delayMsecs,
    });
    const client = await startQuietly("neighbour", {
      file: lanes ? null : new URL(`../../../bench/clients/${key}.mjs`, import.meta.url).href,
      lanes,
      url: `http://127.0.0.1:${server.ready.port}/`,
      sockets: load.sockets,
    });
    // The first run warms up.
    await client.ask({ ...load, batch: 300, interactive: 10 });
    const { latencies, batchMsecs, allMsecs } = await client.ask(load);
    series.push({
      key,
      label,
      interactiveMsecs: latencySummary(latencies),
      batchSeconds: rounded(batchMsecs / 1_000, 2),
      allSeconds: rounded(allMsecs / 1_000, 2),
      latencies: latencies.map((each) => rounded(each)),
    });
    client.stop();
    server.stop();
  }
  const requests = load.batch + load.interactive;
  return { load, idealSeconds: (requests * load.delayMsecs) / load.sockets / 1_000, series };
}

export function chart({ load, series }) {
  const values = series.flatMap(({ label, latencies }) =>
    latencies.map((msecs, index) => ({ label, at: (index * load.everyMsecs) / 1_000, msecs })),
  );
  const { interactiveMsecs: worst } = series.find(({ key }) => key === "undici-pool");
  const { interactiveMsecs: fair } = series.find(({ key }) => key === "lanes");
  return {
    title: "Latency of interactive requests beside a batch",
    description: `While ${load.batch} batch requests wait for the same ${load.sockets} sockets, an interactive request takes up to ${worst.max} ms with undici's Pool, and about as long with http.Agent and with keepline without lanes; with two lanes of keepline the median is ${fair.p50} ms, and the longest ${fair.max} ms.`,
    width: 640,
    height: 280,
    data: { values },
    mark: { type: "line", strokeWidth: 2.5 },
    encoding: {
      x: {
        field: "at",
        type: "quantitative",
        title: "interactive request sent, s after the batch",
        axis: { grid: false, tickCount: 7 },
      },
      y: {
        field: "msecs",
        type: "quantitative",
        title: "its latency, ms",
        scale: { type: "log", domain: [10, 10_000] },
        axis: { values: [10, 100, 1_000, 10_000], format: "," },
      },
      color: colours(clients, 3),
      strokeDash: dashes(clients, 3),
    },
  };
}

export function report({ load, idealSeconds, series }) {
  return [
    `neighbour: ${load.batch} batch requests at once, ${load.interactive} interactive ones every ${load.everyMsecs} ms; ideal ${idealSeconds} s`,
    ...series.map(
      ({ label, interactiveMsecs: { p50, p99, max }, batchSeconds, allSeconds }) =>
        `${label}: interactive p50 ${p50} p99 ${p99} max ${max} ms; batch ${batchSeconds} s, all ${allSeconds} s, ${(allSeconds / idealSeconds).toFixed(3)} of the ideal`,
    ),
  ];
}
