/**
 * Traffic to look at: two services whose requests come evenly, in bursts and too many at once.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "../../client/client.ts";
import type { Msecs } from "../../core/clock.ts";
import type { Setting, Target } from "./load.ts";

/** Lanes of the shop. */
type ShopLane = "checkout" | "reports";

/** Sends until the signal aborts, and then throws its reason. */
export async function sendLive(http: Target, https: Target, setting: Setting): Promise<never> {
  const { signal, watch } = setting;
  const client = new Client({
    connect: https.connect,
    services: {
      shop: {
        origins: [new URL(http.url).origin],
        maxSockets: 12,
        lanes: { checkout: { weight: 8, reservedSockets: 3 }, reports: { maxSockets: 4 } },
      },
      search: { origins: [new URL(https.url).origin], maxSockets: 10, keepAliveMsecs: 2_000 },
    },
  });
  const unwatch = watch(client);
  const shop = (lane: ShopLane, delay: Msecs, requestTimeoutMsecs: Msecs): void => {
    send(client, `${http.url}${lane}?delay=${Math.round(delay)}`, { lane, requestTimeoutMsecs });
  };
  const search = (): void => {
    send(client, `${https.url}search?delay=${Math.round(between(10, 150))}`, {});
  };
  const timers = [
    every(40, 1, () => shop("checkout", between(4, 40), 5_000)),
    every(700, 1, () => shop("reports", between(100, 250), 20_000)),
    every(12_000, 50, () => shop("reports", between(150, 350), 20_000)),
    every(3_500, 5, search),
    every(9_000, 1, () => shop("checkout", 900, 300)),
  ];
  try {
    await sleep(2 ** 31 - 1, undefined, { signal });
  } catch {
    // It has aborted, which is told below.
  } finally {
    for (const timer of timers) clearInterval(timer);
    client.destroy();
    unwatch();
  }
  throw signal.reason;
}

function send(client: Client, url: string, options: Parameters<Client["request"]>[1]): void {
  client.request(url, options).then(
    (response) => response.body.dump().catch(() => {}),
    () => {},
  );
}

/** Calls `act` so many times at once, in every period. */
function every(msecs: Msecs, times: number, act: () => void): NodeJS.Timeout {
  return setInterval(() => {
    for (let count = 0; count < times; count++) act();
  }, msecs);
}

function between(least: number, most: number): number {
  return least + Math.random() * (most - least);
}
