// Brings the checkout into a state in which it can run: dependencies installed, sources compiled.
// Each step is skipped when its stamp says that nothing it depends on has changed, so calling it
// costs a few milliseconds. A lock file lets two processes call it at once.
// Run directly (`npm run build`) it does both steps.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** A step failed in a way that its own output has already explained. */
export class StepFailed extends Error {}

/**
 * Runs `npm ci` in `folder` unless node_modules already matches its lock file.
 * A folder without a lock file gets `npm install`.
 */
export function ensureInstalled(folder = root) {
  if (isInstalled(folder)) return;
  locked(() => {
    if (isInstalled(folder)) return;
    const command = fs.existsSync(path.join(folder, "package-lock.json")) ? "ci" : "install";
    const name = path.relative(root, folder);
    process.stderr.write(`keepline: installing dependencies${name && ` of ${name}`} …\n`);
    // NODE_ENV=production would leave out the tools that build and test.
    npm([command, "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"], {
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"],
    });
    fs.writeFileSync(installStamp(folder), lockHash(folder));
  });
}

/** Builds dist/ from src/ unless it is up to date. A build that fails leaves the former dist/. */
export function ensureBuilt() {
  compile({
    output: "dist",
    config: "tsconfig.build.json",
    sources: filesBelow(path.join(root, "src")).filter((file) => !file.endsWith(".test.ts")),
    finish(fresh) {
      copyAssets(path.join(root, "src"), fresh);
      bundlePages(path.join(fresh, "web"));
      fs.chmodSync(path.join(fresh, "cli", "main.js"), 0o755);
    },
  });
}

/**
 * Compiles src/ and test/ into build/, which the tests run from: a loader that compiles while modules load
 * would cost every one of their processes time.
 */
export function ensureTestsBuilt() {
  compile({
    output: "build",
    config: "tsconfig.test.json",
    sources: ["src", "test"].flatMap((folder) => filesBelow(path.join(root, folder))),
    finish(fresh) {
      copyAssets(path.join(root, "src"), path.join(fresh, "src"));
      bundlePages(path.join(fresh, "src", "web"));
      // The command line reads its version there.
      fs.copyFileSync(path.join(root, "package.json"), path.join(fresh, "package.json"));
    },
  });
}

function compile({ output, config, sources, finish }) {
  const folder = path.join(root, output);
  const stamp = path.join(folder, ".stamp");
  const inputs = [...sources, "tsconfig.json", config, "package.json", "package-lock.json"];
  if (readText(stamp) === hashOf(inputs)) return;
  locked(() => {
    const hash = hashOf(inputs);
    if (readText(stamp) === hash) return;
    process.stderr.write(`keepline: building ${output}/ …\n`);
    // Built beside the folder and then renamed: a program that runs from it meanwhile sees the old
    // files or the new ones, and the output of deleted sources goes away.
    const fresh = path.join(root, `.${output}-${process.pid}`);
    const old = path.join(root, `.${output}-${process.pid}-old`);
    try {
      const tsc = tool("typescript", "tsc");
      const { status } = runNode([tsc, "-p", config, "--outDir", fresh]);
      if (status !== 0) throw new StepFailed("the build failed");
      finish(fresh);
      fs.writeFileSync(path.join(fresh, ".stamp"), hash);
      if (fs.existsSync(folder)) fs.renameSync(folder, old);
      fs.renameSync(fresh, folder);
    } finally {
      fs.rmSync(fresh, { recursive: true, force: true });
      fs.rmSync(old, { recursive: true, force: true });
    }
  });
}

/** Runs npm, the one that runs this script if there is one. Throws StepFailed when it fails. */
export function npm(args, options = {}) {
  const settings = { cwd: root, stdio: "inherit", ...options };
  const cli = process.env.npm_execpath ?? "";
  const result = /npm-cli\.[cm]?js$/.test(cli)
    ? spawnSync(process.execPath, [cli, ...args], settings)
    : process.platform === "win32"
      ? // npm is a .cmd file there, which only a shell can start.
        spawnSync(["npm", ...args.map((arg) => `"${arg}"`)].join(" "), { ...settings, shell: true })
      : spawnSync("npm", args, settings);
  if (result.error) throw new StepFailed(`cannot run npm: ${result.error.message}`);
  if (result.status !== 0) throw new StepFailed(`npm ${args[0]} failed (exit ${result.status})`);
  return result;
}

/** Runs this Node.js with `args` in the repository, waits, and returns what spawnSync returns. */
export function runNode(args, options = {}) {
  return spawnSync(process.execPath, args, { cwd: root, stdio: "inherit", ...options });
}

/** Runs this Node.js with `args` like a part of this process: returns a promise of its exit code. */
export function followNode(args) {
  endWithNpm();
  const child = spawn(process.execPath, args, { cwd: root, stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      // A terminal sends SIGINT to the whole process group: the child has it already.
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  });
}

/**
 * Sends this process SIGTERM when the npm that started it goes away. npm hands signals to a shell,
 * and a shell that dies of one leaves its command running.
 */
export function endWithNpm() {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    process.kill(process.pid, "SIGTERM");
  }, 250);
  watch.unref();
}

/** The script file behind a development tool's command. */
export function tool(packageName, command) {
  const folder = path.join(root, "node_modules", ...packageName.split("/"));
  const { bin } = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
  return path.join(folder, typeof bin === "string" ? bin : bin[command]);
}

/** Every file below `folder`, as absolute paths in a stable order; none when it does not exist. */
export function filesBelow(folder) {
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** Runs `main`; a failed step ends the process with exit code 1 and one line, without a stack. */
export async function runScript(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    process.stderr.write(`keepline: ${error.message}\n`);
    process.exitCode = 1;
  }
}

function isInstalled(folder) {
  const stamp = installStamp(folder);
  const hash = lockHash(folder);
  if (readText(stamp) === hash) return true;
  // Installed by hand: npm's own record is not older than the lock file (up to the order in which
  // npm writes the two).
  const record = modifiedAt(path.join(folder, "node_modules", ".package-lock.json"));
  if (record === null) return false;
  const lock = modifiedAt(path.join(folder, "package-lock.json"));
  const manifest = modifiedAt(path.join(folder, "package.json"));
  if (record + 2_000 < (lock ?? manifest ?? 0)) return false;
  fs.writeFileSync(stamp, hash);
  return true;
}

function installStamp(folder) {
  return path.join(folder, "node_modules", ".keepline-stamp");
}

function lockHash(folder) {
  const lock = readText(path.join(folder, "package-lock.json"));
  const text = lock ?? readText(path.join(folder, "package.json")) ?? "";
  return createHash("sha256").update(text).digest("hex");
}

/** Names `files` by path, size and time, so a deleted one counts, too. */
function hashOf(files) {
  const hash = createHash("sha256");
  for (const file of files) {
    const { size, mtimeMs } = fs.statSync(path.resolve(root, file));
    hash.update(`${path.relative(root, path.resolve(root, file))}\0${size}\0${mtimeMs}\n`);
  }
  return hash.digest("hex");
}

/**
 * Bundles every page, a folder below src/web/ with a main.tsx, into one script `to/NAME.js` and one style sheet
 * `to/NAME.css`, which need nothing else; and every worker of a page, a folder with a main.ts, into one script.
 */
function bundlePages(to) {
  const pages = filesBelow(path.join(root, "src", "web")).filter((file) =>
    /^main\.tsx?$/.test(path.basename(file)),
  );
  // Not imported above: this module also installs it.
  const { buildSync } = createRequire(import.meta.url)("esbuild");
  try {
    buildSync({
      absWorkingDir: root,
      entryPoints: pages.map((file) => ({ in: file, out: path.basename(path.dirname(file)) })),
      outdir: to,
      bundle: true,
      minify: true,
      format: "iife",
      target: "es2022",
      jsx: "automatic",
      jsxImportSource: "preact",
      legalComments: "none",
      // Options of a client are also checked in the browser, where there are no addresses to look at.
      alias: { "node:net": "./src/web/no-net.ts" },
      define: { "process.env.NODE_ENV": '"production"' },
      logLevel: "warning",
    });
  } catch {
    throw new StepFailed("the pages could not be bundled");
  }
}

/** Copies what tsc does not emit (styles, pictures) to the same place in the output; what pages need is bundled. */
function copyAssets(from, to) {
  for (const file of filesBelow(from)) {
    if (file.startsWith(path.join(root, "src", "web") + path.sep)) continue;
    if (/\.[cm]?tsx?$/.test(file)) continue;
    const target = path.join(to, path.relative(from, file));
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.copyFileSync(file, target);
  }
}

function locked(step) {
  const lock = path.join(root, ".setup-lock");
  for (;;) {
    try {
      fs.writeFileSync(lock, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      if (isAbandoned(lock)) fs.rmSync(lock, { force: true });
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    }
  }
  try {
    step();
  } finally {
    fs.rmSync(lock, { force: true });
  }
}

/** Whether the process that made the lock is gone. */
function isAbandoned(lock) {
  const at = modifiedAt(lock);
  if (at === null) return false;
  const age = Date.now() - at;
  const pid = Number(readText(lock));
  // Created but not yet written: give its owner a moment.
  if (!pid) return age > 5_000;
  try {
    process.kill(pid, 0);
    return age > 15 * 60_000;
  } catch (error) {
    return error.code === "ESRCH";
  }
}

function modifiedAt(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? null;
}

function readText(file) {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await runScript(() => {
    ensureInstalled();
    ensureBuilt();
  });
}
