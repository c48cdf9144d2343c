/**
 * Options of the client as options of the command line: `maxSockets` is `--max-sockets`. Made from the client's own
 * table, so that both allow the same.
 */
import { type ClientOptions, liveRules } from "../../client/options.ts";
import type { Rule } from "../../core/rules.ts";
import type { Option } from "../options.ts";

/** Those that a load can be tried with, in the order in which help lists them, in fewer words than the README has. */
const docs = {
  keepAlive: "keep connections for reuse",
  keepAliveMsecs: "close a connection that was idle for longer",
  maxSockets: "open sockets per origin",
  maxFreeSockets: "idle sockets kept per origin",
  maxTotalSockets: "open sockets of the whole client",
  maxRequestsPerSocket: "close a connection after so many requests",
  maxSocketAgeMsecs: "close older connections",
  maxPending: "requests per origin that may wait",
  queueTimeoutMsecs: "longest wait for a connection",
  connectTimeoutMsecs: "DNS, TCP and TLS together",
  scheduling: "which idle connection is used: lifo or fifo",
  dialing: "over TLS, dials for waiting requests: eager or patient",
  resend: "requests whose connection failed: safe or never",
} as const satisfies { readonly [name in keyof typeof liveRules]?: string };
const names = Object.keys(docs) as (keyof typeof docs)[];

/** The table: options by their names on the command line. */
export const clientFlags: Readonly<Record<string, Option<unknown>>> = Object.fromEntries(
  names.map((name) => [flagOf(name), optionOf(liveRules[name], docs[name])]),
);

/** The options of the client that were given. */
export function givenClientOptions(given: Readonly<Record<string, unknown>>): ClientOptions {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = given[flagOf(name)];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** A setting of the client in a run. */
export interface Setting {
  readonly name: string;
  readonly value: string;
  /** False for a default. */
  readonly isGiven: boolean;
}

/** All that a load can be tried with, as they were. */
export function clientSettings(given: ClientOptions): Setting[] {
  return names.map((name) => ({
    name,
    value: String(given[name] ?? liveRules[name].default).replace("Infinity", "no limit"),
    isGiven: given[name] !== undefined,
  }));
}

function flagOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function optionOf(rule: Rule<unknown>, doc: string): Option<unknown> {
  const type = typeof rule.default;
  return {
    value: type === "number" ? (rule.unit === "ms" ? "MSECS" : "N") : "WORD",
    doc: `${doc} (${rule.default})`,
    // Of a value that is never allowed: what would be.
    allowed: rule.check(null)?.allowed ?? "",
    parse: (text) => {
      const value = typed(text, type);
      return value === null || rule.check(value) !== null ? null : value;
    },
  };
}

function typed(text: string, type: string): unknown {
  if (type === "number") return text.trim() === "" ? null : Number(text);
  if (type !== "boolean") return text;
  return text === "true" ? true : text === "false" ? false : null;
}
