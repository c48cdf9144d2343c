/**
 * How transports are opened: the `connect` option of a client.
 */
import { isIP, type LookupFunction } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { duration, type Fault, ofType, type Rules } from "../core/rules.ts";

/** TLS options of Node that belong to one connection and not to a client. */
const connectionOwnTlsOptions = [
  "host",
  "port",
  "path",
  "socket",
  "session",
  "lookup",
  "timeout",
  "ALPNProtocols",
] as const;

/** What of Node's TLS options a client takes; what belongs to one connection is keepline's own. */
export type TlsOptions = Omit<ConnectionOptions, (typeof connectionOwnTlsOptions)[number]>;

/** The `connect` option. It holds for the life of a client and cannot be changed by `configure`. */
export interface ConnectOptions {
  /** TLS options as of `tls.connect`, among them `ca`, `cert`, `key`, `servername`, `rejectUnauthorized`. Certificates are verified unless told otherwise. */
  readonly tls: TlsOptions | null;
  /** DNS lookup in place of `dns.lookup`, with its signature. */
  readonly lookup: LookupFunction | null;
  /** Local address to connect from. */
  readonly localAddress: string | null;
  /** Address family: 4, 6, or 0 for both. */
  readonly family: 0 | 4 | 6;
  /** Try the addresses of both families in turn until one answers (RFC 8305, as Node does it). */
  readonly autoSelectFamily: boolean;
  /** How long each address gets before the next is tried, in ms, at least 10; Node's 250 gives up on distant servers. */
  readonly autoSelectFamilyAttemptTimeoutMsecs: number;
  /** Path of a Unix domain socket or Windows pipe that every connection is made to, whatever the URL's host. */
  readonly socketPath: string | null;
}

/** The table. */
export const connectRules = {
  tls: {
    default: null,
    check: orNull(tlsOptions),
    unit: null,
    doc: "TLS options as of `tls.connect`: `ca`, `cert`, `key`, `servername`, `rejectUnauthorized`, …",
  },
  lookup: {
    default: null,
    check: orNull(ofType("function", "a function as dns.lookup")),
    unit: null,
    doc: "DNS lookup in place of `dns.lookup`",
  },
  localAddress: {
    default: null,
    check: orNull(ipAddress),
    unit: null,
    doc: "local address to connect from",
  },
  family: {
    default: 0,
    check: (value) => ([0, 4, 6].includes(value as number) ? null : familyFault(value)),
    unit: null,
    doc: "address family: 4, 6, or 0 for both",
  },
  autoSelectFamily: {
    default: true,
    check: ofType("boolean", "true or false"),
    unit: null,
    doc: "try the addresses of both families in turn",
  },
  autoSelectFamilyAttemptTimeoutMsecs: {
    default: 1_000,
    check: (value) => attemptTimeout(value),
    unit: "ms",
    doc: "how long each address gets before the next is tried",
  },
  socketPath: {
    default: null,
    check: orNull(nonEmptyText),
    unit: null,
    doc: "Unix domain socket that every connection is made to",
  },
} as const satisfies Rules<ConnectOptions>;

/** Null is the default of these, so that the `options` of a client are options for another. */
function orNull(check: (value: unknown) => Fault | null) {
  return (value: unknown): Fault | null => (value === null ? null : check(value));
}

function tlsOptions(value: unknown): Fault | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { nature: "TypeError", allowed: "an object" };
  }
  const own = connectionOwnTlsOptions.find((key) => Object.hasOwn(value, key));
  if (own === undefined) return null;
  return {
    nature: "RangeError",
    allowed: `without ${own}, which keepline sets for each connection`,
  };
}

function ipAddress(value: unknown): Fault | null {
  const allowed = "an IP address of this machine";
  if (typeof value !== "string") return { nature: "TypeError", allowed };
  return isIP(value) === 0 ? { nature: "RangeError", allowed } : null;
}

function nonEmptyText(value: unknown): Fault | null {
  if (typeof value === "string" && value !== "") return null;
  return {
    nature: typeof value === "string" ? "RangeError" : "TypeError",
    allowed: "a string that is not empty",
  };
}

function familyFault(value: unknown): Fault {
  return { nature: typeof value === "number" ? "RangeError" : "TypeError", allowed: "0, 4 or 6" };
}

function attemptTimeout(value: unknown): Fault | null {
  const fault = duration("above 0")(value);
  if (fault !== null) return fault;
  // Node raises smaller values to 10 and takes no Infinity.
  const isAllowed = (value as number) >= 10 && (value as number) <= 2_147_483_647;
  const allowed = "a number of milliseconds from 10 to 2147483647";
  return isAllowed ? null : { nature: "RangeError", allowed };
}
