import { Agent, request } from "undici";
import { lookup } from "./lookup.mjs";

export const name = "undici request (Agent)";

export async function start({ urls, sockets }) {
  const msecs = 3_600_000;
  const dispatcher = new Agent({
    connections: sockets,
    pipelining: 1,
    keepAliveTimeout: msecs,
    keepAliveMaxTimeout: msecs,
    connect: { lookup },
  });
  return {
    run: async (index) => {
      const response = await request(urls[index], { dispatcher });
      await response.body.text();
    },
    stop: () => dispatcher.destroy(),
  };
}
