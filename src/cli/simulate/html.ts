/**
 * What the page of a sweep is given.
 */
import type { SweepReport } from "../../simulate/index.ts";
import { version } from "../../version.ts";
import { htmlFile } from "../html-file.ts";
import { showValue } from "./values.ts";

/** What the page is given. */
export interface PageContent {
  /** The command line that made it. */
  readonly command: string;
  readonly version: string;
  /** The options of the sweep, with their values as a person would write them. */
  readonly axes: readonly { readonly option: string; readonly labels: readonly string[] }[];
  readonly cells: SweepReport["cells"];
}

/** The report of a sweep as one HTML file. */
export function htmlOf(found: SweepReport, command: string): string {
  const axes = found.axes.map(({ option, values }) => ({
    option,
    labels: values.map((each) => showValue(option, each)),
  }));
  const content: PageContent = { command, version, axes, cells: found.cells };
  return htmlFile("simulate", JSON.stringify(content, infinite));
}

/** JSON has no word for Infinity. */
export function infinite(_key: string, value: unknown): unknown {
  return value === Number.POSITIVE_INFINITY ? "Infinity" : value;
}
