/**
 * Reads a trace, whatever format it is in and whatever pieces it comes in, and brings its requests in order.
 * Invariant: a trace of any length takes no more memory than `sortWindow` requests and one line, unless it is a recording: that is bounded by itself.
 */
import type { Msecs, Random } from "../../core/clock.ts";
import { InvalidOptionError } from "../../core/errors.ts";
import { ofType, oneOf, type Rules, resolveOptions, show, wholeNumber } from "../../core/rules.ts";
import { originOf } from "../environment.ts";
import { EventQueue } from "../event-queue.ts";
import type { TraceWorkload } from "../workload.ts";
import { TraceError } from "./error.ts";
import {
  mostRecorded,
  type TraceFormat,
  type TraceHead,
  type TraceRecord,
  type TraceSource,
} from "./format.ts";
import { harRecords } from "./har.ts";
import { LineCutter, longestHar, looksLikeHar, tooLargeHar } from "./lines.ts";
import {
  BadLine,
  clfParser,
  formatOf,
  jsonLogParser,
  keeplineParser,
  type LineParser,
  type Parsed,
  recordOf,
} from "./parse.ts";

interface Options {
  readonly origin: string;
  readonly format: TraceFormat | "auto";
  readonly durationUnit: "s" | "ms" | "us" | "ns" | undefined;
  readonly durationField: string | undefined;
  readonly sortWindow: number;
  readonly badLines: "fail" | "skip";
}

const rules = {
  origin: {
    default: "http://origin.test",
    check: ofType("string", "an origin"),
    unit: null,
    doc: "where requests go",
  },
  format: {
    default: "auto",
    check: oneOf("auto", "keepline", "har", "clf", "json-log"),
    unit: null,
    doc: "what it is",
  },
  durationUnit: {
    default: undefined,
    check: oneOf("s", "ms", "us", "ns"),
    unit: null,
    doc: "of durations",
  },
  durationField: {
    default: undefined,
    check: ofType("string", "the name of a field"),
    unit: null,
    doc: "with the duration",
  },
  sortWindow: {
    default: 65_536,
    check: wholeNumber(1, 10_000_000),
    unit: "requests",
    doc: "held back",
  },
  badLines: {
    default: "fail",
    check: oneOf("fail", "skip"),
    unit: null,
    doc: "that cannot be read",
  },
} as const satisfies Rules<Options>;

/** Origins whose normal form is remembered. */
const mostOrigins = 10_000;

/** A request of a trace. */
export interface ReadRequest extends Parsed {
  /** As `URL` writes it. */
  readonly origin: string;
  /** From 1; of records that are no lines, which one it is. */
  readonly line: number;
}

/** Reads one trace. */
export class TraceReader {
  skippedLines = 0;
  /** Random numbers that were drawn. */
  draws = 0;
  /** What the heads so far say together; null without any. */
  head: TraceHead | null = null;
  readonly #options: Options;
  readonly #where: string;
  readonly #spread: Random;
  readonly #pieces: Iterator<unknown> | AsyncIterator<unknown>;
  readonly #cutter = new LineCutter();
  readonly #held = new EventQueue<ReadRequest>();
  readonly #origins = new Map<string, string>();
  #parser: LineParser | null = null;
  /** Lines of a HAR file; null when it is none. */
  #har: string[] | null = null;
  #harLength = 0;
  #records = 0;
  #isOver = false;
  #lastAt = Number.NEGATIVE_INFINITY;

  /**
   * @param path Of the options of the trace, for messages: as in `workload.`, or empty.
   * @throws InvalidOptionError
   */
  constructor(
    { kind: _, source, ...given }: TraceWorkload,
    random: Random,
    path: string,
    where: string,
  ) {
    const options = resolveOptions<Options>(rules, given, where, path);
    this.#options = { ...options, origin: originOf(options.origin, `${path}origin`, where) };
    this.#where = where;
    this.#spread = () => {
      this.draws++;
      return random();
    };
    this.#pieces = piecesOf(source, `${path}source`, where);
    if (options.format === "har") this.#har = [];
    else if (options.format !== "auto") this.#parser = this.#parserOf(options.format);
  }

  /** Reads until it is known what the trace is, and all of it when it is a recording. */
  async begin(): Promise<void> {
    while (!this.#isOver && this.#records === 0 && this.head === null) await this.#pull();
    while (!this.#isOver && this.head?.isRecording === true) {
      if (this.#records > mostRecorded) {
        const words = `the recording has more than ${mostRecorded} requests, which no recording has`;
        throw new TraceError(null, words);
      }
      await this.#pull();
    }
  }

  /** Reads until `take` has a request, or there are no more; then it is false. */
  async isReady(): Promise<boolean> {
    while (!this.#isOver && this.#held.size <= this.#options.sortWindow) await this.#pull();
    if (this.#records === 0) throw new TraceError(null, "the trace is empty: no request is in it");
    return this.canTake;
  }

  /** Whether `take` has a request without reading on. */
  get canTake(): boolean {
    const { size } = this.#held;
    return this.#isOver ? size > 0 : size > this.#options.sortWindow;
  }

  /** The next request in the order of time, of which there must be one. */
  take(): ReadRequest {
    const at = this.#held.nextAt;
    const request = this.#held.pop();
    if (at < this.#lastAt) throw this.#outOfOrder(at, request.line);
    this.#lastAt = at;
    return request;
  }

  /** No more is read: what the source has open it may close. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  #outOfOrder(at: Msecs, line: number): TraceError {
    const msecs = Math.round(this.#lastAt - at);
    const words = `is ${msecs} ms earlier than requests that lie ${this.#options.sortWindow} before it: sort the trace, or give a larger sortWindow`;
    return new TraceError(line, words);
  }

  /** Reads one piece more. */
  async #pull(): Promise<void> {
    const next = this.#pieces.next();
    const { done, value } =
      next instanceof Promise ? await next : (next as IteratorResult<unknown>);
    if (done === true) {
      this.#isOver = true;
      const line = this.#cutter.end();
      if (line !== null) this.#readLines([line]);
      if (this.#har !== null) this.#readHar(this.#har);
      return;
    }
    if (typeof value === "string" || value instanceof Uint8Array) {
      this.#readLines(this.#cutter.cut(value));
      return;
    }
    if (typeof value !== "object" || value === null) {
      const words = `is ${show(value)}: text, bytes or records are needed`;
      throw new TraceError(this.#records + 1, words);
    }
    this.#readRecord(value as TraceRecord, this.#records + 1);
  }

  #readLines(lines: readonly string[]): void {
    let number = this.#cutter.count - lines.length;
    for (const line of lines) {
      number++;
      if (this.#har !== null) this.#addToHar(line);
      else if (line.length > 1 || line.trim() !== "") this.#readLine(line, number);
    }
  }

  #readLine(line: string, number: number): void {
    if (this.#parser === null && !this.#recognize(line, number)) return;
    try {
      const parsed = this.#parser?.(line) ?? null;
      if (parsed !== null) this.#hold(parsed, number);
    } catch (error) {
      if (!(error instanceof BadLine)) throw error;
      if (this.#options.badLines === "fail") throw new TraceError(number, error.message, error);
      this.skippedLines++;
    }
  }

  /** Finds out what the trace is by its first line. Returns false when that is part of a HAR file. */
  #recognize(line: string, number: number): boolean {
    if (looksLikeHar(line) || /^\s*\{\s*$/.test(line)) {
      this.#har = [];
      this.#addToHar(line);
      return false;
    }
    const format = formatOf(line);
    if (format === null) {
      const words = `is in no known format (JSON Lines of keepline, HAR, Common or Combined Log Format, JSON access log): ${show(line)}`;
      throw new TraceError(number, words);
    }
    this.#parser = this.#parserOf(format);
    return true;
  }

  #parserOf(format: Exclude<TraceFormat, "har">): LineParser {
    switch (format) {
      case "keepline":
        return keeplineParser((head) => {
          this.head = { ...this.head, ...head };
        });
      case "clf":
        return clfParser(this.#options, this.#spread);
      case "json-log":
        return jsonLogParser(this.#options);
    }
  }

  #addToHar(line: string): void {
    this.#harLength += line.length + 1;
    if (this.#harLength > longestHar) {
      throw new TraceError(null, tooLargeHar);
    }
    this.#har?.push(line);
  }

  #readHar(lines: string[]): void {
    let number = 0;
    for (const record of harRecords(lines.join("\n"))) this.#readRecord(record, ++number);
    lines.length = 0;
  }

  #readRecord(record: TraceRecord, number: number): void {
    try {
      this.#hold(recordOf({ ...record }), number);
    } catch (error) {
      if (!(error instanceof BadLine)) throw error;
      if (this.#options.badLines === "fail") throw new TraceError(number, error.message, error);
      this.skippedLines++;
    }
  }

  #hold(parsed: Parsed, line: number): void {
    const origin = this.#originOf(parsed.origin);
    this.#records++;
    this.#held.push(parsed.at, 0, { ...parsed, origin, line });
  }

  #originOf(given: string | undefined): string {
    if (given === undefined) return this.#options.origin;
    const known = this.#origins.get(given);
    if (known !== undefined) return known;
    try {
      const origin = originOf(given, "origin", this.#where);
      if (this.#origins.size < mostOrigins) this.#origins.set(given, origin);
      return origin;
    } catch {
      throw new BadLine(
        `has origin ${show(given)}: one such as "https://api.example.com" is needed`,
      );
    }
  }
}

function piecesOf(
  source: TraceSource,
  path: string,
  where: string,
): Iterator<unknown> | AsyncIterator<unknown> {
  if (typeof source === "string") return [source][Symbol.iterator]();
  if (typeof source === "object" && source !== null) {
    if (source instanceof Uint8Array) return [source][Symbol.iterator]();
    if (Symbol.asyncIterator in source) return source[Symbol.asyncIterator]();
    if (Symbol.iterator in source) return source[Symbol.iterator]();
  }
  const words = `${where}: ${path} must be a stream, text, or records, not ${show(source)}`;
  throw new InvalidOptionError(path, "TypeError", words);
}
