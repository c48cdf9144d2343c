/**
 * Many settings, each tried on the same workload: a grid of values of one option or two.
 */
import type { ClientOptions } from "../client/options.ts";
import { InvalidOptionError } from "../core/errors.ts";
import { type Cost, costOf, paretoFront, usualObjectives } from "./cost.ts";
import type { SimulationReport } from "./report.ts";
import { type RunOptions, type Simulation, simulate } from "./simulate.ts";

/** An option, and the values of it that are tried. */
export interface Axis {
  /** Such as `maxSockets`, or with its place: `services.payments.lanes.reports.maxSockets`. */
  readonly option: string;
  readonly values: readonly unknown[];
}

/** One combination of values. */
export interface Cell {
  /** By option. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly report: SimulationReport;
  readonly cost: Cost;
  /** No other cell is better in one respect and no worse in any: see `paretoFront`. */
  readonly isBest: boolean;
}

/** What a sweep found. */
export interface SweepReport {
  readonly format: "keepline-sweep";
  /** A change that breaks readers raises it. */
  readonly formatVersion: 1;
  readonly axes: readonly Axis[];
  /** In the order of the values of the first axis, then of the second one. */
  readonly cells: readonly Cell[];
}

/** The combinations of all values, in the order in which a sweep has them. */
export function combinations(axes: readonly Axis[]): Record<string, unknown>[] {
  let found: Record<string, unknown>[] = [{}];
  for (const { option, values } of axes) {
    found = found.flatMap((each) => values.map((value) => ({ ...each, [option]: value })));
  }
  return found;
}

/**
 * `settings` with other values of some options, each named by its place. What is not named stays.
 *
 * @throws InvalidOptionError when something on the way is no object.
 */
export function withValues(
  settings: ClientOptions,
  values: Readonly<Record<string, unknown>>,
): ClientOptions {
  let changed: unknown = settings;
  for (const [option, value] of Object.entries(values)) {
    changed = changedAt(changed, option.split("."), value, option);
  }
  return changed as ClientOptions;
}

/** What was found for each combination, with what it costs and whether it is among the best. */
export function sweepReport(
  axes: readonly Axis[],
  reports: readonly SimulationReport[],
): SweepReport {
  const all = combinations(axes);
  const best = new Set(paretoFront(reports, usualObjectives));
  const cells = reports.map((report, index) => ({
    values: all[index] as Record<string, unknown>,
    report,
    cost: costOf(report),
    isBest: best.has(report),
  }));
  return { format: "keepline-sweep", formatVersion: 1, axes, cells };
}

/**
 * Simulates every combination, one after the other in this thread. A trace must be one that can be read again, so
 * `simulation` is a function that makes a new one where there is a stream in it.
 *
 * @throws as `simulate`, by rejection.
 */
export async function sweep(
  simulation: Simulation | (() => Simulation),
  axes: readonly Axis[],
  run: RunOptions = {},
): Promise<SweepReport> {
  const reports: SimulationReport[] = [];
  for (const values of combinations(axes)) {
    const each = typeof simulation === "function" ? simulation() : simulation;
    reports.push(
      await simulate({ ...each, settings: withValues(each.settings ?? {}, values) }, run),
    );
  }
  return sweepReport(axes, reports);
}

function changedAt(
  target: unknown,
  [first = "", ...rest]: readonly string[],
  value: unknown,
  option: string,
): object {
  if (typeof target !== "object" || target === null || Array.isArray(target)) {
    const message = `simulate() settings: there is no place for ${option}: its parent is no object`;
    throw new InvalidOptionError(option, "TypeError", message);
  }
  const known = Object.hasOwn(target, first)
    ? (target as Record<string, unknown>)[first]
    : undefined;
  const changed = rest.length === 0 ? value : changedAt(known ?? {}, rest, value, option);
  return { ...target, [first]: changed };
}
