import fetch from "node-fetch";
import { nodeAgent } from "./through-agent.mjs";
import { sendByFetch } from "./through-fetch.mjs";

export const name = "node-fetch, keep-alive Agent";

export async function start(url, sockets, work) {
  const agent = nodeAgent(url, sockets);
  return sendByFetch(fetch, url, work, () => agent.destroy(), { agent });
}
