// Installs the Node.js named in nodes.json for one major version into .nodes/<major>/ (the npm
// package `node`, in a folder of its own so that it shadows nothing) and prints the folder of its
// binary. Does nothing when that version is there already.
//   node .ci/install-node.mjs 26

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const major = process.argv[2];
const versions = JSON.parse(fs.readFileSync(new URL("nodes.json", import.meta.url), "utf8"));
const version = versions[major];
if (version === undefined) {
  throw new Error(`nodes.json has no Node.js ${major}, only ${Object.keys(versions).join(", ")}`);
}

const folder = fileURLToPath(new URL(`../.nodes/${major}/`, import.meta.url));
const packageFolder = path.join(folder, "node_modules", "node");
const binary = path.join(packageFolder, "bin", "node");

if (installedVersion() !== version) {
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  const manifest = {
    private: true,
    dependencies: { node: version },
    // The package fetches the binary in an install script, which newer npm wants to be allowed.
    allowScripts: { [`node@${version}`]: true },
  };
  fs.writeFileSync(path.join(folder, "package.json"), JSON.stringify(manifest, null, 2));
  run(
    "npm",
    ["install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"],
    folder,
  );
  // Where npm runs no scripts at all, do what the script does.
  if (installedVersion() === null) {
    run(process.execPath, ["installArchSpecificPackage.js"], packageFolder);
  }
  if (installedVersion() !== version) {
    throw new Error(`${binary} is ${installedVersion() ?? "missing"}, not ${version}`);
  }
}
process.stdout.write(`${path.dirname(binary)}\n`);

function installedVersion() {
  const { status, stdout } = spawnSync(binary, ["--version"], { encoding: "utf8" });
  return status === 0 ? stdout.trim().replace(/^v/, "") : null;
}

function run(command, args, cwd) {
  // Standard output carries the answer alone.
  const { status, error } = spawnSync(command, args, { cwd, stdio: ["ignore", 2, 2] });
  if (status !== 0) throw new Error(`${command} ${args[0]} failed`, { cause: error });
}
