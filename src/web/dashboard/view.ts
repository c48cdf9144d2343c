/**
 * What the reader has chosen: which time is shown, which pool, and what is filtered.
 */
import type { PoolUpdate } from "../../dashboard/messages.ts";

/** A time on the axis of all charts, in ms since 1970. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Everything that is chosen. */
export interface View {
  /** Length of the time that is shown when it follows the present. */
  readonly spanMsecs: number;
  /** A time that was selected, or that was the present when it was paused; null follows the present. */
  readonly fixed: Range | null;
  readonly filter: string;
  /** Id of the chosen pool; null shows the busiest. */
  readonly pool: number | null;
}

/** At the beginning. */
export const firstView: View = { spanMsecs: 60_000, fixed: null, filter: "", pool: null };

/** The times that can be chosen. */
export const spans = [
  { msecs: 15_000, name: "15 seconds" },
  { msecs: 60_000, name: "1 minute" },
  { msecs: 300_000, name: "5 minutes" },
] as const;

/** Whether a pool has the text of the filter in its name: every word of it, somewhere. */
export function matches({ client, service, origin, lanes }: PoolUpdate, filter: string): boolean {
  const text = [client, service, origin, ...lanes.map(({ name }) => name)].join(" ").toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** 12345 → 12,345; 3.14159 → 3.1; "–" for null. */
export function number(value: number | null): string {
  if (value === null) return "–";
  const digits = value !== 0 && Math.abs(value) < 10 && !Number.isInteger(value) ? 1 : 0;
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}

/** 0.42 ms, 22 ms, 2.3 s; "–" for null. */
export function time(msecs: number | null): string {
  if (msecs === null) return "–";
  if (msecs >= 60_000) return `${number(msecs / 60_000)} min`;
  if (msecs >= 1_000) return `${number(msecs / 1_000)} s`;
  return msecs !== 0 && msecs < 1 ? `${msecs.toFixed(2)} ms` : `${number(msecs)} ms`;
}

/** 99.1 %; a share is 100 % only when it is whole. */
export function percent(share: number | null): string {
  if (share === null) return "–";
  const rounded = Math.round(share * 1_000) / 10;
  return `${(share < 1 ? Math.min(rounded, 99.9) : rounded).toFixed(1)} %`;
}

/** The time of day, to the second. */
export function clock(at: number): string {
  return new Date(at).toLocaleTimeString("en-GB");
}
