/**
 * All parts of the dashboard, and what the reader has chosen: the one thing that they share.
 */
import { useEffect, useState } from "preact/hooks";
import type { History, PoolHistory } from "../../dashboard/history.ts";
import { AdviceSection } from "./advice.tsx";
import type { Subject } from "./advising.ts";
import { Controls } from "./controls.tsx";
import type { Connection } from "./feed.ts";
import { Figures } from "./figures.tsx";
import { Notes } from "./notes.tsx";
import { PoolDetails } from "./pool.tsx";
import { PoolTable } from "./pools.tsx";
import { firstView, matches, number, type Range, type View } from "./view.ts";
import { Warnings } from "./warnings.tsx";

interface Props {
  readonly history: History;
  readonly connection: Connection;
  readonly now: number;
}

/** The shortest time that the charts show by themselves. */
const leastMsecs = 15_000;

/** Changes what is chosen; by a function where it depends on what is chosen then, which a later key may have changed. */
type Change = (changed: Partial<View> | ((view: View, range: Range) => Partial<View>)) => void;

/** What the parts need. */
export interface Shown {
  readonly history: History;
  readonly view: View;
  /** The time that the charts show. */
  readonly range: Range;
  readonly change: Change;
}

export function Page({ history, connection }: Props) {
  const [view, setView] = useState(firstView);
  const change: Change = (changed) =>
    setView((before) => ({
      ...before,
      ...(typeof changed === "function" ? changed(before, rangeOf(history, before)) : changed),
    }));
  const { hello, update } = history;
  const program = hello === null ? "" : `${hello.program}, process ${hello.pid}`;
  useEffect(() => {
    document.title = program === "" ? "keepline" : `keepline: ${program}`;
  }, [program]);
  const shown: Shown = { history, view, range: rangeOf(history, view), change };
  const pools = history.listed.filter(({ last }) => matches(last, view.filter));
  // What was chosen stays while it is remembered, also when it is not listed: busier ones may have its place for a moment.
  const chosen = view.pool === null ? undefined : history.pools.get(view.pool);
  const isShown = chosen !== undefined && matches(chosen.last, view.filter);
  const pool = isShown ? chosen : busiest(pools);
  return (
    <>
      <header>
        <div class="title">
          <h1>keepline</h1>
          <p class="quiet">
            {program}
            {hello !== null && ` · keepline ${hello.keepline} · Node.js ${hello.node}`}
          </p>
          <p class={`state ${connection}`} role="status">
            {words[connection]}
            {connection === "live" && view.fixed !== null && "; the charts stand still"}
          </p>
        </div>
        <Controls shown={shown} />
      </header>
      {update !== null && (
        <>
          <Warnings update={update} />
          <Figures update={update} pools={pools} filter={view.filter} />
          <PoolTable shown={shown} pools={pools} chosen={pool?.id ?? null} />
          {update.morePools > 0 && (
            <p class="quiet">
              The {update.pools.length} busiest pools are shown; {number(update.morePools)} more are
              there.
            </p>
          )}
          {pool !== null && <PoolDetails shown={shown} pool={pool} />}
          <AdviceSection subject={subjectOf(pool)} />
          <Notes shown={shown} />
        </>
      )}
      {update !== null && update.pools.length === 0 && (
        <p>No connection has been asked for yet: what the program does next appears here.</p>
      )}
      <footer class="quiet">
        What happened before this page was opened is only in the totals. Times are this browser's.
      </footer>
    </>
  );
}

function subjectOf(pool: PoolHistory | null): Subject | null {
  if (pool === null) return null;
  const { client, service } = pool.last;
  return { client, service };
}

function rangeOf({ update, since }: History, { fixed, spanMsecs }: View): Range {
  if (fixed !== null) return fixed;
  const to = update?.at ?? 0;
  // Of a time in which nobody looked there is nothing to show.
  return { from: Math.max(to - spanMsecs, Math.min(since, to - leastMsecs)), to };
}

const words: Readonly<Record<Connection, string>> = {
  connecting: "Connecting …",
  live: "Live",
  lost: "The program does not answer: trying again …",
};

/** What waits before what works. */
function busiest(pools: readonly PoolHistory[]): PoolHistory | null {
  let best: PoolHistory | null = null;
  const weight = ({ last }: PoolHistory): number =>
    last.pending * 1_000_000 + (last.requestsPerSecond ?? 0) * 100 + last.sockets.open;
  for (const pool of pools) if (best === null || weight(pool) > weight(best)) best = pool;
  return best;
}
