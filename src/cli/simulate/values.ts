/**
 * Values on the command line of `keepline simulate`: durations, settings by their names, and lists of them for a sweep.
 */
import { liveRules } from "../../client/options.ts";
import { laneRules } from "../../core/lane-options.ts";
import { nearest, type Rule, show } from "../../core/rules.ts";
import type { Axis } from "../../simulate/index.ts";
import { UsageError } from "../errors.ts";
import type { Option } from "../options.ts";

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** "1.5s" → 1500; a number without a unit is ms. Null when it is none. `Infinity` and `never` are endless. */
export function parseDuration(text: string): number | null {
  if (text === "Infinity" || text === "never") return Number.POSITIVE_INFINITY;
  const parts = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)?$/.exec(text);
  if (parts === null) return null;
  return Number(parts[1]) * units[(parts[2] ?? "ms") as keyof typeof units];
}

/** An option whose value is a duration. */
export function durationOption(doc: string): Option<number> {
  return {
    value: "TIME",
    doc,
    allowed: "a duration such as 500ms, 5s, 2m or 1h",
    parse: (text) => {
      const msecs = parseDuration(text);
      return msecs === null || msecs === Number.POSITIVE_INFINITY ? null : msecs;
    },
  };
}

const rules: Readonly<Record<string, Rule<unknown>>> = { ...laneRules, ...liveRules };

/**
 * The value of a setting, by what its option takes.
 *
 * @throws UsageError when there is no such option, or it does not take that.
 */
export function parseSetting(option: string, text: string, where: string): unknown {
  const path = option.split(".");
  const name = path.at(-1) ?? "";
  // In a lane some options are the same by name, and mean the lane's own.
  const isOfLane = path.at(-3) === "lanes";
  const table: typeof rules = isOfLane ? laneRules : liveRules;
  const rule = Object.hasOwn(table, name) ? table[name] : undefined;
  const isPlace = path.length === 1 || path[0] === "services";
  if (rule === undefined || !isPlace) {
    const near = nearest(Object.keys(table), name);
    const hint = near === null ? "" : `; did you mean ${[...path.slice(0, -1), near].join(".")}?`;
    throw new UsageError(`${where}: there is no option ${show(option)}${hint}`);
  }
  const value = readValue(text, rule);
  const fault = rule.check(value);
  if (fault === null) return value;
  throw new UsageError(`${where}: ${option} must be ${fault.allowed}, not ${show(text)}`);
}

/** "maxSockets=5" → ["maxSockets", "5"]; null when it has no such form. */
export function parseAssignment(text: string): readonly [option: string, value: string] | null {
  const parts = /^([\w.-]+)=(.+)$/s.exec(text);
  return parts === null ? null : [parts[1] as string, parts[2] as string];
}

/**
 * An axis of a sweep.
 *
 * @throws UsageError
 */
export function axisOf([option, list]: readonly [option: string, list: string]): Axis {
  const where = `--sweep ${option}`;
  const values = list.split(",").map((text) => parseSetting(option, text.trim(), where));
  if (new Set(values).size < values.length) {
    throw new UsageError(`${where}: a value is given twice`);
  }
  return { option, values };
}

function readValue(text: string, { unit }: Rule<unknown>): unknown {
  if (unit === "ms") return parseDuration(text) ?? text;
  if (text === "true" || text === "false") return text === "true";
  if (text === "Infinity") return Number.POSITIVE_INFINITY;
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

/** A value as a person would write it: 5000 of an option in ms → "5s". */
export function showValue(option: string, value: unknown): string {
  const rule = rules[option.split(".").at(-1) ?? ""];
  if (rule?.unit !== "ms" || typeof value !== "number") return String(value);
  return showDuration(value);
}

/** 90000 → "90s", 120000 → "2m"; as few units as it goes into. */
export function showDuration(msecs: number): string {
  if (msecs === Number.POSITIVE_INFINITY) return "never";
  if (msecs === 0) return "0";
  const fitting = Object.entries(units).findLast(([, each]) => msecs % each === 0);
  const [unit, size] = fitting ?? ["ms", 1];
  return `${msecs / size}${unit}`;
}
