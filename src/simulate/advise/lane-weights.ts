/**
 * Weights of the lanes of a service: a few ways to share are simulated, and the one is taken under which the worst-off lane
 * is slowed down least.
 */
import type { ClientOptions } from "../../client/options.ts";
import { defaultName } from "../../core/lane-options.ts";
import type { SimulationReport } from "../report.ts";

/** A lane whose weight should change. */
export interface LaneWeights {
  readonly service: string;
  readonly lane: string;
  readonly from: number;
  readonly to: number;
  /** 99 of 100 of its responses come within, before and after. */
  readonly p99Msecs: { readonly before: number | null; readonly after: number | null };
}

type Lane = SimulationReport["lanes"][number];

/** How much better the worst-off lane must fare for a change to be worth it. */
const worthShare = 0.1;

/** The lanes whose weights should change, given what `report` found under the present ones. */
export async function adviseLanes(
  settings: ClientOptions,
  service: string | undefined,
  report: SimulationReport,
  run: (values: Readonly<Record<string, unknown>>) => Promise<SimulationReport>,
): Promise<LaneWeights[]> {
  const name = service ?? defaultName;
  const lanes = report.lanes.filter((each) => each.service === name && each.succeeded > 0);
  if (lanes.length < 2) return [];
  const given = settings.services?.[name]?.lanes ?? {};
  const present = lanes.map(({ lane }) => given[lane]?.weight ?? 1);
  const holds = lanes.map(holdOf);
  const busy = lanes.map((each, index) => each.requests * (holds[index] as number));
  const ways = [
    lanes.map(() => 1),
    asWeights(busy),
    // Short work first: it is what waiting hurts most, and what takes least from the others.
    asWeights(holds.map((each) => 1 / each)),
    asWeights(busy.map((each, index) => each / (holds[index] as number) ** 2)),
  ];
  let best = { weights: present, found: report, slowest: slowdown(lanes, holds) };
  const threshold = best.slowest * (1 - worthShare);
  for (const weights of ways) {
    const found = await run(
      Object.fromEntries(
        lanes.map(({ lane }, index) => [`services.${name}.lanes.${lane}.weight`, weights[index]]),
      ),
    );
    const matching = lanes.map((each) => find(found, each));
    const slowest = slowdown(matching, holds);
    const isNoWorse =
      found.failed <= report.failed &&
      (found.latency.p99Msecs ?? 0) <= (report.latency.p99Msecs ?? 0);
    if (isNoWorse && slowest < Math.min(best.slowest, threshold))
      best = { weights, found, slowest };
  }
  return lanes.flatMap((each, index) => {
    const from = present[index] as number;
    const to = best.weights[index] as number;
    const after = find(best.found, each).latency.p99Msecs;
    const p99Msecs = { before: each.latency.p99Msecs, after };
    return from === to ? [] : [{ service: name, lane: each.lane, from, to, p99Msecs }];
  });
}

/** How long a request of the lane holds a connection. */
function holdOf({ latency, queueWait }: Lane): number {
  return Math.max((latency.meanMsecs ?? 0) - (queueWait.meanMsecs ?? 0), 0.1);
}

/** How many times its own work a slow request of the worst-off lane takes. */
function slowdown(lanes: readonly Lane[], holds: readonly number[]): number {
  return Math.max(
    ...lanes.map((each, index) => (each.queueWait.p99Msecs ?? 0) / (holds[index] as number)),
  );
}

function find(report: SimulationReport, { service, lane }: Lane): Lane {
  return report.lanes.find((each) => each.service === service && each.lane === lane) as Lane;
}

/** Whole numbers from 1 in about these proportions, up to 20 times the least. */
function asWeights(shares: readonly number[]): number[] {
  const least = Math.min(...shares);
  return shares.map((each) => Math.min(Math.max(Math.round(each / least), 1), 20));
}
