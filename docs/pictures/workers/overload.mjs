// Requests that come by themselves, some of which nobody has time for.

import { serve, settings } from "../../../bench/processes.mjs";
import { Client } from "../../../dist/index.js";
import { arrivals, pace, randomFrom } from "../load.mjs";

const { origin, sockets, lane } = settings();
const client = new Client({
  services: { api: { origins: [origin], maxSockets: sockets, lanes: { default: lane } } },
});

serve({
  ready: null,
  reply: ({ perSecond, forMsecs }) => {
    const items = arrivals(perSecond, forMsecs, randomFrom(5)).map((at) => ({ at }));
    return pace(items, async () => {
      const { body } = await client.request(`${origin}/`);
      await body.text();
    });
  },
  stop: () => client.destroy(),
});
