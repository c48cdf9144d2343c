/**
 * How many requests one connection carries: asked one after the other, at the server's own pace.
 */
import { refusalOf } from "./keeping.ts";
import type { RequestsReport } from "./report.ts";
import type { Destination, Visitor } from "./visitor.ts";

interface Run {
  readonly sent: number;
  readonly answered: number;
  /** Whether the connection is over, and whether the server had said so. */
  readonly end: "announced" | "unannounced" | null;
  readonly stoppedAt: number | null;
}

/** Sends at most `most` requests on one connection, and as many on a second one when that has met a limit. */
export async function measureRequests(
  where: Destination,
  most: number,
  visitor: Visitor,
  progress: (sent: number) => void,
): Promise<RequestsReport> {
  const { sent, answered, end, stoppedAt } = await run(where, most, visitor, progress);
  if (end === null) {
    return { sent, limit: null, announced: null, confirmed: null, stoppedAt };
  }
  const second = await run(where, answered + 1, visitor, progress);
  const confirmed = second.end !== null && second.answered === answered;
  return { sent, limit: answered, announced: end === "announced", confirmed, stoppedAt };
}

async function run(
  where: Destination,
  most: number,
  visitor: Visitor,
  progress: (sent: number) => void,
): Promise<Run> {
  const connection = await visitor.dial(where);
  let answered = 0;
  try {
    while (answered < most) {
      progress(answered);
      const reply = await visitor.ask(connection);
      const sent = answered + 1;
      if (reply.kind !== "answered") {
        return { sent, answered, end: "unannounced", stoppedAt: null };
      }
      answered++;
      const { statusCode } = reply.head;
      // It has had enough.
      if (statusCode === 429 || statusCode === 503) {
        return { sent, answered, end: null, stoppedAt: statusCode };
      }
      if (refusalOf(reply) !== null) {
        return { sent, answered, end: "announced", stoppedAt: null };
      }
    }
    return { sent: answered, answered, end: null, stoppedAt: null };
  } finally {
    visitor.leave(connection);
  }
}
