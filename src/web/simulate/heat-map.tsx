/**
 * One heat map: a table of buttons, one a cell, of which one can be reached by Tab and all by the arrow keys.
 */
import { useRef } from "preact/hooks";
import { colourOf, figure, type Metric, placeOf } from "../../cli/simulate/metrics.ts";
import { nameOf, type View } from "./page.tsx";

interface Props {
  readonly metric: Metric;
  readonly view: View;
}

export function HeatMap({ metric, view }: Props) {
  const { content, chosen, choose } = view;
  const { axes, cells } = content;
  const [down, across] = axes.length === 2 ? axes : [undefined, axes[0]];
  const columns = across?.labels.length ?? 1;
  const values = cells.map(metric.of);
  const table = useRef<HTMLTableElement>(null);

  const move = (event: KeyboardEvent, index: number): void => {
    const to = targetOf(event.key, index, columns, cells.length);
    if (to === null) return;
    event.preventDefault();
    choose(to);
    table.current?.querySelectorAll("button")[to]?.focus();
  };

  return (
    <figure class="map">
      <figcaption>
        <strong>{metric.title}</strong>: {metric.doc}
        {down === undefined && <span class="quiet">, by {across?.option}</span>}
      </figcaption>
      <div class="scroll">
        <table ref={table} data-metric={metric.key}>
          <thead>
            <tr>
              {down !== undefined && (
                <th scope="col" class="corner">
                  {down.option} ↓ {across?.option} →
                </th>
              )}
              {across?.labels.map((label) => (
                <th key={label} scope="col">
                  {down === undefined && <span class="hidden">{across.option} </span>}
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {(down?.labels ?? [""]).map((label, row) => (
              <tr key={label}>
                {down !== undefined && <th scope="row">{label}</th>}
                {values.slice(row * columns, (row + 1) * columns).map((value, column) => {
                  const index = row * columns + column;
                  const isBest = cells[index]?.isBest === true;
                  const words = `${nameOf(content, index)}: ${metric.title} ${figure(value)} ${metric.unit}${isBest ? ", not beaten" : ""}`;
                  return (
                    <td key={nameOf(content, index)}>
                      <button
                        type="button"
                        aria-label={words}
                        aria-pressed={index === chosen}
                        tabIndex={index === chosen ? 0 : -1}
                        style={{ background: colourOf(placeOf(value, values)) }}
                        onClick={() => choose(index)}
                        onKeyDown={(event) => move(event, index)}
                      >
                        {figure(value)}
                        {isBest ? " ★" : ""}
                      </button>
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </figure>
  );
}

/** Where a key leads to; null when it leads nowhere. */
function targetOf(key: string, index: number, columns: number, count: number): number | null {
  const column = index % columns;
  switch (key) {
    case "ArrowLeft":
      return column > 0 ? index - 1 : null;
    case "ArrowRight":
      return column < columns - 1 ? index + 1 : null;
    case "ArrowUp":
      return index >= columns ? index - columns : null;
    case "ArrowDown":
      return index + columns < count ? index + columns : null;
    case "Home":
      return index - column;
    case "End":
      return index - column + columns - 1;
    default:
      return null;
  }
}
