/**
 * A report as one HTML file that needs nothing else and loads nothing: its page (src/web) is bundled when keepline is built, and what
 * was found is put into it. Invariant: no content can end a script, and nothing but the page's own script and style sheet is let run.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** The file, of the page that is called `name`. `json`: what the page is given. */
export function htmlFile(name: "load" | "simulate", json: string): string {
  const style = part(`${name}.css`);
  const script = part(`${name}.js`).replaceAll("</script", "<\\/script");
  const policy = `default-src 'none'; script-src ${hashOf(script)}; style-src ${hashOf(style)}; img-src data:; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>keepline ${name}</title>
<style>${style}</style>
</head>
<body>
<main id="page"><p>This page needs JavaScript.</p></main>
<script type="application/json" id="content">${json.replaceAll("<", "\\u003c")}</script>
<script>${script}</script>
</body>
</html>
`;
}

function part(name: string): string {
  return readFileSync(new URL(`../web/${name}`, import.meta.url), "utf8");
}

function hashOf(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}
