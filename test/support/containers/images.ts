/**
 * The images of the container and cluster suites. Ours are built from the repository's Containerfile; where nothing can be
 * pulled, bases are made from Debian packages and this machine's own Node and nats-server, and what the build stage would
 * install is prepared here. Kept between runs: a tag is the digest of what is in it.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { cacheRoot, locateTool } from "../../../setup/index.ts";
import type { Engine } from "./engine.ts";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
/** What Node needs beside itself; busybox for whoever looks into a container of a test. */
const BASE_PACKAGES = "libc6,libstdc++6,busybox,base-files,base-passwd,netbase,tzdata,ca-certificates";
const SUITE = "knowledgenet-suite";
const OFFICIAL_NATS = "docker.io/library/nats:2.12.15-scratch";

export interface Images {
  readonly native: string;
  readonly wasm: string;
  readonly nats: string;
}

export async function buildImages(engine: Engine, say: (line: string) => void): Promise<Images> {
  const folder = join(cacheRoot(process.env), "suites", "images");
  await mkdir(folder, { recursive: true });
  const isOfficial = engine.access.program === "docker";
  const base = isOfficial ? undefined : await buildBase(engine, folder);
  const nats = isOfficial ? OFFICIAL_NATS : await buildNats(engine, folder);
  const digest = await digestOf([
    ...["package-lock.json", "Containerfile", "scripts/image-tree.js", "bin", "dist", "schemas", "examples"].map(
      (name) => join(ROOT, name),
    ),
  ]);
  const build = async (kind: "native" | "wasm"): Promise<string> => {
    const tag = `localhost/${SUITE}:${kind}-${digest}`;
    if (await hasImage(engine, tag)) return tag;
    const startedMs = performance.now();
    const args = base === undefined ? [] : await prepare(kind, base, folder);
    await engine.call("build", ...args, "--target", kind, "-t", tag, "-f", join(ROOT, "Containerfile"), ROOT);
    say(`image ${kind}: ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
    return tag;
  };
  const images = { native: await build("native"), wasm: await build("wasm"), nats };
  await dropOthers(engine, [...(base === undefined ? [] : [base]), ...Object.values(images)]);
  return images;
}

/** What the build stages would make, made here. @returns what puts it in their place */
async function prepare(kind: "native" | "wasm", base: string, folder: string): Promise<string[]> {
  const context = join(folder, kind);
  await mkdir(context, { recursive: true });
  await run(process.execPath, [join(ROOT, "scripts", "image-tree.js"), kind, join(context, "tree")], {
    env: { ...process.env, KN_TINI: await findTini(folder) },
    maxBuffer: 1e8,
  });
  return ["--build-arg", `BASE_IMAGE=${base}`, "--build-context", `tree-${kind}=${context}`];
}

/** Debian's C library and this machine's own Node. */
async function buildBase(engine: Engine, folder: string): Promise<string> {
  const node = await realpath(process.execPath);
  const tag = `localhost/${SUITE}:base-${process.version}-${await digestOf([import.meta.filename])}`;
  if (await hasImage(engine, tag)) return tag;
  const context = join(folder, "base");
  await rm(context, { recursive: true, force: true });
  await mkdir(context);
  await run("mmdebstrap", ["--variant=extract", `--include=${BASE_PACKAGES}`, "bookworm", join(context, "rootfs.tar")]);
  await copyFile(node, join(context, "node"));
  return await buildFrom(
    engine,
    context,
    tag,
    "FROM scratch\nADD rootfs.tar /\nCOPY node /usr/local/bin/node\nENV PATH=/usr/local/bin:/usr/bin:/bin\n",
  );
}

/** The nats-server that `npm run setup` has built, which is static. */
async function buildNats(engine: Engine, folder: string): Promise<string> {
  const program = locateTool("nats-server", process.env);
  if (program === undefined) throw new Error("no nats-server: npm run setup");
  const tag = `localhost/${SUITE}:nats-${await digestOf([program, import.meta.filename])}`;
  if (await hasImage(engine, tag)) return tag;
  const context = join(folder, "nats");
  await mkdir(join(context, "data"), { recursive: true });
  await copyFile(program, join(context, "nats-server"));
  return await buildFrom(
    engine,
    context,
    tag,
    'FROM scratch\nCOPY nats-server /nats-server\nCOPY --chown=10001:10001 data /data\nUSER 10001:10001\nENTRYPOINT ["/nats-server"]\n',
  );
}

async function buildFrom(engine: Engine, context: string, tag: string, containerfile: string): Promise<string> {
  await writeFile(join(context, "Containerfile"), containerfile);
  await engine.call("build", "-t", tag, "-f", join(context, "Containerfile"), context);
  return tag;
}

/** A static one: of this machine, or out of Debian's package. */
async function findTini(folder: string): Promise<string> {
  if (existsSync("/usr/bin/tini-static")) return "/usr/bin/tini-static";
  const place = join(folder, "tini");
  const program = join(place, "usr", "bin", "tini-static");
  if (existsSync(program)) return program;
  await mkdir(place, { recursive: true });
  await run("apt-get", ["download", "tini"], { cwd: place });
  const [archive] = (await readdir(place)).filter((name) => name.endsWith(".deb"));
  await run("dpkg", ["-x", join(place, archive ?? ""), place]);
  return program;
}

async function hasImage(engine: Engine, tag: string): Promise<boolean> {
  return await engine.call("image", "inspect", tag).then(
    () => true,
    () => false,
  );
}

/** Images of earlier sources, and what their building left. */
async function dropOthers(engine: Engine, wanted: readonly string[]): Promise<void> {
  const all = await engine.call(
    "images",
    "--filter",
    `reference=localhost/${SUITE}`,
    "--format",
    "{{.Repository}}:{{.Tag}}",
  );
  for (const tag of all.split("\n")) {
    if (tag !== "" && !wanted.includes(tag)) await engine.call("rmi", "-f", tag).catch(() => undefined);
  }
  await engine.call("image", "prune", "-f").catch(() => undefined);
}

async function digestOf(paths: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  const add = async (path: string): Promise<void> => {
    const entries = await readdir(path, { withFileTypes: true }).catch(() => undefined);
    if (entries === undefined) {
      hash.update(relative(ROOT, path)).update(await readFile(path));
      return;
    }
    for (const { name } of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (name !== ".tsbuildinfo") await add(join(path, name));
    }
  };
  for (const path of paths) await add(path);
  return hash.digest("hex").slice(0, 12);
}
