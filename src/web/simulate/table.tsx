/**
 * All cells with all of their figures, in the order that the reader asks for.
 */
import { useState } from "preact/hooks";
import { figure, type Metric, metrics } from "../../cli/simulate/metrics.ts";
import { nameOf, type View } from "./page.tsx";

export function CellTable({ view }: { readonly view: View }) {
  const { content, chosen, choose } = view;
  const { cells } = content;
  const [by, sortBy] = useState<Metric | null>(null);
  const order = cells.map((_, index) => index);
  if (by !== null) {
    const rank = (index: number): number => {
      const cell = cells[index];
      return (cell === undefined ? null : by.of(cell)) ?? Number.POSITIVE_INFINITY;
    };
    order.sort((a, b) => rank(a) - rank(b));
  }
  return (
    <section aria-labelledby="table">
      <h2 id="table">All cells</h2>
      <p class="quiet">Choose a heading to have the least of it first.</p>
      <div class="scroll">
        <table class="cells">
          <thead>
            <tr>
              <th scope="col" aria-sort={by === null ? "ascending" : "none"}>
                <button type="button" onClick={() => sortBy(null)}>
                  Cell
                </button>
              </th>
              {metrics.map((metric) => (
                <th key={metric.key} scope="col" aria-sort={by === metric ? "ascending" : "none"}>
                  <button type="button" title={metric.doc} onClick={() => sortBy(metric)}>
                    {metric.title}
                    {metric.unit === "" ? "" : ` ${metric.unit}`}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {order.map((index) => {
              const cell = cells[index];
              if (cell === undefined) return null;
              const name = nameOf(content, index);
              return (
                <tr key={name} data-cell={index} class={index === chosen ? "chosen" : ""}>
                  <th scope="row">
                    <button
                      type="button"
                      aria-pressed={index === chosen}
                      onClick={() => choose(index)}
                    >
                      {name}
                      {cell.isBest ? " ★" : ""}
                    </button>
                  </th>
                  {metrics.map((metric) => (
                    <td key={metric.key} data-column={metric.key}>
                      {figure(metric.of(cell))}
                    </td>
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}
