import agentkeepalive from "agentkeepalive";
import { facts, sendThrough } from "../node-http.mjs";
import { versionOf } from "../versions.mjs";

export const name = `agentkeepalive ${versionOf("agentkeepalive")}`;
export { facts };

export function start({ origin, keepAliveMsecs }) {
  const Agent = origin.startsWith("https:") ? agentkeepalive.HttpsAgent : agentkeepalive.HttpAgent;
  return sendThrough(new Agent({ freeSocketTimeout: keepAliveMsecs }), origin);
}
