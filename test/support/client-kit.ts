/**
 * Clients for tests on real sockets: each is destroyed after its test, and must then hold no socket, no
 * permit, no pending request and no handle that would keep the process alive.
 */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import {
  Client,
  type ClientOptions,
  type OriginStats,
  type RetireReason,
} from "../../src/index.ts";

/** Long enough for anything that happens at all, also on a busy machine. */
const patienceMsecs = 10_000;

/** A client that the test need not close. */
export function makeClient(t: TestContext, options?: ClientOptions): Client {
  const client = new Client(options);
  t.after(() => {
    client.destroy();
    assertNothingLeft(client);
  });
  return client;
}

/** Asserts that `client` holds no socket and no request: every permit was given back. */
export function assertNothingLeft(client: Client): void {
  const { sockets, pending } = client.stats().client;
  assert.deepEqual(sockets, { open: 0, idle: 0, busy: 0, dialing: 0 });
  assert.equal(pending, 0);
}

/** The stats of the one origin that `client` has talked to. */
export function statsOf(client: Client): OriginStats {
  const { origins } = client.stats();
  assert.equal(origins.length, 1);
  return origins[0] as OriginStats;
}

/** How many connections were closed for which reason; reasons that did not occur are left out. */
export function closedReasons(client: Client): { [reason in RetireReason]?: number } {
  const all = Object.entries(statsOf(client).closed);
  return Object.fromEntries(all.filter(([, count]) => count > 0));
}

/** Looks at `condition` every turn of the event loop until it holds; it must within ten seconds. */
export async function until(condition: () => boolean, what = String(condition)): Promise<void> {
  const giveUpAt = performance.now() + patienceMsecs;
  while (!condition()) {
    if (performance.now() > giveUpAt) assert.fail(`did not come true: ${what}`);
    await turn();
  }
}

/** True when `promise` has settled after some turns of the event loop. */
export async function isSettled(promise: Promise<unknown>, turns = 20): Promise<boolean> {
  let settled = false;
  const note = (): void => {
    settled = true;
  };
  promise.then(note, note);
  for (let count = 0; count < turns && !settled; count++) await turn();
  return settled;
}

/** What `promise` rejects with, as an instance of `kind`. */
export async function rejection<E extends Error>(
  promise: Promise<unknown>,
  // biome-ignore lint/suspicious/noExplicitAny: constructors of all parameter lists
  kind: abstract new (...args: any[]) => E,
): Promise<E> {
  const error = await promise.then(
    () => assert.fail(`did not reject with ${kind.name}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof kind, `rejected with ${String(error)}, not with ${kind.name}`);
  return error;
}

/** Uniform random numbers in [0, 1) from `seed`, the same each time (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
