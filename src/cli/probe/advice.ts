/**
 * What follows from what a probe found: options of keepline to paste, each with its reason, and what to know of the
 * server. Pure.
 */
import type { ClientOptions } from "../../client/options.ts";
import type { Msecs } from "../../core/clock.ts";
import { idleWindowMsecs } from "../../core/idle-window.ts";
import { span, wrap } from "../text.ts";
import type { Findings, IdleReport, KeepAliveReport } from "./report.ts";

/** What to do. */
export interface Advice {
  readonly settings: readonly Setting[];
  /** What no option changes: of the server, or of what stands before it. */
  readonly remarks: readonly string[];
  /** `settings` as a program has them. */
  readonly code: string;
}

/** One option. */
export interface Setting {
  /** As in `new Client({ … })`; a dot leads to an option of `connect`. */
  readonly option: keyof ClientOptions | "connect.family";
  readonly value: number | string | boolean;
  readonly why: string;
}

/** DNS may be asked anew this seldom, whatever its answers say. */
const leastAgeMsecs = 60_000;
const fewRequests = 100;
const commentWidth = 76;

/** Concludes. */
export function adviceOn(findings: Findings): Advice {
  const settings =
    findings.keepAlive.keeps === "no"
      ? []
      : [...idleSettings(findings), ...requestSettings(findings)];
  const all = [...settings, ...addressSettings(findings)];
  return { settings: all, remarks: remarksOn(findings), code: codeOf(findings.url, all) };
}

/** How long the server keeps idle connections by all that was seen and said; null when nothing was. */
function idleLimit({ idle, keepAlive }: Findings): Msecs | null {
  const { hintMsecs } = keepAlive;
  const seen = idle === null || idle.atLeastMsecs === 0 ? null : idle.atLeastMsecs;
  if (seen === null || hintMsecs === null) return seen ?? hintMsecs;
  // A hint may promise more than there was time to see.
  return idle?.kind === "keeps" ? Math.max(seen, hintMsecs) : Math.min(seen, hintMsecs);
}

function idleSettings(findings: Findings): Setting[] {
  const limitMsecs = idleLimit(findings);
  if (limitMsecs === null) return [];
  const { roundTripMsecs } = findings.keepAlive;
  // The core's own rule, as for a hint: what is measured here may be another machine's clock tomorrow.
  const windowMsecs = idleWindowMsecs({
    keepAliveMsecs: Number.POSITIVE_INFINITY,
    hintMsecs: limitMsecs,
    learnedMsecs: null,
    roundTripMsecs,
  });
  // Less is no setting, but a server to be told of.
  if (windowMsecs < 1) return [];
  const value = roundedDown(windowMsecs);
  return [{ option: "keepAliveMsecs", value, why: whyIdle(findings, limitMsecs) }];
}

function whyIdle({ idle, keepAlive }: Findings, limitMsecs: Msecs): string {
  const { hintMsecs } = keepAlive;
  const said = hintMsecs === null ? "and does not say so" : `and says ${span(hintMsecs)}`;
  switch (idle?.kind) {
    case "closes":
      return `the server closes idle connections after ${span(idle.timeoutMsecs ?? limitMsecs)}, ${said}: no request must meet that close`;
    case "drops":
      return `idle connections are lost after ${span(limitMsecs)} to ${span(idle.atMostMsecs ?? limitMsecs)}, without a sign: what is sent later fails, or waits in vain`;
    case "keeps":
      return hintMsecs === null || hintMsecs < idle.atLeastMsecs
        ? `connections idle for ${span(limitMsecs)} were still good; what comes after that was not tried`
        : `the server says it keeps idle connections for ${span(hintMsecs)}`;
    default:
      return `the server says it keeps idle connections for ${span(limitMsecs)}`;
  }
}

function requestSettings({ requests }: Findings): Setting[] {
  const limit = requests?.limit ?? null;
  if (requests === null || limit === null || limit < 2) return [];
  const why = requests.announced
    ? `the server ends a connection with its ${ordinal(limit)} response, and says so there`
    : `the server ends a connection after ${limit} requests without saying so: request ${limit + 1} would fail`;
  return [{ option: "maxRequestsPerSocket", value: limit, why }];
}

function addressSettings({ names }: Findings): Setting[] {
  const settings: Setting[] = [];
  const ttls = names.addresses.flatMap((each) => each.ttlSeconds ?? []);
  if (ttls.length > 0) {
    const ttl = Math.min(...ttls);
    const value = Math.max(ttl * 1_000, leastAgeMsecs);
    const why =
      `DNS answers hold for ${span(ttl * 1_000)}: a connection that stays busy would ` +
      "never learn of a new address";
    settings.push({ option: "maxSocketAgeMsecs", value, why });
  }
  const works = (family: 4 | 6): boolean | null => {
    const own = names.addresses.filter((each) => each.family === family);
    return own.length === 0 ? null : own.some((each) => each.problem === null);
  };
  for (const [bad, good] of [
    [6, 4],
    [4, 6],
  ] as const) {
    if (works(bad) !== false || works(good) !== true) continue;
    const why = `no IPv${bad} address of the name could be connected to from here`;
    settings.push({ option: "connect.family", value: good, why });
  }
  return settings;
}

function remarksOn(findings: Findings): string[] {
  const { keepAlive, idle, requests, tls } = findings;
  return [
    ...keepingRemarks(keepAlive),
    ...(idle === null ? [] : idleRemarks(idle, keepAlive)),
    ...(requests?.limit == null ? [] : [limitRemark(findings, requests.limit)]),
    ...(requests?.confirmed === false
      ? [
          "a second connection ended after another number of requests: several servers, or a restart",
        ]
      : []),
    ...(requests?.stoppedAt == null
      ? []
      : [`the server answered ${requests.stoppedAt}, and was asked no further`]),
    ...(tls?.versions.some((each) => each.resumes === false)
      ? [
          "TLS sessions are not resumed: every new connection pays for a full handshake. " +
            "On the server: session tickets (nginx ssl_session_tickets, ssl_session_cache)",
        ]
      : []),
    ...(tls?.offers.includes("h2")
      ? ["the server also offers HTTP/2, which carries many requests on one connection"]
      : []),
  ];
}

function keepingRemarks(keepAlive: KeepAliveReport): string[] {
  const { keeps, kept, connections, refusals, servers, via, versions } = keepAlive;
  const remarks: string[] = [];
  const reasons = Object.keys(refusals).join(", ");
  if (keeps === "no") {
    remarks.push(
      `the server keeps no connection (${reasons}): every request pays for a handshake, whatever a client does. ` +
        "Turn keep-alive on there (nginx keepalive_timeout, Apache KeepAlive, Node.js server.keepAliveTimeout), " +
        "and in every proxy before it",
    );
  } else if (keeps === "some") {
    remarks.push(
      `only ${kept} of ${connections} connections were kept (${reasons}): several servers, or a proxy, behind one name`,
    );
  }
  if (versions["HTTP/1.0"] !== undefined) {
    remarks.push("it answers with HTTP/1.0: an old proxy stands in between, or is the server");
  }
  const through = Object.keys(via);
  if (through.length > 0) remarks.push(`answers came through a proxy (Via: ${through.join("; ")})`);
  if (Object.keys(servers).length > 1) {
    remarks.push(`different servers answer (Server: ${Object.keys(servers).join("; ")})`);
  }
  return remarks;
}

function idleRemarks(idle: IdleReport, { hintMsecs }: KeepAliveReport): string[] {
  const remarks: string[] = [];
  if (!idle.steady) {
    const range = `${span(idle.atLeastMsecs)} to ${span(idle.atMostMsecs ?? 0)}`;
    remarks.push(
      `idle connections end after different times (${range}): the shortest is what counts`,
    );
  }
  if (hintMsecs !== null && idle.atMostMsecs !== null && idle.atMostMsecs < hintMsecs * 0.95) {
    remarks.push(
      `the server promises ${span(hintMsecs)}, but connections end after ${span(idle.atMostMsecs)}: something in between has a shorter limit`,
    );
  }
  if (idle.kind === "drops" && idle.by === "silence") {
    remarks.push(
      "a request on a lost connection gets no answer at all: something in between forgets idle connections and tells nobody. " +
        "headersTimeoutMsecs bounds how long such a request waits",
    );
  }
  if (idle.said !== null) remarks.push(`before it closes it sends, unasked: ${idle.said}`);
  return remarks;
}

function limitRemark({ tls, names }: Findings, limit: number): string {
  const connect = names.addresses.find((each) => each.connectMsecs !== null)?.connectMsecs ?? 0;
  const handshake = tls?.versions.find((each) => each.fullMsecs !== null)?.fullMsecs ?? 0;
  const cost = `one request in ${limit} waits for a handshake of about ${span(connect + handshake)}`;
  if (limit >= fewRequests) return cost;
  return `${cost}; raise the server's limit (nginx keepalive_requests, Apache MaxKeepAliveRequests)`;
}

/** The settings as a program has them, with their reasons. */
function codeOf(url: string, settings: readonly Setting[]): string {
  const { origin } = new URL(url);
  const lines = settings.flatMap(({ option, value, why }) => {
    const [name, inner] = option.split(".");
    const text = typeof value === "number" ? grouped(value) : JSON.stringify(value);
    const pair = inner === undefined ? `${name}: ${text}` : `${name}: { ${inner}: ${text} }`;
    return [...wrap(why, commentWidth).map((line) => `  // ${line}`), `  ${pair},`];
  });
  if (lines.length === 0) return "";
  return [`// ${origin}`, "const client = new Client({", ...lines, "});"].join("\n");
}

function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, "_");
}

/** To three digits, or to whole seconds: nobody wants 2387.41 in their code. */
function roundedDown(value: number): number {
  const step = value >= 10_000 ? 1_000 : 10 ** Math.max(0, Math.floor(Math.log10(value)) - 2);
  return Math.floor(value / step) * step;
}

function ordinal(number: number): string {
  const ending = /1[123]$/.test(String(number)) ? 0 : number % 10;
  return `${number}${["th", "st", "nd", "rd"][ending] ?? "th"}`;
}
