import { readFileSync } from "node:fs";
import { Client } from "../../../dist/index.js";

const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url)));

export const name = `keepline ${version}`;

const clients = [];
const idleAges = [];
let resendsOfResponses = 0;

export function start({ origin, keepAliveMsecs }) {
  const client = new Client({ keepAliveMsecs });
  clients.push(client);
  const pool = () => client.stats().origins[0];
  return {
    send: async ({ id, method, body }) => {
      const response = await client.request(`${origin}/`, {
        method,
        headers: { "x-id": id },
        ...(body === null ? {} : { json: body }),
      });
      await response.body.text();
      resendsOfResponses += response.resends ?? 0;
      if (response.connection.reused) idleAges.push(response.connection.idleMsecs);
    },
    hasSeenIdleClose: () => (pool()?.closed["server-closed"] ?? 0) > 0,
    stop: () => client.destroy(),
  };
}

export function facts() {
  const pools = clients.flatMap((client) => client.stats().origins);
  const closed = {};
  for (const [reason, count] of pools.flatMap((pool) => Object.entries(pool.closed))) {
    if (count > 0) closed[reason] = (closed[reason] ?? 0) + count;
  }
  return {
    resent: pools.reduce((sum, pool) => sum + (pool.resent ?? 0), 0),
    // Those of requests that got a response, by which the former can be checked.
    resendsOfResponses,
    // Of requests that got a response: its errors do not tell.
    idleAges,
    closed,
    idleWindowMsecs: pools[0]?.idleWindowMsecs ?? null,
  };
}
