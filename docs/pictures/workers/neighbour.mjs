// One client that gets a batch of requests at once, and further ones that somebody waits for, one by one.

import { serve, settings } from "../../../bench/processes.mjs";
import { Client } from "../../../dist/index.js";
import { pace } from "../load.mjs";

const { file, lanes, url, sockets } = settings();
const client = lanes === undefined ? await (await import(file)).start(url, sockets) : withLanes();

function withLanes() {
  const api = { origins: [new URL(url).origin], maxSockets: sockets, lanes };
  const keepline = new Client({ services: { api } });
  return {
    run: async (_, lane) => (await keepline.request(url, { lane })).body.text(),
    stop: () => keepline.destroy(),
  };
}

serve({
  ready: null,
  reply: async ({ batch, interactive, everyMsecs }) => {
    const from = performance.now();
    const work = Promise.all(Array.from({ length: batch }, () => client.run(undefined, "batch")));
    const worked = work.then(() => performance.now() - from);
    const items = Array.from({ length: interactive }, (_, index) => ({ at: index * everyMsecs }));
    const outcomes = await pace(items, () => client.run(undefined, "interactive"));
    const failed = outcomes.find(({ error }) => error !== null);
    if (failed !== undefined) throw new Error(`a request failed: ${failed.error}`);
    const batchMsecs = await worked;
    const latencies = outcomes.map(({ msecs }) => msecs);
    return { latencies, batchMsecs, allMsecs: performance.now() - from };
  },
  stop: () => client.stop(),
});
