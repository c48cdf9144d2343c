// One client in a process of its own, so that no client profits or suffers from another's JIT and heap.
// Told how many requests to make, it answers with the CPU and wall time that they took, and how long each was
// under way where `isTimed`.

import { serve, settings } from "../processes.mjs";
import { works } from "../works.mjs";

const { file, url, sockets, work = "get" } = settings();
const client = await import(file);
const driver = await client.start(`${url}${works[work].path}`, sockets, works[work]);

serve({
  ready: { name: client.name },
  reply: async ({ requests, isTimed = false }) => {
    const latencies = new Float64Array(isTimed ? requests : 0);
    const cpu = process.cpuUsage();
    const from = performance.now();
    let left = requests;
    const loop = async () => {
      while (left-- > 0) await driver.run();
    };
    const timedLoop = async () => {
      while (left-- > 0) {
        const index = left;
        const askedAt = performance.now();
        await driver.run();
        latencies[index] = performance.now() - askedAt;
      }
    };
    await Promise.all(Array.from({ length: sockets }, isTimed ? timedLoop : loop));
    const { user, system } = process.cpuUsage(cpu);
    const wallMsecs = performance.now() - from;
    latencies.sort();
    const at = (share) => (isTimed ? latencies[Math.floor(share * (requests - 1))] * 1_000 : null);
    return {
      cpuMicros: (user + system) / requests,
      wallMicros: (wallMsecs * 1_000) / requests,
      p50Micros: at(0.5),
      p99Micros: at(0.99),
      opened: driver.opened?.() ?? null,
    };
  },
  stop: () => driver.stop(),
});
