/**
 * Finds out everything about one server, in the order in which one thing needs another.
 * Invariant: nothing is open when it has ended, however it ends.
 */
import { version } from "../../version.ts";
import { Failure } from "../errors.ts";
import { count, span } from "../text.ts";
import { adviceOn } from "./advice.ts";
import { measureIdle } from "./idle.ts";
import { measureKeeping } from "./keeping.ts";
import { findNames, measureAddresses, type Names } from "./names.ts";
import { type Findings, type NameReport, type ProbeReport, probeFormatVersion } from "./report.ts";
import { measureRequests } from "./requests.ts";
import { measureTls } from "./tls.ts";
import { type Destination, type ProbePlan, Visitor } from "./visitor.ts";

/** What a probe is given beside its plan. */
export interface ProbeSetting {
  readonly signal: AbortSignal;
  /** Tells whoever watches what is going on. */
  readonly progress: (line: string) => void;
}

/**
 * Probes the server of `plan.url`.
 *
 * Rejects with a `Failure` when it cannot be reached or does not speak HTTP/1.1, and with the reason of the signal.
 */
export async function probe(plan: ProbePlan, setting: ProbeSetting): Promise<ProbeReport> {
  const startedAt = new Date().toISOString();
  const clockMsecs = performance.now();
  const visitor = new Visitor(plan, setting.signal);
  try {
    const findings = await find(plan, visitor, setting.progress);
    return {
      format: "keepline-probe",
      formatVersion: probeFormatVersion,
      keepline: version,
      node: process.versions.node,
      startedAt,
      tookMsecs: performance.now() - clockMsecs,
      ...findings,
      advice: adviceOn(findings),
    };
  } finally {
    visitor.end();
  }
}

async function find(
  plan: ProbePlan,
  visitor: Visitor,
  progress: ProbeSetting["progress"],
): Promise<Findings> {
  progress("looking the name up …");
  const names = await findAddresses(visitor);
  progress("connecting …");
  const { report, reachable } = await connectTo(names, visitor);
  const [where] = reachable as [Destination];
  if (visitor.isTls) progress("TLS handshakes …");
  const tls = visitor.isTls ? await measureTls(where, visitor) : null;
  progress("asking on several connections …");
  const keepAlive = await measureKeeping(reachable, visitor);
  const [requests, idle] =
    keepAlive.keeps === "no" ? [null, null] : await measureKept(where, plan, visitor, progress);
  return {
    url: plan.url.href,
    method: plan.method,
    names: report,
    tls,
    keepAlive,
    requests,
    idle,
    sent: { connections: visitor.connections, requests: visitor.requests },
  };
}

/** Both at the same time: while connections are idle another one is busy. */
function measureKept(
  where: Destination,
  plan: ProbePlan,
  visitor: Visitor,
  progress: ProbeSetting["progress"],
) {
  let sent = "";
  return Promise.all([
    measureRequests(where, plan.mostRequests, visitor, (answered) => {
      sent = `; ${count(answered)} requests on one connection`;
    }),
    measureIdle(where, plan.maxMsecs, visitor, ({ elapsedMsecs, waiting, keptMsecs }) => {
      const times = `${Math.round(elapsedMsecs / 1_000)} s of ${span(plan.maxMsecs)}`;
      const kept = keptMsecs === 0 ? "" : `, kept for ${span(keptMsecs)}`;
      progress(`idle for ${times}: ${waiting} connections wait${kept}${sent}`);
    }),
  ]);
}

async function findAddresses(visitor: Visitor): Promise<Names> {
  try {
    return await findNames(visitor.host);
  } catch (error) {
    visitor.check();
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === "ENOTFOUND" ? "there is no such name: check its spelling" : (error as Error).message;
    throw new Failure(`cannot look up ${visitor.host}: ${why}`, { cause: error });
  }
}

async function connectTo(
  { kind, lookupMsecs, ...names }: Names,
  visitor: Visitor,
): Promise<{ readonly report: NameReport; readonly reachable: readonly Destination[] }> {
  let cause: unknown;
  const addresses = await measureAddresses({ kind, lookupMsecs, ...names }, visitor, (error) => {
    cause = error;
  });
  const reachable = addresses.filter((each) => each.problem === null);
  if (reachable.length === 0) {
    const problems = [...new Set(addresses.map((each) => each.problem))].join("; ");
    const { code } = (cause ?? {}) as NodeJS.ErrnoException;
    const words = `cannot connect to ${visitor.host} port ${visitor.port}: ${problems}`;
    throw new Failure(`${words}${hintFor(code, visitor)}`, { cause });
  }
  return { report: { host: visitor.host, kind, lookupMsecs, addresses }, reachable };
}

/** What to do about it. */
function hintFor(code: string | undefined, { isTls, port }: Visitor): string {
  switch (code) {
    case "ECONNREFUSED":
      return `; nothing listens there: is the server up, and is ${port} its port?`;
    case "ETIMEDOUT":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return "; is there a firewall, or a VPN to turn on?";
    case "ECONNRESET":
      return isTls ? "; does it speak TLS there, or is it to be http:?" : "";
    case "EPROTO":
    case "ERR_SSL_WRONG_VERSION_NUMBER":
    case "ERR_SSL_PACKET_LENGTH_TOO_LONG":
      return "; the server does not speak TLS there: is it to be http:?";
    case "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL":
      return "; the server speaks no HTTP/1.1 there";
    default:
      return "";
  }
}
