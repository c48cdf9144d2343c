// One client that gets very many requests at once, and further ones that somebody waits for, one by one. It
// answers with how long each of the latter took, and how long all of the former.

import { serve, settings } from "../processes.mjs";

const { file, url, sockets } = settings();
const client = await import(file);
let driver = null;
let refusal = null;
try {
  driver = await client.start(url, sockets);
} catch (error) {
  refusal = error.message;
}

const until = (at) =>
  new Promise((resolve) => setTimeout(resolve, Math.max(at - performance.now(), 0)));

serve({
  ready: { name: client.name, refusal },
  reply: async ({ batch, interactive, everyMsecs }) => {
    const from = performance.now();
    const work = Array.from({ length: batch }, () => driver.run(undefined, "batch"));
    const worked = Promise.all(work).then(() => performance.now() - from);
    const latencies = [];
    const waits = [];
    for (let index = 0; index < interactive; index++) {
      await until(from + index * everyMsecs);
      const askedAt = performance.now();
      waits.push(
        driver.run(undefined, "interactive").then(() => {
          latencies.push(performance.now() - askedAt);
        }),
      );
    }
    await Promise.all(waits);
    const batchMsecs = await worked;
    return { latencies, batchMsecs, allMsecs: performance.now() - from };
  },
  stop: () => driver?.stop(),
});
