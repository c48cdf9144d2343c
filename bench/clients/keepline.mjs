// Every client here has a `name` and `start(url, sockets)`: what that returns makes one request with
// `run(signal, lane)`, reads its body, and ends with `stop()`. `opened()`, where it is told, counts sockets.

import { Client } from "../../dist/index.js";

export const name = "keepline client.request";

export async function start(url, sockets) {
  const client = new Client({ maxSockets: sockets });
  return {
    run: async (signal) => {
      const response = await client.request(url, signal && { signal });
      await response.body.text();
    },
    stop: () => client.destroy(),
    opened: () => client.stats().origins[0].opened,
  };
}
