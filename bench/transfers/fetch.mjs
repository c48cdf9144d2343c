import { counted } from "./pieces.mjs";

export const name = "built-in fetch";
export const ways = { download: ["for await"], upload: [] };

export async function start(url) {
  return {
    "for await": async (bytes) => counted((await fetch(`${url}${bytes}`)).body),
    stop: () => {},
  };
}
