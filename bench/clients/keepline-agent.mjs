import { Agent, HttpsAgent } from "../../dist/surfaces/agent/index.js";
import { sendThrough } from "./through-agent.mjs";

export const name = "node:http, keepline Agent";

export async function start(url, sockets, work) {
  const options = { maxSockets: sockets };
  const agent = url.startsWith("https:") ? new HttpsAgent(options) : new Agent(options);
  return sendThrough(agent, url, work);
}
