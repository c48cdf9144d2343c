/**
 * `keepline/prometheus`: clients as Prometheus scrapes them, with prom-client or without.
 */
import { Client, worldOf } from "../client/client.ts";
import { InvalidOptionError } from "../core/errors.ts";
import {
  type Family,
  familiesOf,
  familyTable,
  type Labels,
  type Sample,
  type Scraped,
} from "./families.ts";

export type { Family, Labels, Sample } from "./families.ts";

/** What is told, and how. */
export interface ScrapeOptions {
  /**
   * Counters, sockets and durations of each origin, with a label `origin`; what origins counted whose pools are gone has the
   * label `*`. Default false: they are summed up by service. With many origins that is a lot of series.
   */
  readonly origins?: boolean;
  /** Labels of all samples. */
  readonly labels?: Labels;
}

/** What `collect` needs of a registry of prom-client. */
export interface MetricRegistry {
  // biome-ignore lint/suspicious/noExplicitAny: prom-client declares only metrics of its own, and takes any
  registerMetric(metric: any): void;
  removeSingleMetric(name: string): void;
}

/** One or several clients of a program. Of several each has a label `client`: its name. */
export type Clients = Client | Readonly<Record<string, Client>>;

/** The `Content-Type` of what `Scraper.text` returns. */
export const contentType = "text/plain; version=0.0.4; charset=utf-8";

/**
 * A reader of clients for one Prometheus. Low and high-water marks are those since its own last scrape: who is scraped by
 * several has a scraper for each.
 */
export class Scraper {
  readonly #clients: readonly Scraped[];
  readonly #byOrigin: boolean;

  /**
   * @throws InvalidOptionError for what is no client or no option.
   */
  constructor(clients: Clients, options: ScrapeOptions = {}) {
    const { origins = false, labels = {}, ...unknown } = options;
    const [first] = Object.keys(unknown);
    if (first !== undefined) throw fault(first, "there is no such option");
    if (typeof origins !== "boolean") throw fault("origins", "must be true or false");
    for (const [name, value] of Object.entries(labels)) {
      if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) || typeof value !== "string") {
        throw fault(`labels.${name}`, "must be a label name with a string");
      }
    }
    this.#byOrigin = origins;
    const where = "new Scraper()";
    this.#clients = namesOf(clients).map(([name, client]) => ({
      world: worldOf(client, where),
      reader: {},
      labels: name === null ? labels : { ...labels, client: name },
    }));
    for (const { world, reader } of this.#clients) world.pools.beginMarks(reader);
  }

  /** All families with their samples now, in the form that prom-client has them in. */
  families(): Family[] {
    return [...familiesOf(this.#clients, this.#byOrigin).values()];
  }

  /** A scrape: text in the exposition format of Prometheus, version 0.0.4. */
  text(): string {
    return this.families().map(textOf).join("");
  }

  /** Marks are no longer kept for it. */
  close(): void {
    for (const { world, reader } of this.#clients) world.pools.endMarks(reader);
  }
}

/**
 * Registers the families of `clients` with a registry of prom-client, in which no others of keepline may be. Returns what
 * takes them out again.
 */
export function collect(
  registry: MetricRegistry,
  clients: Clients,
  options: ScrapeOptions = {},
): () => void {
  const scraper = new Scraper(clients, options);
  let now: Map<string, Family> | null = null;
  /** A registry asks for one family after the other, in one go: all are of one instant. */
  const current = (name: string): Family => {
    if (now === null) {
      now = new Map(scraper.families().map((family) => [family.name, family]));
      queueMicrotask(() => {
        now = null;
      });
    }
    return now.get(name) as Family;
  };
  for (const [name, [type, help]] of Object.entries(familyTable)) {
    registry.registerMetric({
      name,
      help,
      type,
      aggregator: "sum",
      /** For OpenMetrics a registry gives counters another name. */
      get() {
        return { ...current(name), name: this.name, aggregator: "sum" };
      },
      // Counters are the pools', which nobody resets.
      reset() {},
    });
  }
  return () => {
    for (const name of Object.keys(familyTable)) registry.removeSingleMetric(name);
    scraper.close();
  };
}

function namesOf(clients: Clients): (readonly [string | null, Client])[] {
  const isRecord = typeof clients === "object" && clients !== null && !(clients instanceof Client);
  return isRecord ? Object.entries(clients) : [[null, clients]];
}

function textOf({ name, help, type, values }: Family): string {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
  for (const sample of values) lines.push(lineOf(name, sample));
  return `${lines.join("\n")}\n`;
}

function lineOf(family: string, { labels, value, metricName }: Sample): string {
  const shown = Object.entries(labels).map(([name, text]) => `${name}="${escaped(text)}"`);
  const list = shown.length === 0 ? "" : `{${shown.join(",")}}`;
  return `${metricName ?? family}${list} ${value}`;
}

function escaped(text: string): string {
  return text.replace(/[\\"\n]/g, (each) => (each === "\n" ? "\\n" : `\\${each}`));
}

function fault(option: string, problem: string): InvalidOptionError {
  return new InvalidOptionError(option, "TypeError", `keepline/prometheus: ${option}: ${problem}`);
}
