/**
 * When requests are sent. Closed loop: so many at a time, the next when one is answered. Open loop: at instants that
 * the clock alone decides, so that a server that is late does not slow down who asks.
 * Invariant: never more requests than asked for, and none after the time is over.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Msecs } from "../../core/clock.ts";
import type { Pace } from "./plan.ts";
import type { EndedBy } from "./report.ts";

/** Sends request `index`, which was to be sent at `intendedAt` by `performance.now()`. Never rejects. */
export type Send = (index: number, intendedAt: Msecs) => Promise<void>;

/** The bounds of a load; `Infinity` means none. */
export interface Bounds {
  readonly requests: number;
  readonly durationMsecs: Msecs;
}

/**
 * Sends until a bound is met, then waits for the last answer. Resolves at once when `signal` aborts, whatever is
 * under way.
 */
export async function drive(
  pace: Pace,
  bounds: Bounds,
  send: Send,
  signal: AbortSignal,
): Promise<EndedBy> {
  const interrupted = new Promise<EndedBy>((resolve) => {
    if (signal.aborted) resolve("interrupted");
    else signal.addEventListener("abort", () => resolve("interrupted"), { once: true });
  });
  const run = pace.kind === "closed" ? closedLoop : openLoop;
  // One number for both kinds: senders, or requests a second.
  const size = pace.kind === "closed" ? pace.concurrency : pace.perSecond;
  return Promise.race([run(size, bounds, send, signal), interrupted]);
}

async function closedLoop(
  concurrency: number,
  { requests, durationMsecs }: Bounds,
  send: Send,
  signal: AbortSignal,
): Promise<EndedBy> {
  const endAt = performance.now() + durationMsecs;
  let sent = 0;
  const sender = async (): Promise<void> => {
    while (sent < requests && !signal.aborted) {
      const now = performance.now();
      if (now >= endAt) return;
      await send(sent++, now);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, requests) }, sender));
  return sent >= requests ? "requests" : "duration";
}

async function openLoop(
  perSecond: number,
  { requests, durationMsecs }: Bounds,
  send: Send,
  signal: AbortSignal,
): Promise<EndedBy> {
  const startedAt = performance.now();
  const dueMsecs = (index: number): Msecs => (index * 1_000) / perSecond;
  let underWay = 0;
  let finished = (): void => {};
  let sent = 0;
  while (sent < requests && dueMsecs(sent) < durationMsecs && !signal.aborted) {
    const due = startedAt + dueMsecs(sent);
    const early = due - performance.now();
    if (early > 0) {
      // What is late by a part of a millisecond counts as latency: better than a loop that takes the CPU from the client.
      await sleep(early, undefined, { signal }).catch(() => {});
      continue;
    }
    underWay++;
    send(sent++, due).finally(() => {
      underWay--;
      if (underWay === 0) finished();
    });
  }
  if (underWay > 0) {
    await new Promise<void>((resolve) => {
      finished = resolve;
    });
  }
  return sent >= requests ? "requests" : "duration";
}
