/**
 * The dashboard and the alert rules in docs/grafana/ ask for metrics, labels and values that there are.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { retireReasons } from "../src/core/retire.ts";
import { Scraper } from "../src/prometheus/index.ts";
import { makeClient } from "./support/client-kit.ts";
import { outcomeOf, plainServer } from "./support/loopback.ts";
import { root } from "./support/root.ts";
import { Scrape } from "./support/scrape.ts";

const read = (file: string): string => readFileSync(join(root, "docs/grafana", file), "utf8");

/** Every `expr` of a dashboard. */
function expressionsIn(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  const entries = Object.entries(value);
  const own = entries.flatMap(([key, each]) =>
    (key === "expr" || key === "query") && typeof each === "string" ? [each] : [],
  );
  return [...own, ...entries.flatMap(([, each]) => expressionsIn(each))];
}

/** Every `expr` of rules, of one line or several. */
function rulesIn(yaml: string): string[] {
  const found = yaml.matchAll(/^ +expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)/gm);
  return [...found].map(([, lines, line]) => lines ?? line ?? "");
}

test("all metrics and labels that the dashboard and the alerts ask for are told by a scrape", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t, {
    maxTotalSockets: 5,
    services: { api: { origins: [server.origin], maxTotalSockets: 3 } },
  });
  await outcomeOf(client.request(server.origin));
  const { samples } = new Scrape(new Scraper(client).text());
  const labelsOf = new Map<string, Set<string>>();
  for (const { name, labels } of samples) {
    const known = labelsOf.get(name) ?? new Set();
    for (const label of Object.keys(labels)) known.add(label);
    labelsOf.set(name, known);
  }
  const expressions = [
    ...expressionsIn(JSON.parse(read("dashboard.json"))),
    ...rulesIn(read("alerts.yaml")),
  ].filter((each) => each.includes("keepline"));
  assert.ok(expressions.length > 30);
  const asked = new Set<string>();
  for (const expression of expressions) {
    const names = [...expression.matchAll(/keepline_\w+/g)].map(([name]) => name);
    assert.ok(names.length > 0, expression);
    for (const name of names) {
      asked.add(name.replace(/_bucket$/, ""));
      const labels = labelsOf.get(name);
      assert.ok(labels, `there is no ${name}: ${expression}`);
      const by = [...expression.matchAll(/by \(([^)]*)\)/g)].flatMap((match) =>
        (match[1] ?? "").split(/, */),
      );
      const matched = [...expression.matchAll(/(\w+)(?:=|!=|=~|!~)"/g)].map((match) => match[1]);
      for (const label of [...by, ...matched] as string[]) {
        assert.ok(labels.has(label), `${name} has no label ${label}: ${expression}`);
      }
    }
    for (const [, reasons] of expression.matchAll(/reason=~?"([^"]*)"/g)) {
      for (const reason of (reasons ?? "").split("|")) assert.ok(reason in retireReasons, reason);
    }
  }
  // And nothing is told that nobody would see.
  const told = new Set(samples.map(({ name }) => name.replace(/_(bucket|sum|count)$/, "")));
  assert.deepEqual(
    [...told].filter((name) => !asked.has(name)),
    [],
  );
});

test("panels of the dashboard lie beside each other, and have numbers of their own", () => {
  const { panels, uid } = JSON.parse(read("dashboard.json")) as {
    uid: string;
    panels: { id: number; gridPos: { h: number; w: number; x: number; y: number } }[];
  };
  assert.equal(uid, "keepline");
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const taken = new Set<string>();
  for (const { gridPos } of panels) {
    assert.ok(gridPos.x + gridPos.w <= 24);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.ok(!taken.has(`${x},${y}`), `two panels at ${x},${y}`);
        taken.add(`${x},${y}`);
      }
    }
  }
});
