/**
 * The requests of a trace in memory, some twenty bytes each, to be simulated again and again.
 * Invariant: they are in the order of time.
 */
import type { Msecs } from "../../core/clock.ts";
import type { ReadRequest } from "./reader.ts";

/** What requests may have in common. */
export interface RequestKind {
  readonly origin: string;
  readonly service?: string | undefined;
  readonly lane?: string | undefined;
  readonly method?: string | undefined;
  readonly path?: string | undefined;
  /** The first of them in the trace: from 1. */
  readonly line: number;
}

/** How long the server takes for a request, as far as the trace says. */
export interface Took {
  /** NaN: the trace does not say it. */
  readonly msecs: Msecs;
  /** A round trip is in it. */
  readonly isHeld: boolean;
  /** It may have taken longer. */
  readonly isOpen: boolean;
}

const idempotent = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

const replayable = 1;
const held = 2;
const open = 4;

/** Whether a request of a trace may be sent twice. */
export function isReplayable({ method, isReplayable: told }: ReadRequest): boolean {
  return told ?? (method === undefined || idempotent.has(method));
}

/** What a request of a trace says of its time at the server. */
export function tookOf({ serviceMsecs, heldMsecs, isOver }: ReadRequest): Took {
  const msecs = serviceMsecs ?? heldMsecs ?? Number.NaN;
  return { msecs, isHeld: serviceMsecs === undefined, isOpen: isOver === false };
}

/** Requests that were read. Made by `readTrace`, for `source` of a workload. */
export class TraceRequests {
  #count = 0;
  #at = new Float64Array(1_024);
  #msecs = new Float64Array(1_024);
  #flags = new Uint8Array(1_024);
  #kindOf = new Uint32Array(1_024);
  readonly #kinds: RequestKind[] = [];
  readonly #indexes = new Map<string, number>();
  /** Random numbers that were drawn to read it: a simulation goes on with those that follow. */
  draws = 0;
  /** Lines that could not be read. */
  skippedLines = 0;

  /** How many they are. */
  get count(): number {
    return this.#count;
  }

  /** From the first to the last. */
  get spanMsecs(): Msecs {
    return this.#count === 0 ? 0 : this.at(this.#count - 1) - this.at(0);
  }

  /** Adds one, which is not earlier than those before. */
  add(request: ReadRequest): void {
    const { origin, service, lane, method, path, line } = request;
    const kind = { origin, service, lane, method, path, line };
    this.#add(request.at, kind, tookOf(request), isReplayable(request));
  }

  /** When the request of this index came, in ms of the trace. */
  at(index: number): Msecs {
    return this.#at[index] as Msecs;
  }

  /** Which of `kinds` it is. */
  kindIndex(index: number): number {
    return this.#kindOf[index] as number;
  }

  isReplayable(index: number): boolean {
    return (this.#flagsOf(index) & replayable) !== 0;
  }

  took(index: number): Took {
    const flags = this.#flagsOf(index);
    const msecs = this.#msecs[index] as Msecs;
    return { msecs, isHeld: (flags & held) !== 0, isOpen: (flags & open) !== 0 };
  }

  get kinds(): readonly RequestKind[] {
    return this.#kinds;
  }

  /** How many there are of each service; those without one are of `default`. */
  get services(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (let index = 0; index < this.#count; index++) {
      const { service = "default" } = this.#kinds[this.kindIndex(index)] as RequestKind;
      counts.set(service, (counts.get(service) ?? 0) + 1);
    }
    return counts;
  }

  /** Those of one service alone. */
  ofService(name: string): TraceRequests {
    const chosen = new TraceRequests();
    chosen.draws = this.draws;
    chosen.skippedLines = this.skippedLines;
    for (let index = 0; index < this.#count; index++) {
      const kind = this.#kinds[this.kindIndex(index)] as RequestKind;
      if ((kind.service ?? "default") !== name) continue;
      chosen.#add(this.at(index), kind, this.took(index), this.isReplayable(index));
    }
    return chosen;
  }

  #flagsOf(index: number): number {
    return this.#flags[index] as number;
  }

  #add(at: Msecs, kind: RequestKind, took: Took, mayRepeat: boolean): void {
    if (this.#count === this.#at.length) this.#grow();
    const index = this.#count++;
    this.#at[index] = at;
    this.#msecs[index] = took.msecs;
    this.#flags[index] =
      (mayRepeat ? replayable : 0) | (took.isHeld ? held : 0) | (took.isOpen ? open : 0);
    this.#kindOf[index] = this.#indexOf(kind);
  }

  #indexOf(kind: RequestKind): number {
    const { origin, service = "", lane = "", method = "", path = "" } = kind;
    const key = `${origin}\n${service}\n${lane}\n${method}\n${path}`;
    let index = this.#indexes.get(key);
    if (index === undefined) {
      index = this.#kinds.push(kind) - 1;
      this.#indexes.set(key, index);
    }
    return index;
  }

  #grow(): void {
    const length = 2 * this.#at.length;
    const [at, msecs] = [new Float64Array(length), new Float64Array(length)];
    const [flags, kindOf] = [new Uint8Array(length), new Uint32Array(length)];
    at.set(this.#at);
    msecs.set(this.#msecs);
    flags.set(this.#flags);
    kindOf.set(this.#kindOf);
    [this.#at, this.#msecs, this.#flags, this.#kindOf] = [at, msecs, flags, kindOf];
  }
}
