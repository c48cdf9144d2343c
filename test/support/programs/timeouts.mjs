/**
 * A program that meets every kind of timeout and leaves its clients open:
 * `timeouts.mjs mute-url stopping-url mute-https-url`. Says what each request failed with, then "done".
 */
import { Client } from "keepline";

const [muteUrl = "", stoppingUrl = "", tlsUrl = ""] = process.argv.slice(2);

/**
 * @param {string} url
 * @param {import("keepline").RequestOptions} options
 * @param {import("keepline").ClientOptions} [clientOptions]
 */
async function run(url, options, clientOptions) {
  const client = new Client({ keepAliveMsecs: 600_000, ...clientOptions });
  try {
    const { body } = await client.request(url, options);
    await body.text();
  } catch (error) {
    console.log(error instanceof Error ? error.name : error);
  }
}

await run(muteUrl, { headersTimeoutMsecs: 20 });
await run(stoppingUrl, { bodyTimeoutMsecs: 20 });
await run(muteUrl, { requestTimeoutMsecs: 20 });
await run(tlsUrl, { queueTimeoutMsecs: 20 });
await run(tlsUrl, { requestTimeoutMsecs: 20 }, { connectTimeoutMsecs: Number.POSITIVE_INFINITY });
await run(tlsUrl, {}, { connectTimeoutMsecs: 20 });
console.log("done");
