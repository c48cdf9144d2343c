/**
 * What a probe finds out, as plain data: what `--json` prints and what the text is made of.
 * A change that breaks readers of the JSON raises `probeFormatVersion`; new fields do not.
 */
import type { Msecs } from "../../core/clock.ts";
import type { Advice } from "./advice.ts";
import type { ClosedBy } from "./connection.ts";

/** The present version of the document. */
export const probeFormatVersion = 1;

/** The whole document. */
export interface ProbeReport extends Findings {
  readonly format: "keepline-probe";
  readonly formatVersion: typeof probeFormatVersion;
  /** Versions of keepline and of Node.js. */
  readonly keepline: string;
  readonly node: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly tookMsecs: Msecs;
  readonly advice: Advice;
}

/** What was found, before anything is concluded from it. */
export interface Findings {
  readonly url: string;
  readonly method: string;
  readonly names: NameReport;
  /** Null for http. */
  readonly tls: TlsReport | null;
  readonly keepAlive: KeepAliveReport;
  /** Null when the server does not keep connections. */
  readonly requests: RequestsReport | null;
  /** Null when the server does not keep connections, or none could be watched. */
  readonly idle: IdleReport | null;
  /** What the probe cost the server. */
  readonly sent: { readonly connections: number; readonly requests: number };
}

/** Where the name leads, and what it costs to get there. */
export interface NameReport {
  readonly host: string;
  /** Whether the host is an address, has records in DNS, or is known to this machine alone (its hosts file). */
  readonly kind: "address" | "dns" | "local";
  /** How long the system's resolver took; null for an address. */
  readonly lookupMsecs: Msecs | null;
  /** In the order in which the system gives them. */
  readonly addresses: readonly AddressReport[];
}

/** One address. */
export interface AddressReport {
  readonly address: string;
  readonly family: 4 | 6;
  /** How much longer DNS lets it be remembered, in seconds; null when DNS does not know it. */
  readonly ttlSeconds: number | null;
  /** Median of a few TCP handshakes; null when it cannot be connected to. */
  readonly connectMsecs: Msecs | null;
  /** Why it cannot; null when it can. */
  readonly problem: string | null;
}

/** How TLS is spoken there. */
export interface TlsReport {
  /** Protocols that the server takes by ALPN, of `h2` and `http/1.1`. */
  readonly offers: readonly string[];
  /** What it takes when it may choose; null when it does not answer ALPN. */
  readonly chooses: string | null;
  readonly versions: readonly TlsVersionReport[];
}

/** One TLS version, `TLSv1.3` or `TLSv1.2`. */
export interface TlsVersionReport {
  readonly version: string;
  readonly accepted: boolean;
  /** Medians of a few handshakes after TCP; null where there were none. */
  readonly fullMsecs: Msecs | null;
  readonly resumedMsecs: Msecs | null;
  /** Null where nobody could try. */
  readonly resumes: boolean | null;
}

/** Whether the server keeps connections, seen on several of them, each asked twice. */
export interface KeepAliveReport {
  /** `some`: connections to the same name are treated differently. */
  readonly keeps: "yes" | "some" | "no";
  readonly connections: number;
  readonly kept: number;
  /** Why the others were not kept, with how many. */
  readonly refusals: Readonly<Record<string, number>>;
  /** `HTTP/1.1` and `HTTP/1.0` with how many first answers each. */
  readonly versions: Readonly<Record<string, number>>;
  readonly statusCodes: Readonly<Record<string, number>>;
  /** Values of these header fields, with how many first answers each; answers without are not counted. */
  readonly servers: Readonly<Record<string, number>>;
  readonly via: Readonly<Record<string, number>>;
  readonly keepAliveHeaders: Readonly<Record<string, number>>;
  /** Value of `Alt-Svc`, which announces HTTP/3 among others; null without. */
  readonly altSvc: string | null;
  /** `Keep-Alive: timeout=N` of the first answer that has one, in ms; the smallest when they differ. */
  readonly hintMsecs: Msecs | null;
  /** `Keep-Alive: max=N` of a first answer: further requests; the smallest when they differ. */
  readonly hintRequests: number | null;
  /** Shortest time from a request to the first byte of its response. */
  readonly roundTripMsecs: Msecs;
}

/** How many requests one connection carries. */
export interface RequestsReport {
  /** How many were sent on one connection at most. */
  readonly sent: number;
  /** The last response came after so many requests; null when more were not tried. */
  readonly limit: number | null;
  /** Whether that response said `Connection: close`; null without a limit. */
  readonly announced: boolean | null;
  /** Whether a second connection had the same limit; null when there was none. */
  readonly confirmed: boolean | null;
  /** The status code at which the probe left the server alone: 429 or 503; null as a rule. */
  readonly stoppedAt: number | null;
}

/** How long an idle connection is kept. */
export interface IdleReport {
  /**
   * `closes`: the server ends idle connections, and this side sees it. `drops`: a connection that still looked
   * open did not take another request. `keeps`: not met within the time.
   */
  readonly kind: "closes" | "drops" | "keeps";
  /** The limit: the median close, or the middle of the bounds; null when it was not met. */
  readonly timeoutMsecs: Msecs | null;
  /** It is at least this (every connection was kept so long)… */
  readonly atLeastMsecs: Msecs;
  /** …and at most this; null when it was not met. */
  readonly atMostMsecs: Msecs | null;
  /** How the end came: `silence` when a request got no answer at all; null when it did not come. */
  readonly by: ClosedBy | "silence" | null;
  /** False when connections are treated differently. */
  readonly steady: boolean;
  /** What the server sent before it closed, unasked, such as `HTTP/1.1 408 Request Timeout`; null as a rule. */
  readonly said: string | null;
  /** Every connection that was left idle, in order of idle time. */
  readonly samples: readonly IdleSample[];
}

/** One connection that was left idle. */
export interface IdleSample {
  readonly idleMsecs: Msecs;
  /** `kept`: it answered another request then. */
  readonly outcome: "kept" | ClosedBy | "silence";
  /** Whether the end was seen while the connection was idle, or by a request; null when it was kept. */
  readonly seen: "idle" | "request" | null;
}
