/**
 * One row for each pool, of which one is chosen.
 */
import type { PoolHistory } from "../../dashboard/history.ts";
import { Scroll } from "../scroll.tsx";
import type { Shown } from "./page.tsx";
import { number, percent, time } from "./view.ts";

interface Props {
  readonly shown: Shown;
  readonly pools: readonly PoolHistory[];
  readonly chosen: number | null;
}

const titles = [
  "Service",
  "Origin",
  "Open",
  "Busy",
  "Idle",
  "Waiting",
  "Requests/s",
  "Opened/s",
  "Reuse",
  "Wait p99",
  "First byte p99",
  "Failed",
];

export function PoolTable({ shown, pools, chosen }: Props) {
  if (pools.length === 0) return null;
  const rows = pools.toSorted((a, b) => nameOf(a).localeCompare(nameOf(b), "en"));
  return (
    <section aria-labelledby="pools">
      <h2 id="pools">Pools</h2>
      <Scroll label={"Table of pools"}>
        <table class="pools">
          <thead>
            <tr>
              {titles.map((title) => (
                <th key={title} scope="col">
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ id, last }) => {
              const isSaturated = last.lanes.some((lane) => lane.isSaturated);
              return (
                <tr key={id} class={id === chosen ? "chosen" : ""} data-pool={last.origin}>
                  <td>
                    {last.client === "" ? "" : `${last.client} · `}
                    {last.service}
                  </td>
                  <th scope="row">
                    <button
                      type="button"
                      aria-pressed={id === chosen}
                      onClick={() => shown.change({ pool: id })}
                    >
                      {last.origin}
                    </button>
                  </th>
                  <td>
                    {number(last.sockets.open)}
                    {last.maxSockets !== null && (
                      <span class="quiet"> of {number(last.maxSockets)}</span>
                    )}
                  </td>
                  <td>{number(last.sockets.busy)}</td>
                  <td>{number(last.sockets.idle)}</td>
                  <td class={isSaturated ? "alarm" : ""}>
                    {number(last.pending)}
                    {isSaturated && " saturated"}
                  </td>
                  <td data-cell="requests">{number(last.requestsPerSecond)}</td>
                  <td>{number(last.openedPerSecond)}</td>
                  <td>{percent(last.reuseRatio)}</td>
                  <td>{time(last.wait.p99)}</td>
                  <td>{time(last.firstByte.p99)}</td>
                  <td>{number(last.failed)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}

function nameOf({ last, id }: PoolHistory): string {
  return `${last.client} ${last.service} ${last.origin} ${id}`;
}
