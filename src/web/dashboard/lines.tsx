/**
 * Every connection as a line on the axis of time: dialing, busy, idle, and why it ended. Drawn on a canvas, since there may be
 * hundreds of lines with hundreds of pieces; the same is in a table behind it.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Course, PoolHistory } from "../../dashboard/history.ts";
import { useColours } from "../colours.ts";
import { Scroll } from "../scroll.tsx";
import type { Shown } from "./page.tsx";
import { clock, number, type Range, time } from "./view.ts";

const mostRows = 70;
const axisHeight = 22;
const labelWidth = 56;
/** Room for the words that say why a connection ended. */
const right = 8;

interface Props {
  readonly shown: Shown;
  readonly pool: PoolHistory;
}

export function Lines({ shown, pool }: Props) {
  const { range, change } = shown;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [pointed, point] = useState<{ x: number; y: number } | null>(null);
  const dragFrom = useRef<number | null>(null);
  const { scheme, colour } = useColours();
  const rows = rowsOf(pool, range);
  const rowHeight = rows.length > 40 ? 10 : rows.length > 20 ? 13 : 18;
  const height = Math.max(rows.length, 3) * rowHeight + axisHeight;

  useEffect(() => {
    const element = canvas.current?.parentElement;
    if (element == null) return;
    const resize = new ResizeObserver(() => setWidth(element.clientWidth));
    resize.observe(element);
    setWidth(element.clientWidth);
    return () => resize.disconnect();
  }, []);

  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d") ?? null;
    if (element === null || context === null || width === 0) return;
    const ratio = devicePixelRatio;
    element.width = width * ratio;
    element.height = height * ratio;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    draw(context, { rows, range, width, height, rowHeight, colour });
  });

  const timeAt = (x: number): number =>
    range.from + ((x - labelWidth) / (width - labelWidth - right)) * (range.to - range.from);
  const up = (event: PointerEvent): void => {
    const from = dragFrom.current;
    dragFrom.current = null;
    if (from === null || Math.abs(event.offsetX - from) < 6) return;
    const [a = 0, b = 0] = [from, event.offsetX].map(timeAt).toSorted((x, y) => x - y);
    change({ fixed: { from: a, to: b } });
  };
  const row = pointed === null ? undefined : rows[Math.floor(pointed.y / rowHeight)];
  const moreLines = pool.last.moreLines;
  return (
    <figure class="lines" data-scheme={scheme}>
      <figcaption>
        <strong>Connections</strong>
        <span class="keys" aria-hidden="true">
          <i class="dialing" /> dialing <i class="busy" /> busy <i class="idle" /> idle{" "}
          <i class="end" /> end
        </span>
        <span class="hidden">: {rows.length} are drawn; the table below says the same.</span>
      </figcaption>
      <div class="canvas" aria-hidden="true">
        <canvas
          ref={canvas}
          style={{ width: "100%", height: `${height}px` }}
          onPointerDown={(event) => {
            dragFrom.current = event.offsetX;
          }}
          onPointerMove={(event) => point({ x: event.offsetX, y: event.offsetY })}
          onPointerLeave={() => point(null)}
          onPointerUp={up}
        />
        {row !== undefined && pointed !== null && (
          <p
            class="tip"
            style={{
              top: `${pointed.y + 14}px`,
              left: `${Math.min(pointed.x + 10, Math.max(width - 260, 0))}px`,
            }}
          >
            Connection {row.id}: {describe(row)}
          </p>
        )}
      </div>
      {moreLines > 0 && (
        <p class="quiet">
          {number(pool.last.lines.length)} of {number(pool.last.sockets.open)} connections are
          drawn.
        </p>
      )}
      <details class="behind">
        <summary>
          Table<span class="hidden"> of connections</span>
        </summary>
        <Scroll label="Table of connections">
          <table data-lines>
            <thead>
              <tr>
                <th scope="col">Connection</th>
                <th scope="col">State</th>
                <th scope="col">Since</th>
                <th scope="col">Requests</th>
                <th scope="col">Age</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((course) => {
                const last = course.segments.at(-1);
                const from = course.segments[0]?.from ?? course.seenAt;
                return (
                  <tr key={course.id}>
                    <th scope="row">{course.id}</th>
                    <td>
                      {course.closed === null ? last?.state : `closed: ${course.closed.reason}`}
                    </td>
                    <td>{clock(course.closed?.at ?? last?.from ?? course.seenAt)}</td>
                    <td>{number(course.requests)}</td>
                    <td>{time((course.closed?.at ?? course.seenAt) - from)}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </Scroll>
      </details>
    </figure>
  );
}

/** Courses that have a part in `range`: the open ones, and of the closed ones the last. */
function rowsOf({ courses }: PoolHistory, { from, to }: Range): Course[] {
  const inRange = [...courses.values()].filter(({ segments, closed, seenAt }) => {
    const first = segments[0]?.from ?? seenAt;
    return first <= to && (closed?.at ?? seenAt) >= from;
  });
  const closed = inRange.filter((each) => each.closed !== null);
  const open = inRange
    .filter((each) => each.closed === null)
    .toSorted((a, b) => b.seenAt - a.seenAt || a.id - b.id);
  const room = Math.max(mostRows - open.length, 10);
  const last = closed.toSorted((a, b) => (b.closed?.at ?? 0) - (a.closed?.at ?? 0)).slice(0, room);
  return [...open.slice(0, mostRows), ...last].toSorted((a, b) => a.id - b.id);
}

function describe({ segments, requests, closed }: Course): string {
  const last = segments.at(-1);
  const carried = `${number(requests)} ${requests === 1 ? "request" : "requests"}`;
  if (closed !== null) return `closed at ${clock(closed.at)} (${closed.reason}) after ${carried}`;
  if (last === undefined) return carried;
  return `${last.state} for ${time(last.to - last.from)}, ${carried}`;
}

interface Drawing {
  readonly rows: readonly Course[];
  readonly range: Range;
  readonly width: number;
  readonly height: number;
  readonly rowHeight: number;
  readonly colour: (name: string) => string;
}

function draw(context: CanvasRenderingContext2D, drawing: Drawing): void {
  const { rows, range, width, height, rowHeight, colour } = drawing;
  const span = Math.max(range.to - range.from, 1);
  const plotWidth = width - labelWidth - right;
  const px = (at: number): number => labelWidth + ((at - range.from) / span) * plotWidth;
  context.clearRect(0, 0, width, height);
  context.font = "12px system-ui, sans-serif";
  drawAxis(context, drawing, px);
  context.textBaseline = "middle";
  rows.forEach((course, index) => {
    const middle = index * rowHeight + rowHeight / 2;
    context.fillStyle = colour("--quiet");
    context.textAlign = "right";
    if (rowHeight >= 13) context.fillText(String(course.id), labelWidth - 8, middle);
    context.save();
    context.beginPath();
    context.rect(labelWidth, 0, plotWidth + right, height);
    context.clip();
    for (const { state, from, to } of course.segments) {
      if (to < range.from || from > range.to) continue;
      // Thick and thin, so that states differ without colours, too.
      const thick = state === "idle" ? 2 : state === "dialing" ? rowHeight - 8 : rowHeight - 4;
      context.fillStyle = colour(`--${state}`);
      context.fillRect(px(from), middle - thick / 2, Math.max(px(to) - px(from), 1), thick);
    }
    const { closed } = course;
    if (closed !== null && closed.at >= range.from) {
      const x = px(closed.at);
      context.fillStyle = colour("--end");
      context.fillRect(x - 1, middle - rowHeight / 2 + 1, 3, rowHeight - 2);
      if (rowHeight >= 13) drawReason(context, drawing, closed.reason, x, middle);
    }
    context.restore();
  });
}

function drawReason(
  context: CanvasRenderingContext2D,
  { width, colour }: Drawing,
  reason: string,
  x: number,
  middle: number,
): void {
  const words = context.measureText(reason).width;
  const isRight = x + words + 12 < width - right;
  const left = isRight ? x + 6 : x - 6 - words;
  if (!isRight) {
    context.fillStyle = colour("--ground");
    context.globalAlpha = 0.85;
    context.fillRect(left - 2, middle - 7, words + 4, 14);
    context.globalAlpha = 1;
  }
  context.fillStyle = colour("--ink");
  context.textAlign = "left";
  context.fillText(reason, left, middle);
}

const steps = [1, 2, 5, 10, 15, 30, 60, 120].map((seconds) => seconds * 1_000);

function drawAxis(
  context: CanvasRenderingContext2D,
  { range, width, height, colour }: Drawing,
  px: (at: number) => number,
): void {
  const most = Math.max((width - labelWidth) / 90, 1);
  const step = steps.find((each) => (range.to - range.from) / each <= most) ?? 300_000;
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  for (let at = Math.ceil(range.from / step) * step; at <= range.to; at += step) {
    context.fillStyle = colour("--rule");
    context.fillRect(px(at), 0, 1, height - axisHeight + 4);
    context.fillStyle = colour("--quiet");
    const x = Math.min(Math.max(px(at), labelWidth + 26), width - 30);
    context.fillText(clock(at), x, height - 6);
  }
}
