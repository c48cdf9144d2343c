import { Agent, fetch } from "undici";
import { sendByFetch } from "./through-fetch.mjs";

export const name = "undici fetch";

export async function start(url, sockets, work) {
  const dispatcher = new Agent({ connections: sockets, pipelining: 1 });
  return sendByFetch(fetch, url, work, () => dispatcher.destroy(), { dispatcher });
}
