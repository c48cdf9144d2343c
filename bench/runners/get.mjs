// One client in a process of its own, so that no client profits or suffers from another's JIT and heap.
// Told how many requests to make, it answers with the CPU and wall time that they took, and how long each was
// under way where `isTimed`. Told to warm up, it makes requests until compilers have done what they will: they run beside the
// program, and their time is that of the process as well.

import { serve, settings } from "../processes.mjs";
import { works } from "../works.mjs";

const { file, url, sockets, work = "get" } = settings();
const client = await import(file);
const driver = await client.start(`${url}${works[work].path}`, sockets, works[work]);

/** Requests for each socket before those that are measured: connections may have been idle for too long since the last round. */
const primingEach = 5;

/** Requests of a warm-up, and the CPU time after which it ends before. */
const warmUp = 20_000;
const mostMicros = 5_000_000;

async function many(count, request) {
  let left = count;
  const loop = async () => {
    while (left-- > 0) await request(left);
  };
  await Promise.all(Array.from({ length: sockets }, loop));
}

serve({
  ready: { name: client.name },
  reply: async ({ requests, isTimed = false, isWarmUp = false }) => {
    if (isWarmUp) {
      for (let left = warmUp; left > 0 && process.cpuUsage().user < mostMicros; left -= 1_000) {
        await many(1_000, () => driver.run());
      }
    }
    await many(primingEach * sockets, () => driver.run());
    const latencies = new Float64Array(isTimed ? requests : 0);
    const timed = async (index) => {
      const askedAt = performance.now();
      await driver.run();
      latencies[index] = performance.now() - askedAt;
    };
    const cpu = process.cpuUsage();
    const from = performance.now();
    await many(requests, isTimed ? timed : () => driver.run());
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
