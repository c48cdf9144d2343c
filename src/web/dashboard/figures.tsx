/**
 * The figures of all clients together: what is open, what waits, how much is reused.
 */

import type { PoolHistory } from "../../dashboard/history.ts";
import type { Update } from "../../dashboard/messages.ts";
import { number, percent } from "./view.ts";

interface Props {
  readonly update: Update;
  /** Those that the filter lets through. */
  readonly pools: readonly PoolHistory[];
  readonly filter: string;
}

export function Figures({ update, pools, filter }: Props) {
  const isFiltered = filter.trim() !== "" || update.clients.length === 0;
  const now = isFiltered ? pools.map(({ last }) => last) : update.clients;
  const sum = (of: (each: (typeof now)[number]) => number): number =>
    now.reduce((total, each) => total + of(each), 0);
  const current = pools.map(({ last }) => last);
  const total = (of: (each: (typeof current)[number]) => number): number =>
    current.reduce((all, each) => all + of(each), 0);
  const requests = total((each) => each.requests);
  const reused = current.reduce((all, each) => all + (each.reuseRatio ?? 0) * each.requests, 0);
  const figures = [
    ["Busy", number(sum((each) => each.sockets.busy)), "connections with a request"],
    ["Idle", number(sum((each) => each.sockets.idle)), "footprint: kept for the next one"],
    ["Dialing", number(sum((each) => each.sockets.dialing)), "being opened"],
    ["Waiting", number(sum((each) => each.pending)), "requests in queues"],
    ["Requests", number(total((each) => each.requestsPerSecond ?? 0)), "per second"],
    ["Opened", number(total((each) => each.openedPerSecond ?? 0)), "per second: churn"],
    ["Reuse", percent(requests === 0 ? null : reused / requests), "of all requests"],
    ["Failed", number(total((each) => each.failed)), "requests so far"],
  ] as const;
  return (
    <section aria-label={isFiltered ? "Figures of what is filtered" : "Figures"}>
      <dl class="figures">
        {figures.map(([name, value, doc]) => (
          <div key={name} data-figure={name.toLowerCase()}>
            <dt>{name}</dt>
            <dd>
              <strong>{value}</strong> <span class="quiet">{doc}</span>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
