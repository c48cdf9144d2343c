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

/** Lists of processors, as `taskset` takes them; null where there is but one, or none can be chosen. */
function divided() {
  const [first, ...others] = allowed();
  const lists = [`${first}`, others.join()];
  const canChoose = others.length > 0 && lists.every(works);
  return canChoose ? { first: lists[0], others: lists[1] } : { first: null, others: null };
}

/** Whether a process can be started on the processors of `list`: they may be offline, or a sandbox forbid it. */
function works(list) {
  return spawnSync("taskset", ["-c", list, "taskset", "--version"]).status === 0;
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
