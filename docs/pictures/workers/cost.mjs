// Many lanes that all wait, and what a request costs then.

import { serve, settings } from "../../../bench/processes.mjs";
import { Client } from "../../../dist/index.js";

const { url, lanes, waiting, limit } = settings();
const names = Array.from({ length: lanes }, (_, index) => `lane-${index}`);
const client = new Client({
  services: {
    api: {
      origins: [new URL(url).origin],
      ...limit,
      lanes: Object.fromEntries(names.map((name) => [name, {}])),
    },
  },
});

serve({
  ready: null,
  reply: async ({ requests }) => {
    let left = requests;
    const keepSending = async (lane) => {
      while (left-- > 0) {
        const { body } = await client.request(url, { lane });
        await body.text();
      }
    };
    const before = process.cpuUsage();
    await Promise.all(
      Array.from({ length: waiting }, (_, index) => keepSending(names[index % lanes])),
    );
    const { user, system } = process.cpuUsage(before);
    return (user + system) / requests;
  },
  stop: () => client.destroy(),
});
