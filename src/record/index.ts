/**
 * `keepline/record`: records the requests of a client as a trace, which `keepline simulate` and `keepline advise` read.
 */
import type { Writable } from "node:stream";
import { type Client, worldOf } from "../client/client.ts";
import type { Msecs } from "../core/clock.ts";
import { InvalidOptionError } from "../core/errors.ts";
import { duration, type Rules, resolveOptions, wholeNumber } from "../core/rules.ts";
import { mostRecorded, type RecordingEnd } from "../simulate/traces/format.ts";
import { Capture, type CaptureLimits } from "./capture.ts";
import { FileSink, StreamSink } from "./sinks.ts";

export type { RecordingEnd } from "../simulate/traces/format.ts";

/** Where a recording goes, and how long it may become. Whatever limit is reached first ends it: what comes later is not recorded. */
export interface RecordOptions {
  /** A file, which is made anew, for its owner alone to read; or a stream, which is ended with the recording. */
  readonly to: string | URL | Writable;
  /** Requests, at most 1,000,000. Default 100,000: as many as `advise` looks at. */
  readonly maxRequests?: number | undefined;
  /** Size in bytes, the lines that say what is around the client not counted. Default 67,108,864. `Infinity` means no limit. */
  readonly maxBytes?: number | undefined;
  /** Duration in ms. Default `Infinity`: no limit. */
  readonly maxMsecs?: Msecs | undefined;
}

const rules = {
  maxRequests: { default: 100_000, check: wholeNumber(1, mostRecorded), unit: "requests", doc: "" },
  maxBytes: { default: 67_108_864, check: wholeNumber(1, "or Infinity"), unit: "bytes", doc: "" },
  maxMsecs: {
    default: Number.POSITIVE_INFINITY,
    check: duration("above 0"),
    unit: "ms",
    doc: "",
  },
} as const satisfies Rules<CaptureLimits>;

/** A recording under way, or over. */
export class Recording {
  /** Resolves with why it ended, when everything is written. Rejects when it cannot be written: with the error of the file or stream. */
  readonly finished: Promise<RecordingEnd>;
  readonly #capture: Capture;

  /** Made by `record`. */
  constructor(capture: Capture, finished: Promise<RecordingEnd>) {
    this.#capture = capture;
    this.finished = finished;
    // Who does not ask is not told.
    finished.catch(() => {});
  }

  /** Requests that were written down so far; those under way are when they are over, or the recording is. */
  get requestCount(): number {
    return this.#capture.requestCount;
  }

  /** Bytes of their lines. */
  get byteCount(): number {
    return this.#capture.byteCount;
  }

  /** Requests that are missing, since a stream did not take more, or a last line would have been too long. */
  get leftOutCount(): number {
    return this.#capture.leftOutCount;
  }

  /** Why it is over; null while it records. */
  get ended(): RecordingEnd | null {
    return this.#capture.endedFor;
  }

  /** Ends it, if it is not over. Returns `finished`. */
  stop(): Promise<RecordingEnd> {
    this.#capture.end("stopped");
    return this.finished;
  }
}

/**
 * Records the requests that `client` makes from now on, whichever way, until `stop` or a limit. Of each it writes down when it was made, its
 * origin, service and lane, whether it may be sent twice, how long it held its connection, and the code of its error: no path, no header, no body.
 * It does not keep the process alive, and is completed when that exits.
 *
 * @throws InvalidOptionError for what is no client or no option; the error of Node.js when the file cannot be opened.
 */
export function record(client: Client, options: RecordOptions): Recording {
  const where = "record()";
  const world = worldOf(client, where);
  const { to, ...given } = Object(options) as RecordOptions;
  const limits = resolveOptions<CaptureLimits>(rules, given, where);
  const { promise, resolve, reject } = withResolvers();
  const stop = (): void => capture.end("stopped");
  const settle = {
    ended: (ended: RecordingEnd): void => {
      process.off("exit", stop);
      resolve(ended);
    },
    failed: (error: unknown): void => {
      reject(error);
      process.off("exit", stop);
      // Whoever writes is in the middle of it.
      queueMicrotask(stop);
    },
  };
  const sink = isWritable(to)
    ? new StreamSink(to, settle)
    : typeof to === "string" || to instanceof URL
      ? new FileSink(to, settle)
      : null;
  if (sink === null) {
    const words = `${where}: to must be the name of a file, or a stream to write to`;
    throw new InvalidOptionError("to", "TypeError", words);
  }
  const capture = new Capture(world, limits, sink);
  process.on("exit", stop);
  return new Recording(capture, promise);
}

function isWritable(value: unknown): value is Writable {
  return typeof (value as Writable | null | undefined)?.write === "function";
}

function withResolvers() {
  let resolve!: (ended: RecordingEnd) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<RecordingEnd>((...both) => {
    [resolve, reject] = both;
  });
  return { promise, resolve, reject };
}
