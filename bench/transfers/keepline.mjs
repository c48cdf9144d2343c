import { Readable } from "node:stream";
import { Client } from "../../dist/index.js";
import { counted, pieces } from "./pieces.mjs";

export const name = "keepline";
export const ways = {
  download: ["forEachChunk", "for await", "toReadable"],
  upload: ["iterable", "Readable"],
};

export async function start(url) {
  const client = new Client();
  const get = async (bytes) => (await client.request(`${url}${bytes}`)).body;
  const put = async (bytes, body) => {
    const headers = { "content-length": String(bytes) };
    const response = await client.request(url, { method: "PUT", headers, body });
    return Number(await response.body.text());
  };
  return {
    forEachChunk: async (bytes) => {
      let count = 0;
      await (await get(bytes)).forEachChunk((piece) => {
        count += piece.length;
      });
      return count;
    },
    "for await": async (bytes) => counted(await get(bytes)),
    toReadable: async (bytes) => counted((await get(bytes)).toReadable()),
    iterable: (bytes) => put(bytes, asyncly(bytes)),
    Readable: (bytes) => put(bytes, Readable.from(pieces(bytes), { objectMode: false })),
    stop: () => client.destroy(),
  };
}

async function* asyncly(bytes) {
  yield* pieces(bytes);
}
