/**
 * What a probe found as text for a terminal. Measures and concludes nothing.
 */
import { version } from "../../version.ts";
import { count, indent, type Looks, span, table, wrap } from "../text.ts";
import type {
  IdleReport,
  KeepAliveReport,
  NameReport,
  ProbeReport,
  RequestsReport,
  TlsVersionReport,
} from "./report.ts";

const margin = 2;
const labelWidth = 18;

/** Before the first result. */
export function renderStart(url: string, method: string, looks: Looks): string[] {
  return [looks.paint("bold", `keepline ${version} probe`), `${method} ${url}`, ""];
}

/** All of it. */
export function renderReport(report: ProbeReport, looks: Looks): string[] {
  const { keepAlive, idle, requests, tls, names, sent } = report;
  const rows: [label: string, text: string][] = [
    ["keeps connections", keepingText(keepAlive)],
    ["says", saysText(keepAlive)],
    ...(idle === null ? [] : [["idle timeout", idleText(idle)] as [string, string]]),
    ...(requests === null ? [] : [["requests", requestsText(requests)] as [string, string]]),
    ["answers", answersText(keepAlive)],
    ...(tls === null
      ? []
      : [
          ...tls.versions.map((each): [string, string] => [each.version, tlsText(each)]),
          [
            "ALPN",
            tls.chooses === null ? "no answer" : `${tls.offers.join(", ")}; chooses ${tls.chooses}`,
          ] as [string, string],
        ]),
    ["address", nameText(names)],
  ];
  return [
    ...rows.flatMap(([label, text]) => labelled(label, text, looks)),
    "",
    ...indent(addressTable(names, looks), margin),
    "",
    ...section("Settings for keepline", settingLines(report), looks),
    ...(report.advice.remarks.length === 0
      ? []
      : section(
          "To know",
          report.advice.remarks.flatMap((each) => bullet(each, looks)),
          looks,
        )),
    looks.paint(
      "dim",
      `${sent.connections} connections, ${sent.requests} requests, ${span(report.tookMsecs)}.`,
    ),
  ];
}

function section(title: string, lines: readonly string[], looks: Looks): string[] {
  return [looks.paint("bold", title), "", ...indent(lines, margin), ""];
}

function labelled(label: string, text: string, looks: Looks): string[] {
  const lines = wrap(text, Math.max(30, looks.width - margin - labelWidth));
  const [first = "", ...rest] = lines;
  return indent(
    [looks.paint("dim", label.padEnd(labelWidth)) + first, ...indent(rest, labelWidth)],
    margin,
  );
}

function bullet(text: string, looks: Looks): string[] {
  const [first = "", ...rest] = wrap(text, looks.width - margin - 2);
  return [`- ${first}`, ...indent(rest, 2)];
}

function settingLines({ advice, keepAlive }: ProbeReport): string[] {
  if (advice.code !== "") return advice.code.split("\n");
  return keepAlive.keeps === "no"
    ? ["None: the server has to keep connections first."]
    : ["The defaults will do."];
}

function keepingText({ keeps, kept, connections, refusals }: KeepAliveReport): string {
  const reasons = Object.entries(refusals).map(([reason, number]) => `${number} × ${reason}`);
  const why = reasons.length === 0 ? "" : ` (${reasons.join(", ")})`;
  return `${keeps}: ${kept} of ${connections}${why}`;
}

function saysText({ keepAliveHeaders }: KeepAliveReport): string {
  const values = Object.keys(keepAliveHeaders);
  return values.length === 0 ? "no Keep-Alive header" : `Keep-Alive: ${values.join("; ")}`;
}

function idleText(idle: IdleReport): string {
  const number = idle.samples.filter((each) => each.seen !== null).length;
  const seen = `${number} of ${idle.samples.length} connections`;
  const end = { fin: "FIN", rst: "RST", silence: "no answer" }[idle.by ?? "fin"];
  const range = `${span(idle.atLeastMsecs)} to ${span(idle.atMostMsecs ?? 0)}`;
  switch (idle.kind) {
    case "closes":
      return `${span(idle.timeoutMsecs ?? 0)}: then ${end} (${seen}, ${range})`;
    case "drops":
      return `about ${span(idle.timeoutMsecs ?? 0)}, silently: a request later gets ${end} (between ${range})`;
    case "keeps":
      return `none met: connections idle for ${span(idle.atLeastMsecs)} were still good`;
    default:
      return idle.kind satisfies never;
  }
}

function requestsText({ limit, sent, announced, stoppedAt }: RequestsReport): string {
  if (stoppedAt !== null) return `stopped after ${count(sent)}, since it answered ${stoppedAt}`;
  if (limit === null) return `${count(sent)} on one connection, no limit met`;
  const how = announced ? "then Connection: close" : "then closed without a word";
  return `${count(limit)} on one connection, ${how}`;
}

function answersText(keepAlive: KeepAliveReport): string {
  const shown = (counts: Readonly<Record<string, number>>): string => {
    const entries = Object.entries(counts);
    if (entries.length === 1) return entries[0]?.[0] ?? "";
    return entries.map(([value, number]) => `${number} × ${value}`).join(", ");
  };
  const { versions, statusCodes, servers, via, altSvc, roundTripMsecs } = keepAlive;
  const parts = [
    shown(versions),
    `status ${shown(statusCodes)}`,
    ...(Object.keys(servers).length === 0 ? [] : [`Server: ${shown(servers)}`]),
    ...(Object.keys(via).length === 0 ? [] : [`Via: ${shown(via)}`]),
    ...(altSvc === null ? [] : [`Alt-Svc: ${altSvc}`]),
    `first byte after ${span(roundTripMsecs)}`,
  ];
  return parts.join("; ");
}

function tlsText({ accepted, fullMsecs, resumedMsecs, resumes }: TlsVersionReport): string {
  if (!accepted) return "not accepted";
  const full = `handshake ${span(fullMsecs ?? 0)}`;
  return resumes ? `${full}, resumed ${span(resumedMsecs ?? 0)}` : `${full}, not resumed`;
}

function nameText({ host, kind, lookupMsecs }: NameReport): string {
  if (kind === "address") return host;
  const from = kind === "dns" ? "from DNS" : "known to this machine, not to DNS";
  return `${host}, ${from}, looked up in ${span(lookupMsecs ?? 0)}`;
}

function addressTable({ addresses }: NameReport, looks: Looks): string[] {
  const columns = [
    { title: "address", align: "left" },
    { title: "connect", align: "right" },
    { title: "TTL", align: "right" },
    { title: "", align: "left" },
  ] as const;
  const rows = addresses.map(({ address, connectMsecs, ttlSeconds, problem }) => [
    address,
    connectMsecs === null ? "–" : span(connectMsecs),
    ttlSeconds === null ? "–" : `${count(ttlSeconds)} s`,
    problem ?? "",
  ]);
  return table(columns, rows, looks);
}
