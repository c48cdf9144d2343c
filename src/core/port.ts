/**
 * What the core asks of the world around it, always by a synchronous call. The world answers with events
 * on `Pools`, now or later: `dialed`, `dialFailed`, `released`, `lost`, `tick`.
 */
import type { Msecs } from "./clock.ts";
import type { Connection } from "./connection.ts";
import type { KeeplineError } from "./errors.ts";
import type { PendingRequest } from "./pending.ts";
import type { RetireReason } from "./retire.ts";
import type { Saturation } from "./saturation.ts";
import type { TuningChange } from "./tuner.ts";

/** The driver of the core: sockets in production, a script in tests and simulation. */
export interface Port<R extends PendingRequest, T> {
  /** Open a transport to `connection.pool.origin`, by the pool's route where it has one. */
  dial(connection: Connection<R, T>, now: Msecs): void;
  /** `request` has a lease of `connection`: send it. Ends with `released` or `lost`. */
  grant(request: R, connection: Connection<R, T>, now: Msecs): void;
  /** `request` gets no connection. */
  refuse(request: R, error: KeeplineError): void;
  /** Close the transport. Called once for every connection, also for one that was lost or never opened. */
  retire(connection: Connection<R, T>, reason: RetireReason, now: Msecs): void;
  /** A lane has become saturated, or is not any more. */
  saturation(change: "saturated" | "relieved", lane: Saturation): void;
  /** Tuning has moved an option of a service. */
  tuned(change: TuningChange, now: Msecs): void;
  /** Call `tick` at this instant, instead of at any later one named before. */
  wakeAt(at: Msecs): void;
  /** An event came that cannot be: a defect. Tests throw; production reports and goes on. */
  broken(problem: string): void;
}

/** What a dial brought. Durations are null where the step did not happen. */
export interface DialFacts {
  /** Requests that the connection carries at once: 1 for HTTP/1.1. */
  readonly capacity: number;
  readonly connectMsecs: Msecs | null;
  readonly tlsMsecs: Msecs | null;
  readonly tlsResumed: boolean;
}

/** Asks for open connections ahead of demand; told once. */
export interface Warmer {
  /** Open connections wanted, whatever their state. */
  readonly target: number;
  /** `open`: connections that the origin has now; fewer than `target` when a limit stands against it. */
  ready(open: number): void;
  failed(error: KeeplineError): void;
}
