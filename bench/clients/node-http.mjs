import http from "node:http";
import { sendThrough } from "./through-agent.mjs";

export const name = "node:http, keep-alive Agent";

export const start = async (url, sockets) =>
  sendThrough(new http.Agent({ keepAlive: true, maxSockets: sockets }), url);
