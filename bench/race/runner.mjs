// One client of the race in a process of its own. Its workers share the client (or have one each); every
// worker sends a request, reads the body to its end, and waits for the next of its think times, which
// depend on the seed and the worker alone.

import { setTimeout as sleep } from "node:timers/promises";
import { serve, settings } from "../processes.mjs";

const race = settings();
const client = await import(race.file);

/** A request that has settled by no means until then counts as failed. */
const patienceMsecs = 30_000;

serve({ ready: { name: client.name }, reply: run });

async function run() {
  const shared = race.poolPerWorker ? null : client.start(race);
  const outcomes = await Promise.all(
    Array.from({ length: race.workers }, (_, index) => work(shared ?? client.start(race), index)),
  );
  return { outcomes: outcomes.flat(), ...client.facts() };
}

/** What became of the requests of one worker: `code` is null where there was a response. */
async function work(driver, worker) {
  const random = randomNumbers(race.seed * 1_000 + worker);
  const [from, to] = race.ages;
  const outcomes = [];
  for (let index = 0; index < race.requests; index++) {
    const id = `${worker}-${index}`;
    const knew = driver.hasSeenIdleClose?.() ?? null;
    const code = await patiently(
      driver.send({ id, method: race.method, body: race.method === "POST" ? { id } : null }),
    ).then(() => null, codeOf);
    outcomes.push({ id, code, knew });
    if (index + 1 < race.requests) await sleep(from + random() * (to - from));
  }
  return outcomes;
}

function patiently(promise) {
  const giveUp = new AbortController();
  const tooLong = sleep(patienceMsecs, null, { signal: giveUp.signal }).then(
    () => Promise.reject(Object.assign(new Error(), { code: "NOT_SETTLED" })),
    () => {},
  );
  return Promise.race([promise, tooLong]).finally(() => giveUp.abort());
}

/** The code of an error; `fetch` has it in the cause. */
function codeOf(error) {
  return error.code ?? error.cause?.code ?? error.name;
}

/** mulberry32: numbers from 0 to 1 that depend on the seed alone. */
function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
