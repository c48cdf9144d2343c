/**
 * Experiment 2: the same requests with keep-alive and without.
 */
import type { RetireReason } from "../../core/retire.ts";
import {
  percentile,
  type Setting,
  sendAll,
  sorted,
  statsOf,
  type Target,
  withClient,
} from "./load.ts";
import type { ManyRequests, Run, Saved } from "./report.ts";

/** How much is sent in each run. */
export interface Plan {
  readonly requests: number;
  readonly concurrency: number;
}

/** Runs `plan` twice for each of `targets`, one run after the other. */
export async function measureManyRequests(
  targets: readonly Target[],
  plan: Plan,
  setting: Setting,
): Promise<ManyRequests> {
  const runs: Run[] = [];
  const saved: Saved[] = [];
  for (const target of targets) {
    const kept = await measureRun(target, plan, true, setting);
    const fresh = await measureRun(target, plan, false, setting);
    runs.push(kept, fresh);
    saved.push(savedBy(kept, fresh));
  }
  return { ...plan, runs, saved };
}

function measureRun(
  target: Target,
  plan: Plan,
  keepAlive: boolean,
  setting: Setting,
): Promise<Run> {
  const { protocol, url } = target;
  const label = `${protocol} ${keepAlive ? "with" : "without"} keep-alive`;
  return withClient(target, { keepAlive }, setting, async (client) => {
    const load = await sendAll(client, target, url, plan, (count) =>
      setting.progress(label, count / plan.requests),
    );
    const { opened, resumedTls, reuseRatio, closed } = statsOf(client);
    const totals = sorted(load.samples.map((sample) => sample.totalMsecs));
    const handshakes = load.samples.flatMap((sample) => sample.handshakeMsecs ?? []);
    return {
      protocol,
      keepAlive,
      socketsOpened: opened,
      tlsResumed: resumedTls,
      reuseRatio,
      p50Msecs: percentile(totals, 0.5),
      p99Msecs: percentile(totals, 0.99),
      tookMsecs: load.tookMsecs,
      failed: load.failed,
      statusCodes: tallyOf(load.samples.map((sample) => sample.statusCode)),
      handshakeMeanMsecs: mean(handshakes),
      closed: occurred(closed),
    };
  });
}

function savedBy(kept: Run, fresh: Run): Saved {
  const handshakesAvoided = Math.max(0, fresh.socketsOpened - kept.socketsOpened);
  const handshakeMeanMsecs = fresh.handshakeMeanMsecs ?? 0;
  return {
    protocol: kept.protocol,
    handshakesAvoided,
    handshakeMeanMsecs,
    savedMsecs: handshakesAvoided * handshakeMeanMsecs,
  };
}

function tallyOf(statusCodes: readonly number[]): Record<string, number> {
  const tally: Record<string, number> = {};
  for (const code of statusCodes) tally[code] = (tally[code] ?? 0) + 1;
  return tally;
}

function occurred(closed: Readonly<Record<RetireReason, number>>): Run["closed"] {
  return Object.fromEntries(Object.entries(closed).filter(([, count]) => count > 0));
}

function mean(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
