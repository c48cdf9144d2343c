// Clients of many origins: `start({ urls, sockets, isFifo })` opens nothing yet; `run(index)` makes a request to
// one of `urls`. What it may keep open are `sockets` of each. Names are all this machine.

import { Client } from "../../dist/index.js";
import { lookup } from "./lookup.mjs";

export const name = "keepline";

export async function start({ urls, sockets, isFifo }) {
  const client = new Client({
    keepAliveMsecs: 3_600_000,
    maxSockets: sockets,
    maxFreeSockets: sockets,
    scheduling: isFifo ? "fifo" : "lifo",
    connect: { lookup },
  });
  return {
    run: async (index) => {
      const response = await client.request(urls[index]);
      await response.body.text();
    },
    warm: (count) => client.warm(urls[0], count),
    stop: () => client.destroy(),
    letExpire: (keepAliveMsecs) => client.configure({ keepAliveMsecs }),
    stats: () => client.stats(),
  };
}
