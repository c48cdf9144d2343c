import { Client } from "../../dist/index.js";
import { works } from "../works.mjs";

export const name = "keepline, with lanes";

export async function start(url, sockets, { method, headers, body } = works.get) {
  const lanes = { interactive: { weight: 8, reservedSockets: 1 }, batch: { weight: 1 } };
  const { origin } = new URL(url);
  const client = new Client({
    services: { api: { origins: [origin], maxSockets: sockets, lanes } },
  });
  const plain = method === "GET" ? undefined : { method, headers, body };
  let turn = 0;
  return {
    run: async (_, lane = turn++ % 2 === 0 ? "interactive" : "batch") => {
      const response = await client.request(url, { ...plain, lane });
      await response.body.text();
    },
    stop: () => client.destroy(),
  };
}
