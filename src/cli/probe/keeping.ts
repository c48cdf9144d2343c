/**
 * Whether the server keeps connections, and whether it treats all of them alike: several connections, each asked
 * twice. Differences tell of what stands in between.
 */
import { Failure } from "../errors.ts";
import type { Answer, ProbeConnection, Reply } from "./connection.ts";
import type { KeepAliveReport } from "./report.ts";
import type { Destination, Visitor } from "./visitor.ts";

const connections = 6;

/** What one connection showed. */
export interface Visit {
  readonly first: Answer;
  /** Why it was not kept; null when it was. */
  readonly refusal: string | null;
  readonly roundTripMsecs: number;
}

/** Asks at each of `destinations` in turn. Rejects with a `Failure` when what answers is not HTTP/1.1. */
export async function measureKeeping(
  destinations: readonly Destination[],
  visitor: Visitor,
): Promise<KeepAliveReport> {
  const visits: Visit[] = [];
  for (let round = 0; round < connections; round++) {
    const where = destinations[round % destinations.length] as Destination;
    const connection = await visitor.dial(where);
    visits.push(await visit(connection, visitor));
    visitor.leave(connection);
  }
  return summarize(visits);
}

async function visit(connection: ProbeConnection, visitor: Visitor): Promise<Visit> {
  const first = await visitor.ask(connection);
  if (first.kind !== "answered") throw new Failure(`${visitor.host} ${sayReply(first)}`);
  let refusal = refusalOf(first);
  let roundTripMsecs = first.firstByteMsecs;
  if (refusal === null) {
    const second = await visitor.ask(connection);
    if (second.kind === "answered") {
      roundTripMsecs = Math.min(roundTripMsecs, second.firstByteMsecs);
    } else if (second.kind === "closed") refusal = "closed without a word";
    else refusal = `the second request: ${sayReply(second)}`;
  }
  return { first, refusal, roundTripMsecs };
}

/** Why a connection cannot be used after `answer`; null when it can. */
export function refusalOf({ keepAlive, head, fields }: Answer): string | null {
  if (keepAlive) return null;
  if (/\bclose\b/i.test(fields.get("connection") ?? "")) return "Connection: close";
  if (head.minorVersion === 0) return "HTTP/1.0 without keep-alive";
  return "the body ends with the connection";
}

/** What a reply that is no response means. */
export function sayReply(reply: Exclude<Reply, Answer>): string {
  switch (reply.kind) {
    case "closed":
      return "took the connection and closed it without an answer: is this its HTTP port?";
    case "silent":
      return `took the connection and did not answer within ${Math.round(reply.waitedMsecs)} ms`;
    case "invalid":
      return `gave an answer that cannot be used: ${reply.problem}`;
    default:
      return reply satisfies never;
  }
}

/** What several connections show together; at least one. */
export function summarize(visits: readonly Visit[]): KeepAliveReport {
  const firsts = visits.map((each) => each.first);
  const kept = visits.filter((each) => each.refusal === null).length;
  const values = (name: string) => tally(firsts.map(({ fields }) => fields.get(name) ?? null));
  const hints = firsts.flatMap(({ hint }) => hint ?? []);
  const timeouts = hints.flatMap((hint) => hint.timeoutMsecs ?? []);
  const further = hints.map((hint) => hint.furtherRequests).filter(Number.isFinite);
  return {
    keeps: kept === visits.length ? "yes" : kept === 0 ? "no" : "some",
    connections: visits.length,
    kept,
    refusals: tally(visits.map((each) => each.refusal)),
    versions: tally(firsts.map(({ head }) => `HTTP/1.${head.minorVersion}`)),
    statusCodes: tally(firsts.map(({ head }) => String(head.statusCode))),
    servers: values("server"),
    via: values("via"),
    keepAliveHeaders: values("keep-alive"),
    altSvc: firsts.map(({ fields }) => fields.get("alt-svc")).find((each) => each) ?? null,
    hintMsecs: timeouts.length === 0 ? null : Math.min(...timeouts),
    hintRequests: further.length === 0 ? null : Math.min(...further),
    roundTripMsecs: Math.min(...visits.map((each) => each.roundTripMsecs)),
  };
}

function tally(values: readonly (string | null)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) if (value !== null) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}
