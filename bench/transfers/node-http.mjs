import { once } from "node:events";
import http from "node:http";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { pieces } from "./pieces.mjs";

export const name = "node:http";
export const ways = { download: ["data events"], upload: ["Readable"] };

export async function start(url) {
  const agent = new http.Agent({ keepAlive: true });
  return {
    "data events": async (bytes) => {
      const [response] = await once(http.get(`${url}${bytes}`, { agent }), "response");
      let count = 0;
      response.on("data", (piece) => {
        count += piece.length;
      });
      await once(response, "end");
      return count;
    },
    Readable: async (bytes) => {
      const headers = { "content-length": bytes };
      const request = http.request(url, { method: "PUT", headers, agent });
      const answered = once(request, "response");
      await pipeline(Readable.from(pieces(bytes), { objectMode: false }), request);
      const [response] = await answered;
      return Number(await text(response));
    },
    stop: () => agent.destroy(),
  };
}
