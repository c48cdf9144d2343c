/**
 * What a trace is: its records, the forms in which it may be written, and what a user may say of it.
 */
import type { ClientOptions } from "../../client/options.ts";
import type { Msecs } from "../../core/clock.ts";
import type { GivenNetwork, GivenServers } from "../environment.ts";
import type { TraceRequests } from "./requests.ts";

/** One recorded request. */
export interface TraceRecord {
  /** When it was made: ms since whatever instant, or a date as `Date` reads it. */
  readonly at: Msecs | string;
  /** `protocol://host:port`. The trace's `origin` when absent. */
  readonly origin?: string | undefined;
  /** Default: what the service's `laneFor` says, else `default`. */
  readonly lane?: string | undefined;
  /** The service that it belonged to. Not used by simulations, whose `settings` say it; `readTrace` can choose by it. */
  readonly service?: string | undefined;
  /** Default `GET`. Says whether it may be sent twice, unless `isReplayable` does. */
  readonly method?: string | undefined;
  /** Whether it may be sent twice. */
  readonly isReplayable?: boolean | undefined;
  /** Path and query, for `laneFor`. Default `/`. */
  readonly path?: string | undefined;
  /** How long the server took, in ms. Drawn as `servers` says when absent. */
  readonly serviceMsecs?: Msecs | undefined;
  /** In place of `serviceMsecs`: how long it held its connection, in ms. That is the server's time and a round trip. */
  readonly heldMsecs?: Msecs | undefined;
  /** False: when the recording ended it was under way, so it took `heldMsecs` or longer. */
  readonly isOver?: boolean | undefined;
  /** The code or the name of the error that it ended with. Not used by simulations. */
  readonly failure?: string | undefined;
}

/**
 * A line that says what the trace is, and of a recording also what was around the program. Of several the later one wins, field by field;
 * `"Infinity"` in it is Infinity.
 */
export interface TraceHead {
  readonly format: "keepline-trace";
  readonly formatVersion: 1;
  /** The trace was recorded in a program, so its length is bounded and it is read wholly: heads may come at its end, and records in any order. */
  readonly isRecording?: boolean | undefined;
  /** Defaults of the simulation's own. */
  readonly network?: GivenNetwork | undefined;
  readonly servers?: GivenServers | undefined;
  /** What the options of the client were, where they were not the defaults. */
  readonly settings?: ClientOptions | undefined;
  /** In the last line: why the recording ended, what is in it, and what could not be written. */
  readonly ended?: RecordingEnd | undefined;
  readonly requests?: number | undefined;
  readonly leftOut?: number | undefined;
}

/** Requests of a recording, at most. */
export const mostRecorded = 1_000_000;

/** Why a recording ended: it was stopped, its time was over, or it had as many requests or bytes as it may have. */
export type RecordingEnd = "stopped" | "time" | "requests" | "bytes";

/** `keepline`: JSON Lines of `TraceRecord`. `clf`: Common and Combined Log Format. `json-log`: access logs with one JSON object a line. */
export type TraceFormat = "keepline" | "har" | "clf" | "json-log";

/** The bytes or the text of a trace in pieces of any size, its records, or what `readTrace` has read. */
export type TraceSource =
  | string
  | Uint8Array
  | AsyncIterable<Uint8Array | string>
  | Iterable<string>
  | Iterable<TraceRecord>
  | AsyncIterable<TraceRecord>
  | TraceRequests;

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
