import { Agent, RetryAgent, request } from "undici";
import { facts, sendThrough } from "../undici.mjs";
import { versionOf } from "../versions.mjs";

export const name = `undici ${versionOf("undici")}, RetryAgent`;
export { facts };

export function start({ origin, keepAliveMsecs }) {
  const agent = new Agent({ keepAliveTimeout: keepAliveMsecs });
  return sendThrough(request, new RetryAgent(agent), origin);
}
