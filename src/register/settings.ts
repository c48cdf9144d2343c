/**
 * The options of the client that `keepline/register` installs: from a config file, and over it from `KEEPLINE_*`
 * variables. What is not allowed is refused with the name of the file or variable it came from.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { type ClientOptions, liveRules } from "../client/options.ts";
import { InvalidOptionError } from "../core/errors.ts";
import { invalidOption, nearest, type Rule } from "../core/rules.ts";

/** The variables of a process, as `process.env` has them. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** An address and a TCP port to listen on. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

/** Options, and where they came from. */
export interface Settings {
  readonly options: ClientOptions;
  /** The config file; null when there is none. */
  readonly file: string | null;
  /** `NAME=value` of each variable that set an option. */
  readonly variables: readonly string[];
  /** Where KEEPLINE_DASHBOARD wants a dashboard; null for none. */
  readonly dashboard: Place | null;
  /** The file to which KEEPLINE_RECORD wants requests recorded; null for none. */
  readonly record: string | null;
  /** Variables that look as if they were meant to set something, and did not. */
  readonly doubts: readonly string[];
}

/** Looked for in this order in the working directory, unless KEEPLINE_CONFIG names a file. */
const fileNames = ["js", "mjs", "cjs", "json"].map((ending) => `keepline.config.${ending}`);
const otherVariables = [
  "KEEPLINE_CONFIG",
  "KEEPLINE_VERBOSE",
  "KEEPLINE_DASHBOARD",
  "KEEPLINE_RECORD",
];

const prefix = "KEEPLINE_";
/** What can be changed live has a variable: `maxSockets` is KEEPLINE_MAX_SOCKETS. */
const rowsByVariable = new Map<string, { readonly option: string; readonly rule: Rule<unknown> }>(
  Object.entries(liveRules).map(([option, rule]) => {
    const words = option.replace(/[A-Z]/g, (letter) => `_${letter}`);
    return [`${prefix}${words.toUpperCase()}`, { option, rule }];
  }),
);

/**
 * Options for the process with these `variables`, whose working directory is `folder`.
 *
 * @throws InvalidOptionError when a variable has a value that is not allowed, or a config file cannot be read.
 */
export function readSettings(variables: Variables, folder: string): Settings {
  const file = findFile(variables, folder);
  const options: Record<string, unknown> = file === null ? {} : { ...readConfig(file) };
  const used: string[] = [];
  const doubts: string[] = [];
  for (const [name, text] of Object.entries(variables)) {
    if (!name.startsWith(prefix) || text === undefined || text === "") continue;
    const row = rowsByVariable.get(name);
    if (row !== undefined) {
      options[row.option] = parse(name, text, row.rule);
      used.push(`${name}=${text}`);
    } else if (!otherVariables.includes(name)) {
      doubts.push(`${name} is no variable of keepline/register${hintFor(name)}`);
    }
  }
  const { KEEPLINE_RECORD: record = "" } = variables;
  return {
    options,
    file,
    variables: used,
    dashboard: readPlace(variables),
    record: record === "" ? null : path.resolve(folder, record),
    doubts,
  };
}

/** @throws InvalidOptionError */
function readPlace({ KEEPLINE_DASHBOARD: text = "" }: Variables): Place | null {
  if (text === "") return null;
  const [, host = "127.0.0.1", digits = ""] =
    /^(?:(\[[^\]]+\]|[^:]+):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits !== "" && port <= 65_535) return { host: host.replace(/^\[|\]$/g, ""), port };
  const allowed = "an address and a port to listen on, as in 127.0.0.1:4700, or a port";
  const fault = { nature: "RangeError", allowed } as const;
  throw invalidOption("KEEPLINE_DASHBOARD", text, fault, "keepline/register");
}

function hintFor(name: string): string {
  const known = [...rowsByVariable.keys(), ...otherVariables];
  const near = nearest(
    known.map((each) => each.slice(prefix.length)),
    name.slice(prefix.length),
  );
  return near === null ? "" : `: did you mean ${prefix}${near}?`;
}

function parse(name: string, text: string, rule: Rule<unknown>): unknown {
  const value = typed(text, typeof rule.default);
  const fault = rule.check(value);
  if (fault !== null) throw invalidOption(name, text, fault, "keepline/register");
  return value;
}

function typed(text: string, type: string): unknown {
  if (type === "number") return text.trim() === "" ? text : Number(text);
  if (type !== "boolean") return text;
  if (text === "true" || text === "1") return true;
  return text === "false" || text === "0" ? false : text;
}

function findFile(variables: Variables, folder: string): string | null {
  const named = variables.KEEPLINE_CONFIG ?? "";
  if (named !== "") return path.resolve(folder, named);
  return fileNames.map((name) => path.join(folder, name)).find((file) => existsSync(file)) ?? null;
}

/**
 * What a config file says. `"Infinity"` in JSON, which has no word for it, is Infinity.
 *
 * @param option What the file was named by, for errors; and `where`, to begin their messages with.
 * @throws InvalidOptionError
 */
export function readConfig(
  file: string,
  option = "KEEPLINE_CONFIG",
  where = "keepline/register",
): object {
  let found: unknown;
  try {
    if (file.endsWith(".json")) {
      const infinite = (_: string, value: unknown): unknown =>
        value === "Infinity" ? Number.POSITIVE_INFINITY : value;
      found = JSON.parse(readFileSync(file, "utf8"), infinite);
    } else {
      // Not import(): that is asynchronous, and what is preloaded by --require must not be.
      const module = createRequire(file)(file);
      found = module?.default ?? module;
    }
  } catch (error) {
    throw unreadable(file, option, where, error);
  }
  if (typeof found === "object" && found !== null && !Array.isArray(found)) return found;
  const fault = {
    nature: "TypeError",
    allowed: "an object with the options of new Client()",
  } as const;
  throw invalidOption(`the value of ${file}`, found, fault, where);
}

function unreadable(
  file: string,
  option: string,
  where: string,
  cause: unknown,
): InvalidOptionError {
  const message = `${where}: ${file} cannot be read: ${cause instanceof Error ? cause.message : cause}`;
  return new InvalidOptionError(option, "RangeError", message, cause);
}
