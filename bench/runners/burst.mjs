// Clients that nobody has used before, one for each question: `count` requests come to it, evenly over `overMsecs`. It
// answers with how long they took, from when each should have begun.

import { createSecureContext } from "node:tls";
import { serve, settings } from "../processes.mjs";

const { file, url, sockets } = settings();
const client = await import(file);
// Node.js reads the certificates that it trusts at the first use.
createSecureContext();

serve({
  ready: { name: client.name },
  reply: async ({ count, overMsecs }) => {
    const driver = await client.start(url, sockets);
    const cpu = process.cpuUsage();
    const from = performance.now();
    const latencies = [];
    const under = [];
    const dueAt = (index) => from + (index * overMsecs) / count;
    while (under.length < count) {
      const now = performance.now();
      while (under.length < count && dueAt(under.length) <= now) {
        const due = dueAt(under.length);
        under.push(driver.run().then(() => latencies.push(performance.now() - due)));
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await Promise.all(under);
    const totalMsecs = performance.now() - from;
    const { user, system } = process.cpuUsage(cpu);
    await driver.stop();
    latencies.sort((a, b) => a - b);
    const at = (share) => latencies[Math.floor(share * (count - 1))];
    return {
      p50Msecs: at(0.5),
      p99Msecs: at(0.99),
      totalMsecs,
      cpuMsecs: (user + system) / 1_000,
    };
  },
});
