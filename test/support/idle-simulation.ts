/**
 * The real core under a virtual clock, against simulated servers that close idle connections, behind a link
 * with latency. Shows what becomes of requests that meet a close on the way, over hours in milliseconds.
 */
import type { Msecs, Random } from "../../src/core/clock.ts";
import type { Connection } from "../../src/core/connection.ts";
import type { KeeplineError } from "../../src/core/errors.ts";
import { type CoreOptions, coreRules } from "../../src/core/options.ts";
import { PendingRequest } from "../../src/core/pending.ts";
import type { Pool } from "../../src/core/pool.ts";
import { Pools } from "../../src/core/pools.ts";
import type { Port } from "../../src/core/port.ts";
import { type Given, resolveOptions } from "../../src/core/rules.ts";
import { lanesTally } from "../../src/observe/totals.ts";
import { seededRandom } from "./manual-world.ts";

/** What is simulated beside the core. */
export interface SimulationSettings {
  readonly options?: Given<CoreOptions>;
  /** How long the server keeps a connection idle, asked anew for each idle time. `connection` counts from 0. */
  readonly idleTimeoutMsecs: (connection: number, random: Random, now: Msecs) => Msecs;
  /** Each way. */
  readonly delayMsecs?: Msecs;
  /** The server's time for a response. */
  readonly serviceMsecs?: Msecs;
  /** What arrives is noticed up to so much later: a busy event loop. */
  readonly lagMsecs?: Msecs;
  /** `Keep-Alive: timeout=N` of every response. */
  readonly hintMsecs?: Msecs;
  readonly seed?: number;
}

/** One kind of client program: `count` of them ask, read, and wait. */
export interface Workers {
  readonly count: number;
  readonly requestsEach: number;
  readonly isReplayable: boolean;
  /** Time from a response to the worker's next request. */
  readonly thinkMsecs: (random: Random) => Msecs;
}

/** What became of the requests of one `run`. */
export interface Outcome {
  readonly requests: number;
  readonly failed: number;
  /** Of `failed`: before any idle connection was seen to be closed. */
  readonly failedUnwarned: number;
  readonly resent: number;
  /** Requests that the server carried out more than once. */
  readonly doubled: number;
  /** Requests on a connection that had carried one before. */
  readonly reused: number;
}

type SimConnection = Connection<SimRequest, Wire>;

/** The server's end of one connection. */
interface Wire {
  readonly index: number;
  /** The server closes it at this instant unless a request arrives before. */
  closesAt: Msecs;
  /** Counts idle times, so that the end of a former one is known as such. */
  idleCount: number;
  /** When the client has heard of all that was sent so far. */
  heardAt: Msecs;
}

class SimRequest extends PendingRequest {
  readonly queueTimeoutMsecs = null;
  readonly lane = "default";
  readonly isReplayable: boolean;
  readonly settled: (error: unknown) => void;
  processedCount = 0;
  attempt = 0;

  constructor(isReplayable: boolean, settled: (error: unknown) => void) {
    super();
    this.isReplayable = isReplayable;
    this.settled = settled;
  }

  override expireGranted(): void {}

  interrupted(): void {}
}

/** One origin, its link, and programs that use it. */
export class IdleSimulation {
  now: Msecs = 1_000;
  readonly pools: Pools<SimRequest, Wire>;
  readonly pool: Pool<SimRequest, Wire>;
  readonly #settings: SimulationSettings;
  readonly #random: Random;
  readonly #events: { readonly at: Msecs; readonly order: number; readonly happens: () => void }[] =
    [];
  #order = 0;
  #connectionCount = 0;
  #wakeAt = Number.POSITIVE_INFINITY;
  readonly #holder = new Map<SimConnection, SimRequest>();

  constructor(settings: SimulationSettings) {
    this.#settings = settings;
    this.#random = seededRandom(settings.seed ?? 1);
    const options = resolveOptions<CoreOptions>(coreRules, settings.options, "IdleSimulation");
    this.pools = new Pools(options, this.#port(), this.#random);
    this.pool = this.pools.pool("http://simulated.test", this.now);
  }

  /** How often an idle connection was closed by the server, or failed a request for it. */
  get idleCloses(): number {
    const { closed } = this.pool.tally;
    return (closed["server-closed"] ?? 0) + (closed["socket-error"] ?? 0);
  }

  /** Lets `workers` do all of their requests. */
  run(workers: Workers): Outcome {
    const outcome = { requests: 0, failed: 0, failedUnwarned: 0, doubled: 0 };
    const { resent } = this.pool.tally;
    const { reused } = lanesTally(this.pool);
    let left = workers.count;
    const work = (remaining: number): void => {
      if (remaining === 0) {
        left--;
        return;
      }
      outcome.requests++;
      const closesBefore = this.pool.tally.closed["server-closed"] ?? 0;
      const request = new SimRequest(workers.isReplayable, (error) => {
        if (error !== null) {
          outcome.failed++;
          if (closesBefore === 0) outcome.failedUnwarned++;
        }
        if (request.processedCount > 1) outcome.doubled++;
        this.#after(workers.thinkMsecs(this.#random), () => work(remaining - 1));
      });
      this.pools.acquire(this.pool, request, this.now);
    };
    for (let count = 0; count < workers.count; count++) work(workers.requestsEach);
    while (left > 0) this.#step();
    return {
      ...outcome,
      resent: this.pool.tally.resent - resent,
      reused: lanesTally(this.pool).reused - reused,
    };
  }

  /** Lets time pass in which nobody asks for anything. */
  rest(msecs: Msecs): void {
    let isOver = false;
    this.#after(msecs, () => {
      isOver = true;
    });
    while (!isOver) this.#step();
  }

  #step(): void {
    const next = this.#events[0];
    if (this.#wakeAt <= (next?.at ?? Number.POSITIVE_INFINITY)) {
      this.now = Math.max(this.now, this.#wakeAt);
      this.#wakeAt = Number.POSITIVE_INFINITY;
      this.pools.tick(this.now);
      return;
    }
    if (next === undefined) throw new Error("nothing will ever happen");
    this.#events.shift();
    this.now = next.at;
    next.happens();
  }

  #after(msecs: Msecs, happens: () => void): void {
    const event = { at: this.now + msecs, order: this.#order++, happens };
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#events[middle]?.at ?? 0) <= event.at) low = middle + 1;
      else high = middle;
    }
    this.#events.splice(low, 0, event);
  }

  #port(): Port<SimRequest, Wire> {
    const { delayMsecs = 0 } = this.#settings;
    return {
      dial: (connection) => {
        connection.transport = {
          index: this.#connectionCount++,
          closesAt: Number.POSITIVE_INFINITY,
          idleCount: 0,
          heardAt: 0,
        };
        this.#after(2 * delayMsecs + 0.1, () => {
          const facts = { capacity: 1, connectMsecs: 0.1, tlsMsecs: null, tlsResumed: false };
          this.pools.dialed(connection, facts, this.now);
        });
      },
      grant: (request, connection) => {
        this.#holder.set(connection, request);
        const attempt = ++request.attempt;
        this.#after(delayMsecs, () => this.#arrives(request, attempt, connection));
      },
      refuse: (request: SimRequest, error: KeeplineError) => request.settled(error),
      retire: (connection) => {
        this.#holder.delete(connection);
        connection.transport = null;
      },
      tuned: () => {},
      saturation: () => {},
      wakeAt: (at) => {
        this.#wakeAt = Math.min(this.#wakeAt, at);
      },
      broken: (problem) => {
        throw new Error(problem);
      },
    };
  }

  #arrives(request: SimRequest, attempt: number, connection: SimConnection): void {
    const wire = connection.transport;
    if (wire === null || this.now >= wire.closesAt) return; // closed: the client hears of it
    wire.closesAt = Number.POSITIVE_INFINITY;
    wire.idleCount++;
    request.processedCount++;
    const { serviceMsecs = 1, delayMsecs = 0 } = this.#settings;
    this.#after(serviceMsecs, () => this.#idles(connection, wire));
    this.#toClient(wire, serviceMsecs + delayMsecs, () => {
      if (this.#holder.get(connection) !== request || request.attempt !== attempt) return;
      this.#holder.delete(connection);
      for (const each of this.pool.lanes.all) each.responded(this.now - connection.leasedAt);
      const { hintMsecs } = this.#settings;
      if (hintMsecs !== undefined) {
        this.pool.hinted(connection, hintMsecs, Number.POSITIVE_INFINITY);
      }
      request.settled(null);
      this.pools.released(connection, request, this.now);
    });
  }

  /** The server has sent its response and counts. */
  #idles(connection: SimConnection, wire: Wire): void {
    const { idleTimeoutMsecs, delayMsecs = 0 } = this.#settings;
    const msecs = idleTimeoutMsecs(wire.index, this.#random, this.now);
    const idle = wire.idleCount;
    wire.closesAt = this.now + msecs;
    if (msecs === Number.POSITIVE_INFINITY) return;
    this.#after(msecs, () => {
      if (wire.idleCount === idle)
        this.#toClient(wire, delayMsecs, () => this.#ends(connection, wire));
    });
  }

  /** The close has arrived. */
  #ends(connection: SimConnection, wire: Wire): void {
    if (connection.transport !== wire) return;
    const request = this.#holder.get(connection);
    if (request === undefined) {
      this.pools.lost(connection, "server-closed", this.now);
      return;
    }
    this.#holder.delete(connection);
    const attempt = {
      mode: "safe",
      isWritten: true,
      hasResponse: false,
      isIdempotent: request.isReplayable,
      canRepeatBody: true,
    } as const;
    const refusal = this.pools.failed(connection, request, attempt, "socket-error", this.now);
    if (refusal !== null) request.settled(refusal);
  }

  /** What the server sends arrives late at times, and in order. */
  #toClient(wire: Wire, msecs: Msecs, arrives: () => void): void {
    const lagMsecs = this.#random() * (this.#settings.lagMsecs ?? 0);
    wire.heardAt = Math.max(wire.heardAt, this.now + msecs + lagMsecs);
    this.#after(wire.heardAt - this.now, arrives);
  }
}
