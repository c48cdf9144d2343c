/**
 * One chart over time, with its numbers as a table behind it. All charts share their time and their cursor; to drag over one
 * selects a time in all.
 */
import { useRef } from "preact/hooks";
import type uPlot from "uplot";
import type { Point } from "../../dashboard/history.ts";
import { Numbers } from "../numbers.tsx";
import { Plot } from "../plot.tsx";
import type { Shown } from "./page.tsx";
import { clock } from "./view.ts";

const height = 170;
const tableRows = 12;

/** One line of a chart. */
export interface Series {
  readonly label: string;
  /** Name of the style sheet's colour. */
  readonly colour: string;
  readonly dash?: readonly number[];
  readonly of: (point: Point) => number | null;
}

interface Props {
  readonly shown: Shown;
  readonly title: string;
  readonly points: readonly Point[];
  readonly series: readonly Series[];
  /** How a value is shown, with its unit. */
  readonly show: (value: number | null) => string;
}

export function Chart({ shown, title, points, series, show }: Props) {
  const { range, change } = shown;
  const current = useRef({ range, change });
  current.current = { range, change };
  const visible = points.filter(({ at }) => at >= range.from && at <= range.to);
  const last = visible.at(-1);
  return (
    <figure class="chart">
      <figcaption>
        <strong>{title}</strong>
        <span class="hidden">
          {last === undefined
            ? ": nothing yet"
            : `, last: ${series.map(({ label, of }) => `${label} ${show(of(last))}`).join(", ")}`}
        </span>
      </figcaption>
      <Plot
        height={height}
        names={series.map(({ label }) => label)}
        data={[points.map(({ at }) => seconds(at)), ...series.map(({ of }) => points.map(of))]}
        options={({ colour, axis }) => ({
          scales: {
            x: {
              time: true,
              range: () => [seconds(current.current.range.from), seconds(current.current.range.to)],
            },
            y: { range: (_, __, most) => [0, Math.max((most ?? 0) * 1.05, 1)] },
          },
          series: [
            { label: "Time", value: (_, at) => (at === null ? "–" : clock(at * 1_000)) },
            ...series.map((each) => ({
              label: each.label,
              stroke: colour(each.colour),
              width: 2,
              points: { show: false },
              spanGaps: true,
              value: (_: uPlot, value: number | null) => show(value),
              ...(each.dash === undefined ? {} : { dash: [...each.dash] }),
            })),
          ],
          axes: [
            { ...axis, space: 90, values: (_, ticks) => ticks.map((at) => clock(at * 1_000)) },
            { ...axis, size: 70, values: (_, ticks) => ticks.map(show) },
          ],
          cursor: { drag: { x: true, y: false, setScale: false }, sync: { key: "time" } },
          hooks: {
            setSelect: [
              (self) => {
                const { left, width } = self.select;
                if (width < 4) return;
                const [from, to] = [left, left + width].map((x) => self.posToVal(x, "x") * 1_000);
                self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
                current.current.change({ fixed: { from: from ?? 0, to: to ?? 0 } });
              },
            ],
          },
        })}
      />
      <ChartTable title={title} points={visible} series={series} show={show} />
    </figure>
  );
}

function ChartTable({ title, points, series, show }: Omit<Props, "shown">) {
  const step = Math.max(1, Math.ceil(points.length / tableRows));
  const rows = points.filter((_, index) => (points.length - 1 - index) % step === 0).reverse();
  return (
    <Numbers
      title={title}
      by="Time"
      labels={series.map(({ label }) => label)}
      rows={rows.map((point) => ({
        key: point.at,
        name: clock(point.at),
        values: series.map(({ of }) => show(of(point))),
      }))}
    />
  );
}

function seconds(msecs: number): number {
  return msecs / 1_000;
}
