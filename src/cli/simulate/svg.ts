/**
 * The heat maps of a sweep as an SVG picture that stands alone, for light and dark pages.
 */
import type { Axis, Cell, SweepReport } from "../../simulate/index.ts";
import { colourOf, figure, heatMetrics, type Metric, placeOf } from "./metrics.ts";
import { showValue } from "./values.ts";

const cellWidth = 72;
const cellHeight = 34;
const left = 96;
const headHeight = 66;
const gap = 26;

/** The picture. */
export function svgOf(found: SweepReport): string {
  const { axes, cells } = found;
  const [down, across] = axes.length === 2 ? axes : [undefined, axes[0]];
  const columns = Math.max(across?.values.length ?? 1, 1);
  const rows = Math.max(down?.values.length ?? 1, 1);
  const mapHeight = headHeight + rows * cellHeight + gap;
  const width = left + columns * cellWidth + 12;
  const height = heatMetrics.length * mapHeight;
  const maps = heatMetrics.map((metric, index) =>
    mapOf(metric, cells, down, across, columns, index * mapHeight),
  );
  const described = heatMetrics.map(({ title, doc }) => `${title}: ${doc}`).join("; ");
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeText(described)}">`,
    `<style>text{font:13px system-ui,sans-serif;fill:#1a1a1a}.t{font-weight:600}.s{fill:#595959;font-size:12px}.v{text-anchor:middle}.r{text-anchor:end}@media(prefers-color-scheme:dark){.o{fill:#f0f0f0}.s.o{fill:#b5b5b5}}</style>`,
    ...maps.flat(),
    "</svg>\n",
  ].join("\n");
}

function mapOf(
  metric: Metric,
  cells: readonly Cell[],
  down: Axis | undefined,
  across: Axis | undefined,
  columns: number,
  top: number,
): string[] {
  const values = cells.map(metric.of);
  const text = (x: number, y: number, kind: string, words: string): string =>
    `<text x="${x}" y="${y}" class="${kind}">${escapeText(words)}</text>`;
  const heads = (across?.values ?? []).map((value, column) =>
    text(
      left + (column + 0.5) * cellWidth,
      top + headHeight - 8,
      "s o v",
      showValue(across?.option ?? "", value),
    ),
  );
  const sides = (down?.values ?? []).map((value, row) =>
    text(
      left - 10,
      top + headHeight + (row + 0.6) * cellHeight,
      "s o r",
      showValue(down?.option ?? "", value),
    ),
  );
  const by = [down?.option, across?.option].filter((each) => each !== undefined).join(" by ");
  return [
    text(8, top + 20, "t o", `${metric.title}: ${metric.doc}`),
    text(8, top + 38, "s o", `${by}; framed: not beaten by another`),
    ...heads,
    ...sides,
    ...cells.flatMap((cell, index) => {
      const value = values[index] ?? null;
      const x = left + (index % columns) * cellWidth;
      const y = top + headHeight + Math.floor(index / columns) * cellHeight;
      const frame = cell.isBest ? ` stroke="#1a1a1a" stroke-width="2"` : "";
      return [
        `<rect x="${x + 1}" y="${y + 1}" width="${cellWidth - 2}" height="${cellHeight - 2}" rx="4" fill="${colourOf(placeOf(value, values))}"${frame}/>`,
        text(x + cellWidth / 2, y + cellHeight / 2 + 5, "v", figure(value)),
      ];
    }),
  ];
}

function escapeText(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
