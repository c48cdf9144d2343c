import { Agent, fetch } from "undici8";
import { sendByFetch } from "./through-fetch.mjs";

export const name = "undici 8 fetch";

export async function start(url, sockets, work) {
  const dispatcher = new Agent({ connections: sockets, pipelining: 1 });
  return sendByFetch(fetch, url, work, () => dispatcher.destroy(), { dispatcher });
}
