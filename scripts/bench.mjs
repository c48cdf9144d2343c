// `npm run bench`: builds the library, installs what bench/ compares it with (its own package.json,
// so that none of it is a dependency of keepline), and runs bench/main.mjs with the arguments given.

import fs from "node:fs";
import path from "node:path";
import {
  ensureBuilt,
  ensureInstalled,
  followNode,
  root,
  runNode,
  runScript,
  StepFailed,
  tool,
} from "./setup.mjs";

await runScript(async () => {
  const folder = path.join(root, "bench");
  const main = path.join(folder, "main.mjs");
  if (!fs.existsSync(main)) throw new StepFailed("bench/main.mjs does not exist");
  ensureInstalled();
  ensureBuilt();
  ensureInstalled(folder);
  const args = process.argv.slice(2);
  const isForDocs = args.includes("--write-docs") || args.includes("--draw");
  // Charts are drawn with what draws the pictures of docs/.
  if (isForDocs || args.length === 0) ensureInstalled(path.join(root, "docs", "pictures"));
  const code = await followNode([main, ...args]);
  if (code !== 0 || !isForDocs) return code;
  // The numbers are kept in the form that the lint asks for.
  const biome = tool("@biomejs/biome", "biome");
  runNode([biome, "format", "--write", path.join(root, "docs", "performance")], {
    stdio: "ignore",
  });
  return code;
});
