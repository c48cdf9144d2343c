// Every client here has a `name` and `start(url, sockets, work)`: what that returns makes one request with
// `run(signal, lane)`, reads its body, and ends with `stop()`. `opened()`, where it is told, counts sockets. What
// `work` asks for is in works.mjs; a GET of `url` where it is not given. Options of the client may follow.

import { Client } from "../../dist/index.js";
import { works } from "../works.mjs";

export const name = "keepline client.request";

export async function start(url, sockets, { method, headers, body } = works.get, options = {}) {
  const client = new Client({ maxSockets: sockets, maxFreeSockets: sockets, ...options });
  const plain = method === "GET" ? undefined : { method, headers, body };
  return {
    client,
    run: async (signal) => {
      const response = await client.request(url, signal ? { ...plain, signal } : plain);
      await response.body.text();
    },
    stop: () => client.destroy(),
    opened: () => client.stats().origins[0].opened,
  };
}
