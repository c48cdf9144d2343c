/**
 * How long an idle connection may be used: the smallest of what the user allows and what the server
 * is known to keep. Invariant: a connection is never taken at or after its deadline, by the clock.
 */
import type { Msecs } from "./clock.ts";
import type { RetireReason } from "./retire.ts";

/**
 * The window of one connection in ms; 0 or less means: do not keep it.
 *
 * @param keepAliveMsecs The user's limit.
 * @param hintMsecs `Keep-Alive: timeout=N` of the last response; null when the server did not say.
 * @param roundTripMsecs Round trip time as the TCP handshake showed it; 0 when unknown.
 */
export function idleWindowMsecs(
  keepAliveMsecs: Msecs,
  hintMsecs: Msecs | null,
  roundTripMsecs: Msecs,
): Msecs {
  if (hintMsecs === null) return keepAliveMsecs;
  return Math.min(keepAliveMsecs, hintMsecs - hintMarginMsecs(hintMsecs, roundTripMsecs));
}

/** Which of the two limits the window is: the reason for which its end retires the connection. */
export function idleWindowReason(keepAliveMsecs: Msecs, windowMsecs: Msecs): RetireReason {
  return windowMsecs < keepAliveMsecs ? "idle-window" : "idle-timeout";
}

/**
 * The server starts its idle clock when it sends the last byte and must have our next request before it
 * ends, so a full round trip lies between its window and ours. The rest of the margin covers timers that
 * fire late on a busy machine, on both sides: a fifth of the hint, from 100 ms to 1 s.
 */
function hintMarginMsecs(hintMsecs: Msecs, roundTripMsecs: Msecs): Msecs {
  return Math.min(Math.max(hintMsecs / 5, 100), 1_000) + roundTripMsecs;
}
