/**
 * The report of a sweep as one HTML file that needs nothing else: the page is bundled when keepline is built, and what
 * was found is put into it.
 */
import { readFileSync } from "node:fs";
import type { SweepReport } from "../../simulate/index.ts";
import { version } from "../../version.ts";
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

/** The file. */
export function htmlOf(found: SweepReport, command: string): string {
  const axes = found.axes.map(({ option, values }) => ({
    option,
    labels: values.map((each) => showValue(option, each)),
  }));
  const content: PageContent = { command, version, axes, cells: found.cells };
  const json = JSON.stringify(content, infinite).replaceAll("<", "\\u003c");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
<title>keepline simulate</title>
<style>${part("simulate.css")}</style>
</head>
<body>
<main id="page"></main>
<script type="application/json" id="content">${json}</script>
<script>${part("simulate.js").replaceAll("</script", "<\\/script")}</script>
</body>
</html>
`;
}

/** JSON has no word for Infinity. */
export function infinite(_key: string, value: unknown): unknown {
  return value === Number.POSITIVE_INFINITY ? "Infinity" : value;
}

function part(name: string): string {
  return readFileSync(new URL(`../../web/${name}`, import.meta.url), "utf8");
}
