/**
 * The results of the demo as text for a terminal of 80 columns or more. Measures nothing.
 */
import { retireReasons } from "../../core/retire.ts";
import { version } from "../../version.ts";
import {
  bar,
  type Column,
  count,
  indent,
  type Looks,
  msecs,
  percent,
  seconds,
  shades,
  stackedBar,
  table,
  widthOf,
  wrap,
} from "../text.ts";
import type { Plan } from "./many-requests.ts";
import type {
  Bursts,
  DemoReport,
  ManyRequests,
  OneRequest,
  Queue,
  Run,
  Saved,
  TwoRequests,
} from "./report.ts";

const margin = 3;
const leastBar = 8;
const mostBar = 40;

/** Before the first result. `url`: what is measured; null for the demo's own servers. */
export function renderStart(
  url: string | null,
  plan: Plan,
  dashboard: string,
  looks: Looks,
): string[] {
  const what =
    url === null
      ? "An HTTP and an HTTPS server of its own, on this machine, in another process."
      : `${intent(url, plan)}.`;
  const title = `keepline ${version} demo, on Node.js ${process.versions.node}`;
  const live = `Its connections, live: ${dashboard}`;
  return [looks.paint("bold", title), ...wrap(what, looks.width), live];
}

/** What is sent to a server that is not the demo's own. */
export function intent(url: string, { requests, concurrency }: Plan): string {
  return (
    `${count(2 + 2 * requests)} GET requests to ${url}: 2 one after the other, then ` +
    `${count(requests)} with keep-alive and ${count(requests)} without, ${concurrency} at a time`
  );
}

/** The line of progress. */
export function renderProgress(label: string, share: number): string {
  return `${" ".repeat(margin)}${label} … ${Math.round(share * 100)} %`;
}

/** Experiment 1. */
export function renderTwoRequests(results: readonly TwoRequests[], looks: Looks): string[] {
  const columns = columnsOf(",,dns>,connect>,tls>,first byte>,total>,client port>,");
  const largest = Math.max(...results.flatMap(({ requests }) => requests.map(stepsTotal)));
  const rows = results.flatMap(({ protocol, requests }) =>
    requests.map((request, index) => [
      index === 0 ? protocol.toUpperCase() : "",
      index === 0 ? "1st" : "2nd",
      ...[request.dnsMsecs, request.connectMsecs, request.tlsMsecs].map(msecs),
      msecs(request.firstByteMsecs),
      msecs(request.totalMsecs),
      request.clientPort === null ? "–" : String(request.clientPort),
    ]),
  );
  const width = barWidth(columns, rows, looks);
  results
    .flatMap(({ requests }) => requests)
    .forEach((request, index) => {
      rows[index]?.push(stackedBar(stepsOf(request), largest, width));
    });
  const legend = ["dns", "connect", "tls", "first byte"]
    .map((step, index) => `${shades[index]} ${step}`)
    .join("   ");
  return section("1", "Two requests, one after the other, in ms", looks, [
    ...table(columns, rows, looks),
    "",
    legend,
    ...socketSentences(results).flatMap((sentence) => wrap(sentence, looks.width - margin)),
  ]);
}

/** Experiment 2. */
export function renderManyRequests(result: ManyRequests, looks: Looks): string[] {
  const columns = columnsOf(",,sockets>,reuse>,p50 ms>,p99 ms>,total>,total");
  const rows = result.runs.map((run) => [
    run.keepAlive ? run.protocol.toUpperCase() : "",
    run.keepAlive ? "keep-alive" : "without",
    count(run.socketsOpened),
    percent(run.reuseRatio),
    msecs(run.p50Msecs),
    msecs(run.p99Msecs),
    seconds(run.tookMsecs),
  ]);
  const width = barWidth(columns, rows, looks);
  const largest = Math.max(...result.runs.map((run) => run.tookMsecs));
  result.runs.forEach((run, index) => {
    const style = run.keepAlive ? "green" : "yellow";
    rows[index]?.push(looks.paint(style, bar(run.tookMsecs, largest, width)));
  });
  const title = `${count(result.requests)} requests, ${result.concurrency} at a time`;
  return section("2", title, looks, [
    ...table(columns, rows, looks),
    "",
    ...result.saved.flatMap((saved) => wrap(savedSentence(saved, result), looks.width - margin)),
    ...result.runs.flatMap((run) => wrap(remark(run), looks.width - margin)),
  ]);
}

/** Experiment 3. */
export function renderQueue(result: Queue, looks: Looks): string[] {
  const columns = columnsOf("maxSockets>,sockets>,wait p50 ms>,wait p99 ms>,total>,wait p50");
  const rows = result.runs.map((run) => [
    String(run.maxSockets),
    String(run.socketsOpened),
    msecs(run.waitP50Msecs),
    msecs(run.waitP99Msecs),
    seconds(run.tookMsecs),
  ]);
  const width = barWidth(columns, rows, looks);
  const largest = Math.max(...result.runs.map((run) => run.waitP50Msecs));
  result.runs.forEach((run, index) => {
    rows[index]?.push(bar(run.waitP50Msecs, largest, width));
  });
  const title = `${result.requests} requests at once, each answered after ${result.delayMsecs} ms`;
  const sentence =
    "Wait: from the call to an open socket. Fewer sockets: a longer queue. More sockets: more " +
    "handshakes, and more at once for the server.";
  return section("3", title, looks, [
    ...table(columns, rows, looks),
    "",
    ...wrap(sentence, looks.width - margin),
  ]);
}

/** Experiment 4. */
export function renderBursts(result: Bursts, looks: Looks): string[] {
  const columns = columnsOf("maxFreeSockets>,keepAliveMsecs>,opened>,churn,idle>,footprint");
  const rows = result.runs.map((run) => [
    String(run.maxFreeSockets),
    count(run.keepAliveMsecs),
    count(run.socketsOpened),
    run.idleSocketSeconds.toFixed(1),
  ]);
  const width = Math.floor((barWidth(columns, rows, looks) - 2) / 2);
  const mostOpened = Math.max(...result.runs.map((run) => run.socketsOpened));
  const mostIdle = Math.max(...result.runs.map((run) => run.idleSocketSeconds));
  result.runs.forEach((run, index) => {
    const opened = bar(run.socketsOpened, mostOpened, width).padEnd(width);
    const idle = bar(run.idleSocketSeconds, mostIdle, width);
    rows[index]?.splice(3, 0, looks.paint("yellow", opened));
    rows[index]?.push(looks.paint("green", idle));
  });
  const [, pause = 0, next = 0] = result.burstsAtMsecs;
  const title = `Bursts of ${result.burstRequests} requests, in pairs ${pause} ms apart, every ${next} ms`;
  const sentence =
    `Opened: churn, sockets opened in ${seconds(result.spanMsecs)}. Idle: footprint, idle ` +
    "socket-seconds, the area under client.stats() sampled every 10 ms. maxFreeSockets below the " +
    "burst closes sockets that the next burst opens again; so does keepAliveMsecs below the pause.";
  return section("4", title, looks, [
    ...table(columns, rows, looks),
    "",
    ...wrap(sentence, looks.width - margin),
  ]);
}

/** After the last result. `self`: what starts the demo, for a command line to try next. */
export function renderEnd(report: DemoReport, self: string, looks: Looks): string[] {
  const took = `Done in ${seconds(report.tookMsecs)}.`;
  if (report.url !== null) return ["", took];
  return ["", ...wrap(`${took} To measure your own server: ${self} --url URL`, looks.width)];
}

/** What there is to see from now on. */
export function renderLive(dashboard: string, looks: Looks): string[] {
  const words =
    "Now there is traffic until Ctrl-C: a shop with two lanes, of which one is saturated now and then, and a search that comes in bursts. Look at it at";
  return ["", ...wrap(words, looks.width), looks.paint("bold", dashboard)];
}

function section(number: string, title: string, looks: Looks, lines: readonly string[]): string[] {
  const head = looks.paint("bold", `${number}${" ".repeat(margin - 1)}${title}`);
  return ["", head, "", ...indent(lines, margin)];
}

/** Columns by their titles, separated by commas; a ">" at the end of one moves it to the right. */
function columnsOf(titles: string): Column[] {
  return titles
    .split(",")
    .map((title) =>
      title.endsWith(">")
        ? { title: title.slice(0, -1), align: "right" }
        : { title, align: "left" },
    );
}

/** What a last column of bars may take of the terminal's width. */
function barWidth(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  looks: Looks,
): number {
  const used = Math.max(...table(columns.slice(0, rows[0]?.length), rows, looks).map(widthOf));
  return Math.min(Math.max(looks.width - margin - used - 2, leastBar), mostBar);
}

function stepsOf({ dnsMsecs, connectMsecs, tlsMsecs, firstByteMsecs }: OneRequest): number[] {
  return [dnsMsecs ?? 0, connectMsecs ?? 0, tlsMsecs ?? 0, firstByteMsecs];
}

function stepsTotal(request: OneRequest): number {
  return stepsOf(request).reduce((sum, step) => sum + step, 0);
}

/** One sentence for each result, or one for all of them when it is the same. */
function socketSentences(results: readonly TwoRequests[]): string[] {
  const sentences = results.map(socketSentence);
  const [first] = sentences;
  if (first !== undefined && sentences.every((each) => each === first)) return [first];
  return results.map(({ protocol }, index) => `${protocol.toUpperCase()}: ${sentences[index]}`);
}

function socketSentence({ sameSocket, portsSeenBy, closedBecause }: TwoRequests): string {
  if (sameSocket) {
    const ports =
      portsSeenBy === "server"
        ? "the server saw both requests come from the same client port."
        : "both requests left from the same port of this machine.";
    return `The second request used the same socket: ${ports}`;
  }
  const why = closedBecause === null ? "" : `: ${closedBecause} (${retireReasons[closedBecause]})`;
  return `The second request needed another socket, since the first was closed${why}.`;
}

function savedSentence(saved: Saved, { runs, concurrency }: ManyRequests): string {
  const name = saved.protocol.toUpperCase();
  const [kept, fresh] = runs.filter((run) => run.protocol === saved.protocol);
  if (kept === undefined || fresh === undefined || saved.handshakesAvoided === 0) {
    return `${name}: keep-alive avoided no handshake here.`;
  }
  const factor = fresh.tookMsecs / kept.tookMsecs;
  const faster = factor >= 1.05 ? `${factor.toFixed(1)} times as fast with keep-alive. ` : "";
  return (
    `${name}: ${faster}${count(saved.handshakesAvoided)} handshakes avoided × ` +
    `${msecs(saved.handshakeMeanMsecs)} ms (their mean in the run without, ` +
    `${concurrency} at a time) = ${seconds(saved.savedMsecs)} less waiting, summed over all requests.`
  );
}

/** What a reader should know of a run that was not smooth; empty for one that was. */
function remark(run: Run): string {
  const name = `${run.protocol.toUpperCase()} ${run.keepAlive ? "with" : "without"} keep-alive`;
  const codes = Object.entries(run.statusCodes).filter(([code]) => !code.startsWith("2"));
  const parts = codes.map(([code, number]) => `${count(number)} answered ${code}`);
  if (run.failed > 0) parts.push(`${count(run.failed)} failed`);
  return parts.length === 0 ? "" : `${name}: ${parts.join(", ")}.`;
}
