/**
 * The chosen cell: its figures, and its sockets and its queue over time.
 */
import { figure, metrics } from "../../cli/simulate/metrics.ts";
import { Plot } from "../plot.tsx";
import { nameOf, type View } from "./page.tsx";

const chartHeight = 200;

interface Line {
  readonly label: string;
  readonly values: readonly number[];
  /** Name of the style sheet's colour. */
  readonly colour: string;
}

export function Chosen({ view }: { readonly view: View }) {
  const { content, chosen } = view;
  const cell = content.cells[chosen];
  if (cell === undefined) return null;
  const { report } = cell;
  const { series } = report;
  const seconds = series.requests.map((_, index) => (index * series.stepMsecs) / 1_000);
  // The last step ends with the simulation.
  const lastMsecs = report.simulatedMsecs - (seconds.length - 1) * series.stepMsecs;
  const perSecond = (counts: readonly number[]): number[] =>
    counts.map((each, index) => {
      const msecs = index === counts.length - 1 ? lastMsecs : series.stepMsecs;
      return msecs > 0 ? (each * 1_000) / msecs : 0;
    });
  const reasons = Object.entries(report.sockets.closedFor);
  return (
    <section aria-labelledby="chosen">
      <h2 id="chosen" aria-live="polite">
        {nameOf(content, chosen)}
      </h2>
      {report.ended === "overloaded" && (
        <p class="warning">
          It ended early, for too many requests waited: the load is more than the sockets can carry.
        </p>
      )}
      <dl class="figures">
        {metrics.map((metric) => (
          <div key={metric.key} data-figure={metric.key}>
            <dt>
              {metric.title} <span class="quiet">{metric.doc}</span>
            </dt>
            <dd>
              {figure(metric.of(cell))} {metric.unit}
            </dd>
          </div>
        ))}
      </dl>
      {reasons.length > 0 && (
        <p class="quiet">
          Closed:{" "}
          {reasons
            .map(([reason, count]) => `${count.toLocaleString("en-US")} ${reason}`)
            .join(", ")}
          .
        </p>
      )}
      <Chart
        title="Sockets"
        seconds={seconds}
        lines={[
          { label: "open", values: series.open, colour: "--one" },
          { label: "idle", values: series.idle, colour: "--two" },
        ]}
      />
      <Chart
        title="Requests that wait for a connection"
        seconds={seconds}
        lines={[
          { label: "on average", values: series.pending, colour: "--one" },
          { label: "at most", values: series.mostPending, colour: "--two" },
        ]}
      />
      <Chart
        title="Per second"
        seconds={seconds}
        lines={[
          { label: "requests", values: perSecond(series.requests), colour: "--one" },
          { label: "sockets opened", values: perSecond(series.opened), colour: "--two" },
        ]}
      />
    </section>
  );
}

interface ChartProps {
  readonly title: string;
  readonly seconds: readonly number[];
  readonly lines: readonly Line[];
}

function Chart({ title, seconds, lines }: ChartProps) {
  const summary = lines
    .map(
      (line) =>
        `${line.label} from ${figure(Math.min(...line.values))} to ${figure(Math.max(...line.values))}`,
    )
    .join(", ");
  const isShort = seconds.length < 3;
  return (
    <figure class="chart">
      <figcaption>
        {title}
        <span class="hidden">: {summary}</span>
      </figcaption>
      <Plot
        height={chartHeight}
        names={[...lines.map(({ label }) => label), String(isShort)]}
        data={[[...seconds], ...lines.map((line) => [...line.values])]}
        options={({ colour, axis }) => ({
          scales: {
            x: { time: false },
            y: { range: (_, __, most) => [0, Math.max(most * 1.05, 1)] },
          },
          series: [
            { label: "s" },
            ...lines.map((line) => ({
              label: line.label,
              stroke: colour(line.colour),
              width: 2,
              points: { show: isShort },
            })),
          ],
          axes: [
            { ...axis, values: (_, ticks) => ticks.map((each) => `${each}s`) },
            { ...axis, size: 56 },
          ],
          cursor: { drag: { x: true, y: false } },
        })}
      />
    </figure>
  );
}
