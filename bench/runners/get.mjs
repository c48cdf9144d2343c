// One client in a process of its own, so that no client profits or suffers from another's JIT and heap.
// Told how many requests to make, it answers with the CPU and wall time that they took.

import { serve, settings } from "../processes.mjs";

const { file, url, sockets } = settings();
const client = await import(file);
const driver = await client.start(url, sockets);

serve({
  ready: { name: client.name },
  reply: async ({ requests }) => {
    const cpu = process.cpuUsage();
    const from = performance.now();
    let left = requests;
    const loop = async () => {
      while (left-- > 0) await driver.run();
    };
    await Promise.all(Array.from({ length: sockets }, loop));
    const { user, system } = process.cpuUsage(cpu);
    return {
      cpuMicros: (user + system) / requests,
      wallMicros: ((performance.now() - from) * 1000) / requests,
      opened: driver.opened?.() ?? null,
    };
  },
  stop: () => driver.stop(),
});
