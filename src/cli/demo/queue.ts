/**
 * Experiment 3: how `maxSockets` turns sockets into waiting.
 */
import {
  percentile,
  type Setting,
  sendAll,
  sorted,
  statsOf,
  type Target,
  withClient,
} from "./load.ts";
import type { Queue, QueueRun } from "./report.ts";

const requests = 100;
const delayMsecs = 20;
const limits = [5, 20, 100];

/** Makes all requests at once, under one limit after the other. */
export async function measureQueue(target: Target, setting: Setting): Promise<Queue> {
  const runs: QueueRun[] = [];
  for (const maxSockets of limits) runs.push(await measureRun(target, maxSockets, setting));
  return { requests, delayMsecs, runs };
}

function measureRun(target: Target, maxSockets: number, setting: Setting): Promise<QueueRun> {
  const url = `${target.url}?delay=${delayMsecs}`;
  return withClient(target, { maxSockets }, setting, async (client) => {
    const plan = { requests, concurrency: requests };
    const load = await sendAll(client, target, url, plan, (count) =>
      setting.progress(`maxSockets ${maxSockets}`, count / requests),
    );
    const waits = sorted(load.samples.map((sample) => sample.waitMsecs));
    return {
      maxSockets,
      socketsOpened: statsOf(client).opened,
      waitP50Msecs: percentile(waits, 0.5) ?? 0,
      waitP99Msecs: percentile(waits, 0.99) ?? 0,
      tookMsecs: load.tookMsecs,
    };
  });
}
