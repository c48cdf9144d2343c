/**
 * Reads what Prometheus would read: the exposition format, parsed strictly.
 */
import assert from "node:assert/strict";

/** One line of a scrape. */
export interface ScrapedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What a scrape told. */
export class Scrape {
  readonly samples: readonly ScrapedSample[];
  /** Types by family. */
  readonly types: ReadonlyMap<string, string>;

  constructor(text: string) {
    const samples: ScrapedSample[] = [];
    const types = new Map<string, string>();
    const seen = new Set<string>();
    for (const line of text.split("\n")) {
      if (line === "" || line.startsWith("# HELP ") || line === "# EOF") continue;
      const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
      if (type !== null) {
        assert.ok(!types.has(type[1] as string), `${type[1]} has two types`);
        types.set(type[1] as string, type[2] as string);
        continue;
      }
      const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
      assert.ok(match, `not a sample: ${line}`);
      const [, name = "", list = "", value = ""] = match;
      assert.ok(!seen.has(`${name}{${list}`), `twice: ${line}`);
      seen.add(`${name}{${list}`);
      const labels: Record<string, string> = {};
      const rest = list.replace(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)/g, (_, label, text) => {
        labels[label] = text;
        return "";
      });
      assert.equal(rest, "", `labels of ${line}`);
      const number = Number(value === "+Inf" ? Infinity : value);
      assert.ok(!Number.isNaN(number), `the value of ${line}`);
      const family = name.replace(/_(bucket|sum|count)$/, "");
      assert.ok(
        types.has(name) || types.has(family) || types.has(name.replace(/_total$/, "")),
        line,
      );
      samples.push({ name, labels, value: number });
    }
    this.samples = samples;
    this.types = types;
  }

  /** The sum of all samples of `name` that have `labels`; null when there is none. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number | null {
    const found = this.samples.filter(
      (each) =>
        each.name === name &&
        Object.entries(labels).every(([label, value]) => each.labels[label] === value),
    );
    return found.length === 0 ? null : found.reduce((sum, { value }) => sum + value, 0);
  }
}
