/**
 * Experiment 4: churn against footprint. Bursts come in pairs, so that the pause within a pair is
 * shorter than either idle time, and the pause between pairs lies between the two.
 */
import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../../client/client.ts";
import type { Msecs } from "../../core/clock.ts";
import { type Setting, sendAll, statsOf, type Target, withClient } from "./load.ts";
import type { BurstRun, Bursts } from "./report.ts";

const burstRequests = 24;
const delayMsecs = 15;
const pairs = 4;
const pairMsecs = 600;
const pauseMsecs = 100;
const burstsAtMsecs = Array.from({ length: pairs }, (_, pair) => [
  pair * pairMsecs,
  pair * pairMsecs + pauseMsecs,
]).flat();
const spanMsecs = pairs * pairMsecs;
const sampleMsecs = 10;

const combinations = [
  { maxFreeSockets: 4, keepAliveMsecs: 250 },
  { maxFreeSockets: 24, keepAliveMsecs: 250 },
  { maxFreeSockets: 4, keepAliveMsecs: 2_000 },
  { maxFreeSockets: 24, keepAliveMsecs: 2_000 },
];

/**
 * Runs the same traffic under all settings at the same time, each with a client of its own: the load is
 * light enough for that, under a hundred requests every hundred milliseconds.
 */
export async function measureBursts(target: Target, setting: Setting): Promise<Bursts> {
  // All bursts wait at the same time, each with a listener of its own.
  setMaxListeners(0, setting.signal);
  const startedAt = performance.now();
  const watch = setInterval(() => {
    setting.progress("bursts", Math.min(1, (performance.now() - startedAt) / spanMsecs));
  }, 100);
  try {
    const runs = await Promise.all(
      combinations.map((combination) =>
        withClient(target, combination, setting, async (client): Promise<BurstRun> => {
          const idleSocketSeconds = await drive(client, target, startedAt, setting.signal);
          const { opened, requests } = statsOf(client);
          return { ...combination, requests, socketsOpened: opened, idleSocketSeconds };
        }),
      ),
    );
    return { burstRequests, burstsAtMsecs, delayMsecs, spanMsecs, runs };
  } finally {
    clearInterval(watch);
  }
}

/** Sends the bursts; returns idle sockets integrated over the span, in socket-seconds. */
async function drive(
  client: Client,
  target: Target,
  startedAt: Msecs,
  signal: AbortSignal,
): Promise<number> {
  const footprint = new Footprint(client, startedAt);
  const watch = setInterval(() => footprint.sample(performance.now()), sampleMsecs);
  const until = (atMsecs: Msecs): Promise<void> =>
    sleep(Math.max(0, startedAt + atMsecs - performance.now()), undefined, { signal });
  const burst = async (atMsecs: Msecs): Promise<void> => {
    await until(atMsecs);
    const plan = { requests: burstRequests, concurrency: burstRequests };
    await sendAll(client, target, `${target.url}?delay=${delayMsecs}`, plan);
  };
  try {
    await Promise.all([...burstsAtMsecs.map(burst), until(spanMsecs)]);
    return footprint.sample(performance.now());
  } finally {
    clearInterval(watch);
  }
}

/** The area under the number of idle sockets, by the trapezoid between two samples. */
class Footprint {
  readonly #client: Client;
  #socketSeconds = 0;
  #lastAt: Msecs;
  #lastIdle = 0;

  constructor(client: Client, startedAt: Msecs) {
    this.#client = client;
    this.#lastAt = startedAt;
  }

  /** Adds the time since the last sample; returns the sum so far. */
  sample(now: Msecs): number {
    const { idle } = this.#client.stats().client.sockets;
    this.#socketSeconds += (((this.#lastIdle + idle) / 2) * (now - this.#lastAt)) / 1_000;
    this.#lastAt = now;
    this.#lastIdle = idle;
    return this.#socketSeconds;
  }
}
