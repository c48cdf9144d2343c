/**
 * What this process holds: memory and handles, measured so that two measurements can be compared.
 */
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

let collect: (() => void) | null = null;

/** Bytes of the heap, and of buffers outside of it, that are still in use. */
export async function heapAfterGc(): Promise<number> {
  if (collect === null) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  // More than once, because finalizers let go of more, in later turns.
  for (let round = 0; round < 4; round++) {
    collect();
    await turn();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** How many handles there are of each kind that keeps the process alive, once those that are closing are closed. */
export async function activeResources(): Promise<Record<string, number>> {
  await sleep(20);
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo().sort())
    counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}
