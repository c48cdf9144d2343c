// One client that has `pending` requests in its queue at all times: whenever one has been served, another one
// joins. Asked, it fills the queue, measures `requests` in the middle, and lets the rest be served.

import { PerformanceObserver } from "node:perf_hooks";
import { serve, settings } from "../processes.mjs";

/** Served before the measurement at least: sockets are open then. */
const fewestBefore = 1_000;
/** Served between a collection that was asked for and the measurement: other threads still clean up after it. */
const afterCollection = 5_000;

const { file, url, sockets, pending, withoutCollections } = settings();
const client = await import(file);
const driver = await client.start(url, sockets);

const collections = [];
new PerformanceObserver((list) => collections.push(...list.getEntries())).observe({
  entryTypes: ["gc"],
});

/** Memory that the program touches for the first time costs it time of the kernel, in whichever queue. */
function touchYoungGeneration() {
  const bytes = 1_200_000_000;
  let piece = null;
  for (let left = bytes; left > 0; left -= 1_024) piece = new Array(128).fill(left);
  return piece;
}

async function measure(requests) {
  if (withoutCollections) touchYoungGeneration();
  // Once round, so that what is served in the measurement joined one by one, and not all at the beginning.
  const before = withoutCollections
    ? fewestBefore + afterCollection
    : Math.max(pending, fewestBefore);
  let served = 0;
  let begun = null;
  let ended = null;
  const loop = async () => {
    while (ended === null) {
      await driver.run();
      served++;
      if (withoutCollections && served === fewestBefore) globalThis.gc();
      if (served === before) {
        begun = { cpu: process.cpuUsage(), at: performance.now() };
      } else if (served === before + requests) {
        const { user, system } = process.cpuUsage(begun.cpu);
        ended = { micros: user + system, at: performance.now() };
      }
    }
  };
  await Promise.all(Array.from({ length: pending + sockets }, loop));
  return { micros: ended.micros, from: begun.at, to: ended.at };
}

serve({
  ready: { name: client.name },
  reply: async ({ requests }) => {
    const { micros, from, to } = await measure(requests);
    // The observer is told in a later turn of the event loop.
    await new Promise((resolve) => setTimeout(resolve, 20));
    const during = collections.filter((each) => each.startTime >= from && each.startTime < to);
    collections.length = 0;
    const pauseMsecs = during.reduce((sum, each) => sum + each.duration, 0);
    return {
      cpuMicros: micros / requests,
      wallMicros: ((to - from) * 1_000) / requests,
      collections: during.length,
      pauseMicros: (pauseMsecs * 1_000) / requests,
    };
  },
  stop: () => driver.stop(),
});
