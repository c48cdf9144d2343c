/**
 * Runs a load through one client, and counts what comes of it.
 * Invariant: the client is ended, also when the load is interrupted.
 */
import type { Msecs } from "../../core/clock.ts";
import { isSystemError } from "../errors.ts";
import type { Answer, LoadClient } from "./client.ts";
import { Latencies } from "./latencies.ts";
import { drive } from "./pace.ts";
import type { LoadPlan } from "./plan.ts";
import type { EndedBy, LatencyReport, RunReport } from "./report.ts";
import { Timeline } from "./timeline.ts";

/** A request that has ended. Times by `performance.now()`. */
export interface Ended {
  readonly url: string;
  readonly intendedAt: Msecs;
  readonly sentAt: Msecs;
  readonly endedAt: Msecs;
  /** The answer, or the error. */
  readonly outcome: Answer | Error;
}

/** Told of every request as it ends: for whoever keeps more of a load than counts. */
export interface Recorder {
  ended(request: Ended): void;
}

/** How far a run is. */
export interface RunProgress {
  readonly answered: number;
  readonly failed: number;
  readonly underWay: number;
  readonly tookMsecs: Msecs;
}

/** What a run is given beside its plan. */
export interface RunSetting {
  readonly signal: AbortSignal;
  readonly progress: (state: RunProgress) => void;
  readonly recorders?: readonly Recorder[];
}

const tickMsecs = 100;
const countMsecs = 50;

/** Runs `plan` through `client`. Never rejects because of what the server does. */
export async function runLoad(
  client: LoadClient,
  plan: LoadPlan,
  setting: RunSetting,
): Promise<RunReport> {
  const startedAt = performance.now();
  const timeline = new Timeline(startedAt);
  const tally = new Tally([timeline, ...(setting.recorders ?? [])]);
  const cpu = process.cpuUsage();
  const tell = (): void => {
    const { answered, failed, sent } = tally;
    const tookMsecs = performance.now() - startedAt;
    setting.progress({ answered, failed, underWay: sent - answered - failed, tookMsecs });
  };
  const countSockets = (): void => timeline.counted(client.sockets(), performance.now());
  const intervals = [setInterval(tell, tickMsecs), setInterval(countSockets, countMsecs)];
  const send = async (index: number, intendedAt: Msecs): Promise<void> => {
    const url = plan.urls[index % plan.urls.length] as string;
    const sentAt = tally.begin(intendedAt);
    const times = { url, intendedAt, sentAt };
    try {
      tally.answer(times, await client.send(url));
    } catch (error) {
      tally.fail(times, error instanceof Error ? error : new Error(String(error)));
    }
  };
  try {
    const endedBy = await drive(plan.pace, plan, send, setting.signal);
    const tookMsecs = performance.now() - startedAt;
    const { user, system } = process.cpuUsage(cpu);
    // What the end of the client does to requests under way is no news of the server.
    tally.close();
    countSockets();
    const report = reportOf(client, plan, tally, endedBy, tookMsecs, (user + system) / 1_000);
    return { ...report, timeline: timeline.report() };
  } finally {
    for (const each of intervals) clearInterval(each);
    client.end();
  }
}

type Times = Pick<Ended, "url" | "intendedAt" | "sentAt">;

/** Counts what comes of requests. */
class Tally {
  sent = 0;
  answered = 0;
  failed = 0;
  bodyBytes = 0;
  readonly latencies = new Latencies();
  readonly lateness = new Latencies();
  readonly queued = new Latencies();
  readonly statusCodes: Record<string, number> = {};
  readonly errors: Record<string, { count: number; readonly example: string }> = {};
  readonly #recorders: readonly Recorder[];
  #isClosed = false;

  constructor(recorders: readonly Recorder[]) {
    this.#recorders = recorders;
  }

  begin(intendedAt: Msecs): Msecs {
    this.sent++;
    const now = performance.now();
    this.lateness.record(now - intendedAt);
    return now;
  }

  answer(times: Times, answer: Answer): void {
    if (this.#isClosed) return;
    const endedAt = performance.now();
    const { statusCode, bodyBytes, queuedMsecs } = answer;
    this.answered++;
    this.bodyBytes += bodyBytes;
    this.latencies.record(endedAt - times.intendedAt);
    if (queuedMsecs !== null) this.queued.record(queuedMsecs);
    this.statusCodes[statusCode] = (this.statusCodes[statusCode] ?? 0) + 1;
    for (const recorder of this.#recorders) recorder.ended({ ...times, endedAt, outcome: answer });
  }

  fail(times: Times, error: Error): void {
    if (this.#isClosed) return;
    const endedAt = performance.now();
    this.failed++;
    const code = codeOf(error);
    const known = this.errors[code];
    if (known === undefined) this.errors[code] = { count: 1, example: error.message };
    else known.count++;
    for (const recorder of this.#recorders) recorder.ended({ ...times, endedAt, outcome: error });
  }

  close(): void {
    this.#isClosed = true;
  }
}

/** The most telling code: that of the system, where an error of a client only wraps it. */
function codeOf(error: Error): string {
  const codes = [error, error.cause].flatMap((each) => (isSystemError(each) ? [each.code] : []));
  return codes.length === 0 ? error.name : [...new Set(codes)].join(": ");
}

function reportOf(
  client: LoadClient,
  { pace }: LoadPlan,
  tally: Tally,
  endedBy: EndedBy,
  tookMsecs: Msecs,
  cpuMsecs: Msecs,
): Omit<RunReport, "timeline"> {
  const { sent, answered, failed, bodyBytes, statusCodes, errors } = tally;
  const { opened, mostOpen, closed, resent, dials } = client.counts();
  const dial = dials.summary();
  const perSecond = (count: number): number => (count / tookMsecs) * 1_000;
  const handshakesAvoided = Math.max(0, answered - opened);
  return {
    client: client.name,
    version: client.version,
    endedBy,
    tookMsecs,
    sent,
    answered,
    failed,
    unfinished: sent - answered - failed,
    statusCodes,
    errors,
    latency: latencyOf(tally, pace.kind),
    throughput: {
      perSecond: perSecond(answered),
      bodyBytes,
      bodyBytesPerSecond: perSecond(bodyBytes),
    },
    sockets: {
      opened,
      reuseRatio: answered === 0 ? null : handshakesAvoided / answered,
      openedPerSecond: perSecond(opened),
      mostOpen,
      dial,
      closed,
      resent,
    },
    saved: { handshakesAvoided, savedMsecs: handshakesAvoided * (dial.p50Msecs ?? 0) },
    cpuMsecsPerAnswer: answered === 0 ? null : cpuMsecs / answered,
  };
}

function latencyOf(
  { latencies, lateness, queued }: Tally,
  kind: LoadPlan["pace"]["kind"],
): LatencyReport {
  const measured = latencies.summary();
  const waited = queued.count === 0 ? null : queued.summary();
  const measuredMsecs = latencies.curve();
  if (kind === "open") {
    return {
      from: "intended",
      measured,
      corrected: null,
      lateness: lateness.summary(),
      curves: { measuredMsecs, correctedMsecs: null },
      queued: waited,
    };
  }
  const expectedIntervalMsecs = measured.p50Msecs ?? 0;
  const corrected = latencies.corrected(expectedIntervalMsecs);
  return {
    from: "sent",
    measured,
    corrected: { ...corrected.summary(), expectedIntervalMsecs },
    lateness: null,
    curves: { measuredMsecs, correctedMsecs: corrected.curve() },
    queued: waited,
  };
}
