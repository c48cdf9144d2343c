import agentkeepalive from "agentkeepalive";
import { sendThrough } from "./through-agent.mjs";

export const name = "agentkeepalive";

export const start = async (url, sockets) =>
  sendThrough(new agentkeepalive.HttpAgent({ maxSockets: sockets }), url);
