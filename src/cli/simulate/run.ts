/**
 * Runs the cells of a sweep in several threads, each of which takes the next cell when it has done one.
 * Invariant: when the promise settles no thread is left.
 */
import { availableParallelism } from "node:os";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import {
  combinations,
  type SimulationReport,
  type SweepReport,
  simulate,
  sweepReport,
} from "../../simulate/index.ts";
import { Failure } from "../errors.ts";
import { type Plan, simulationOf } from "./plan.ts";
import type { Job, Message } from "./worker.ts";

/** How far a sweep is. */
export interface Progress {
  readonly done: number;
  readonly cells: number;
  /** Requests of all cells so far. */
  readonly requests: number;
}

/** What a run is told beside its plan. */
export interface RunSetting {
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
  /** Threads; null: as many as there are processors. */
  readonly jobs: number | null;
}

/**
 * Simulates all cells.
 *
 * @throws Failure, KeeplineError, or the reason of the signal, by rejection.
 */
export async function runPlan(plan: Plan, setting: RunSetting): Promise<SweepReport> {
  const all = combinations(plan.axes);
  const [only] = all;
  if (all.length === 1 && only !== undefined) {
    const { signal, progress } = setting;
    const onProgress = (requests: number): void => progress({ done: 0, cells: 1, requests });
    const report = await simulate(simulationOf(plan, only), { signal, onProgress });
    return sweepReport(plan.axes, [report]);
  }
  return sweepReport(plan.axes, await runCells(plan, all, setting));
}

async function runCells(
  plan: Plan,
  all: readonly Record<string, unknown>[],
  { signal, progress, jobs }: RunSetting,
): Promise<SimulationReport[]> {
  // A file that cannot be read, or settings that are wrong, end it before threads are started.
  for (const values of all) simulationOf({ ...plan, trace: null }, values);
  const reports: SimulationReport[] = [];
  const counts: number[] = all.map(() => 0);
  let next = 0;
  let done = 0;
  const script = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);
  const threads: Worker[] = [];
  const count = Math.min(jobs ?? availableParallelism(), all.length);
  try {
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      const feed = (thread: Worker): void => {
        const index = next++;
        const values = all[index];
        if (values === undefined) return;
        const job: Job = { index, values };
        thread.postMessage(job);
      };
      const hear = (thread: Worker, message: Message): void => {
        if (message.kind === "failed") {
          const { text, isDefect } = message;
          reject(isDefect ? new Error(text) : new Failure(text));
          return;
        }
        if (message.kind === "progress") counts[message.index] = message.requests;
        else {
          counts[message.index] = message.report.requests;
          reports[message.index] = message.report;
          done++;
          feed(thread);
        }
        const requests = counts.reduce((sum, each) => sum + each, 0);
        progress({ done, cells: all.length, requests });
        if (done === all.length) resolve();
      };
      for (let index = 0; index < count; index++) {
        const thread = new Worker(script, { workerData: plan });
        threads.push(thread);
        thread.on("message", (message: Message) => hear(thread, message));
        thread.on("error", reject);
        feed(thread);
      }
    });
  } finally {
    await Promise.all(threads.map((each) => each.terminate()));
  }
  return reports;
}
