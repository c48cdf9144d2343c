// The chart of a scenario: a bar for each client, keepline's in another colour, with the least and the most of the rounds.

import { hues, svgOf } from "../docs/pictures/chart.mjs";

const isOwn = (key) => key.startsWith("keepline");

/** The SVG of what `scenario.bars(found)` returns; null where it has none. */
export async function chartOf({ scenario, found }) {
  if (scenario.bars === undefined) return null;
  const values = scenario.bars(found).map((each) => ({
    ...each,
    label: each.median.toFixed(each.median < 100 ? 1 : 0),
    hue: each.key === "raw" ? hues.grey : isOwn(each.key) ? hues.blue : hues.orange,
  }));
  const names = values.map(({ name }) => name);
  const unit = scenario.unit ?? "CPU time a request, µs";
  const y = { field: "name", type: "nominal", sort: names, title: null, axis: { ticks: false } };
  return svgOf({
    title: scenario.title,
    description: values.map(({ name, label }) => `${name}: ${label}`).join("; "),
    width: 420,
    height: { step: 24 },
    data: { values },
    encoding: { y },
    layer: [
      {
        mark: { type: "bar", height: 15, opacity: 0.85 },
        encoding: {
          x: { field: "median", type: "quantitative", title: unit },
          color: { field: "hue", type: "nominal", scale: null },
        },
      },
      {
        mark: { type: "rule", color: hues.grey, strokeWidth: 1.5 },
        encoding: { x: { field: "min", type: "quantitative" }, x2: { field: "max" } },
      },
      {
        mark: { type: "text", align: "left", dx: 5, color: hues.grey, fontSize: 12 },
        encoding: {
          x: { field: "max", type: "quantitative" },
          text: { field: "label", type: "nominal" },
        },
      },
    ],
  });
}
