// Three kinds of request that each keep so many requests waiting or under way, one of which pauses.

import { serve, settings } from "../../../bench/processes.mjs";
import { Client } from "../../../dist/index.js";
import { until } from "../load.mjs";

const { url, sockets, kinds, hasLanes } = settings();
const lanes = Object.fromEntries(kinds.map(({ name, weight }) => [name, { weight }]));
const api = { origins: [new URL(url).origin], maxSockets: sockets };
const client = new Client({ services: { api: hasLanes ? { ...api, lanes } : api } });

serve({
  ready: null,
  reply: async ({ outstanding, forMsecs, quiet }) => {
    const from = performance.now();
    const served = [];
    const isQuiet = (name, at) => name === quiet.name && at >= quiet.from && at < quiet.to;
    const keepSending = async (name) => {
      for (;;) {
        const at = performance.now() - from;
        if (at >= forMsecs || isQuiet(name, at)) return;
        const { body } = await client.request(url, hasLanes ? { lane: name } : {});
        await body.text();
        served.push([name, performance.now() - from]);
      }
    };
    const senders = [];
    for (let count = 0; count < outstanding; count++) {
      for (const { name } of kinds) senders.push(keepSending(name));
    }
    // A timer may be a little early, and it would still be quiet.
    await until(from + quiet.to + 1);
    for (let count = 0; count < outstanding; count++) senders.push(keepSending(quiet.name));
    await Promise.all(senders);
    return served;
  },
  stop: () => client.destroy(),
});
