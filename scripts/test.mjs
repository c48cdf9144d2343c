// `npm test`: installs and builds what is missing (some tests use dist/), then runs every *.test.ts
// under src/ and test/ with node:test, compiled into build/: those under src/ in few processes together, each other file in its own.
//   npm test -- idle-window http1      only files whose path contains one of the words
//   npm test -- --coverage             also writes coverage/
//   npm test -- --test-name-pattern=x  other flags go to node
//   npm test -- --enable-source-maps   stacks name the TypeScript, for a third more of CPU time

import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {
  ensureBuilt,
  ensureInstalled,
  ensureTestsBuilt,
  filesBelow,
  followNode,
  root,
  runScript,
  StepFailed,
  tool,
} from "./setup.mjs";

// Most tests wait for sockets rather than compute, but more processes than cores would distort
// the ones that measure time.
const concurrency = Math.min(4, Math.max(2, os.availableParallelism()));

await runScript(() => {
  const args = process.argv.slice(2);
  const flags = args.filter((arg) => arg.startsWith("-") && arg !== "--coverage");
  const words = args.filter((arg) => !arg.startsWith("-")).map(toSlashes);

  ensureInstalled();
  ensureBuilt();
  ensureTestsBuilt();

  const files = ["test", "src"]
    .flatMap((folder) => filesBelow(path.join(root, folder)))
    .map((file) => toSlashes(path.relative(root, file)))
    .filter((file) => file.endsWith(".test.ts"))
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)));
  if (files.length === 0) {
    throw new StepFailed(
      words.length === 0
        ? "there is no *.test.ts under src/ or test/"
        : `no test file's path contains ${words.map((word) => JSON.stringify(word)).join(" or ")}`,
    );
  }

  const nodeArgs = [
    "--test",
    "--test-reporter=spec",
    `--test-concurrency=${concurrency}`,
    // Bounds a test file as well as a test: a hang is reported instead of waited for.
    "--test-timeout=180000",
    ...flags,
    ...entriesFor(files.map((file) => file.replace(/\.ts$/, ".js"))),
  ];
  const coverage = args.includes("--coverage");
  return followNode(coverage ? [...coverageArgs(), process.execPath, ...nodeArgs] : nodeArgs);
});

/**
 * What node:test runs, each in a process of its own: to start one takes as long as most unit tests do, so that those are imported by a
 * file for each core. First, since that is what takes longest.
 */
function entriesFor(files) {
  const units = files.filter((file) => file.startsWith("src/"));
  const groups = Array.from({ length: 2 }, (_, group) =>
    units.filter((_, index) => index % 2 === group),
  ).filter((group) => group.length > 0);
  const entries = groups.map((group, index) => {
    // Another run may be under way.
    const entry = path.join(root, "build", `units-${index + 1}-${process.pid}.test.js`);
    fs.writeFileSync(entry, group.map((file) => `import "./${file}";\n`).join(""));
    return entry;
  });
  process.on("exit", () => {
    for (const entry of entries) fs.rmSync(entry, { force: true });
  });
  return [
    ...entries,
    ...files.filter((file) => !units.includes(file)).map((file) => `build/${file}`),
  ];
}

function coverageArgs() {
  return [
    tool("c8", "c8"),
    "--src=src",
    "--include=src/**/*.ts",
    "--exclude=**/*.test.ts",
    "--reporter=text",
    "--reporter=lcov",
    "--reports-dir=coverage",
    "--exclude-after-remap",
  ];
}

function toSlashes(file) {
  return file.replaceAll("\\", "/");
}
