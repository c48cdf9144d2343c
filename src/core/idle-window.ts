/**
 * How long an idle connection may be used: the smallest of what the user allows, what the server says and
 * what was learned of it. Pure arithmetic; what was learned is in `IdleHistory`.
 * Invariant: a connection is never taken at or after its deadline, by the clock.
 */
import type { Msecs } from "./clock.ts";

/** What is known of how long a server keeps an idle connection. */
export interface IdleKnowledge {
  /** The user's limit, `keepAliveMsecs`. */
  readonly keepAliveMsecs: Msecs;
  /** `Keep-Alive: timeout=N` of the last response; null when the server did not say. */
  readonly hintMsecs: Msecs | null;
  /** The idle time at which the server was seen to close; null when it was not, or at any time. */
  readonly learnedMsecs: Msecs | null;
  /** From a request to its response, less the server's own time; 0 when unknown. */
  readonly roundTripMsecs: Msecs;
}

/** An idle time up to which a server of which nothing is known is trusted to keep a connection. */
const trustedMsecs: Msecs = 25;

/** From this idle time on a connection is looked at before a request goes out on it: see `needsLook`. */
const lookMsecs: Msecs = 1_000;
const lookUnlessReplayableMsecs: Msecs = 50;

/** The window of one connection in ms; 0 or less means: do not keep it. */
export function idleWindowMsecs(known: IdleKnowledge): Msecs {
  return Math.min(known.keepAliveMsecs, hintedWindowMsecs(known), learnedWindowMsecs(known));
}

/**
 * The window for a request that must not be sent twice: well inside of what the server is known to keep.
 *
 * @param strictMsecs As `learnedMsecs`, believing also what was seen only once.
 * @param provenMsecs The longest idle time after which a connection was seen open.
 */
export function strictWindowMsecs(
  known: IdleKnowledge,
  strictMsecs: Msecs | null,
  provenMsecs: Msecs,
): Msecs {
  const margin = pathMsecs(known, provenMsecs);
  const proven = Math.max((provenMsecs - margin) * 0.9, trustedMsecs);
  const kept = known.hintMsecs === null ? proven : hintedWindowMsecs(known) * 0.8;
  const learned =
    strictMsecs === null
      ? Number.POSITIVE_INFINITY
      : strictMsecs * 0.75 - pathMsecs(known, strictMsecs);
  return Math.min(known.keepAliveMsecs, kept, learned);
}

/**
 * Whether the socket must be looked at, for a turn of the event loop, before a request goes out on a
 * connection that was idle for so long: when the process was suspended or the event loop blocked, the
 * server's close may have arrived and not been read. A request that can be sent again is spared the turn
 * unless the idle time is long.
 */
export function needsLook(idleMsecs: Msecs, isReplayable: boolean): boolean {
  return idleMsecs >= (isReplayable ? lookMsecs : lookUnlessReplayableMsecs);
}

/**
 * The server starts its idle clock when it sends the last byte and must have our next request before it
 * ends, so a full round trip lies between its window and ours. The rest of the margin covers timers that
 * fire late on a busy machine, on both sides: a fifth of the hint, from 100 ms to 1 s.
 */
function hintedWindowMsecs(known: IdleKnowledge): Msecs {
  const { hintMsecs } = known;
  if (hintMsecs === null) return Number.POSITIVE_INFINITY;
  const slack = Math.min(Math.max(hintMsecs / 5, 100), 1_000);
  return hintMsecs - slack - pathMsecs(known, hintMsecs);
}

/** As above; what was measured on this side holds no other machine's clock, so half the slack will do. */
function learnedWindowMsecs(known: IdleKnowledge): Msecs {
  const { learnedMsecs } = known;
  if (learnedMsecs === null) return Number.POSITIVE_INFINITY;
  const slack = Math.min(Math.max(learnedMsecs / 10, 10), 1_000);
  return learnedMsecs - slack - pathMsecs(known, learnedMsecs);
}

/** The round trip to take off a limit. A server that takes long to answer must not pass for a long way. */
function pathMsecs(known: IdleKnowledge, limitMsecs: Msecs): Msecs {
  return Math.min(known.roundTripMsecs, limitMsecs / 4);
}
