import { Client } from "../../dist/index.js";

export const name = "keepline, with lanes";

export async function start(url, sockets) {
  const lanes = { interactive: { weight: 8, reservedSockets: 1 }, batch: { weight: 1 } };
  const { origin } = new URL(url);
  const client = new Client({
    services: { api: { origins: [origin], maxSockets: sockets, lanes } },
  });
  return {
    run: async (_, lane) => {
      const response = await client.request(url, { lane });
      await response.body.text();
    },
    stop: () => client.destroy(),
  };
}
