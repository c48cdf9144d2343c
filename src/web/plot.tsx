/**
 * A chart on a canvas, by uPlot: as wide as its place, in the colours of the reader's system. What it shows is said elsewhere for
 * those who do not see it.
 */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { useColours } from "./colours.ts";

/** What charts are painted with. */
export interface Paint {
  /** A colour by its name in the style sheet. */
  readonly colour: (name: string) => string;
  /** How axes look. */
  readonly axis: uPlot.Axis;
}

interface Props {
  readonly height: number;
  readonly data: uPlot.AlignedData;
  /** What of the chart is not its data. Asked for again for other colours, and when `names` change. */
  readonly options: (paint: Paint) => Omit<uPlot.Options, "width" | "height">;
  readonly names: readonly string[];
}

export function Plot({ height, data, options, names }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const { scheme, colour } = useColours();

  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const axis = {
      stroke: colour("--quiet"),
      grid: { stroke: colour("--rule"), width: 1 },
      ticks: { stroke: colour("--rule"), width: 1 },
    };
    const size = () => ({ width: Math.max(element.clientWidth, 100), height });
    const made = new uPlot({ ...options({ colour, axis }), ...size() }, data, element);
    plot.current = made;
    const resize = new ResizeObserver(() => made.setSize(size()));
    resize.observe(element);
    return () => {
      resize.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [scheme, names.join("\n")]);

  useEffect(() => {
    if (plot.current !== null && plot.current.data !== data) plot.current.setData(data);
  }, [data]);

  return <div ref={place} class="plot" aria-hidden="true" />;
}
