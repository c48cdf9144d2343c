/**
 * Churn against footprint: every cell a point, and a line through those that nothing beats in these two.
 */

import { figure, heatMetrics } from "../../cli/simulate/metrics.ts";
import { paretoFront } from "../../simulate/cost.ts";
import { nameOf, type View } from "./page.tsx";

const width = 560;
const height = 300;
const left = 62;
const bottom = 46;
const top = 16;
const right = 24;

export function Front({ view }: { readonly view: View }) {
  const { content, chosen, choose } = view;
  const { cells } = content;
  const [churn, footprint] = heatMetrics;
  const points = cells.map((cell, index) => ({
    index,
    x: footprint?.of(cell) ?? 0,
    y: churn?.of(cell) ?? 0,
  }));
  const mostX = niceAbove(Math.max(...points.map((each) => each.x)));
  const mostY = niceAbove(Math.max(...points.map((each) => each.y)));
  const px = (x: number): number => left + (x / mostX) * (width - left - right);
  const py = (y: number): number => height - bottom - (y / mostY) * (height - top - bottom);
  const front = paretoFront(points, [(each) => each.x, (each) => each.y]).sort((a, b) => a.x - b.x);
  const onFront = new Set(front.map((each) => each.index));
  const halves = [0, 0.5, 1];
  return (
    <section aria-labelledby="front">
      <h2 id="front">What is not beaten</h2>
      <p class="quiet">
        Each point is a cell. The line joins those for which no other has both fewer idle sockets
        and fewer opened: to go down the one, go up the other.
      </p>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms */}
      <svg class="front" viewBox={`0 0 ${width} ${height}`} role="group" aria-labelledby="front">
        {halves.map((share) => (
          <g key={share}>
            <line
              class="rule"
              x1={left}
              x2={width - right}
              y1={py(share * mostY)}
              y2={py(share * mostY)}
            />
            <text class="tick" x={left - 8} y={py(share * mostY) + 5} text-anchor="end">
              {figure(share * mostY)}
            </text>
            <text class="tick" x={px(share * mostX)} y={height - bottom + 18} text-anchor="middle">
              {figure(share * mostX)}
            </text>
          </g>
        ))}
        <text class="axis" x={width - right} y={height - 8} text-anchor="end">
          idle sockets on average
        </text>
        <text class="axis" x={left} y={top - 4}>
          opened per second
        </text>
        <polyline class="line" points={front.map(({ x, y }) => `${px(x)},${py(y)}`).join(" ")} />
        {points.map(({ index, x, y }) => (
          // biome-ignore lint/a11y/useSemanticElements: there is no button in SVG
          <g
            key={nameOf(content, index)}
            class={`point${onFront.has(index) ? " best" : ""}${index === chosen ? " chosen" : ""}`}
            role="button"
            tabIndex={index === chosen ? 0 : -1}
            aria-label={`${nameOf(content, index)}: ${figure(x)} idle, ${figure(y)} opened per second`}
            aria-pressed={index === chosen}
            onClick={() => choose(index)}
            onKeyDown={(event) => {
              if (event.key === "Enter" || event.key === " ") choose(index);
            }}
          >
            <circle class="target" cx={px(x)} cy={py(y)} r={14} />
            <circle class="dot" cx={px(x)} cy={py(y)} r={index === chosen ? 8 : 5} />
          </g>
        ))}
      </svg>
    </section>
  );
}

/** A round number that is no less. */
function niceAbove(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 2, 5, 10]) if (step * power >= value) return step * power;
  return value;
}
