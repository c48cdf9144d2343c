import { Agent } from "../../dist/surfaces/agent/index.js";
import { sendThrough } from "./through-agent.mjs";

export const name = "node:http, keepline Agent";

export const start = async (url, sockets) => sendThrough(new Agent({ maxSockets: sockets }), url);
