/**
 * Latency by percentile, drawn towards the slow ones: each power of ten that fewer requests exceed has the same room. Below it are the
 * same distributions as a table.
 */
import uPlot from "uplot";
import { latencyNote, latencyRows, shares } from "../../cli/load/figures.ts";
import type { LatencySummary } from "../../cli/load/latencies.ts";
import type { RunReport } from "../../cli/load/report.ts";
import { msecs, span } from "../../cli/numbers.ts";
import { Plot } from "../plot.tsx";
import { Scroll } from "../scroll.tsx";
import { colourAt, Swatch } from "./swatch.tsx";

const height = 340;
const stepsPerDecade = 10;
/** Where the axis has a word: at 0, 50, 90 %, and then at each further nine. */
const half = Math.log10(2);

interface Curve {
  readonly label: string;
  readonly colour: string;
  readonly isDashed: boolean;
  readonly x: number[];
  readonly y: number[];
}

export function Latency({ runs }: { readonly runs: readonly RunReport[] }) {
  const curves = runs.flatMap((run, place) => curvesOf(run, place, runs.length > 1));
  const [first] = runs;
  if (first === undefined) return null;
  return (
    <section aria-labelledby="latency">
      <h2 id="latency">Latency by percentile</h2>
      <p class="quiet">
        {runs.map(({ latency }) => latencyNote(latency))[0]}
        {runs.length > 1 &&
          first.latency.corrected !== null &&
          " Of each client its own median is taken. Dashed lines are as measured."}
      </p>
      {curves.length > 0 && (
        <figure class="latency">
          <figcaption class="hidden">
            Latency by percentile, as a chart; the table below says the same.
          </figcaption>
          <PercentileChart curves={curves} />
        </figure>
      )}
      <Scroll label="Table of latencies">
        <table class="latencies">
          <thead>
            <tr>
              <th scope="col">ms</th>
              {shares.map(([key, title]) => (
                <th key={key} scope="col">
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {runs.map((run, place) =>
              latencyRows(run.latency).map(([label, summary]) => (
                <tr key={`${run.client} ${label}`} data-latency={`${run.client} ${label}`}>
                  <th scope="row">
                    {runs.length > 1 && (
                      <>
                        <Swatch name={run.client} place={place} />,{" "}
                      </>
                    )}
                    {label}
                  </th>
                  {shares.map(([key]) => (
                    <td key={key}>{msecs(summary[`${key}Msecs`])}</td>
                  ))}
                </tr>
              )),
            )}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}

function PercentileChart({ curves }: { readonly curves: readonly Curve[] }) {
  const most = Math.max(...curves.flatMap(({ x }) => x));
  const all = curves.flatMap(({ y }) => y);
  const [low, high] = decadesOf(Math.min(...all), Math.max(...all));
  return (
    <Plot
      height={height}
      names={curves.map(({ label }) => label)}
      data={uPlot.join(curves.map(({ x, y }) => [x, y]))}
      options={({ colour, axis }) => ({
        scales: {
          x: { time: false, range: [0, Math.max(most, 1)] },
          y: { distr: 3, range: [low, high] },
        },
        series: [
          { label: "Percentile", value: (_, x) => (x === null ? "–" : percentile(x)) },
          ...curves.map(({ label, colour: name, isDashed }) => ({
            label,
            stroke: colour(name),
            width: isDashed ? 1.5 : 2.5,
            points: { show: false },
            spanGaps: true,
            value: (_: uPlot, value: number | null) => (value == null ? "–" : span(value)),
            ...(isDashed ? { dash: [6, 5] } : {}),
          })),
        ],
        axes: [
          {
            ...axis,
            splits: () => [0, half, ...Array.from({ length: Math.floor(most) }, (_, at) => at + 1)],
            values: (_, ticks) => ticks.map((x) => (x === 0 ? "least" : percentile(x))),
          },
          {
            ...axis,
            size: 64,
            splits: () => ticksBetween(low, high),
            filter: (_, ticks) => [...ticks],
            values: (_, ticks) => ticks.map(span),
          },
        ],
        cursor: { drag: { x: false, y: false } },
      })}
    />
  );
}

function curvesOf({ client, latency }: RunReport, place: number, isCompared: boolean): Curve[] {
  const { curves, measured, corrected } = latency;
  const { measuredMsecs, correctedMsecs } = curves;
  const colour = colourAt(place);
  if (corrected === null || correctedMsecs === null) {
    const label = isCompared ? client : "from intended send";
    return curveOf(label, colour, false, measuredMsecs, measured);
  }
  return [
    ...curveOf(isCompared ? client : "corrected", colour, false, correctedMsecs, corrected),
    ...curveOf(
      isCompared ? `${client}, measured` : "measured",
      isCompared ? colour : colourAt(1),
      true,
      measuredMsecs,
      measured,
    ),
  ];
}

/** Nothing where there is no latency. */
function curveOf(
  label: string,
  colour: string,
  isDashed: boolean,
  points: readonly number[],
  { count, maxMsecs }: LatencySummary,
): Curve[] {
  if (maxMsecs === null) return [];
  const x = points.map((_, index) => index / stepsPerDecade);
  // Nothing is below a microsecond; the axis has no place for 0.
  const y = [...points, maxMsecs].map((each) => Math.max(each, 0.001));
  return [{ label, colour, isDashed, x: [...x, Math.log10(count)], y }];
}

/** 0.301 → 50 %, 1 → 90 %, 2.5 → 99.68 %, 3 → 99.9 %. */
function percentile(x: number): string {
  const share = 100 - 100 * 10 ** -x;
  const digits = Math.max(0, Math.floor(x + 1e-9) - 1) + (Number.isInteger(x) || x < 1 ? 0 : 1);
  return `${Number(share.toFixed(digits))} %`;
}

const steps = [1, 2, 5];

/** The axis from the step below `least` to the one above `most`. */
function decadesOf(least: number, most: number): [low: number, high: number] {
  const ticks = ticksBetween(least / 10, most * 10);
  const low = ticks.findLast((each) => each <= least) ?? least;
  const high = ticks.find((each) => each >= most && each > low) ?? most * 2;
  return [low, high];
}

function ticksBetween(low: number, high: number): number[] {
  const from = Math.floor(Math.log10(low));
  const decades = Math.ceil(Math.log10(high)) - from + 1;
  return Array.from({ length: decades }, (_, index) => from + index)
    .flatMap((power) => steps.map((step) => Number(`${step}e${power}`)))
    .filter((each) => each >= low * 0.999 && each <= high * 1.001);
}
