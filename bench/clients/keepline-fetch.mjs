import { Client } from "../../dist/index.js";

export const name = "keepline client.fetch";

export async function start(url, sockets) {
  const client = new Client({ maxSockets: sockets });
  return {
    run: async (signal) => (await client.fetch(url, { signal })).text(),
    stop: () => client.destroy(),
  };
}
