// One client whose sockets are all busy, with requests that nobody answers. Asked, it lets `standing` requests
// wait, and then, `batches` times, `size` more that share an AbortController, which aborts them at once.

import { setMaxListeners } from "node:events";
import { setTimeout } from "node:timers/promises";
import { serve, settings } from "../processes.mjs";

const { file, url, sockets, mostMsecs } = settings();
const client = await import(file);

/** What becomes of requests that are only there to hold a place. */
const ignored = () => {};

function heapUsed() {
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}

async function abortBatch(driver, size) {
  const controller = new AbortController();
  // Each request listens to it.
  setMaxListeners(0, controller.signal);
  const cpu = process.cpuUsage();
  const from = performance.now();
  let aborted = 0;
  let settledAt = null;
  const rejected = (error) => {
    if (error.name === "AbortError") aborted++;
    settledAt = performance.now();
  };
  const waiting = Promise.all(
    Array.from({ length: size }, () => driver.run(controller.signal).catch(rejected)),
  );
  const joinedAt = performance.now();
  controller.abort();
  const returnedAt = performance.now();
  const late = new AbortController();
  await Promise.race([
    waiting,
    // Clients may let what was aborted wait for a socket.
    setTimeout(mostMsecs, null, { signal: late.signal }).catch(ignored),
  ]);
  late.abort();
  const { user, system } = process.cpuUsage(cpu);
  return {
    joinMsecs: joinedAt - from,
    callMsecs: returnedAt - joinedAt,
    settleMsecs: (settledAt ?? performance.now()) - joinedAt,
    micros: user + system,
    aborted,
  };
}

serve({
  ready: { name: client.name },
  reply: async ({ standing, batches, size }) => {
    const driver = await client.start(url, sockets);
    for (let index = 0; index < sockets; index++) driver.run().catch(ignored);
    // Until the sockets are open, and each has its request.
    await setTimeout(200);
    const heapBefore = heapUsed();
    for (let index = 0; index < standing; index++) driver.run().catch(ignored);
    const heapBytes = (heapUsed() - heapBefore) / standing;
    const each = [];
    for (let batch = 0; batch < batches; batch++) each.push(await abortBatch(driver, size));
    await driver.stop();
    // What stood there is refused now, and collected before the next turn.
    await setTimeout(50);
    globalThis.gc();
    const sum = (key) => each.reduce((total, one) => total + one[key], 0);
    return {
      heapBytes,
      cpuMicros: sum("micros") / (batches * size),
      joinMsecs: sum("joinMsecs"),
      callMsecs: sum("callMsecs"),
      settleMsecs: sum("settleMsecs"),
      aborted: sum("aborted"),
    };
  },
});
