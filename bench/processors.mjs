// Which processors the processes of a benchmark run on: origins on the first, clients on the others. Left to the kernel they change
// places now and then, and on a shared machine one processor may be half as fast again as the other: then ratios say
// which client had the better one.

import { spawnSync } from "node:child_process";
import fs from "node:fs";

const { first, others } = divided();

/** Whether origins have a processor of their own here. */
export const areApart = first !== null;

/** Where origins run. Null: wherever the kernel likes. */
export const originProcessors = first;

/** Where clients run. Null: wherever the kernel likes. */
export const clientProcessors = others;

/** Lists of processors, as `taskset` takes them; null where there is but one, or no `taskset`. */
function divided() {
  const [first, ...others] = allowed();
  const canChoose = others.length > 0 && spawnSync("taskset", ["--version"]).status === 0;
  return canChoose ? { first: `${first}`, others: others.join() } : { first: null, others: null };
}

/** The numbers of the processors that this process may run on. */
function allowed() {
  try {
    const status = fs.readFileSync("/proc/self/status", "latin1");
    return /^Cpus_allowed_list:\s*(.*)$/m.exec(status)[1].split(",").flatMap(numbersOf);
  } catch {
    return []; // not Linux
  }
}

/** The numbers of a range such as `2-5`, or the one number. */
function numbersOf(range) {
  const [from, to = from] = range.split("-").map(Number);
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}
