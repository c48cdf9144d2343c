// `npm run pictures`: builds the library, installs what draws the pictures of docs/ (a package.json of their own, so
// that none of it is a dependency of keepline) and what bench/ compares with, and runs docs/pictures/main.mjs with the
// arguments given.

import path from "node:path";
import {
  ensureBuilt,
  ensureInstalled,
  followNode,
  root,
  runNode,
  runScript,
  tool,
} from "./setup.mjs";

await runScript(async () => {
  const folder = path.join(root, "docs", "pictures");
  ensureInstalled();
  ensureBuilt();
  // The neighbour is measured with the clients of the benchmark.
  ensureInstalled(path.join(root, "bench"));
  ensureInstalled(folder);
  const code = await followNode([path.join(folder, "main.mjs"), ...process.argv.slice(2)]);
  // The numbers are kept in the form that the lint asks for.
  const format = [
    tool("@biomejs/biome", "biome"),
    "format",
    "--write",
    path.join(folder, "numbers"),
  ];
  if (code === 0) runNode(format, { stdio: "ignore" });
  return code;
});
