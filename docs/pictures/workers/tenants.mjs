// Requests of many tenants, which come by themselves, to one origin.

import { serve, settings } from "../../../bench/processes.mjs";
import { Client } from "../../../dist/index.js";
import { arrivals, pace, randomFrom } from "../load.mjs";

const { url, sockets, tenants, lane } = settings();
const names = Array.from({ length: tenants }, (_, index) => `tenant-${index + 1}`);
const api = { origins: [new URL(url).origin], maxSockets: sockets };
const withLanes = {
  ...api,
  lanes: Object.fromEntries(names.map((name) => [name, lane])),
  laneFor: ({ headers }) => headers["x-tenant"],
};
const client = new Client({ services: { api: lane === null ? api : withLanes } });

serve({
  ready: null,
  reply: async ({ perSecond, timesMore, forMsecs }) => {
    const random = randomFrom(7);
    const items = names
      .flatMap((tenant, index) =>
        arrivals(index === 0 ? perSecond * timesMore : perSecond, forMsecs, random).map((at) => ({
          tenant,
          at,
        })),
      )
      .sort((a, b) => a.at - b.at);
    const outcomes = await pace(items, async ({ tenant }) => {
      const { body } = await client.request(url, { headers: { "x-tenant": tenant } });
      await body.text();
    });
    return outcomes.map((each) => ({ ...each, isLoud: each.tenant === names[0] }));
  },
  stop: () => client.destroy(),
});
