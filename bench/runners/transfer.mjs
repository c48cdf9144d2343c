// One way to move bytes with one client, in a process of its own: it answers with the CPU time per gigabyte, and how
// far its memory rose.

import { serve, settings } from "../processes.mjs";

const { file, url, way } = settings();
const client = await import(file);
const driver = await client.start(url);

serve({
  ready: { name: client.name },
  reply: async ({ bytes }) => {
    const before = process.memoryUsage.rss();
    const cpu = process.cpuUsage();
    const from = performance.now();
    const moved = await driver[way](bytes);
    const { user, system } = process.cpuUsage(cpu);
    if (moved !== bytes) throw new Error(`${moved} bytes of ${bytes} were moved`);
    return {
      cpuSeconds: ((user + system) / 1e6) * (1e9 / bytes),
      wallSeconds: ((performance.now() - from) / 1e3) * (1e9 / bytes),
      grownBytes: process.memoryUsage.rss() - before,
    };
  },
  stop: () => driver.stop(),
});
