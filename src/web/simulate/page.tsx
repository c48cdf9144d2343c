/**
 * All parts of the report, and which cell is chosen: the one thing that they share.
 */
import { useState } from "preact/hooks";
import type { PageContent } from "../../cli/simulate/html.ts";
import { heatMetrics } from "../../cli/simulate/metrics.ts";
import { Chosen } from "./chosen.tsx";
import { Front } from "./front.tsx";
import { HeatMap } from "./heat-map.tsx";
import { CellTable } from "./table.tsx";

type Content = { readonly content: PageContent };

/** What the parts need. */
export interface View {
  readonly content: PageContent;
  /** Index of the chosen cell. */
  readonly chosen: number;
  readonly choose: (index: number) => void;
}

/** A cell by its values, as in "maxSockets 5, keepAliveMsecs 1s". */
export function nameOf({ axes }: PageContent, index: number): string {
  const [down, across] = axes;
  if (down === undefined) return "All requests";
  if (across === undefined) return `${down.option} ${down.labels[index]}`;
  const columns = across.labels.length;
  const row = Math.floor(index / columns);
  return `${down.option} ${down.labels[row]}, ${across.option} ${across.labels[index % columns]}`;
}

export function Page({ content }: Content) {
  const { axes, cells, command, version } = content;
  const [chosen, choose] = useState(() => cheapest(content));
  const view: View = { content, chosen, choose };
  const requests = cells.reduce((sum, each) => sum + each.report.requests, 0);
  const isSweep = axes.length > 0;
  return (
    <>
      <header>
        <h1>keepline simulate</h1>
        <p class="command">
          <code>{command}</code>
        </p>
        <p class="quiet">
          keepline {version}: {cells.length === 1 ? "one cell" : `${cells.length} cells`},{" "}
          {requests.toLocaleString("en-US")} requests. Nothing was sent: the client's decisions are
          the library's, its network and servers are as they were described.
        </p>
      </header>
      {isSweep && (
        <section aria-labelledby="maps">
          <h2 id="maps">What the settings do</h2>
          <p class="quiet">
            Less is better in every map. ★ marks what no other cell beats in churn, footprint, p99
            and failures. Choose a cell by mouse, or by Tab and the arrow keys.
          </p>
          <div class="maps">
            {heatMetrics.map((metric) => (
              <HeatMap key={metric.key} metric={metric} view={view} />
            ))}
          </div>
        </section>
      )}
      {isSweep && <Front view={view} />}
      <Chosen view={view} />
      {isSweep && <CellTable view={view} />}
    </>
  );
}

/** The cell that is chosen at first. */
function cheapest({ cells }: PageContent): number {
  let best = 0;
  for (const [index, { cost }] of cells.entries()) {
    if (cost.total < (cells[best]?.cost.total ?? 0)) best = index;
  }
  return best;
}
