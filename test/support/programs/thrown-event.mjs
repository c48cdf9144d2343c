/**
 * A program whose listeners throw: `thrown-event.mjs origin`. The origin answers one request a connection at a
 * time. Says on its last line what was uncaught, and what became of its requests.
 */
import { Client } from "keepline";

const [origin = ""] = process.argv.slice(2);
/** @type {string[]} */
const uncaught = [];
process.on("uncaughtException", (error) => uncaught.push(error.message));
process.on("warning", () => {});

const client = new Client({ maxSockets: 1, maxPending: 2, saturationMsecs: 50 });
client.on("saturated", ({ lane }) => {
  throw new Error(`saturated ${lane}`);
});
client.on("relieved", ({ lane }) => {
  throw new Error(`relieved ${lane}`);
});

/** @param {Promise<import("keepline").ClientResponse>} request */
const outcome = async (request) => {
  try {
    const { statusCode, body } = await request;
    await body.text();
    return statusCode;
  } catch (error) {
    return /** @type {Error} */ (error).name;
  }
};
// A client that only has something to tell keeps no process alive.
const alive = setInterval(() => {}, 1_000);
const relieved = new Promise((resolve) => {
  client.prependListener("relieved", resolve);
});

const outcomes = await Promise.all(
  Array.from({ length: 5 }, () => outcome(client.request(origin))),
);
await relieved;
outcomes.push(await outcome(client.request(origin)));
const { sockets, pending } = client.stats().client;
await client.close();
clearInterval(alive);
console.log(JSON.stringify({ uncaught, outcomes, idle: sockets.idle, pending }));
