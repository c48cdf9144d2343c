import { Agent, request } from "undici";
import { facts, sendThrough } from "../undici.mjs";
import { versionOf } from "../versions.mjs";

export const name = `undici ${versionOf("undici")}, Agent`;
export { facts };

export function start({ origin, keepAliveMsecs }) {
  return sendThrough(request, new Agent({ keepAliveTimeout: keepAliveMsecs }), origin);
}
