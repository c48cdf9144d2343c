/**
 * Reads a `Keep-Alive` response header, as in `timeout=5, max=100` (RFC 2068, section 19.7.1; the
 * parameters were never standardised, so anything else in it is passed over).
 */
import type { Msecs } from "../core/clock.ts";

/** What the server said of how long it keeps the connection. */
export interface KeepAliveHint {
  /** How long it may be idle, in ms; null when not said. */
  readonly timeoutMsecs: Msecs | null;
  /** How many further requests it takes; `Infinity` when not said. */
  readonly furtherRequests: number;
}

const none: KeepAliveHint = { timeoutMsecs: null, furtherRequests: Number.POSITIVE_INFINITY };
/** Servers repeat themselves: the last header seen and what it meant. */
let lastValue = "";
let lastHint = none;

/** Never throws; a parameter that is not a whole number counts as not said. */
export function parseKeepAlive(value: string): KeepAliveHint {
  if (value === lastValue) return lastHint;
  let { timeoutMsecs, furtherRequests } = none;
  for (const parameter of value.split(",")) {
    const [name, text] = parameter.split("=", 2);
    const count = text === undefined ? null : wholeNumber(text.trim().replace(/^"(.*)"$/, "$1"));
    if (count === null) continue;
    switch (name?.trim().toLowerCase()) {
      case "timeout":
        timeoutMsecs = count * 1_000;
        break;
      case "max":
        furtherRequests = count;
        break;
    }
  }
  lastValue = value;
  lastHint = { timeoutMsecs, furtherRequests };
  return lastHint;
}

function wholeNumber(text: string): number | null {
  return /^\d{1,9}$/.test(text) ? Number(text) : null;
}
