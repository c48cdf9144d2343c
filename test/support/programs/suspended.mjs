/**
 * A program that leaves two connections idle, says so, and uses them again as soon as its timer fires:
 * `suspended.mjs origin msecs`. Says what became of the two requests.
 */
import { Client } from "keepline";

const [origin = "", msecs = "0"] = process.argv.slice(2);
const client = new Client({ keepAliveMsecs: 60_000 });

/** @param {import("keepline").RequestOptions} options */
async function send(options) {
  try {
    const response = await client.request(origin, options);
    return `${response.statusCode} ${await response.body.text()}`;
  } catch (error) {
    return String(error);
  }
}

await Promise.all([send({}), send({})]);
// When the process goes on, timers come before sockets: what has arrived meanwhile was not read yet.
setTimeout(async () => {
  const outcomes = await Promise.all([send({ method: "POST", body: "pay" }), send({})]);
  console.log(JSON.stringify(outcomes));
  client.destroy();
}, Number(msecs));
console.log("idle");
