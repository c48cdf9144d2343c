/**
 * Who looks on: told of every transition when it has just been made, by the core and by its driver alike.
 * Invariant: an observer changes nothing, and calls nothing of the core. Where nobody looks on there is none, so that a
 * transition pays for a comparison with null and nothing is made for it.
 */
import type { Msecs } from "./clock.ts";
import type { Connection } from "./connection.ts";
import type { PendingRequest } from "./pending.ts";
import type { Pool } from "./pool.ts";
import type { DialFacts } from "./port.ts";
import type { RetireReason } from "./retire.ts";
import type { Saturation } from "./saturation.ts";
import type { TuningChange } from "./tuner.ts";

/** The head of a response, as an observer is shown it. */
export interface ObservedHead {
  readonly statusCode: number;
  readonly statusText: string;
  /** Names and values in turn, as received. */
  readonly rawHeaders: readonly string[];
}

/** A body that nobody reads, when it is reported. */
export interface ObservedLeak {
  readonly connectionId: number;
  /** How long nobody has read. */
  readonly msecs: Msecs;
  readonly heldBytes: number;
  /** The stack of its request; null when it was not noted. */
  readonly frames: string | null;
}

/** Looks on. Of each request it is told `created` once, and `ended` or `failed` once after that. */
export interface Observer<R extends PendingRequest, T> {
  /** `request` asks `pool` for a connection, for the first time. */
  created(request: R, pool: Pool<R, T>, now: Msecs): void;
  /** It waits, as there was no connection for it: for the first time, or when it is sent again. */
  queued(request: R, now: Msecs): void;
  /** It has the lease of `connection`. */
  granted(request: R, connection: Connection<R, T>, now: Msecs): void;
  /** Its last byte was handed to the socket. Not told when the response came first, nor of sockets that somebody else writes to. */
  sent(request: R, now: Msecs): void;
  /** The response has begun. `head` null: its first bytes came, and somebody else reads them. */
  responded(request: R, head: ObservedHead | null, now: Msecs): void;
  /** Its connection failed, is retired, and the request is sent again. `isWritten`: a byte of it may have reached the server. */
  resent(request: R, failed: Connection<R, T>, isWritten: boolean, now: Msecs): void;
  /** The response has come to its end. The program may still have to read it. */
  ended(request: R, now: Msecs): void;
  /** It is over before its end. `error` is what the program is told; null when that asked for no more itself. */
  failed(request: R, error: unknown, now: Msecs): void;
  /** Nobody reads the body of its response. */
  leaked(request: R, leak: ObservedLeak, now: Msecs): void;
  /** A dial begins. */
  dialing(connection: Connection<R, T>, now: Msecs): void;
  /** The dial has succeeded. */
  opened(connection: Connection<R, T>, facts: DialFacts, now: Msecs): void;
  /** Nobody needs the connection now. */
  rested(connection: Connection<R, T>, now: Msecs): void;
  /** The connection is closed; its state tells what it was in. Told before those are who had it. */
  retired(connection: Connection<R, T>, reason: RetireReason, now: Msecs): void;
  /** A lane has become saturated, or is not any more. */
  saturation(change: "saturated" | "relieved", lane: Saturation, now: Msecs): void;
  /** Tuning has moved an option of a service. */
  tuned(change: TuningChange, now: Msecs): void;
}
