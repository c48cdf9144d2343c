/**
 * One line of each format that has a request a line. What is wrong is thrown as a string, to be read after "line N of
 * the trace": only the caller knows the number.
 */
import type { Msecs } from "../../core/clock.ts";
import { show } from "../../core/rules.ts";
import type { TraceFormat, TraceHead, TraceOptions } from "./format.ts";

/** A record whose time is a number. */
export interface Parsed {
  readonly at: Msecs;
  readonly origin?: string | undefined;
  readonly lane?: string | undefined;
  readonly method?: string | undefined;
  readonly path?: string | undefined;
  readonly serviceMsecs?: Msecs | undefined;
  readonly service?: string | undefined;
  readonly isReplayable?: boolean | undefined;
  readonly heldMsecs?: Msecs | undefined;
  readonly isOver?: boolean | undefined;
}

/** What is wrong with a line. */
export class BadLine extends Error {}

/** Null: the line says nothing of a request. */
export type LineParser = (line: string) => Parsed | null;

/** ms in each unit. */
const units = { s: 1_000, ms: 1, us: 1 / 1_000, ns: 1 / 1_000_000 } as const;
const longestServiceMsecs: Msecs = 86_400_000;

/** The format that a line is in; null when it is none. */
export function formatOf(line: string): Exclude<TraceFormat, "har"> | null {
  if (clfLine.test(line)) return "clf";
  if (!line.trimStart().startsWith("{")) return null;
  try {
    const value = JSON.parse(line) as Record<string, unknown>;
    return value.format === "keepline-trace" || value.at !== undefined ? "keepline" : "json-log";
  } catch {
    return "keepline"; // to be refused as cut off
  }
}

/** Reads keepline's own lines: see `recordOf`. `onHead` is told of each line that says what the trace is. */
export function keeplineParser(onHead: (head: TraceHead) => void): LineParser {
  return (line) => {
    const value = jsonOf(line);
    if (value.format === undefined) return recordOf(value);
    if (value.format === "keepline-trace" && value.formatVersion === 1) {
      onHead(headOf(value));
      return null;
    }
    const { format, formatVersion } = value;
    throw new BadLine(
      `is the head of format ${show(format)} ${show(formatVersion)}; known is "keepline-trace" 1`,
    );
  };
}

/** What is in `network`, `servers` and `settings` is checked where it is used, as if a program had given it. */
function headOf(value: Record<string, unknown>): TraceHead {
  for (const name of ["network", "servers", "settings"]) {
    const each = value[name];
    if (each === undefined || (typeof each === "object" && each !== null && !Array.isArray(each))) {
      continue;
    }
    throw new BadLine(`has ${name} ${show(each)}: an object is needed`);
  }
  return withInfinity(value) as TraceHead;
}

function withInfinity(value: unknown): unknown {
  if (value === "Infinity") return Number.POSITIVE_INFINITY;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withInfinity);
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, withInfinity(each)]),
  );
}

/** Checks a record, also one that is no text. */
export function recordOf(value: Record<string, unknown>): Parsed {
  const { at, origin, lane, method, path, service, serviceMsecs, heldMsecs } = value;
  const { isReplayable, isOver } = value;
  for (const [name, each] of Object.entries({ origin, lane, method, path, service })) {
    if (each !== undefined && typeof each !== "string") {
      throw new BadLine(`has ${name} ${show(each)}: a string is needed`);
    }
  }
  for (const [name, each] of Object.entries({ isReplayable, isOver })) {
    if (each !== undefined && typeof each !== "boolean") {
      throw new BadLine(`has ${name} ${show(each)}: true or false is needed`);
    }
  }
  return {
    at: instantOf(at, "at"),
    origin: origin as string | undefined,
    lane: lane as string | undefined,
    method: method as string | undefined,
    path: path as string | undefined,
    service: service as string | undefined,
    isReplayable: isReplayable as boolean | undefined,
    isOver: isOver as boolean | undefined,
    serviceMsecs: maybeDurationOf(serviceMsecs, "serviceMsecs"),
    heldMsecs: maybeDurationOf(heldMsecs, "heldMsecs"),
  };
}

function maybeDurationOf(value: unknown, name: string): Msecs | undefined {
  return value === undefined ? undefined : durationOf(value, name, 1);
}

const clfLine =
  /^\S+ \S+ .*?\[(\d\d)\/(\w{3})\/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})\] "((?:[^"\\]|\\.)*)" (?:\d{3}|-) (?:\d+|-)(.*)$/;
const refererAndAgent = /^ "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*"/;
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/**
 * Reads Common and Combined Log Format, with a duration as the first number that follows. A number with a
 * point is seconds and the line was written at the end, as nginx does (`$request_time`); one without is microseconds, and
 * the time is that of the beginning, as Apache has it (`%D`). Times have whole seconds: `spread` says where in the second.
 */
export function clfParser(options: TraceOptions, spread: () => number): LineParser {
  return (line) => {
    const parts = clfLine.exec(line);
    if (parts === null) throw new BadLine("is not in Common or Combined Log Format");
    const [, day, month = "", year, hour, minute, second, zone = "", request = "", rest = ""] =
      parts;
    const monthIndex = months.indexOf(month);
    if (monthIndex === -1) throw new BadLine(`has the month ${show(month)}`);
    const utc = Date.UTC(
      Number(year),
      monthIndex,
      Number(day),
      Number(hour),
      Number(minute),
      Number(second),
    );
    const zoneMinutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3));
    const writtenAt = utc - (zone.startsWith("-") ? -1 : 1) * zoneMinutes * 60_000;
    const tail = rest.replace(refererAndAgent, "");
    const text = /\s(?:\w+[=:])?"?(\d+(?:\.\d+)?)"?(?=\s|$)/.exec(tail)?.[1];
    const [method, path] = request.split(" ");
    const at = writtenAt + Math.floor(spread() * 1_000);
    if (text === undefined) return { at, method, path };
    const isEnd = text.includes(".");
    const unit = units[options.durationUnit ?? (isEnd ? "s" : "us")];
    const serviceMsecs = durationOf(Number(text), "its duration", unit);
    return { at: isEnd ? at - serviceMsecs : at, method, path, serviceMsecs };
  };
}

interface Field {
  readonly name: string;
  readonly unit: keyof typeof units;
}

/** Usual names of durations, with their units. */
const durationFields: readonly Field[] = [
  { name: "request_time", unit: "s" },
  { name: "duration_ms", unit: "ms" },
  { name: "durationMs", unit: "ms" },
  { name: "latency_ms", unit: "ms" },
  { name: "latencyMs", unit: "ms" },
  { name: "elapsed_ms", unit: "ms" },
  { name: "responseTime", unit: "ms" },
  { name: "response_time_ms", unit: "ms" },
  { name: "duration", unit: "s" },
  { name: "Duration", unit: "ns" },
];
/** Usual names of times: of those that say when a request began, and of those that say when it ended. */
const startFields = ["StartUTC", "start_time", "startTime", "started_at"];
const endFields = ["time_iso8601", "msec", "timestamp", "@timestamp", "time", "ts", "date"];
const methodFields = ["method", "request_method", "request.method", "req.method", "RequestMethod"];
const pathFields = ["path", "uri", "request_uri", "request.uri", "req.url", "RequestPath"];

/** Reads access logs with one JSON object a line, by the usual names of fields: of nginx, Caddy, Traefik, pino and others. */
export function jsonLogParser(options: TraceOptions): LineParser {
  const { durationField, durationUnit } = options;
  return (line) => {
    const value = jsonOf(line);
    const startedAt = firstOf(value, startFields);
    const time = startedAt ?? firstOf(value, endFields);
    if (time === undefined) {
      throw new BadLine(`has no time: looked for ${[...startFields, ...endFields].join(", ")}`);
    }
    let serviceMsecs: Msecs | undefined;
    const fields: readonly Field[] =
      durationField === undefined
        ? durationFields
        : [{ name: durationField, unit: durationUnit ?? "ms" }];
    for (const { name, unit } of fields) {
      const found = fieldOf(value, name);
      if (found === undefined || found === "" || found === "-") continue;
      const ms = units[durationUnit ?? unit];
      serviceMsecs = durationOf(typeof found === "string" ? Number(found) : found, name, ms);
      break;
    }
    const at = logInstantOf(time);
    const method = textOf(firstOf(value, methodFields));
    const path = textOf(firstOf(value, pathFields));
    return {
      at: startedAt === undefined ? at - (serviceMsecs ?? 0) : at,
      method,
      path,
      serviceMsecs,
    };
  };
}

function firstOf(value: Record<string, unknown>, names: readonly string[]): unknown {
  for (const name of names) {
    const found = fieldOf(value, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function fieldOf(value: Record<string, unknown>, name: string): unknown {
  if (Object.hasOwn(value, name)) return value[name];
  let found: unknown = value;
  for (const part of name.split(".")) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, part))
      return undefined;
    found = (found as Record<string, unknown>)[part];
  }
  return found;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function jsonOf(line: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    const isCut = line.trimStart().startsWith("{") && !line.trimEnd().endsWith("}");
    throw new BadLine(isCut ? "ends within its JSON object: was it cut off?" : "is no JSON");
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new BadLine(`is ${show(value)}, and no JSON object`);
}

/** A time in ms, or a date. Epochs in other units are told by their size. */
function instantOf(value: unknown, name: string): Msecs {
  if (typeof value === "string") return dateOf(value, name);
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw new BadLine(`has ${name} ${show(value)}: a number of milliseconds or a date is needed`);
  }
  if (value >= 1e9 && value < 5e9) throw wrongUnit(name, value, "seconds since 1970");
  if (value >= 1e14 && value < 1e17) throw wrongUnit(name, value, "microseconds since 1970");
  if (value >= 1e17) throw wrongUnit(name, value, "nanoseconds since 1970");
  if (value < 0) throw new BadLine(`has ${name} ${value}: it must be at least 0`);
  return value;
}

function wrongUnit(name: string, value: number, unit: string): BadLine {
  return new BadLine(`has ${name} ${value}, which looks like ${unit}: milliseconds are needed`);
}

/** As logs have times: a date, or seconds, ms, µs or ns since 1970, which their size tells apart. */
function logInstantOf(value: unknown): Msecs {
  const number = typeof value === "string" && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value;
  if (typeof number === "string") return dateOf(number, "its time");
  if (typeof number !== "number" || !(number >= 0))
    throw new BadLine(`has the time ${show(value)}`);
  if (number < 1e11) return number * 1_000;
  if (number < 1e14) return number;
  return number < 1e17 ? number / 1_000 : number / 1_000_000;
}

function dateOf(text: string, name: string): Msecs {
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new BadLine(`has ${name} ${show(text)}, which is no date`);
  return at;
}

function durationOf(value: unknown, name: string, unit: number): Msecs {
  if (typeof value !== "number" || !(value >= 0) || value === Number.POSITIVE_INFINITY) {
    throw new BadLine(`has ${name} ${show(value)}: a number of at least 0 is needed`);
  }
  const msecs = value * unit;
  if (msecs <= longestServiceMsecs) return msecs;
  throw new BadLine(
    `has ${name} ${value}, which would be ${msecs} ms, more than a day: is it in another unit?`,
  );
}
