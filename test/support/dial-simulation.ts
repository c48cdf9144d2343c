/**
 * The real core under a virtual clock, where dials take time and their handshakes compete for one processor with each
 * other and with all else. Shows how long requests take, and how many sockets are opened for them.
 */
import type { Msecs, Random } from "../../src/core/clock.ts";
import type { Connection } from "../../src/core/connection.ts";
import { type CoreOptions, coreRules } from "../../src/core/options.ts";
import { PendingRequest } from "../../src/core/pending.ts";
import { Pools } from "../../src/core/pools.ts";
import type { Port } from "../../src/core/port.ts";
import { type Given, resolveOptions } from "../../src/core/rules.ts";
import { seededRandom } from "./manual-world.ts";

/** A network, a server and what comes to them. */
export interface DialShape {
  readonly isTls: boolean;
  /** Each way. */
  readonly delayMsecs: Msecs;
  /** What a handshake takes of the processor. */
  readonly handshakeMsecs: Msecs;
  /** How long the server takes for a request; `index` counts from 0. */
  readonly serviceMsecs: (random: Random, index: number) => Msecs;
  /** When requests come; or closed loops, each of so many requests with no pause between. */
  readonly load:
    | { readonly kind: "arrivals"; readonly at: readonly Msecs[] }
    | { readonly kind: "loops"; readonly count: number; readonly requestsEach: number };
  /** Requests made, one after another, before all that is measured. */
  readonly warmUp?: number;
}

/** What became of them. */
export interface DialOutcome {
  /** From each request to its response, in ms, in order of size. */
  readonly latencies: readonly Msecs[];
  /** Until the last response. */
  readonly totalMsecs: Msecs;
  readonly opened: number;
}

type SimConnection = Connection<SimRequest, null>;

class SimRequest extends PendingRequest {
  readonly queueTimeoutMsecs = null;
  readonly lane = "default";
  readonly isReplayable = true;
  readonly done: () => void;
  readonly index: number;

  constructor(index: number, done: () => void) {
    super();
    this.index = index;
    this.done = done;
  }

  override expireGranted(): void {}

  interrupted(): void {}
}

/** Lets one client meet `shape`. */
export function simulateDials(shape: DialShape, given: Given<CoreOptions>, seed = 1): DialOutcome {
  const random = seededRandom(seed);
  const events: { readonly at: Msecs; readonly order: number; readonly happens: () => void }[] = [];
  const latencies: Msecs[] = [];
  let now = 1_000;
  let order = 0;
  let wakeAt = Number.POSITIVE_INFINITY;
  let processorFreeAt = 0;
  let left = 0;
  let index = 0;

  const at = (when: Msecs, happens: () => void): void => {
    const event = { at: when, order: order++, happens };
    let place = events.length;
    while (place > 0 && (events[place - 1]?.at ?? 0) > when) place--;
    events.splice(place, 0, event);
  };
  const roundTripMsecs = 2 * shape.delayMsecs;
  const port: Port<SimRequest, null> = {
    dial(connection: SimConnection) {
      const open = (): void => {
        const tlsMsecs = shape.isTls ? roundTripMsecs : null;
        const facts = { capacity: 1, connectMsecs: roundTripMsecs, tlsMsecs, tlsResumed: false };
        pools.dialed(connection, facts, now);
      };
      // TCP, then TLS 1.3: a round trip each, and the work of the handshake in the order in which answers come.
      if (!shape.isTls) at(now + roundTripMsecs, open);
      else {
        at(now + 2 * roundTripMsecs, () => {
          processorFreeAt = Math.max(processorFreeAt, now) + shape.handshakeMsecs;
          at(processorFreeAt, open);
        });
      }
    },
    grant(request, connection) {
      const msecs = roundTripMsecs + shape.serviceMsecs(random, request.index);
      // What arrives is read when the processor has time for it.
      at(now + msecs, () => {
        const readAt = Math.max(now, processorFreeAt);
        if (readAt > now) at(readAt, () => finish(request, connection));
        else finish(request, connection);
      });
    },
    refuse() {
      throw new Error("a request was refused");
    },
    retire() {},
    saturation() {},
    wakeAt(when) {
      wakeAt = when;
    },
    broken(problem) {
      throw new Error(problem);
    },
  };
  const options = resolveOptions<CoreOptions>(coreRules, given, "simulateDials");
  const pools = new Pools<SimRequest, null>(options, port, random);
  const origin = `${shape.isTls ? "https" : "http"}://simulated.test`;

  function finish(request: SimRequest, connection: SimConnection): void {
    pools.released(connection, request, now);
    request.done();
  }
  function send(then: () => void): void {
    const sentAt = now;
    left++;
    const request = new SimRequest(index++, () => {
      latencies.push(now - sentAt);
      left--;
      then();
    });
    pools.acquire(pools.pool(origin, now), request, now);
  }
  function run(): void {
    while (left > 0 || events.length > 0) {
      const next = events[0];
      if (wakeAt < (next?.at ?? Number.POSITIVE_INFINITY) && left > 0) {
        now = Math.max(now, wakeAt);
        wakeAt = Number.POSITIVE_INFINITY;
        pools.tick(now);
      } else if (next === undefined) throw new Error("requests wait, and nothing will happen");
      else {
        events.shift();
        now = Math.max(now, next.at);
        next.happens();
      }
    }
  }

  const { load, warmUp = 0 } = shape;
  const loop = (requests: number): void => {
    if (requests > 0) send(() => loop(requests - 1));
  };
  loop(warmUp);
  run();
  latencies.length = 0;
  const startAt = now;
  const openedBefore = pools.pool(origin, now).tally.opened;
  if (load.kind === "arrivals")
    for (const msecs of load.at) at(startAt + msecs, () => send(() => {}));
  else for (let count = 0; count < load.count; count++) loop(load.requestsEach);
  run();
  return {
    latencies: latencies.toSorted((a, b) => a - b),
    totalMsecs: now - startAt,
    opened: pools.pool(origin, now).tally.opened - openedBefore,
  };
}
