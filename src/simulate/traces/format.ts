/**
 * What a trace is: its records, the forms in which it may be written, and what a user may say of it.
 */
import type { Msecs } from "../../core/clock.ts";

/** One recorded request. */
export interface TraceRecord {
  /** When it was made: ms since whatever instant, or a date as `Date` reads it. */
  readonly at: Msecs | string;
  /** `protocol://host:port`. The trace's `origin` when absent. */
  readonly origin?: string | undefined;
  /** Default: what the service's `laneFor` says, else `default`. */
  readonly lane?: string | undefined;
  /** Default `GET`. Says whether it may be sent twice. */
  readonly method?: string | undefined;
  /** Path and query, for `laneFor`. Default `/`. */
  readonly path?: string | undefined;
  /** How long the server took, in ms. Drawn as `servers` says when absent. */
  readonly serviceMsecs?: Msecs | undefined;
}

/** `keepline`: JSON Lines of `TraceRecord`. `clf`: Common and Combined Log Format. `json-log`: access logs with one JSON object a line. */
export type TraceFormat = "keepline" | "har" | "clf" | "json-log";

/** The bytes or the text of a trace in pieces of any size, or its records. */
export type TraceSource =
  | string
  | Uint8Array
  | AsyncIterable<Uint8Array | string>
  | Iterable<string>
  | Iterable<TraceRecord>
  | AsyncIterable<TraceRecord>;

/** What may be said of a trace. */
export interface TraceOptions {
  /** Where requests go whose record does not say it. Default `http://origin.test`. */
  readonly origin?: string | undefined;
  /** Unit of durations in access logs, when it is not the usual one of the field. */
  readonly durationUnit?: "s" | "ms" | "us" | "ns" | undefined;
  /** Name of the field with the duration in JSON access logs, dots between levels. Default: one of the usual names. */
  readonly durationField?: string | undefined;
  /** Records that may be held back to bring them in order. Default 65,536. */
  readonly sortWindow?: number | undefined;
  /** Lines that cannot be read are `"fail"`, an error with the number of the line, or `"skip"`, counted in the report. Default `"fail"`. */
  readonly badLines?: "fail" | "skip" | undefined;
}
