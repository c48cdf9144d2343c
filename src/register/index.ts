/// <reference types="node" preserve="true" />
/**
 * `node --import keepline/register app.js`: puts one keepline client under `http.globalAgent`, `https.globalAgent`
 * and the global `fetch` of a program whose source is not touched. All of it happens while this module loads,
 * synchronously, so `--require` does as well.
 */
import http from "node:http";
import https from "node:https";
import { syncBuiltinESMExports } from "node:module";
import { Client } from "../client/client.ts";
import { install } from "../surfaces/undici/install.ts";
import { readSettings } from "./settings.ts";
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
