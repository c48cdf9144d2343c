import http from "node:http";
import https from "node:https";
import { facts, sendThrough } from "../node-http.mjs";

export const name = "node:http, http.Agent";
export { facts };

export function start({ origin }) {
  const { Agent } = origin.startsWith("https:") ? https : http;
  return sendThrough(new Agent({ keepAlive: true }), origin);
}
