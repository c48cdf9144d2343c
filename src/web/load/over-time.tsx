/**
 * The run over time: each chart shows one thing, with a line for each client, and its numbers as a table behind it. The runs were one
 * after the other; here all begin at 0.
 */
import uPlot from "uplot";
import type { RunReport, TimelineSlot } from "../../cli/load/report.ts";
import { count, span } from "../../cli/numbers.ts";
import { Numbers } from "../numbers.tsx";
import { Plot } from "../plot.tsx";
import { colourAt } from "./swatch.tsx";

const height = 200;

interface Line {
  readonly label: string;
  readonly colour: string;
  /** In seconds since the run began. */
  readonly at: number[];
  readonly values: (number | null)[];
}

interface Measure {
  readonly title: string;
  /** Of a slot, and how long it was, in ms; null where there is none. */
  readonly of: (slot: TimelineSlot, msecs: number) => number | null;
}

const perSecond = (number: number, msecs: number): number => (number * 1_000) / msecs;
const rate: Measure = {
  title: "Answers a second",
  of: ({ answered }, msecs) => perSecond(answered, msecs),
};
const failures: Measure = {
  title: "Failed a second",
  of: ({ failed }, msecs) => perSecond(failed, msecs),
};
const p50: Measure = { title: "Latency p50", of: ({ p50Msecs }) => p50Msecs };
const p99: Measure = { title: "Latency p99", of: ({ p99Msecs }) => p99Msecs };
const sockets: Measure = { title: "Sockets", of: (slot) => slot.sockets };
const churn: Measure = {
  title: "Sockets opened a second",
  of: ({ opened }, msecs) => perSecond(opened, msecs),
};

export function OverTime({ runs }: { readonly runs: readonly RunReport[] }) {
  const of = (measure: Measure): Line[] =>
    runs.map((run, place) => lineOf(run, measure, run.client, place));
  const [only] = runs.length === 1 ? runs : [];
  const latencies =
    only === undefined
      ? [p50, p99].map((measure) => ({ title: measure.title, lines: of(measure), show: span }))
      : [
          {
            title: "Latency",
            lines: [lineOf(only, p50, "p50", 0), lineOf(only, p99, "p99", 1)],
            show: span,
          },
        ];
  const charts = [
    { title: rate.title, lines: of(rate), show: figure },
    ...latencies,
    { title: sockets.title, lines: of(sockets).map(withoutGaps), show: figure },
    { title: churn.title, lines: of(churn), show: figure },
    ...(runs.some(({ failed }) => failed > 0)
      ? [{ title: failures.title, lines: of(failures), show: figure }]
      : []),
  ];
  const most = Math.max(...runs.map(({ tookMsecs }) => tookMsecs)) / 1_000;
  return (
    <section aria-labelledby="time">
      <h2 id="time">Over time</h2>
      <p class="quiet">
        By when requests ended; latencies as measured. A gap is a time in which nothing was
        answered.
        {runs.length > 1 && " The clients ran one after the other; here each begins at 0."}
      </p>
      <div class="charts">
        {charts.map(({ title, lines, show }) => (
          <TimeChart key={title} title={title} lines={lines} show={show} most={most} />
        ))}
      </div>
    </section>
  );
}

interface ChartProps {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly show: (value: number) => string;
  /** End of the time axis, in seconds. */
  readonly most: number;
}

function TimeChart({ title, lines, show, most }: ChartProps) {
  const shown = (value: number | null | undefined): string => (value == null ? "–" : show(value));
  const data = uPlot.join(
    lines.map(({ at, values }) => [at, values]),
    // A slot without an answer is a gap, what the other runs have no slot for is none.
    lines.map(() => [1, 1]),
  );
  return (
    <figure>
      <figcaption>
        <strong>{title}</strong>
      </figcaption>
      <Plot
        height={height}
        names={lines.map(({ label }) => label)}
        data={data}
        options={({ colour, axis }) => ({
          scales: {
            x: { time: false, range: [0, most] },
            y: { range: (_, __, top) => [0, Math.max((top ?? 0) * 1.08, top > 0 ? 0 : 1)] },
          },
          series: [
            { label: "Time", value: (_, at) => (at === null ? "–" : span(at * 1_000)) },
            ...lines.map((line) => ({
              label: line.label,
              stroke: colour(line.colour),
              width: 2,
              points: {
                size: 5,
                filter: (self: uPlot, place: number) => lonely(self.data[place] ?? []),
              },
              value: (_: uPlot, value: number | null) => shown(value),
            })),
          ],
          axes: [
            { ...axis, values: (_, ticks) => ticks.map((each) => `${each} s`) },
            { ...axis, size: 68, values: (_, ticks) => ticks.map(show) },
          ],
          cursor: { drag: { x: false, y: false }, sync: { key: "time" } },
        })}
      />
      <Numbers
        title={title}
        by="From"
        labels={lines.map(({ label }) => label)}
        rows={[...data[0]].map((at, row) => ({
          key: at,
          name: span(at * 1_000),
          values: lines.map((_, line) => shown(data[line + 1]?.[row])),
        }))}
      />
    </figure>
  );
}

function lineOf(
  { tookMsecs, timeline }: RunReport,
  { of }: Measure,
  label: string,
  place: number,
): Line {
  const { slotMsecs, slots } = timeline;
  const colour = colourAt(place);
  const last = slots.length - 1;
  // The last slot ends with the run. Of a moment there is no rate: it tells no more than noise.
  const lastMsecs = tookMsecs - last * slotMsecs;
  const isWhole = lastMsecs > slotMsecs / 4;
  const kept = isWhole || slots.length === 1 ? slots : slots.slice(0, last);
  return {
    label,
    colour,
    at: kept.map((_, index) => (index * slotMsecs) / 1_000),
    values: kept.map((slot, index) =>
      of(slot, index === last ? Math.max(lastMsecs, 1) : slotMsecs),
    ),
  };
}

/** Places of values without a neighbour, which no line shows. */
function lonely(values: uPlot.AlignedData[number]): number[] {
  // Where only other lines have a value there is undefined.
  const own = Array.from(values, (value, place) => ({ value, place })).filter(
    ({ value }) => value !== undefined,
  );
  const isGap = (index: number): boolean => own[index]?.value == null;
  return own
    .filter((_, index) => !isGap(index) && isGap(index - 1) && isGap(index + 1))
    .map(({ place }) => place);
}

/** What was not counted in a busy moment is as it was before. */
function withoutGaps(line: Line): Line {
  let last: number | null = null;
  return {
    ...line,
    values: line.values.map((each) => {
      last = each ?? last;
      return last;
    }),
  };
}

/** 0.42, 3.5, 12, 1,234. */
function figure(value: number): string {
  return value >= 10 ? count(Math.round(value)) : String(Number(value.toPrecision(2)));
}
