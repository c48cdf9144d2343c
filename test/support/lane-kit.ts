/**
 * Servers that see what lanes and services do, for tests on real sockets: how many requests of each kind they
 * have at once, and in which order they came. The kind of a request is the first part of its path.
 */
import type { IncomingMessage } from "node:http";
import type { TestContext } from "node:test";
import type { ManualClock } from "../../src/testing/index.ts";
import { isSettled } from "./client-kit.ts";
import {
  type Arrived,
  type HoldingServer,
  type Listening,
  lookupOf,
  plainServer,
} from "./loopback.ts";

/** Long enough for anything that happens at all, also on a busy machine. */
const patienceMsecs = 10_000;

/** What servers counted together. */
export interface Tally {
  /** Kinds of all requests, in the order in which they came. */
  readonly arrived: string[];
  /** Requests of `kind` that were held at once at most; of all kinds when it is not given. */
  most(kind?: string): number;
}

/** A server with its tally, which several can share. */
export interface CountingServer extends Listening {
  readonly tally: Tally;
}

/** Options of a client that finds every name at 127.0.0.1. */
export const namesAreLocal = { connect: { lookup: lookupOf(["127.0.0.1"]).lookup } };

/** Two servers of `makeTally` count together. */
export function makeTally() {
  const arrived: string[] = [];
  const held = new Map<string, number>();
  const most = new Map<string, number>();
  const all = "";
  const add = (kind: string, change: number): void => {
    for (const each of [kind, all]) {
      const count = (held.get(each) ?? 0) + change;
      held.set(each, count);
      most.set(each, Math.max(count, most.get(each) ?? 0));
    }
  };
  return {
    arrived,
    most: (kind = all) => most.get(kind) ?? 0,
    came(kind: string): void {
      arrived.push(kind);
      add(kind, 1);
    },
    left: (kind: string) => add(kind, -1),
  };
}

/** A server that answers each request after `delayMsecs`. */
export async function countingServer(
  t: TestContext,
  delayMsecs: () => number,
  tally = makeTally(),
): Promise<CountingServer> {
  const server = await plainServer(t, (request, response) => {
    const kind = kindOf(request);
    tally.came(kind);
    setTimeout(() => {
      tally.left(kind);
      response.end(kind);
    }, delayMsecs());
  });
  return Object.assign(server, { tally });
}

/** Answers the next `count` requests of `server`, one at a time. Returns their kinds in the order in which they came. */
export async function answerNext(server: HoldingServer, count: number): Promise<string[]> {
  const kinds: string[] = [];
  for (let answered = 0; answered < count; answered++) {
    const { request, response } = await arrival(server, `${answered} of ${count} came: ${kinds}`);
    kinds.push(kindOf(request));
    response.end(kindOf(request));
  }
  return kinds;
}

/** Answers all that waits at `server`, and all that comes. */
export function answerAll(server: HoldingServer): void {
  void (async () => {
    for (;;) (await server.next()).response.end();
  })();
}

/** The next request of `server`. One that does not come fails the test, where it would hang. */
async function arrival(server: HoldingServer, what: string): Promise<Arrived> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(what)), patienceMsecs);
  });
  try {
    return await Promise.race([server.next(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Moves `clock` in steps until `promise` has settled, and returns how far it moved; null when it did not within `mostMsecs`. */
export async function settledAfter(
  clock: ManualClock,
  promise: Promise<unknown>,
  stepMsecs: number,
  mostMsecs: number,
): Promise<number | null> {
  for (let msecs = stepMsecs; msecs <= mostMsecs; msecs += stepMsecs) {
    clock.advance(stepMsecs);
    if (await isSettled(promise)) return msecs;
  }
  return null;
}

/** The kind of a request: `batch` of `/batch/17`. */
export function kindOf({ url = "/" }: IncomingMessage): string {
  return url.split(/[/?]/)[1] ?? "";
}
