/**
 * One thread of a sweep: simulates the cells that it is handed, one after the other.
 */
import { parentPort, workerData } from "node:worker_threads";
import { type SimulationReport, simulate } from "../../simulate/index.ts";
import { type Plan, simulationOf } from "./plan.ts";

/** What a thread is told: a cell. */
export interface Job {
  readonly index: number;
  readonly values: Readonly<Record<string, unknown>>;
}

/** What a thread says. */
export type Message =
  | { readonly kind: "progress"; readonly index: number; readonly requests: number }
  | { readonly kind: "done"; readonly index: number; readonly report: SimulationReport }
  /** `text`: why it cannot go on. `isDefect`: that has no reason on the user's side. */
  | { readonly kind: "failed"; readonly text: string; readonly isDefect: boolean };

const say = (message: Message): void => parentPort?.postMessage(message);

parentPort?.on("message", async ({ index, values }: Job) => {
  try {
    const onProgress = (requests: number): void => say({ kind: "progress", index, requests });
    const report = await simulate(simulationOf(workerData as Plan, values), { onProgress });
    say({ kind: "done", index, report });
  } catch (error) {
    const { message, stack, code } = error as NodeJS.ErrnoException;
    const isDefect = code === undefined;
    say({ kind: "failed", text: isDefect ? (stack ?? message) : message, isDefect });
  }
});
