/**
 * A program that uses a client in one of several ways and then has nothing more to do:
 * `last-words.mjs way origin`. Says on its last line what became of its requests and, in ms, how long
 * after that it ended.
 */
import { Client } from "keepline";

const [way = "", origin = ""] = process.argv.slice(2);

const never = Number.POSITIVE_INFINITY;
/** @type {string[]} */
const words = [];
let lastWordAt = performance.now();

/** @param {string} word */
function say(word) {
  words.push(word);
  lastWordAt = performance.now();
}

/** @param {Promise<unknown>} request */
async function outcome(request) {
  await request.then(
    () => say("done"),
    (error) => say(error.name),
  );
}

/** @type {Readonly<Record<string, () => Promise<void>>>} */
const ways = {
  async read() {
    const client = new Client({ keepAliveMsecs: 60_000 });
    const requests = Array.from({ length: 10 }, async () => {
      const { body } = await client.request(origin);
      await body.text();
    });
    await Promise.all(requests.map(outcome));
  },
  async unread() {
    const client = new Client({ keepAliveMsecs: never });
    await Promise.all([1, 2, 3].map(() => outcome(client.request(origin))));
  },
  async "partly read"() {
    const client = new Client();
    const { body } = await client.request(`${origin}/large`);
    await outcome(body[Symbol.asyncIterator]().next());
  },
  async "never read"() {
    const client = new Client();
    await outcome(client.request(`${origin}/large`));
  },
  async warm() {
    const client = new Client({ minFreeSockets: 3, keepAliveMsecs: 60_000 });
    await outcome(client.warm(origin, 3));
    await outcome(client.request(origin));
  },
  async "several clients"() {
    for (const _ of [1, 2, 3]) await outcome(new Client().request(origin));
  },
  async "closed connections"() {
    const client = new Client({ keepAlive: false });
    await Promise.all([1, 2, 3].map(() => outcome(client.request(origin))));
  },
  async close() {
    const client = new Client();
    await client.request(origin);
    await outcome(client.close());
  },
  async aborted() {
    const client = new Client({ connectTimeoutMsecs: 60_000 });
    // The dial goes on: the server there does not speak TLS, and says nothing.
    const stop = new AbortController();
    const url = origin.replace("http:", "https:");
    const request = client.request(url, { signal: stop.signal });
    setTimeout(() => stop.abort(), 50);
    await outcome(request);
  },
  async "given up"() {
    const client = new Client();
    const stop = new AbortController();
    const request = client.request(origin, { signal: stop.signal });
    setTimeout(() => stop.abort(), 50);
    await outcome(request);
  },
  async "in vain"() {
    const client = new Client();
    for (let count = 0; count < 6; count++) await outcome(client.request(origin));
  },
  async "waiting without a limit"() {
    const options = { connectTimeoutMsecs: never, headersTimeoutMsecs: never, maxSockets: 1 };
    const client = new Client(options);
    const responses = [1, 2].map(() => client.request(`${origin}/slow`));
    await Promise.all(responses.map(outcome));
    // Nothing but a dial, which the server ends some time later.
    await outcome(new Client(options).request(origin.replace("http:", "https:")));
  },
  async upload() {
    const client = new Client();
    async function* body() {
      for (let count = 0; count < 3; count++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        yield "piece";
      }
    }
    const headers = { expect: "100-continue" };
    const options = { method: "POST", body: body(), headers };
    await outcome(client.request(`${origin}/slow`, options));
  },
};

process.on("exit", (code) => {
  const msecs = Math.round(performance.now() - lastWordAt);
  console.log(JSON.stringify({ words, msecs, code }));
});

await ways[way]?.();
