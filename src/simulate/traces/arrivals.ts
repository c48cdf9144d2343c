/**
 * Requests from a recorded trace: read as they are needed, and brought in order.
 * Invariant: a trace of any length takes no more memory than `sortWindow` requests and one line.
 */
import type { Msecs, Random } from "../../core/clock.ts";
import { InvalidOptionError } from "../../core/errors.ts";
import { ofType, oneOf, type Rules, resolveOptions, show, wholeNumber } from "../../core/rules.ts";
import type { Arrivals, Batch } from "../arrivals.ts";
import { originOf } from "../environment.ts";
import { EventQueue } from "../event-queue.ts";
import type { Kind } from "../model.ts";
import type { TraceWorkload } from "../workload.ts";
import { TraceError } from "./error.ts";
import type { TraceFormat, TraceRecord, TraceSource } from "./format.ts";
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

/** Where records find what they are a kind of. */
export interface KindFinder {
  readonly where: string;
  /** True when the path of a request may decide its lane. */
  readonly hasLaneChoice: boolean;
  /** @throws InvalidOptionError, InvalidRequestError */
  kindOf(origin: string, lane: string | null, method?: string, path?: string): Kind;
}

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

const idempotent = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/** A request that is held back. */
interface Held {
  readonly kind: Kind;
  /** NaN: as the server has it. */
  readonly serviceMsecs: Msecs;
  readonly line: number;
}

const replayable = 1;

/** The requests of one trace. */
export class TraceArrivals implements Arrivals {
  skippedLines = 0;
  readonly #options: Options;
  readonly #finder: KindFinder;
  readonly #random: Random;
  readonly #beginAt: Msecs;
  readonly #pieces: Iterator<unknown> | AsyncIterator<unknown>;
  readonly #cutter = new LineCutter();
  readonly #held = new EventQueue<Held>();
  readonly #kinds = new Map<string, Kind>();
  #parser: LineParser | null = null;
  /** Lines of a HAR file; null when it is none. */
  #har: string[] | null = null;
  #harLength = 0;
  #records = 0;
  #isOver = false;
  /** The first instant of the trace; NaN while it is not known. */
  #firstAt = Number.NaN;
  #lastAt = Number.NEGATIVE_INFINITY;

  /** @throws InvalidOptionError */
  constructor(
    workload: TraceWorkload,
    finder: KindFinder,
    random: Random,
    beginAt: Msecs,
    path: string,
  ) {
    const { kind: _, source, ...given } = workload;
    const { where } = finder;
    const options = resolveOptions<Options>(rules, given, where, `${path}.`);
    this.#options = { ...options, origin: originOf(options.origin, `${path}.origin`, where) };
    this.#finder = finder;
    this.#random = random;
    this.#beginAt = beginAt;
    this.#pieces = piecesOf(source, `${path}.source`, where);
    if (options.format === "har") this.#har = [];
    else if (options.format !== "auto") this.#parser = this.#parserOf(options.format);
  }

  async fill(batch: Batch): Promise<void> {
    while (!this.#isOver && this.#held.size <= this.#options.sortWindow) await this.#pull();
    if (this.#records === 0) throw new TraceError(null, "the trace is empty: no request is in it");
    const held = this.#held;
    const isOver = this.#isOver;
    while (!batch.isFull && (held.size > this.#options.sortWindow || (isOver && held.size > 0))) {
      const at = held.nextAt;
      const { kind, serviceMsecs, line } = held.pop();
      if (at < this.#lastAt) throw this.#outOfOrder(at, line);
      if (Number.isNaN(this.#firstAt)) this.#firstAt = at;
      this.#lastAt = at;
      const service = Number.isNaN(serviceMsecs)
        ? kind.model.around.service(this.#random)
        : serviceMsecs;
      batch.add(this.#beginAt + (at - this.#firstAt), kind, service, held.code === replayable);
    }
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
        return keeplineParser();
      case "clf":
        return clfParser(this.#options, this.#random);
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

  #hold({ at, origin, lane, method, path, serviceMsecs }: Parsed, line: number): void {
    this.#records++;
    const kind = this.#kindOf(origin, lane, method, path, line);
    const code = method === undefined || idempotent.has(method) ? replayable : 0;
    this.#held.push(at, code, { kind, serviceMsecs: serviceMsecs ?? Number.NaN, line });
  }

  #kindOf(
    origin: string | undefined,
    lane: string | undefined,
    method = "GET",
    path = "/",
    line: number,
  ): Kind {
    const isChosen = lane === undefined && this.#finder.hasLaneChoice;
    const key = `${origin ?? ""} ${lane ?? ""}`;
    const known = isChosen ? undefined : this.#kinds.get(key);
    if (known !== undefined) return known;
    let normal = this.#options.origin;
    if (origin !== undefined) {
      try {
        normal = originOf(origin, "origin", this.#finder.where);
      } catch {
        throw new BadLine(
          `has origin ${show(origin)}: one such as "https://api.example.com" is needed`,
        );
      }
    }
    try {
      const kind = this.#finder.kindOf(normal, lane ?? null, method, path);
      if (!isChosen) this.#kinds.set(key, kind);
      return kind;
    } catch (error) {
      if (!(error instanceof InvalidOptionError) || lane === undefined) throw error;
      throw new TraceError(line, `has a lane that settings do not have: ${error.message}`, error);
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
