// Requests to two origins by one client, which come by themselves.

import { serve, settings } from "../../../bench/processes.mjs";
import { Client } from "../../../dist/index.js";
import { arrivals, pace, randomFrom } from "../load.mjs";

const { options } = settings();
const client = new Client(options);

serve({
  ready: null,
  reply: async ({ sources, forMsecs }) => {
    const random = randomFrom(11);
    const items = sources
      .flatMap(({ name, origin, perSecond }) =>
        arrivals(perSecond, forMsecs, random).map((at) => ({ name, origin, at })),
      )
      .sort((a, b) => a.at - b.at);
    return pace(items, async ({ origin }) => {
      const { body } = await client.request(`${origin}/`);
      await body.text();
    });
  },
  stop: () => client.destroy(),
});
