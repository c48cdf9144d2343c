/**
 * One warning for lanes that become saturated: it names one, says what to change, and comes at most once a minute.
 */
import type { Msecs } from "../core/clock.ts";
import type { Saturation } from "../core/saturation.ts";

const apartMsecs: Msecs = 60_000;
const listen =
  'Listen to the client\'s events "saturated" and "relieved" to act on it; saturationMsecs sets the limit.';

/** The warnings of one client. */
export class SaturationWarning {
  #warnedAt = Number.NEGATIVE_INFINITY;
  /** Lanes since the last warning that had none of their own. */
  #untold = 0;

  /** A lane has become saturated. Emits the warning `KEEPLINE_SATURATED`, or counts it. */
  saturated(lane: Saturation, now: Msecs): void {
    if (now - this.#warnedAt < apartMsecs) {
      this.#untold++;
      return;
    }
    const others = this.#untold === 0 ? "" : `; ${this.#untold} more since the last warning`;
    this.#warnedAt = now;
    this.#untold = 0;
    process.emitWarning(`${describeSaturation(lane)}${others}`, {
      type: "KeeplineWarning",
      code: "KEEPLINE_SATURATED",
      detail: `${adviceFor(lane)}\n${listen}`,
    });
  }
}

/** What is the matter, in numbers. */
export function describeSaturation(saturation: Saturation): string {
  const { origin, service, lane, pending, waitedMsecs, refused } = saturation;
  const { open, limit, limitName, serviceMsecs } = saturation;
  const waits =
    pending === 0
      ? "it refuses requests"
      : `${pending} requests wait, the longest for ${Math.round(waitedMsecs)} ms`;
  const held =
    serviceMsecs === null ? "" : `; each holds a socket for about ${Math.round(serviceMsecs)} ms`;
  const refusals = refused === 0 ? "" : `; refused or timed out so far: ${refused}`;
  return `lane ${lane} of service ${service} is saturated at ${origin}: ${waits} (open ${open}/${limit} ${limitName})${held}${refusals}`;
}

/** What to change. */
export function adviceFor({ open, limit, limitName, service, lane, refused }: Saturation): string {
  const bound = refused > 0 ? "" : " maxPending, queueTimeoutMsecs and shedLate bound what waits.";
  return open < limit && !limitName.includes("reserve")
    ? "No limit is reached: connections to this origin fail, or open slowly."
    : limitName.includes("reserve")
      ? `Reserve less for other lanes, or raise the limit that they reserve of.`
      : `Raise ${limitName === "maxSockets" ? `maxSockets of service ${service}` : limitName}, or send less at once in lane ${lane}.${bound}`;
}
