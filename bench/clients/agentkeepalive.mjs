import agentkeepalive from "agentkeepalive";
import { sendThrough } from "./through-agent.mjs";

export const name = "agentkeepalive";

export async function start(url, sockets, work) {
  const { HttpAgent, HttpsAgent } = agentkeepalive;
  const options = { maxSockets: sockets, maxFreeSockets: sockets };
  const agent = url.startsWith("https:") ? new HttpsAgent(options) : new HttpAgent(options);
  return sendThrough(agent, url, work);
}
