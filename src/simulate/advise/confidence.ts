/**
 * How sure advice is: by how much there was to learn from, and by whether each half of it says the same.
 */
import type { Msecs } from "../../core/clock.ts";
import { keyOf, type Point } from "./search.ts";

/** How sure it is. */
export interface Confidence {
  readonly level: "high" | "fair" | "low";
  /** What speaks against it, in sentences; empty when nothing does. */
  readonly reasons: readonly string[];
  /** On each half of the requests: what the recommendation costs more than the best of what was tried beside it, as a share. */
  readonly excess: { readonly first: number; readonly second: number };
}

/** What is asked. */
interface Question {
  readonly evidence: {
    readonly requests: number;
    readonly spanMsecs: Msecs;
    readonly isWhole: boolean;
  };
  readonly point: Point;
  readonly opened: number;
  readonly others: readonly Point[];
  readonly costOf: (point: Point, half: "first" | "second") => Promise<number>;
}

const few = 1_000;
const many = 10_000;

/** How sure it is that `point` is right. */
export async function confidenceOf({
  evidence,
  point,
  opened,
  others,
  costOf,
}: Question): Promise<Confidence> {
  const excessOn = async (half: "first" | "second"): Promise<number> => {
    const own = await costOf(point, half);
    let least = own;
    const tried = new Map(others.map((each) => [keyOf(each), each]));
    for (const each of tried.values()) least = Math.min(least, await costOf(each, half));
    return least > 0 && own > least ? own / least - 1 : 0;
  };
  const excess = { first: await excessOn("first"), second: await excessOn("second") };
  const worst = Math.max(excess.first, excess.second);
  const { requests, spanMsecs, isWhole } = evidence;
  const times = spanMsecs / point.keepAliveMsecs;
  const low = [
    requests < few && `there are only ${requests} requests; ${few} would be few`,
    times < 10 &&
      "it covers less than ten times keepAliveMsecs: what happens to idle connections was seen too seldom",
    worst > 0.25 &&
      `on one half of the requests another setting would do: this one costs ${Math.round(100 * worst)} % more there`,
  ].filter((each) => each !== false);
  const fair = [
    requests >= few && requests < many && `${requests} requests are not many`,
    times >= 10 && times < 30 && "it covers less than thirty times keepAliveMsecs",
    worst > 0.1 && worst <= 0.25 && "its two halves do not quite agree",
    opened < 20 && `only ${opened} connections were opened`,
    !isWhole && "only the beginning was looked at",
  ].filter((each) => each !== false);
  const level = low.length > 0 ? "low" : fair.length > 0 ? "fair" : "high";
  return { level, reasons: [...low, ...fair], excess };
}
