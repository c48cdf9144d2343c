import { Agent, request } from "undici";

export const name = "undici request (Agent)";

export async function start(url, sockets) {
  const dispatcher = new Agent({ connections: sockets, pipelining: 1 });
  return {
    run: async (signal) => {
      const response = await request(url, { dispatcher, signal });
      await response.body.text();
    },
    stop: () => dispatcher.destroy(),
  };
}
