import { nodeAgent, sendThrough } from "./through-agent.mjs";

export const name = "node:http, keep-alive Agent";

export const start = async (url, sockets, work) => sendThrough(nodeAgent(url, sockets), url, work);
