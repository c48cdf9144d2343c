// What idle sockets take: one client in a process of its own opens a few of them, measures memory, opens all the others,
// and measures again.

import { setTimeout as sleep } from "node:timers/promises";
import { serve, settings } from "../processes.mjs";
import { works } from "../works.mjs";

/** Requests after which compilers and caches have done most of what they will, and over how many sockets. */
const warmUp = 4_000;
const few = 100;

const { file, url, sockets } = settings();
const client = await import(file);
const drivers = [];

async function memory() {
  // More than once: pages that hold nothing any more are given back later, by other threads.
  for (let round = 0; round < 5; round++) {
    await sleep(150);
    globalThis.gc();
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heapUsed, external };
}

const open = async (count) => {
  drivers.push(await client.start(`${url}hold`, count, works.get));
  return drivers.at(-1);
};
const together = (driver, count) => Promise.all(Array.from({ length: count }, () => driver.run()));
let before = null;

serve({
  ready: { name: client.name, few },
  reply: async ({ isFirst }) => {
    if (isFirst) {
      const driver = await open(client.opensAtStart ? few : sockets);
      for (let left = warmUp; left > 0; left -= few) await together(driver, few);
      before = await memory();
      return {};
    }
    if (client.opensAtStart) await open(sockets - few);
    else await together(drivers[0], sockets);
    const after = await memory();
    const per = (key) => (after[key] - before[key]) / (sockets - few);
    return { rss: per("rss"), heap: per("heapUsed"), external: per("external") };
  },
  stop: () => {
    for (const each of drivers) each.stop();
  },
});
