import { Readable, Writable } from "node:stream";
import { Agent, request, stream } from "undici";
import { counted, pieces } from "./pieces.mjs";

export const name = "undici";
export const ways = { download: ["stream", "for await"], upload: ["iterable", "Readable"] };

export async function start(url) {
  const dispatcher = new Agent();
  const put = async (bytes, body) => {
    const headers = { "content-length": String(bytes) };
    const response = await request(url, { method: "PUT", headers, body, dispatcher });
    return Number(await response.body.text());
  };
  return {
    stream: async (bytes) => {
      let count = 0;
      const write = (piece, _, callback) => {
        count += piece.length;
        callback();
      };
      await stream(`${url}${bytes}`, { method: "GET", dispatcher }, () => new Writable({ write }));
      return count;
    },
    "for await": async (bytes) => counted((await request(`${url}${bytes}`, { dispatcher })).body),
    iterable: (bytes) => put(bytes, asyncly(bytes)),
    Readable: (bytes) => put(bytes, Readable.from(pieces(bytes), { objectMode: false })),
    stop: () => dispatcher.destroy(),
  };
}

async function* asyncly(bytes) {
  yield* pieces(bytes);
}
