/**
 * `node scripts/image-tree.js native|wasm FOLDER`: everything that an image holds above its base, as FOLDER/app (the
 * package as it runs: no sources, no development dependencies, no source maps), FOLDER/usr/local/bin/tini and a bill of
 * materials. The Containerfile calls it in its build stage; the container suites call it on the host.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { ensureBuilt, root } from "./ensure-built.js";

const NATIVE = "@tensorflow/tfjs-node";
const OWN = ["bin", "dist", "schemas", "examples", "package.json", "package-lock.json", "LICENSE"];
/** What Node never loads: types, maps, texts, sources of packages that ship both, and bundles for browsers. */
const UNUSED = [
  /\.map$/,
  /\.ts$/,
  /\.md$/i,
  /\.tsbuildinfo$/,
  /\.(es2017|fesm)(\.min)?\.js$/,
  /\.min\.js$/,
  /_test\.js$/,
];
/** Debian's tini package, which has a static build. */
const TINI = "/usr/bin/tini-static";

const [kind, folder] = process.argv.slice(2);
if (!["native", "wasm"].includes(kind) || folder === undefined) {
  console.error("usage: node scripts/image-tree.js native|wasm FOLDER");
  process.exit(2);
}
const tree = resolve(folder);
const app = join(tree, "app");

ensureBuilt();
mkdirSync(app, { recursive: true });
copyOwn();
// What is installed stays while the lock file and this file are as they were.
const stamp = `${tree}.stamp`;
const key = createHash("sha256");
for (const path of [join(root, "package-lock.json"), import.meta.filename]) key.update(readFileSync(path));
const digest = key.digest("hex");
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== digest) {
  rmSync(join(app, "node_modules"), { recursive: true, force: true });
  npm("ci", "--omit=dev", "--ignore-scripts");
  if (kind === "wasm") npm("uninstall", "--no-save", "--omit=dev", "--ignore-scripts", NATIVE);
  else await addLibtensorflow();
  prune(join(app, "node_modules"));
  writeFileSync(stamp, digest);
}
npm("pkg", "delete", "devDependencies", "allowScripts", "scripts");
writeFileSync(join(app, "sbom.cdx.json"), npm("sbom", "--sbom-format=cyclonedx", "--omit=dev"));
rmSync(join(app, "dist", "tools"), { recursive: true, force: true });
prune(join(app, "dist"));

const tini = process.env.KN_TINI ?? TINI;
if (!existsSync(tini)) {
  console.error(`${tini} is not there: install the package tini, or name a static one by KN_TINI`);
  process.exit(3);
}
mkdirSync(join(tree, "usr", "local", "bin"), { recursive: true });
cpSync(tini, join(tree, "usr", "local", "bin", "tini"));
chmodSync(join(tree, "usr", "local", "bin", "tini"), 0o755);

function copyOwn() {
  for (const name of OWN) {
    rmSync(join(app, name), { recursive: true, force: true });
    if (existsSync(join(root, name))) cpSync(join(root, name), join(app, name), { recursive: true });
  }
}

function npm(...args) {
  const options = { cwd: app, encoding: "utf8", maxBuffer: 1e9, stdio: ["ignore", "pipe", "inherit"] };
  return execFileSync("npm", [...args, "--no-audit", "--no-fund"], options);
}

/** The libraries as files of our own, without symbols: setup installs links into the user's cache. */
async function addLibtensorflow() {
  const { formatReport, provision } = await import(pathToFileURL(join(root, "dist", "setup", "index.js")).href);
  const report = await provision({ only: ["libtensorflow"], root: app });
  console.log(formatReport(report));
  if (!report.isComplete) process.exit(1);
  const deps = join(app, "node_modules", NATIVE, "deps");
  const real = join(app, "libtensorflow");
  execFileSync("cp", ["-r", "--no-preserve=links", join(deps, "lib"), real]);
  for (const name of readdirSync(real, { withFileTypes: true })) {
    if (name.isFile()) execFileSync("strip", ["--strip-unneeded", join(real, name.name)]);
  }
  rmSync(deps, { recursive: true });
  mkdirSync(deps);
  execFileSync("mv", [real, join(deps, "lib")]);
}

function prune(at) {
  for (const entry of readdirSync(at, { withFileTypes: true })) {
    const path = join(at, entry.name);
    if (entry.isDirectory()) prune(path);
    else if (entry.isFile() && UNUSED.some((pattern) => pattern.test(entry.name))) rmSync(path);
  }
}
