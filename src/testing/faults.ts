/**
 * What a `FaultProxy` can do to a connection, and when: plain objects, checked when they are given.
 * A fault acts at the server's end of the network: what it sends toward the client takes the proxy's
 * delay to arrive, as anything does that the server sends.
 */
import type { Msecs } from "../core/clock.ts";
import { show } from "../core/rules.ts";

/** One end of a connection. */
export type End = "client" | "server";

/** When a fault happens. Each moment comes once; one that has passed already comes at once. */
export type Moment =
  /** So long after it was set. */
  | { readonly after: "msecs"; readonly msecs: Msecs }
  /** For so long no byte has come from either end, counted from when it was set. */
  | { readonly after: "idle"; readonly msecs: Msecs }
  /** When exactly so many bytes of the connection have been forwarded to the client. */
  | { readonly after: "bytes-to-client"; readonly bytes: number }
  /** When exactly so many bytes of the connection have been forwarded to the server. */
  | { readonly after: "bytes-to-server"; readonly bytes: number }
  /**
   * When the first piece of the request with this number has been forwarded to the server: a whole small
   * request, at least a byte of any. Counted from 1, from when it was set. For plain HTTP without pipelining.
   */
  | { readonly after: "requests"; readonly count: number }
  /**
   * With the last byte of the response with this number, interim responses aside. Counted from 1, from when
   * it was set. For plain HTTP whose responses are valid: others are not counted.
   */
  | { readonly after: "responses"; readonly count: number };

/** What happens to a connection. `toward` is the end that notices. */
export type Fault =
  /**
   * Closes the connection: FIN. Bytes that come after all are dropped, and what follows them is answered
   * with RST. With `toward`, for that end only: the other is told nothing, and not heard any more.
   */
  | { readonly kind: "fin"; readonly toward?: End | "both" }
  /** Breaks the connection: RST. With `toward`, for that end only: the other is told nothing, and not heard any more. */
  | { readonly kind: "reset"; readonly toward?: End | "both" }
  /** FIN toward one end, and nothing more is forwarded to it; the other direction goes on. */
  | { readonly kind: "half-close"; readonly toward: End }
  /** Holds everything, FIN and RST too, for so long or until `resume`. */
  | { readonly kind: "stall"; readonly toward?: End | "both"; readonly msecs?: Msecs }
  /** From now on each write has at most so many bytes, and a turn of the event loop to itself. */
  | { readonly kind: "split"; readonly toward?: End | "both"; readonly bytes: number }
  /** Forwards so many more bytes toward one end, by default the client, and then closes (`fin`) or breaks (`reset`) the connection. */
  | {
      readonly kind: "truncate";
      readonly toward?: End;
      readonly bytes: number;
      readonly by: "fin" | "reset";
    };

/**
 * Checks a moment.
 *
 * @throws TypeError or RangeError
 */
export function checkMoment(moment: Moment): void {
  switch (moment.after) {
    case "msecs":
    case "idle":
      checkMsecs("msecs", moment.msecs);
      return;
    case "bytes-to-client":
    case "bytes-to-server":
      checkCount("bytes", moment.bytes, 0);
      return;
    case "requests":
    case "responses":
      checkCount("count", moment.count, 1);
      return;
    default:
      throw unknown("moment", moment);
  }
}

/**
 * Checks a fault.
 *
 * @throws TypeError or RangeError
 */
export function checkFault(fault: Fault): void {
  switch (fault.kind) {
    case "fin":
    case "reset":
      checkToward(fault.toward ?? "both", "both");
      return;
    case "half-close":
      checkToward(fault.toward, "one");
      return;
    case "stall":
      checkToward(fault.toward ?? "both", "both");
      if (fault.msecs !== undefined) checkMsecs("msecs", fault.msecs);
      return;
    case "split":
      checkToward(fault.toward ?? "both", "both");
      checkCount("bytes", fault.bytes, 1);
      return;
    case "truncate":
      checkToward(fault.toward ?? "client", "one");
      checkCount("bytes", fault.bytes, 0);
      if (fault.by !== "fin" && fault.by !== "reset") {
        throw new TypeError(`by must be "fin" or "reset", not ${show(fault.by)}`);
      }
      return;
    default:
      throw unknown("fault", fault);
  }
}

/**
 * Checks a duration.
 *
 * @throws TypeError or RangeError
 */
export function checkMsecs(name: string, value: unknown): void {
  const allowed = "a finite number of milliseconds of at least 0";
  if (typeof value !== "number" || Number.isNaN(value)) throw notAllowed(TypeError);
  if (value < 0 || value === Number.POSITIVE_INFINITY) throw notAllowed(RangeError);

  function notAllowed(kind: new (message: string) => Error): Error {
    return new kind(`${name} must be ${allowed}, not ${show(value)}`);
  }
}

function checkCount(name: string, value: unknown, least: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= least) return;
  throw new RangeError(`${name} must be a whole number of at least ${least}, not ${show(value)}`);
}

function checkToward(value: unknown, most: "one" | "both"): void {
  if (value === "client" || value === "server" || (value === "both" && most === "both")) return;
  const allowed = most === "one" ? '"client" or "server"' : '"client", "server" or "both"';
  throw new TypeError(`toward must be ${allowed}, not ${show(value)}`);
}

function unknown(what: string, value: never): TypeError {
  const { kind, after } = Object(value) as { kind?: unknown; after?: unknown };
  return new TypeError(`there is no ${what} ${show(kind ?? after)}`);
}
