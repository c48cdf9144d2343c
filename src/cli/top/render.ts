/**
 * An update of the dashboard as text for a terminal.
 */
import type { Hello, Note, PoolUpdate, Update } from "../../dashboard/messages.ts";
import { type Column, count, type Looks, percent, span, table, wrap } from "../text.ts";

const mostNotes = 4;

/** Failures and resends, the newest first. */
export type TopNote = Note & { readonly seenAt: number };

/** One screen. */
export function renderTop(
  hello: Hello,
  update: Update,
  notes: readonly TopNote[],
  looks: Looks,
): string[] {
  const { pools, morePools, clients, warnings } = update;
  const sum = (of: (each: (typeof clients)[number]) => number): number =>
    clients.reduce((total, each) => total + of(each), 0);
  const sockets = `${count(sum((each) => each.sockets.open))} connections, ${count(sum((each) => each.sockets.busy))} busy, ${count(sum((each) => each.sockets.idle))} idle`;
  return [
    `${looks.paint("bold", hello.program)}, process ${hello.pid}, at ${new Date(update.at).toLocaleTimeString("en-GB")}: ${sockets}, ${count(sum((each) => each.pending))} requests wait`,
    "",
    ...(pools.length === 0
      ? ["No connection has been asked for yet."]
      : table(poolColumns, sortedBy(pools).map(poolRow), looks)),
    ...(morePools > 0 ? [looks.paint("dim", `and ${count(morePools)} quieter pools`)] : []),
    ...lanesOf(pools, looks),
    ...warnings.flatMap(({ words, advice }) => [
      "",
      ...wrap(words, looks.width).map((line) => looks.paint("yellow", line)),
      ...wrap(advice, looks.width),
    ]),
    ...notes.slice(0, mostNotes).flatMap((note) => ["", ...noteLines(note, looks)]),
  ];
}

const left = (title: string): Column => ({ title, align: "left" });
const right = (title: string): Column => ({ title, align: "right" });

const poolColumns = [
  left("service"),
  left("origin"),
  right("open"),
  right("busy"),
  right("idle"),
  right("wait"),
  right("req/s"),
  right("new/s"),
  right("reuse"),
  right("wait p99"),
  right("byte p99"),
  right("failed"),
];

function poolRow(pool: PoolUpdate): string[] {
  const { client, service, origin, sockets, maxSockets, pending } = pool;
  return [
    client === "" ? service : `${client}/${service}`,
    origin,
    maxSockets === null ? count(sockets.open) : `${count(sockets.open)}/${count(maxSockets)}`,
    count(sockets.busy + sockets.dialing),
    count(sockets.idle),
    count(pending),
    rate(pool.requestsPerSecond),
    rate(pool.openedPerSecond),
    percent(pool.reuseRatio),
    pool.wait.p99 === null ? "–" : span(pool.wait.p99),
    pool.firstByte.p99 === null ? "–" : span(pool.firstByte.p99),
    count(pool.failed),
  ];
}

/** Lanes in which requests wait, or that are saturated. */
function lanesOf(pools: readonly PoolUpdate[], looks: Looks): string[] {
  const rows = pools.flatMap(({ service, origin, lanes }) =>
    lanes
      .filter(({ pending, isSaturated }) => pending > 0 || isSaturated)
      .map(({ name, busy, pending, waitedMsecs, isSaturated }) => [
        `${service}/${name}`,
        origin,
        count(busy),
        count(pending),
        pending === 0 ? "–" : span(waitedMsecs),
        isSaturated ? looks.paint("yellow", "saturated") : "",
      ]),
  );
  if (rows.length === 0) return [];
  const columns = [
    left("lane"),
    left("origin"),
    right("busy"),
    right("wait"),
    right("longest"),
    left(""),
  ];
  return ["", ...table(columns, rows, looks)];
}

const kinds = { failed: "failed", resent: "sent again", leaked: "unread body", slow: "slow" };

function noteLines({ kind, seenAt, method, origin, path, story, causes }: TopNote, looks: Looks) {
  const when = new Date(seenAt).toLocaleTimeString("en-GB");
  const words = `${when} ${kinds[kind]}: ${method} ${origin}${path}: ${[...story, ...causes.slice(0, 1)].join(", ")}`;
  return wrap(words, looks.width);
}

function sortedBy(pools: readonly PoolUpdate[]): PoolUpdate[] {
  const load = ({ pending, requestsPerSecond, sockets }: PoolUpdate): number =>
    pending * 1_000 + (requestsPerSecond ?? 0) + sockets.open / 1_000;
  return pools.toSorted((a, b) => load(b) - load(a));
}

function rate(value: number | null): string {
  return value === null ? "–" : count(value < 10 ? Math.round(value * 10) / 10 : Math.round(value));
}
