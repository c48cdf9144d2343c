/**
 * One direction of a proxied connection, as stages that pieces pass in order: the source that is read, the
 * delay line, the gate where faults act, the outlet that writes. Invariant: what is held between source
 * and outlet is bounded, because the source is not read while it is too much.
 */
import type { Socket } from "node:net";
import type { Msecs, Random } from "../core/clock.ts";
import type { End } from "./faults.ts";
import { Gate } from "./gate.ts";
import { Outlet } from "./outlet.ts";

/** What passes: bytes, in writes of at most `splitBytes` where that is not 0, or how the sender ended. */
export type Piece =
  | { readonly kind: "bytes"; readonly bytes: Buffer; readonly splitBytes: number }
  | { readonly kind: "fin" }
  | { readonly kind: "reset" };

/** One stage of a wire. */
export interface Stage {
  take(piece: Piece): void;
}

/** How slow the network is, each way. */
export interface Latency {
  readonly delayMsecs: Msecs;
  /** Up to so much is added for each piece. */
  readonly jitterMsecs: Msecs;
  readonly random: Random;
}

/** FIN, for all wires. */
export const fin: Piece = { kind: "fin" };
/** RST, for all wires. */
export const reset: Piece = { kind: "reset" };

/** As much as a TCP window has: no more is held in one direction. */
const mostHeldBytes = 262_144;
/** What a held piece costs besides its bytes. */
const pieceCostBytes = 128;

/** Counts what a wire holds, and stops reading the source while it is too much. */
export class Held {
  readonly #source: Socket;
  #bytes = 0;
  #isPaused = false;

  constructor(source: Socket) {
    this.#source = source;
  }

  add(bytes: number): void {
    this.#bytes += bytes + pieceCostBytes;
  }

  /** Part of a piece has left, or all of it (`isWhole`). */
  remove(bytes: number, isWhole: boolean): void {
    this.#bytes -= isWhole ? bytes + pieceCostBytes : bytes;
    if (!this.#isPaused || this.#bytes > mostHeldBytes / 2) return;
    this.#isPaused = false;
    this.#source.resume();
  }

  /** Called when everything was passed on that can be. */
  settle(): void {
    if (this.#isPaused || this.#bytes < mostHeldBytes) return;
    this.#isPaused = true;
    this.#source.pause();
  }
}

/** Hands each piece on when it and those before it have been under way for long enough. */
class DelayLine implements Stage {
  readonly #latency: Latency;
  readonly #next: Stage;
  readonly #queue: { readonly piece: Piece; readonly dueAt: Msecs }[] = [];
  readonly #isInstant: boolean;
  #timer: NodeJS.Timeout | null = null;

  constructor(latency: Latency, next: Stage) {
    this.#latency = latency;
    this.#isInstant = latency.delayMsecs === 0 && latency.jitterMsecs === 0;
    this.#next = next;
  }

  take(piece: Piece): void {
    if (this.#isInstant) {
      this.#next.take(piece);
      return;
    }
    const { delayMsecs, jitterMsecs, random } = this.#latency;
    const extraMsecs = jitterMsecs === 0 ? 0 : random() * jitterMsecs;
    const dueAt = performance.now() + delayMsecs + extraMsecs;
    this.#queue.push({ piece, dueAt });
    if (this.#timer === null) this.#arm(dueAt);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#queue.length = 0;
  }

  #arm(dueAt: Msecs): void {
    const msecs = Math.max(1, Math.ceil(dueAt - performance.now()));
    this.#timer = setTimeout(this.#deliver, msecs);
  }

  readonly #deliver = (): void => {
    this.#timer = null;
    // A timer may fire a part of a millisecond early: the clock decides.
    const now = performance.now();
    for (;;) {
      const first = this.#queue[0];
      if (first === undefined) return;
      if (first.dueAt > now) break;
      this.#queue.shift();
      this.#next.take(first.piece);
    }
    const first = this.#queue[0];
    if (first !== undefined && this.#timer === null) this.#arm(first.dueAt);
  };
}

/** One direction of a proxied connection. */
export class Wire {
  readonly gate: Gate;
  readonly #outlet: Outlet;
  readonly #line: DelayLine;
  readonly #first: Stage;
  readonly #held: Held;

  /** Forwards from `source` toward the end `toward`, which is `sink`. Begins at once. */
  constructor(source: Socket, sink: Socket, toward: End, latency: Latency) {
    this.#held = new Held(source);
    this.#outlet = new Outlet(sink, this.#held);
    // The gate is at the server's end of the line.
    if (toward === "client") {
      this.#line = new DelayLine(latency, this.#outlet);
      this.gate = new Gate(this.#line, this.#held);
      this.#first = this.gate;
    } else {
      this.gate = new Gate(this.#outlet, this.#held);
      this.#line = new DelayLine(latency, this.gate);
      this.#first = this.#line;
    }
    source.on("data", (bytes: Buffer) => {
      this.#held.add(bytes.length);
      this.#first.take({ kind: "bytes", bytes, splitBytes: 0 });
      this.#held.settle();
    });
    source.on("end", () => this.#first.take(fin));
  }

  /** The source's connection broke: the sink's will, when that has crossed the network. */
  sourceBroke(): void {
    this.#first.take(reset);
  }

  /** True when the sink was broken by this wire. */
  get hasBrokenSink(): boolean {
    return this.#outlet.hasReset;
  }

  /** Drops what is held. */
  stop(): void {
    this.#line.stop();
    this.gate.shut();
    this.#outlet.stop();
  }
}
