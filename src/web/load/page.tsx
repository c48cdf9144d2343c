/**
 * All parts of the report.
 */
import type { PageContent } from "../../cli/load/html.ts";
import { Cards } from "./cards.tsx";
import { Errors } from "./errors.tsx";
import { Latency } from "./latency.tsx";
import { OverTime } from "./over-time.tsx";
import { Settings } from "./settings.tsx";
import { FigureTable } from "./table.tsx";

export function Page({ content }: { readonly content: PageContent }) {
  const { intent, report, settings } = content;
  const { runs, startedAt, keepline, node } = report;
  const cut = runs.filter(({ endedBy }) => endedBy === "interrupted");
  return (
    <>
      <header>
        <h1>keepline load</h1>
        <p class="intent">{intent}</p>
        <p class="quiet">
          {new Date(startedAt).toLocaleString("en-GB")} · keepline {keepline} · Node.js {node}
          {runs.length > 1 && " · one client after the other, each with cold code at first"}
        </p>
        {cut.length > 0 && (
          <p class="alarm">
            Interrupted: what {cut.map(({ client }) => client).join(", ")} did until then is shown.
          </p>
        )}
      </header>
      <Cards runs={runs} />
      <Errors runs={runs} />
      <Latency runs={runs} />
      <OverTime runs={runs} />
      <div class="beside">
        <FigureTable runs={runs} />
        <Settings settings={settings} isCompared={runs.length > 1} />
      </div>
    </>
  );
}
