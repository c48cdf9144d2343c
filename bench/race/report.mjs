// The results of the race as text, Markdown or JSON.

import os from "node:os";
import { count, percent } from "../../dist/cli/text.js";

const columns = [
  ["client", "left", (each) => each.name],
  ["requests", "right", (each) => count(each.requests)],
  ["failed", "right", (each) => count(each.failed)],
  ["failed %", "right", (each) => percent(each.failed / each.requests)],
  ["error codes", "left", (each) => codes(each)],
  ["delivered twice", "right", (each) => count(each.duplicated)],
  ["resent", "right", (each) => (each.resent === null ? "–" : count(each.resent))],
  ["connections", "right", (each) => count(each.opened)],
  ["idle age, ms", "right", (each) => ages(each.idleAges)],
];

/** What `race` (its settings) and `results` say, in the format that was asked for. */
export function report(race, results) {
  if (race.format === "json") {
    const { chosen: _, format: __, ...settings } = race;
    return JSON.stringify({ scenario: "race", ...settings, machine: machine(), results }, null, 2);
  }
  const isMarkdown = race.format === "markdown";
  const methods = [...new Set(results.map((each) => each.method))];
  return [
    ...(isMarkdown ? ["```sh", race.command, "```", ""] : []),
    ...paragraph(race),
    ...methods.flatMap((method) => {
      const rows = results.filter((each) => each.method === method);
      return [
        "",
        isMarkdown ? `**${method}**` : method,
        "",
        ...(isMarkdown ? markdownTable(rows) : textTable(rows)),
      ];
    }),
    ...notes(results),
  ].join("\n");
}

function paragraph(race) {
  const { workers, requests, idleMsecs, delayMsecs, ages, seed } = race;
  const pools = race.poolPerWorker ? "each with a client of its own" : "that share one client";
  const closing = race.reset ? "resets" : "closes";
  const said = race.hint
    ? `says so with Keep-Alive: timeout=${idleMsecs / 1000}`
    : "does not say so";
  const { node, cores } = machine();
  return [
    `${workers} workers ${pools}, ${requests} requests each, sent ${ages[0]}–${ages[1]} ms after the response before (seed ${seed}).`,
    `The ${race.isTls ? "HTTPS" : "HTTP"} server ${closing} a connection that was idle for ${idleMsecs} ms and ${said}; ${delayMsecs} ms each way.`,
    `Node.js ${node}, ${cores} shared cores. Idle age: of reused connections when a request took them, as far as`,
    "the client tells, 10th percentile / median / 90th percentile.",
  ];
}

/** What the table has no column for: each a paragraph, which has a blank line before it. */
function notes(results) {
  const told = results.filter((each) => each.beforeIdleClose !== null);
  const lines = [...new Set(told.map((each) => each.name))].map((name) => {
    const counts = told
      .filter((each) => each.name === name)
      .map((each) => `${each.method} ${each.beforeIdleClose} / ${each.afterIdleClose}`);
    return `${name}, failed of those sent before / after the client had seen the server close an idle connection: ${counts.join(", ")}.`;
  });
  for (const { name, method, failedThoughReceived } of results) {
    if (failedThoughReceived === 0) continue;
    lines.push(
      `${name}, ${method}: the server had received ${failedThoughReceived} of the failed.`,
    );
  }
  return lines.flatMap((line) => ["", line]);
}

function codes({ codes }) {
  const entries = Object.entries(codes);
  return entries.length === 0 ? "–" : entries.map(([code, n]) => `${code} ${n}`).join(", ");
}

function ages({ p10, p50, p90 }) {
  return p50 === null ? "–" : `${Math.round(p10)} / ${Math.round(p50)} / ${Math.round(p90)}`;
}

function markdownTable(rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [
    line(columns.map(([title]) => title)),
    line(columns.map(([, align]) => (align === "right" ? "---:" : "---"))),
    ...rows.map((each) => line(columns.map(([, , cell]) => cell(each)))),
  ];
}

function textTable(rows) {
  const cells = [
    columns.map(([title]) => title),
    ...rows.map((each) => columns.map(([, , cell]) => cell(each))),
  ];
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => row[index].length)));
  return cells.map((row) =>
    row
      .map((cell, index) =>
        columns[index][1] === "right" ? cell.padStart(widths[index]) : cell.padEnd(widths[index]),
      )
      .join("  ")
      .trimEnd(),
  );
}

function machine() {
  return { node: process.version.slice(1), cores: os.availableParallelism() };
}
