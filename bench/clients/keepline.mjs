import { Client } from "../../dist/index.js";

export const name = "keepline client.request";

export async function start(url, sockets) {
  const client = new Client({ maxSockets: sockets });
  return {
    run: async () => {
      const response = await client.request(url);
      await response.body.text();
    },
    stop: () => client.destroy(),
    opened: () => client.stats().origins[0].opened,
  };
}
