/// <reference types="node" preserve="true" />
/**
 * `node --import keepline/register app.js`: puts one keepline client under `http.globalAgent`, `https.globalAgent`
 * and the global `fetch` of a program whose source is not touched. All of it happens while this module loads,
 * synchronously, so `--require` does as well.
 */
import http from "node:http";
import https from "node:https";
import { syncBuiltinESMExports } from "node:module";
import { isMainThread } from "node:worker_threads";
import { Client } from "../client/client.ts";
import { record } from "../record/index.ts";
import { install } from "../surfaces/undici/install.ts";
import { type Place, readSettings } from "./settings.ts";
import { tellOf } from "./words.ts";

const settings = readSettings(process.env, process.cwd());

/** The client that was installed, for its `stats()` and events. */
export const client = new Client(settings.options);

http.globalAgent = client.httpAgent();
https.globalAgent = client.httpsAgent();
// Else `import { globalAgent } from "node:http"` would still be Node's.
syncBuiltinESMExports();
install(client);

for (const doubt of settings.doubts) process.emitWarning(doubt, { code: "KEEPLINE_REGISTER" });
const { KEEPLINE_VERBOSE: verbose = "" } = process.env;
if (verbose !== "" && verbose !== "0") process.stderr.write(`${tellOf(settings)}\n`);
// A worker thread has the variables of its process, whose port is taken by then.
if (settings.dashboard !== null && isMainThread) void serve(settings.dashboard);
if (settings.record !== null && isMainThread) recordTo(settings.record);

/** Loaded only where it is asked for. A dashboard that cannot be there is no reason for a program not to run. */
async function serve(place: Place): Promise<void> {
  try {
    const { serveDashboard } = await import("../dashboard/index.ts");
    const { url } = await serveDashboard(client, place);
    process.stderr.write(`keepline: the dashboard is at ${url}\n`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    process.emitWarning(`there is no dashboard: ${why}`, { code: "KEEPLINE_DASHBOARD" });
  }
}

/** From the first request on. That it cannot be written is no reason for a program not to run. */
function recordTo(file: string): void {
  const warn = (error: unknown): void => {
    const why = error instanceof Error ? error.message : String(error);
    process.emitWarning(`requests are not recorded: ${why}`, { code: "KEEPLINE_RECORD" });
  };
  try {
    // Several processes may have the same variables.
    const to = file.replaceAll("%p", String(process.pid));
    record(client, { to }).finished.catch(warn);
    process.stderr.write(`keepline: requests are recorded to ${to}\n`);
  } catch (error) {
    warn(error);
  }
}
